package postgres_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"desist/internal/postgres"
	"desist/takedown"
)

func accept(t *testing.T, s *postgres.Store, subs ...takedown.Submission) []int64 {
	t.Helper()
	out, err := s.Accept(t.Context(), t0, sweepAfter, subs)
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]int64, len(out))
	for i, a := range out {
		ids[i] = a.CaseID
	}
	return ids
}

func load(t *testing.T, s *postgres.Store, id int64) *takedown.Case {
	t.Helper()
	cases, err := s.Load(t.Context(), []int64{id})
	if err != nil || len(cases) != 1 {
		t.Fatalf("%d cases, err %v", len(cases), err)
	}
	return cases[0]
}

func commit(t *testing.T, s *postgres.Store, changes ...*takedown.Change) {
	t.Helper()
	if lost, err := s.Commit(t.Context(), t0, sweepAfter, changes); err != nil || len(lost) > 0 {
		t.Fatalf("lost %v, err %v", lost, err)
	}
}

func host(key string) takedown.Party {
	return takedown.Party{Role: takedown.RoleHost, Key: key, Name: "Example", Contacts: []takedown.Contact{{Channel: takedown.ChannelEmail, Address: "abuse@host.example"}}}
}

// resolvedCase brings a case to the point where its legs are planned.
func resolvedCase(t *testing.T, s *postgres.Store, name string) int64 {
	t.Helper()
	id := accept(t, s, submission(name, name, takedown.ClassPhishing))[0]
	c := load(t, s, id)
	c.State = takedown.CaseResolved
	c.Record(t0, takedown.EventResolved, "resolve", nil)
	commit(t, s, &takedown.Change{Case: c, Resolution: &takedown.Resolution{Parties: []takedown.Party{host("asn:64496")}}})
	return id
}

func plan(c *takedown.Case, due time.Time) *takedown.Change {
	c.State = takedown.CaseActive
	c.Track.NextAt = due.Add(time.Hour)
	c.Legs = append(c.Legs, &takedown.Leg{Party: c.Parties[0], State: takedown.LegPlanned, Kind: takedown.NoticeFirst, DueAt: due, OpenedAt: t0})
	c.Record(t0, takedown.EventPlanned, "plan", nil)
	return &takedown.Change{Case: c}
}

// sealedCase has a leg with one sealed notice and an attempt under way.
func sealedCase(t *testing.T, s *postgres.Store, name string) (caseID, legID, noticeID int64) {
	t.Helper()
	id := resolvedCase(t, s, name)
	commit(t, s, plan(load(t, s, id), t0))
	c := load(t, s, id)
	l := c.Legs[0]
	sealed := []byte("message about " + name)
	n := &takedown.Notice{CaseID: id, LegID: l.ID, Seq: 1, Kind: takedown.NoticeFirst, Recipient: "abuse@host.example", MessageID: name, Sealed: sealed, SHA256: sha256.Sum256(sealed), SealedAt: t0}
	l.State, l.Seq = takedown.LegSending, 1
	l.DueAt = t0.Add(time.Minute)
	l.Touch()
	c.Record(t0, takedown.EventNoticeSealed, "compose", map[string]any{"message_id": n.MessageID, "sha256": n.SHA256.String()})
	commit(t, s, &takedown.Change{Case: c, Notices: []*takedown.Notice{n}})
	c = load(t, s, id)
	c.Record(t0, takedown.EventDeliveryStarted, "deliver", nil)
	commit(t, s, &takedown.Change{Case: c, Deliveries: []takedown.Delivery{{CaseID: id, LegID: l.ID, NoticeID: n.ID, Attempt: 1, StartedAt: t0}}})
	return id, l.ID, n.ID
}

// The legs of the cases that won are stored, although the batch had to be
// written a second time without the one that lost.
func TestALostRaceDoesNotLoseTheLegsOfOthers(t *testing.T) {
	s, _ := open(t)
	a, b := resolvedCase(t, s, "a.example"), resolvedCase(t, s, "b.example")
	mine, other := load(t, s, a), load(t, s, b)
	fast := load(t, s, b)
	fast.Record(t0, takedown.EventNote, "ann", nil)
	commit(t, s, &takedown.Change{Case: fast})
	lost, err := s.Commit(t.Context(), t0, sweepAfter, []*takedown.Change{plan(mine, t0), plan(other, t0)})
	if err != nil || len(lost) != 1 || lost[0] != b {
		t.Fatalf("lost %v, err %v", lost, err)
	}
	if c := load(t, s, a); c.State != takedown.CaseActive || len(c.Legs) != 1 {
		t.Errorf("the winner is %s and has %d legs", c.State, len(c.Legs))
	}
	if c := load(t, s, b); c.State != takedown.CaseResolved || len(c.Legs) != 0 {
		t.Errorf("the loser is %s and has %d legs", c.State, len(c.Legs))
	}
}

// Changes that leave no event are a version too.
func TestASteadyRoundWinsItsRace(t *testing.T) {
	s, _ := open(t)
	id := resolvedCase(t, s, "a.example")
	for name, change := range map[string]func(*takedown.Case){
		"check":   func(c *takedown.Case) { c.Track.Checks++ },
		"failure": func(c *takedown.Case) { c.Attempts++ },
	} {
		first, second := load(t, s, id), load(t, s, id)
		change(first)
		commit(t, s, &takedown.Change{Case: first})
		second.Record(t0, takedown.EventNote, "late", nil)
		if lost, err := s.Commit(t.Context(), t0, sweepAfter, []*takedown.Change{{Case: second}}); err != nil || len(lost) != 1 {
			t.Errorf("%s: a writer with an old copy lost %v, err %v", name, lost, err)
		}
	}
}

// A report that attaches keeps the schedule of the legs.
func TestAttachingKeepsTheSchedule(t *testing.T) {
	s, conn := open(t)
	id := resolvedCase(t, s, "a.example")
	due := t0.Add(10 * time.Minute)
	commit(t, s, plan(load(t, s, id), due))
	accept(t, s, submission("again", "a.example", takedown.ClassPhishing))
	var stage string
	var at time.Time
	if err := conn.QueryRow(t.Context(), `SELECT due_stage, due_at FROM cases WHERE id = $1`, id).Scan(&stage, &at); err != nil {
		t.Fatal(err)
	}
	if stage != string(takedown.StageCompose) || !at.Equal(due) {
		t.Errorf("due for %s at %s, want compose at %s", stage, at, due)
	}
}

func TestAcceptTakesStrangeBatches(t *testing.T) {
	s, _ := open(t)
	nul := submission("nul\x00", "b.example", takedown.ClassPhishing)
	nul.Evidence = []takedown.Evidence{{Kind: "text\x00", MediaType: "text/plain\xff"}}
	nul.References = []string{"https://\x00"}
	subs := []takedown.Submission{
		submission("same", "a.example", takedown.ClassPhishing), submission("same", "c.example", takedown.ClassMalware), nul, nul,
	}
	for round := range 2 {
		out, err := s.Accept(t.Context(), t0, sweepAfter, subs)
		if err != nil {
			t.Fatal(err)
		}
		if first := round == 0; out[0].New != first || !out[1].Duplicate || out[1].CaseID != out[0].CaseID || out[2].New != first || !out[3].Duplicate {
			t.Errorf("round %d: %+v", round, out)
		}
		for i, a := range out {
			if a.State != takedown.CaseSubmitted {
				t.Errorf("round %d: answer %d says %q", round, i, a.State)
			}
		}
	}
}

// Writers that touch the same cases, parties and raw answers in different
// orders wait for one another; none is chosen as a victim.
func TestWritersDoNotDeadlock(t *testing.T) {
	s, _ := open(t)
	const n = 40
	subs := make([]takedown.Submission, n)
	for i := range subs {
		subs[i] = submission(fmt.Sprint(i), fmt.Sprintf("h%d.example", i), takedown.ClassPhishing)
	}
	ids := accept(t, s, subs...)
	ctx := context.WithoutCancel(t.Context())
	var wg sync.WaitGroup
	errs := make(chan error, 1000)
	for w := range 6 {
		wg.Go(func() {
			for round := range 8 {
				if w%2 == 0 {
					more := make([]takedown.Submission, n)
					for i := range more {
						more[i] = submission(fmt.Sprint(w, round, i), fmt.Sprintf("h%d.example", n-i-1), takedown.ClassPhishing)
					}
					if _, err := s.Accept(ctx, t0, sweepAfter, more); err != nil {
						errs <- err
					}
					continue
				}
				cases, err := s.Load(ctx, ids)
				if err != nil {
					errs <- err
					continue
				}
				changes := make([]*takedown.Change, len(cases))
				for i, c := range cases {
					c.Record(t0, takedown.EventNote, "w", nil)
					r := &takedown.Resolution{}
					for k := range 20 {
						raw := []byte(fmt.Sprint("answer ", (k*7+w+i)%20, round))
						r.Findings = append(r.Findings, takedown.Finding{Fact: takedown.FactAddress, At: t0, Raw: raw})
					}
					changes[i] = &takedown.Change{Case: c, Resolution: r}
				}
				if _, err := s.Commit(ctx, t0, sweepAfter, changes); err != nil {
					errs <- err
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
	if res, err := s.Audit(ctx, nil, nil); err != nil || len(res.Breaks) > 0 || res.Cases != n {
		t.Errorf("%+v, err %v", res, err)
	}
}

// A transaction with a lower event number that commits later is not skipped.
func TestRelayWaitsForLateCommits(t *testing.T) {
	s, conn := open(t)
	id := accept(t, s, submission("a", "a.example", takedown.ClassPhishing))[0]
	var got []string
	relay := func() {
		t.Helper()
		for {
			n, err := s.Relay(t.Context(), 100, func(_ context.Context, batch []postgres.OutboxEvent) error {
				for _, e := range batch {
					got = append(got, e.Actor)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				return
			}
		}
	}
	relay()
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `INSERT INTO events (case_id, seq, at, kind, actor, data, prev, hash)
		SELECT $1, 1000, now(), 'case.note', 'late', '{}', hash, hash FROM events WHERE case_id = $1`, id); err != nil {
		t.Fatal(err)
	}
	accept(t, s, submission("b", "b.example", takedown.ClassPhishing))
	relay() // the higher number is committed, the lower one is not
	if len(got) != 1 {
		t.Errorf("relayed %v past a transaction that still runs", got)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	relay()
	if want := "intake late intake"; strings.Join(got, " ") != want {
		t.Errorf("relayed %v, want %s", got, want)
	}
}

func TestSweepLeases(t *testing.T) {
	s, _ := open(t)
	ids := accept(t, s, submission("a", "a.example", takedown.ClassPhishing), submission("b", "b.example", takedown.ClassPhishing))
	now := t0.Add(sweepAfter)
	sweep := func(at time.Time, limit, want int) {
		t.Helper()
		due, err := s.Sweep(t.Context(), at, time.Minute, limit)
		if err != nil || len(due) != want {
			t.Fatalf("swept %v at %s, want %d (err %v)", due, at, want, err)
		}
	}
	sweep(now.Add(-time.Second), 10, 0)
	sweep(now, 1, 1)
	sweep(now, 10, 1)
	sweep(now.Add(time.Minute-time.Second), 10, 0)
	sweep(now.Add(time.Minute), 10, len(ids))
	if at, ok, err := s.NextDue(t.Context()); err != nil || !ok || !at.Equal(now.Add(2*time.Minute)) {
		t.Errorf("next due %s %v %v", at, ok, err)
	}
}

// A leg keeps the party as it was known when it was planned.
func TestALegOfAnOlderResolution(t *testing.T) {
	s, _ := open(t)
	id := resolvedCase(t, s, "a.example")
	commit(t, s, plan(load(t, s, id), t0))
	c := load(t, s, id)
	c.Record(t0, takedown.EventResolved, "resolve", nil)
	commit(t, s, &takedown.Change{Case: c, Resolution: &takedown.Resolution{Parties: []takedown.Party{host("asn:64511")}}})
	c = load(t, s, id)
	l := c.Legs[0]
	if c.Parties[0].Key != "asn:64511" || l.Party.Key != "asn:64496" || len(l.Party.Contacts) != 1 || l.Dirty() {
		t.Errorf("case %+v, leg %+v", c.Parties, l.Party)
	}
}

func TestRepliesAreStoredOnceAndTiedOnce(t *testing.T) {
	s, _ := open(t)
	id, leg, notice := sealedCase(t, s, "a.example")
	mail := func(text string, legID int64, seq int, authentic bool) takedown.Reply {
		return takedown.Reply{LegID: legID, Seq: seq, Authentic: authentic, ReceivedAt: t0, Class: takedown.ReplyHuman, From: "desk\x00", Raw: []byte(text), SHA256: sha256.Sum256([]byte(text))}
	}
	tests := []struct {
		name            string
		r               takedown.Reply
		authentic, tied bool
	}{
		{"ours", mail("1", leg, 1, true), true, true},
		{"forged", mail("2", leg, 1, false), false, false},
		{"a leg that does not exist", mail("3", 999, 1, true), false, false},
		{"of no leg", mail("4", 0, 0, false), false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for round := range 2 {
				got, isNew, err := s.StoreReply(t.Context(), tt.r)
				if err != nil || isNew != (round == 0) || got.Authentic != tt.authentic || (got.CaseID == id) != tt.tied || (got.NoticeID == notice) != tt.tied {
					t.Errorf("round %d: new %v, %+v, err %v", round, isNew, got, err)
				}
			}
		})
	}
	pending, err := s.PendingReplies(t.Context(), 10)
	if err != nil || len(pending) != 1 {
		t.Fatalf("pending %v, err %v", pending, err)
	}
	take := func() error {
		c := load(t, s, id)
		c.Record(t0, takedown.EventReply, "inbox", nil)
		_, err := s.Commit(t.Context(), t0, sweepAfter, []*takedown.Change{{Case: c, Reply: &pending[0]}})
		return err
	}
	if err := take(); err != nil {
		t.Fatal(err)
	}
	if err := take(); err == nil {
		t.Error("a reply was taken in twice")
	}
	if pending, err = s.PendingReplies(t.Context(), 10); err != nil || len(pending) != 0 {
		t.Errorf("pending %v, err %v", pending, err)
	}
}

// What we learn of an attempt that was called unknown replaces the unknown, and
// nothing replaces what was known.
func TestOutcomesAreFinal(t *testing.T) {
	s, _ := open(t)
	id, leg, notice := sealedCase(t, s, "a.example")
	for _, o := range []takedown.Outcome{takedown.OutcomeUnknown, takedown.OutcomeAccepted, takedown.OutcomeRejected} {
		c := load(t, s, id)
		c.Record(t0, takedown.EventAccepted, "deliver", nil)
		commit(t, s, &takedown.Change{Case: c, Deliveries: []takedown.Delivery{{CaseID: id, LegID: leg, NoticeID: notice, Attempt: 1, FinishedAt: t0, Outcome: o}}})
	}
	st, err := s.Story(t.Context(), id)
	if err != nil || len(st.Deliveries) != 1 || st.Deliveries[0].Outcome != takedown.OutcomeAccepted {
		t.Errorf("deliveries %+v, err %v", st.Deliveries, err)
	}
}

// The record names what was altered by somebody who got around the triggers.
func TestAuditNamesTheBreak(t *testing.T) {
	tests := []struct{ name, sql, want string }{
		{"changed data", `UPDATE events SET data = '{"x": 1}' WHERE case_id = $1 AND seq = 2`, "case %d: event 2 (case.resolved"},
		{"one more blank", `UPDATE events SET data = (data::text || ' ')::json WHERE case_id = $1 AND seq = 3`, "case %d: event 3 (case.planned"},
		{"deleted event", `DELETE FROM events WHERE case_id = $1 AND seq = 3`, "case %d: event 3 is missing"},
		{"deleted last event", `DELETE FROM events WHERE case_id = $1 AND seq = 5`, "case %d: the record ends at event 4, but the case was last written at event 5"},
		{"all events", `DELETE FROM events WHERE case_id = $1`, "case %d: all 5 events are missing"},
		{"changed head", `UPDATE cases SET event_hash = sha256('x') WHERE id = $1`, "case %d: the hash that the case keeps is not that of its last event 5"},
		{"changed number", `UPDATE cases SET event_seq = 4 WHERE id = $1`, "case %d: the record ends at event 5, but the case was last written at event 4"},
		{"changed notice", `UPDATE notices SET sealed = 'something else' WHERE case_id = $1`, "case %d: event 4: notice"},
		{"changed notice and hash", `UPDATE notices SET sealed = 'x', sha256 = sha256('x') WHERE case_id = $1`, "case %d: event 4: notice"},
		{"deleted notice", `DELETE FROM notices WHERE case_id = $1`, "case %d: event 4: the notice a.example that it sealed is missing"},
		{"deleted case", `DELETE FROM cases WHERE id = $1`, "case %d: the case is missing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, conn := open(t)
			id, _, _ := sealedCase(t, s, "a.example")
			sealedCase(t, s, "b.example")
			if res, err := s.Audit(t.Context(), nil, nil); err != nil || len(res.Breaks) > 0 || res.Cases != 2 || res.Events != 10 {
				t.Fatalf("before: %+v, err %v", res, err)
			}
			if _, err := conn.Exec(t.Context(), "SET session_replication_role = replica"); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Exec(t.Context(), tt.sql, id); err != nil {
				t.Fatal(err)
			}
			res, err := s.Audit(t.Context(), nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			if want := fmt.Sprintf(tt.want, id); len(res.Breaks) == 0 || !strings.HasPrefix(res.Breaks[0], want) {
				t.Errorf("breaks %q, want %q first", res.Breaks, want)
			}
		})
	}
}

// A party named twice is refused for good; it must not look like a race.
func TestTheSchemaRefusesForGood(t *testing.T) {
	s, _ := open(t)
	id := resolvedCase(t, s, "a.example")
	ch := plan(load(t, s, id), t0)
	plan(ch.Case, t0)
	_, err := s.Commit(t.Context(), t0, sweepAfter, []*takedown.Change{ch})
	if takedown.KindOf(err) != takedown.KindPermanent {
		t.Errorf("two legs to one party: %v (%s)", err, takedown.KindOf(err))
	}
	ch = plan(load(t, s, id), t0)
	ch.Case.Legs[0].Party.Key = strings.Repeat("xq7", 100_000)
	if _, err = s.Commit(t.Context(), t0, sweepAfter, []*takedown.Change{ch}); err != nil && takedown.KindOf(err) != takedown.KindPermanent {
		t.Errorf("a key that no index takes: %s", takedown.KindOf(err))
	}
}
