package pipeline

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"desist/takedown"
)

type sender func(takedown.Notice) takedown.Delivery

func (f sender) Send(_ context.Context, n takedown.Notice) takedown.Delivery { return f(n) }

func accept(takedown.Notice) takedown.Delivery {
	return takedown.Delivery{Outcome: takedown.OutcomeAccepted, FinishedAt: epoch}
}

// active stores an active case with the given legs. A leg that is composed or
// sending has a notice to send.
func active(m *memory, state takedown.CaseState, legs ...*takedown.Leg) *takedown.Case {
	c := &takedown.Case{ID: m.id(), State: state, Class: takedown.ClassPhishing, SubmittedAt: epoch}
	c.Track.NextAt = epoch.Add(time.Hour)
	roles := takedown.Roles()
	for i, l := range legs {
		l.ID, l.CaseID = m.id(), c.ID
		l.Party.Role, l.Party.Key, l.Kind = roles[i], "asn:64496", takedown.NoticeFirst
		if l.Party.Contacts == nil {
			l.Party.Contacts = []takedown.Contact{{Channel: takedown.ChannelEmail, Address: "abuse@host.example"}, {Channel: takedown.ChannelEmail, Address: "noc@host.example"}}
		}
		if l.State == takedown.LegComposed || l.State == takedown.LegSending || l.State.Told() {
			l.NoticeID, l.Seq = m.id(), 1
			m.notices[l.NoticeID] = takedown.Notice{ID: l.NoticeID, CaseID: c.ID, LegID: l.ID, Seq: 1, Recipient: l.Party.Contacts[0].Address}
		}
		if l.State == takedown.LegSending || l.State.Told() {
			l.Attempts = 1
			m.deliveries[[2]int64{l.NoticeID, 1}] = takedown.Delivery{NoticeID: l.NoticeID, Attempt: 1}
		}
	}
	c.Legs = legs
	if state.Closed() {
		c.ClosedAt = epoch
	}
	c.Record(epoch, takedown.EventPlanned, "plan", nil)
	m.put(c, epoch)
	return c
}

func deliverer(m *memory, n Notifier) (*Engine, *Deliver) {
	now := func() time.Time { return epoch }
	e := NewEngine(Config{Store: m, Now: now})
	e.commitPause = 0
	return e, &Deliver{
		Store: m, Notifier: n, Ladder: DefaultLadder(), Now: now, Connections: 2, Lease: time.Minute,
		Retry: 5 * time.Minute, RetryMax: time.Hour, GiveUp: 3 * time.Hour,
	}
}

func states(c *takedown.Case) []takedown.LegState {
	var out []takedown.LegState
	for _, l := range c.Legs {
		out = append(out, l.State)
	}
	return out
}

func TestDeliver(t *testing.T) {
	past := epoch.Add(-time.Second)
	tests := []struct {
		name  string
		state takedown.CaseState
		legs  []takedown.LegState
		dead  string
		send  sender
		want  []takedown.LegState
		sent  int
	}{
		{"both legs of one case", takedown.CaseActive, []takedown.LegState{takedown.LegComposed, takedown.LegComposed}, "", accept, []takedown.LegState{takedown.LegNotified, takedown.LegNotified}, 2},
		{"a crash left an attempt open", takedown.CaseActive, []takedown.LegState{takedown.LegSending}, "", accept, []takedown.LegState{takedown.LegUnknown}, 0},
		{"a held case says nothing", takedown.CaseHeld, []takedown.LegState{takedown.LegSending, takedown.LegComposed}, "", accept, []takedown.LegState{takedown.LegUnknown, takedown.LegComposed}, 0},
		{"a closed case takes the outcome in", takedown.CaseExpired, []takedown.LegState{takedown.LegSending}, "", accept, []takedown.LegState{takedown.LegClosed}, 0},
		{"a withdrawn case takes back what may have arrived", takedown.CaseWithdrawn, []takedown.LegState{takedown.LegSending}, "", accept, []takedown.LegState{takedown.LegPlanned}, 0},
		{"the address died meanwhile", takedown.CaseActive, []takedown.LegState{takedown.LegComposed}, "abuse@host.example", accept, []takedown.LegState{takedown.LegPlanned}, 0},
		{"a panic is an unknown outcome", takedown.CaseActive, []takedown.LegState{takedown.LegComposed}, "", func(takedown.Notice) takedown.Delivery { panic("dialogue") }, []takedown.LegState{takedown.LegUnknown}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newMemory()
			sent := 0
			e, s := deliverer(m, sender(func(n takedown.Notice) takedown.Delivery { m.mu.Lock(); sent++; m.mu.Unlock(); return tt.send(n) }))
			var legs []*takedown.Leg
			for _, st := range tt.legs {
				legs = append(legs, &takedown.Leg{State: st, DueAt: past})
			}
			c := active(m, tt.state, legs...)
			if tt.dead != "" {
				m.dead[tt.dead] = "" // the server gave no reason
			}
			if err := e.Process(t.Context(), s, []int64{c.ID}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, states(m.cases[c.ID])); diff != "" || sent != tt.sent {
				t.Errorf("sent %d, want %d; legs (-want +got):\n%s", sent, tt.sent, diff)
			}
			if len(m.breaches) > 0 {
				t.Error(m.breaches)
			}
		})
	}
}

// The batch took so long that the lease might end: nothing is sent then.
func TestDeliverStopsBeforeTheLeaseEnds(t *testing.T) {
	m := newMemory()
	now, sent := epoch, 0
	e, s := deliverer(m, sender(func(n takedown.Notice) takedown.Delivery {
		sent++
		now = now.Add(40 * time.Second)
		return takedown.Delivery{Outcome: takedown.OutcomeAccepted}
	}))
	s.Now = func() time.Time { return now }
	c := active(m, takedown.CaseActive, &takedown.Leg{State: takedown.LegComposed, DueAt: epoch}, &takedown.Leg{State: takedown.LegComposed, DueAt: epoch})
	if err := e.Process(t.Context(), s, []int64{c.ID}); err != nil {
		t.Fatal(err)
	}
	if got := states(m.cases[c.ID]); sent != 1 || got[0] != takedown.LegNotified || got[1] != takedown.LegComposed {
		t.Errorf("sent %d, legs %v", sent, got)
	}
}

// Somebody gave up on the attempt while it was under way; what we learned counts.
func TestDeliverKnowsBetterThanUnknown(t *testing.T) {
	m := newMemory()
	var e *Engine
	var s *Deliver
	e, s = deliverer(m, sender(func(n takedown.Notice) takedown.Delivery {
		fresh, _ := m.Load(t.Context(), []int64{n.CaseID})
		w := &Work{Change: takedown.Change{Case: fresh[0]}}
		if err := s.abandon(w, fresh[0].Legs[0], epoch, n); err != nil {
			t.Error(err)
		}
		if lost, err := m.Commit(t.Context(), epoch, 0, []*takedown.Change{&w.Change}); err != nil || len(lost) > 0 {
			t.Error(lost, err)
		}
		return accept(n)
	}))
	c := active(m, takedown.CaseActive, &takedown.Leg{State: takedown.LegComposed, DueAt: epoch})
	if err := e.Process(t.Context(), s, []int64{c.ID}); err != nil {
		t.Fatal(err)
	}
	got := m.cases[c.ID]
	d := m.deliveries[[2]int64{got.Legs[0].NoticeID, 1}]
	if got.Legs[0].State != takedown.LegNotified || got.NotifiedAt.IsZero() || d.Outcome != takedown.OutcomeAccepted {
		t.Errorf("leg %s, delivery %s", got.Legs[0].State, d.Outcome)
	}
}

func TestBackoffAddsUpToGiveUp(t *testing.T) {
	s := &Deliver{Retry: 5 * time.Minute, RetryMax: 4 * time.Hour, GiveUp: 48 * time.Hour}
	var total time.Duration
	attempt := 1
	for ; ; attempt++ {
		wait, ok := s.backoff(attempt)
		if !ok {
			break
		}
		total += wait
	}
	if total < 44*time.Hour || total > 48*time.Hour {
		t.Errorf("%d attempts in %s, want nearly all of 48 h", attempt, total)
	}
	if wait, ok := (&Deliver{}).backoff(1); ok {
		t.Errorf("without any time to retry it waits %s", wait)
	}
}

// A bounce can be faster than the commit of the outcome that it answers.
func TestBounceWaitsForTheOutcome(t *testing.T) {
	m := newMemory()
	now := func() time.Time { return epoch }
	h := &Hear{Replies: m, Actions: &Actions{Store: m, Now: now}, Logger: NewEngine(Config{}).cfg.Logger}
	e, s := deliverer(m, sender(func(n takedown.Notice) takedown.Delivery {
		if err := h.Store(t.Context(), takedown.Reply{CaseID: n.CaseID, LegID: n.LegID, NoticeID: n.ID, Authentic: true, Permanent: true, Class: takedown.ReplyBounce}); err != nil {
			t.Error(err)
		}
		return accept(n)
	}))
	c := active(m, takedown.CaseActive, &takedown.Leg{State: takedown.LegComposed, DueAt: epoch})
	if err := e.Process(t.Context(), s, []int64{c.ID}); err != nil {
		t.Fatal(err)
	}
	if got := m.cases[c.ID].Legs[0].State; got != takedown.LegNotified {
		t.Fatalf("before the reply is taken in the leg is %s", got)
	}
	for want := 1; want >= 0; want-- { // the second time there is nothing left
		if n, err := h.Recover(t.Context()); n != want || err != nil {
			t.Fatalf("recovered %d, want %d: %v", n, want, err)
		}
	}
	l := m.cases[c.ID].Legs[0]
	if _, dead := m.dead["abuse@host.example"]; l.State != takedown.LegPlanned || l.Contact != 1 || !dead {
		t.Errorf("leg %s at contact %d, dead %v", l.State, l.Contact, m.dead)
	}
}

func judge(m *memory, c *takedown.Case, s *Track, v takedown.Verdict, at time.Time) *takedown.Case {
	c = clone(c)
	if err := s.judge(c, takedown.Check{At: at, Verdict: v}); err != nil {
		panic(err)
	}
	return c
}

func tracking() *Track {
	return &Track{
		Ladder: DefaultLadder(), Rounds: 2, Watch: 10 * 24 * time.Hour, GiveUp: 30 * 24 * time.Hour,
		Next: func(_ *takedown.Case, at time.Time) time.Time { return at.Add(time.Hour) },
	}
}

func TestTrackSaysNothingOfATargetThatLooksGone(t *testing.T) {
	s, m := tracking(), newMemory()
	c := active(m, takedown.CaseActive,
		&takedown.Leg{State: takedown.LegPlanned, DueAt: epoch.Add(time.Minute)}, &takedown.Leg{State: takedown.LegComposed, DueAt: epoch},
		&takedown.Leg{State: takedown.LegNotified, DueAt: epoch.Add(time.Hour)}, &takedown.Leg{State: takedown.LegPlanned, DueAt: epoch.Add(2 * time.Hour)},
		&takedown.Leg{State: takedown.LegNotified})
	c = judge(m, c, s, takedown.VerdictGone, epoch)
	next := epoch.Add(time.Hour)
	for i, want := range []time.Time{next.Add(time.Second), next.Add(time.Second), next.Add(time.Second), epoch.Add(2 * time.Hour), {}} {
		if got := c.Legs[i].DueAt; !got.Equal(want) {
			t.Errorf("leg %d is due at %s, want %s", i, got, want)
		}
	}
	if stage, at, _ := c.NextWork(); stage != takedown.StageTrack || !at.Equal(next) {
		t.Errorf("next work is %s at %s", stage, at)
	}
}

// It went before anybody's turn came, and comes back after the longest watch:
// everybody is told, each in turn, and the case does not expire at once.
func TestRelapseTellsThoseWhoWereNeverTold(t *testing.T) {
	s, m := tracking(), newMemory()
	c := active(m, takedown.CaseActive, &takedown.Leg{State: takedown.LegPlanned, DueAt: epoch}, &takedown.Leg{State: takedown.LegNotified, DueAt: epoch.Add(time.Hour)})
	late := epoch.Add(29 * 24 * time.Hour)
	c = judge(m, c, s, takedown.VerdictGone, late)
	c = judge(m, c, s, takedown.VerdictGone, late.Add(time.Hour))
	if c.State != takedown.CaseRemoved {
		t.Fatalf("the case is %s", c.State)
	}
	back := late.Add(48 * time.Hour)
	c = judge(m, c, s, takedown.VerdictUp, back)
	if c.State != takedown.CaseScreened || c.Legs[0].State != takedown.LegClosed {
		t.Fatalf("before it is known who holds it now: %s, %+v", c.State, c.Legs[0])
	}
	c.State, c.Parties = takedown.CaseResolved, []takedown.Party{c.Legs[0].Party, c.Legs[1].Party}
	if err := (&Plan{Ladder: s.Ladder}).open(c, back); err != nil {
		t.Fatal(err)
	}
	if c.State != takedown.CaseActive || c.Legs[0].State != takedown.LegPlanned || c.Legs[0].Kind != takedown.NoticeFirst ||
		c.Legs[1].State != takedown.LegPlanned || c.Legs[1].Kind != takedown.NoticeRelapse {
		t.Fatalf("after the relapse: %s, %+v, %+v", c.State, c.Legs[0], c.Legs[1])
	}
	c = judge(m, c, s, takedown.VerdictUp, back.Add(time.Hour))
	if c.State != takedown.CaseActive {
		t.Errorf("after the next look the case is %s: %s", c.State, c.Reason)
	}
}

// It comes back on another network: its old host is left in peace.
func TestRelapseElsewhereTellsTheNewParty(t *testing.T) {
	s, m := tracking(), newMemory()
	c := active(m, takedown.CaseActive, &takedown.Leg{State: takedown.LegNotified, DueAt: epoch.Add(time.Hour)})
	c = judge(m, judge(m, c, s, takedown.VerdictGone, epoch), s, takedown.VerdictGone, epoch.Add(time.Hour))
	c = judge(m, c, s, takedown.VerdictUp, epoch.Add(24*time.Hour))
	moved := c.Legs[0].Party
	moved.Key = "asn:64497"
	c.State, c.Parties = takedown.CaseResolved, []takedown.Party{moved}
	if err := (&Plan{Ladder: s.Ladder}).open(c, epoch.Add(24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if len(c.Legs) != 2 || c.Legs[0].State != takedown.LegClosed || c.Legs[1].State != takedown.LegPlanned || c.Legs[1].Party.Key != moved.Key {
		t.Errorf("legs %v", states(c))
	}
}

func TestANameThatAppearsIsResolvedAgain(t *testing.T) {
	s, m := tracking(), newMemory()
	c := active(m, takedown.CaseActive)
	c.Absent = true
	if c = judge(m, c, s, takedown.VerdictUp, epoch); c.State != takedown.CaseScreened {
		t.Errorf("an absent name that is up leaves the case %s", c.State)
	}
	c = active(m, takedown.CaseActive)
	c = judge(m, judge(m, c, s, takedown.VerdictGone, epoch), s, takedown.VerdictGone, epoch.Add(time.Hour))
	if c = judge(m, c, s, takedown.VerdictUp, epoch.Add(2*time.Hour)); c.State != takedown.CaseScreened {
		t.Errorf("a relapse without legs leaves the case %s", c.State)
	}
}

func TestAccountsOfLegsWithoutAReminder(t *testing.T) {
	c := &takedown.Case{Legs: []*takedown.Leg{{State: takedown.LegNotified}, {State: takedown.LegUnknown}, {State: takedown.LegClosed}}}
	if !over(c) {
		t.Error("legs that wait for nothing keep the case open for ever")
	}
	c.Legs[0].DueAt = epoch
	if over(c) {
		t.Error("a leg with a reminder to come counts as over")
	}
}

func TestDisputeStopsWhatIsAboutToBeSaid(t *testing.T) {
	m := newMemory()
	a := &Actions{Store: m, Now: func() time.Time { return epoch }}
	c := active(m, takedown.CaseActive, &takedown.Leg{State: takedown.LegNotified}, &takedown.Leg{State: takedown.LegComposed, DueAt: epoch}, &takedown.Leg{State: takedown.LegPlanned, DueAt: epoch})
	if _, err := a.Dispute(t.Context(), c.ID, "ann", takedown.RoleHost, "it is a bank"); err != nil {
		t.Fatal(err)
	}
	want := []takedown.LegState{takedown.LegDisputed, takedown.LegHeld, takedown.LegHeld}
	if diff := cmp.Diff(want, states(m.cases[c.ID])); diff != "" {
		t.Error(diff)
	}
}

func TestPlanTellsAPartyOnce(t *testing.T) {
	s := &Plan{Ladder: DefaultLadder()}
	p := takedown.Party{Role: takedown.RoleHost, Key: "asn:64496", Contacts: []takedown.Contact{{Channel: takedown.ChannelEmail, Address: "abuse@host.example"}}}
	c := &takedown.Case{ID: 1, State: takedown.CaseResolved, Class: takedown.ClassPhishing, Parties: []takedown.Party{p, p}}
	if err := s.open(c, epoch); err != nil || len(c.Legs) != 1 {
		t.Errorf("%d legs, err %v", len(c.Legs), err)
	}
}
