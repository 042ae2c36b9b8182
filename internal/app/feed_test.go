package app_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"desist/feeds"
	"desist/internal/postgres"
	"desist/internal/postgres/postgrestest"
	"desist/internal/simnet"
	"desist/pipeline"
	"desist/takedown"
)

// corpora returns the folder of outside data that is measured against.
func corpora(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("DESIST_CORPORA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "corpora")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("This test needs the corpora: set DESIST_CORPORA (%v).", err)
	}
	return dir
}

// TestFeed takes in a real event of MISP against a world in which what it names
// exists and every desk acts. Each attribute that is accepted comes to a sealed
// notice, a delivery with the server's words, and a closed case, and its story
// says all of it.
func TestFeed(t *testing.T) {
	name := filepath.Join(corpora(t), "feeds", "misp-event.json")
	f, err := os.Open(name)
	if err != nil {
		t.Skipf("This test needs the event of MISP: %v", err)
	}
	defer func() { _ = f.Close() }() // it is only read
	var rows []feeds.Row
	var epoch time.Time
	for row, err := range feeds.Read(f, feeds.Options{Format: feeds.Auto, DefaultClass: takedown.ClassMalware, Name: name}) {
		if err != nil {
			t.Fatal(err)
		}
		if row.Err != nil {
			continue
		}
		rows = append(rows, row)
		if row.Message.SeenAt != nil && row.Message.SeenAt.After(epoch) {
			epoch = *row.Message.SeenAt
		}
	}
	if len(rows) < 5 || epoch.IsZero() {
		t.Fatalf("the event has %d rows, the last at %v", len(rows), epoch)
	}
	named := make([]string, len(rows))
	for i, r := range rows {
		named[i] = r.Message.Indicator
	}
	world, err := simnet.WorldForIndicators(named)
	if err != nil {
		t.Fatal(err)
	}
	world.Epoch = epoch.Add(time.Hour)
	// Every desk has a mailbox, reads it, and acts: names leave the DNS, hosts
	// leave the net.
	for name, b := range world.Behaviours {
		world.Behaviours[name] = simnet.Behaviour{
			Class: b.Class, Act: &simnet.Delay{Median: 2 * time.Hour}, Ends: simnet.Shares{"nodns": 1}, AutoAck: 1, Ticket: 1,
		}
	}
	for i := range world.Networks {
		reachable(&world.Networks[i].Desk, world.Networks[i].Domain)
	}
	for i := range world.Registrars {
		reachable(&world.Registrars[i].Desk, world.Registrars[i].Domain)
	}
	clock := newWarp(world.Epoch, slow)
	n := startWorld(t, world, clock)
	cfg := configure(t, n, postgrestest.URL(t), map[string]string{
		"track.first": "1h", "track.confirm_interval": "30m", "track.confirm_rounds": "2", "deliver.retry.first": "10m", "ladder.registrar.after": "6h",
	})
	a := start(t, cfg, n, clock, fast)
	s := a.Database().Store
	offers := make([]pipeline.Offer, len(rows))
	for i, r := range rows {
		offers[i] = pipeline.Offer{Message: r.Message, Source: "misp"}
	}
	receipts, err := a.Intake().Submit(t.Context(), offers)
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(map[int64]string)
	for i, r := range receipts {
		if r.Err != nil {
			t.Logf("refused: %s: %v", named[i], r.Err)
			continue
		}
		accepted[r.CaseID] = named[i]
	}
	eventually(t, 20*time.Second, func() string {
		o := overview(t, s)
		if waiting := o.Cases["submitted"] + o.Cases["screened"] + o.Cases["resolved"]; waiting > 0 || o.Told < o.Cases["active"] {
			return fmt.Sprintf("first notices: cases %v, legs %v, %d told", o.Cases, o.Legs, o.Told)
		}
		return ""
	})
	clock.Speed(fast)
	eventually(t, 20*time.Second, func() string {
		if o := overview(t, s); o.Cases["active"] > 0 {
			return fmt.Sprintf("cases %v, legs %v, deliveries %v", o.Cases, o.Legs, o.Deliveries)
		}
		return ""
	})
	clock.Speed(slow)
	closed := 0
	for id, indicator := range accepted {
		st, err := s.Story(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if st.Case.State == takedown.CaseRefused {
			if st.Case.Reason == "" {
				t.Errorf("%s is refused without a reason", indicator)
			}
			t.Logf("refused: %s: %s", indicator, st.Case.Reason)
			continue
		}
		closed++
		whole(t, indicator, st)
	}
	if closed < len(accepted)/2 {
		t.Errorf("only %d of %d cases were not refused", closed, len(accepted))
	}
	saidOnce(t, s, n.Mails(20_000))
	audited(t, s)
	stop(t, a)
}

func reachable(d *simnet.Desk, domain string) {
	if d.Abuse == "" {
		d.Abuse, d.Form = "abuse@"+domain, ""
	}
}

// whole fails unless the story of a removed case has every part.
func whole(t *testing.T, indicator string, st *postgres.Story) {
	t.Helper()
	if st.Case.State != takedown.CaseRemoved {
		t.Errorf("%s is %s (%s), %s", indicator, st.Case.State, st.Case.Reason, st.Case.Track.Detail)
		return
	}
	var missing []string
	need := func(what string, ok bool) {
		if !ok {
			missing = append(missing, what)
		}
	}
	need("a submission as it was sent", len(st.Submissions) > 0 && st.Submissions[0].Raw != "" && st.Submissions[0].Source == "misp")
	need("findings", len(st.Resolutions) > 0 && len(st.Resolutions[0].Findings) > 0)
	for _, r := range st.Resolutions {
		for _, f := range r.Findings {
			need("the source of a finding", f.Source != "" && !f.At.IsZero())
		}
		for _, p := range r.Parties {
			need("why a contact won", p.Why != "")
			for _, c := range p.Contacts {
				need("the sources of a contact", len(c.Sources) > 0)
			}
		}
	}
	need("a sealed notice", len(st.Notices) > 0)
	for _, n := range st.Notices {
		need("the seal of a notice", n.SHA256 != takedown.Hash{} && !n.SealedAt.IsZero() && n.Draft.Pack != "")
	}
	need("a delivery with the server's reply", slices.ContainsFunc(st.Deliveries, func(d takedown.Delivery) bool {
		return d.Outcome == takedown.OutcomeAccepted && d.Code == 250 && strings.HasPrefix(d.Reply, "250 2.0.0 ") && !d.FinishedAt.IsZero()
	}))
	need("a check that saw it and one that did not", slices.ContainsFunc(st.Checks, func(c takedown.Check) bool { return c.Verdict == takedown.VerdictUp }) &&
		st.Checks[len(st.Checks)-1].Verdict == takedown.VerdictGone && len(st.Checks[0].Observations) > 0)
	need("an automatic answer", slices.ContainsFunc(st.Replies, func(r takedown.Reply) bool { return r.Class == takedown.ReplyAuto && r.Authentic && r.Ticket != "" }))
	for _, kind := range []takedown.EventKind{
		takedown.EventSubmitted, takedown.EventScreened, takedown.EventResolved, takedown.EventPlanned, takedown.EventNoticeSealed,
		takedown.EventDeliveryStarted, takedown.EventAccepted, takedown.EventGoneSeen, takedown.EventRemoved,
	} {
		need("event "+string(kind), slices.Contains(kinds(st.Events), kind))
	}
	need("the clocks", !st.Case.NotifiedAt.IsZero() && st.Case.NotifiedAt.Before(st.Case.GoneSeenAt) && st.Case.GoneSeenAt.Before(st.Case.GoneAt))
	if len(missing) > 0 {
		t.Errorf("the story of %s lacks %v", indicator, missing)
	}
}
