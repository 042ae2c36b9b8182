package postgres_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
	"time"

	"desist/internal/postgres"
	"desist/internal/postgres/postgrestest"
	"desist/takedown"
)

var t0 = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const sweepAfter = 30 * time.Second

func submission(key, host string, class takedown.Class) takedown.Submission {
	return takedown.Submission{
		Key: key, Raw: host, Class: class, Source: "test", SeenAt: t0.Add(-time.Hour),
		Indicator: takedown.Indicator{Kind: takedown.KindDomain, Value: host, Host: host, Registrable: host},
	}
}

func TestAcceptAttachesAndDeduplicates(t *testing.T) {
	s := postgrestest.Open(t)
	ctx := t.Context()
	first, err := s.Accept(ctx, t0, sweepAfter, []takedown.Submission{
		submission("a", "one.example", takedown.ClassPhishing),
		submission("b", "two.example", takedown.ClassPhishing),
		submission("c", "one.example", takedown.ClassPhishing),
		submission("a", "one.example", takedown.ClassPhishing),
		submission("d", "one.example", takedown.ClassMalware),
	})
	if err != nil {
		t.Fatal(err)
	}
	if !first[0].New || !first[1].New || first[2].New || !first[3].Duplicate || !first[4].New {
		t.Errorf("first batch: %+v", first)
	}
	if first[2].CaseID != first[0].CaseID || first[3].CaseID != first[0].CaseID || first[4].CaseID == first[0].CaseID {
		t.Errorf("first batch went to the wrong cases: %+v", first)
	}
	again, err := s.Accept(ctx, t0, sweepAfter, []takedown.Submission{
		submission("a", "one.example", takedown.ClassPhishing),
		submission("e", "one.example", takedown.ClassPhishing),
	})
	if err != nil {
		t.Fatal(err)
	}
	if !again[0].Duplicate || again[0].CaseID != first[0].CaseID || again[1].New || again[1].CaseID != first[0].CaseID {
		t.Errorf("second batch: %+v", again)
	}
	cases, err := s.Load(ctx, []int64{first[0].CaseID})
	if err != nil {
		t.Fatal(err)
	}
	if got := cases[0].Submissions; got != 3 {
		t.Errorf("case has %d submissions, want 3", got)
	}
	if got := cases[0].EventSeq; got != 3 {
		t.Errorf("case has %d events, want 3", got)
	}
}

func TestAcceptConcurrentlyMakesOneCase(t *testing.T) {
	s := postgrestest.Open(t)
	const writers = 8
	errs := make(chan error, writers)
	for w := range writers {
		go func() {
			subs := make([]takedown.Submission, 50)
			for i := range subs {
				subs[i] = submission(fmt.Sprintf("%d-%d", w, i), fmt.Sprintf("host%d.example", i), takedown.ClassPhishing)
			}
			_, err := s.Accept(context.WithoutCancel(t.Context()), t0, sweepAfter, subs)
			errs <- err
		}()
	}
	for range writers {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	due, err := s.Sweep(t.Context(), t0.Add(time.Hour), time.Hour, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if len(due) != 50 {
		t.Errorf("%d writers made %d cases, want 50", writers, len(due))
	}
}

func TestCommitIsOptimisticAndWhole(t *testing.T) {
	s := postgrestest.Open(t)
	ctx := t.Context()
	a, err := s.Accept(ctx, t0, sweepAfter, []takedown.Submission{submission("a", "one.example", takedown.ClassPhishing), submission("b", "two.example", takedown.ClassC2)})
	if err != nil {
		t.Fatal(err)
	}
	ids := []int64{a[0].CaseID, a[1].CaseID}
	mine, err := s.Load(ctx, ids)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := s.Load(ctx, ids[:1])
	if err != nil {
		t.Fatal(err)
	}
	theirs[0].Record(t0, takedown.EventNote, "somebody", nil)
	if lost, err := s.Commit(ctx, t0, sweepAfter, []*takedown.Change{{Case: theirs[0]}}); err != nil || len(lost) > 0 {
		t.Fatalf("lost %v, err %v", lost, err)
	}
	changes := make([]*takedown.Change, len(mine))
	for i, c := range mine {
		if err := c.Move(takedown.CaseScreened, ""); err != nil {
			t.Fatal(err)
		}
		c.Record(t0, takedown.EventScreened, "screen", nil)
		changes[i] = &takedown.Change{Case: c}
	}
	lost, err := s.Commit(ctx, t0, sweepAfter, changes)
	if err != nil {
		t.Fatal(err)
	}
	if len(lost) != 1 || lost[0] != ids[0] {
		t.Errorf("lost %v, want the case that somebody else changed (%d)", lost, ids[0])
	}
	after, err := s.Load(ctx, ids)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range after {
		want := takedown.CaseScreened
		if c.ID == ids[0] {
			want = takedown.CaseSubmitted
		}
		if c.State != want {
			t.Errorf("case %d is %s, want %s", c.ID, c.State, want)
		}
	}
}

// A whole life of rows: everything that a change can hold goes in and comes out
// the same.
func TestCommitStoresEverything(t *testing.T) {
	s := postgrestest.Open(t)
	ctx := t.Context()
	a, err := s.Accept(ctx, t0, sweepAfter, []takedown.Submission{submission("a", "one.example", takedown.ClassPhishing)})
	if err != nil {
		t.Fatal(err)
	}
	load := func() *takedown.Case {
		t.Helper()
		cases, err := s.Load(ctx, []int64{a[0].CaseID})
		if err != nil {
			t.Fatal(err)
		}
		return cases[0]
	}
	commit := func(ch *takedown.Change) {
		t.Helper()
		if lost, err := s.Commit(ctx, t0, sweepAfter, []*takedown.Change{ch}); err != nil || len(lost) > 0 {
			t.Fatalf("lost %v, err %v", lost, err)
		}
	}
	move := func(c *takedown.Case, to takedown.CaseState, kind takedown.EventKind) {
		t.Helper()
		if err := c.Move(to, "because\x00"); err != nil {
			t.Fatal(err)
		}
		c.Record(t0, kind, "test", map[string]any{"text": "NUL \x00 and \xff"})
	}
	c := load()
	move(c, takedown.CaseScreened, takedown.EventScreened)
	commit(&takedown.Change{Case: c})
	c = load()
	move(c, takedown.CaseResolved, takedown.EventResolved)
	party := takedown.Party{Role: takedown.RoleHost, Key: "asn:64496", Name: "Host\x00ing", Country: "NL", ASN: 64496, Contacts: []takedown.Contact{
		{Channel: takedown.ChannelEmail, Address: "abuse@host.example", Confidence: 0.9, Sources: []string{"rdap"}},
	}}
	commit(&takedown.Change{Case: c, Resolution: &takedown.Resolution{
		Findings: []takedown.Finding{{Fact: takedown.FactAddress, Subject: "one.example", Value: "192.0.2.1", Source: "dns", At: t0, Raw: []byte("\x00\xff")}},
		Parties:  []takedown.Party{party},
		Gaps:     []takedown.Gap{{Source: "whois", Query: "one.example", Reason: "\x00"}},
	}})
	c = load()
	if len(c.Parties) != 1 || c.Parties[0].Contacts[0].Address != "abuse@host.example" {
		t.Fatalf("parties: %+v", c.Parties)
	}
	c.Legs = append(c.Legs, &takedown.Leg{Party: c.Parties[0], State: takedown.LegPlanned, Kind: takedown.NoticeFirst, DueAt: t0, OpenedAt: t0})
	move(c, takedown.CaseActive, takedown.EventPlanned)
	commit(&takedown.Change{Case: c})
	c = load()
	leg := c.Legs[0]
	if leg.ID == 0 || leg.Party.Name == "" || leg.Party.Contacts[0].Address != "abuse@host.example" {
		t.Fatalf("leg: %+v", leg)
	}
	n := &takedown.Notice{
		CaseID: c.ID, LegID: leg.ID, Seq: 1, Kind: takedown.NoticeFirst, Recipient: "abuse@host.example", EnvelopeFrom: "b+x@sender.example", MessageID: "m1@sender.example",
		Draft: takedown.Draft{Pack: "xx", Languages: []string{"en"}, Elements: []takedown.Element{{ID: "where", Line: 3}}}, Sealed: []byte("raw"), SHA256: sha256.Sum256([]byte("raw")), SealedAt: t0,
	}
	if err := leg.Move(takedown.LegComposed, "", t0); err != nil {
		t.Fatal(err)
	}
	leg.Seq = 1
	c.Record(t0, takedown.EventNoticeSealed, "compose", nil)
	commit(&takedown.Change{Case: c, Notices: []*takedown.Notice{n}})
	c = load()
	leg = c.Legs[0]
	if leg.NoticeID != n.ID || leg.State != takedown.LegComposed {
		t.Fatalf("leg after sealing: %+v", leg)
	}
	stored, err := s.Notices(ctx, []int64{n.ID})
	if err != nil || string(stored[n.ID].Sealed) != "raw" || stored[n.ID].Draft.Elements[0].Line != 3 {
		t.Fatalf("notice %+v, err %v", stored, err)
	}
	c.Record(t0, takedown.EventDeliveryStarted, "deliver", nil)
	d := takedown.Delivery{CaseID: c.ID, LegID: leg.ID, NoticeID: n.ID, Attempt: 1, StartedAt: t0}
	commit(&takedown.Change{Case: c, Deliveries: []takedown.Delivery{d}})
	d.FinishedAt, d.Outcome, d.Code, d.Reply = t0.Add(time.Second), takedown.OutcomeAccepted, 250, "250 ok \x00\xff"
	c.Record(t0, takedown.EventAccepted, "deliver", nil)
	commit(&takedown.Change{
		Case: c, Deliveries: []takedown.Delivery{d}, Checks: []takedown.Check{{CaseID: c.ID, At: t0, Verdict: takedown.VerdictUp, Detail: "\x00"}},
		DeadContacts: []takedown.DeadContact{{Contact: leg.Party.Contacts[0], Reason: "gone"}, {Contact: leg.Party.Contacts[0], Reason: "gone"}},
	})
	dead, err := s.DeadContacts(ctx, []string{"abuse@host.example", "other@host.example"})
	if err != nil || len(dead) != 1 {
		t.Errorf("dead contacts %v, err %v", dead, err)
	}
	earlier, err := s.EarlierNotices(ctx, []int64{c.ID})
	if err != nil || len(earlier[c.ID]) != 1 || earlier[c.ID][0].MessageID != "m1@sender.example" {
		t.Errorf("earlier notices %v, err %v", earlier, err)
	}

	// A second notice with the same number for the leg is refused.
	n2 := *n
	n2.MessageID = "m2@sender.example"
	c = load()
	c.Record(t0, takedown.EventNoticeSealed, "compose", nil)
	if _, err := s.Commit(ctx, t0, sweepAfter, []*takedown.Change{{Case: c, Notices: []*takedown.Notice{&n2}}}); err == nil {
		t.Error("a leg got two notices with the same number")
	}
}

func TestRelayKeepsOrderAndNeverSkips(t *testing.T) {
	s := postgrestest.Open(t)
	ctx := t.Context()
	for i := range 5 {
		if _, err := s.Accept(ctx, t0, sweepAfter, []takedown.Submission{submission(fmt.Sprint(i), fmt.Sprintf("h%d.example", i), takedown.ClassPhishing)}); err != nil {
			t.Fatal(err)
		}
	}
	collect := func(fail bool) (events []takedown.Event, err error) {
		_, err = s.Relay(ctx, 3, func(_ context.Context, batch []postgres.OutboxEvent) error {
			for _, e := range batch {
				if e.Stage != takedown.StageScreen {
					t.Errorf("event %d asks for stage %q", e.ID, e.Stage)
				}
				events = append(events, e.Event)
			}
			if fail {
				return errors.New("broker away")
			}
			return nil
		})
		return events, err
	}
	if _, err := collect(true); err == nil {
		t.Error("a failed publish did not fail the relay")
	}
	var got []int64
	for {
		events, err := collect(false)
		if err != nil {
			t.Fatal(err)
		}
		if len(events) == 0 {
			break
		}
		for _, e := range events {
			got = append(got, e.ID)
		}
	}
	if len(got) != 5 {
		t.Errorf("relayed %v, want five events once each", got)
	}
}
