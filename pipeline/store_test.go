package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"desist/takedown"
)

// memory is a store with the rules of the real one: an optimistic lock on the
// version, only changed legs are written, natural keys are unique, events are
// chained, and the schedule follows from the case.
type memory struct {
	mu         sync.Mutex
	cases      map[int64]*takedown.Case
	events     map[int64][]takedown.Event
	due        map[int64]time.Time
	stage      map[int64]takedown.Stage
	subs       map[int64][]takedown.Submission
	notices    map[int64]takedown.Notice
	bySeq      map[[2]int64]string
	deliveries map[[2]int64]takedown.Delivery // notice, attempt
	dead       map[string]string
	replies    []*takedown.Reply
	tied       map[int64]bool
	letters    []string
	nextID     int64
	breaches   []string
	// fail is asked before each commit.
	fail func([]*takedown.Change) error
}

func newMemory() *memory {
	return &memory{
		cases: map[int64]*takedown.Case{}, events: map[int64][]takedown.Event{}, due: map[int64]time.Time{}, stage: map[int64]takedown.Stage{},
		subs: map[int64][]takedown.Submission{}, notices: map[int64]takedown.Notice{}, bySeq: map[[2]int64]string{},
		deliveries: map[[2]int64]takedown.Delivery{}, dead: map[string]string{}, tied: map[int64]bool{},
		fail: func([]*takedown.Change) error { return nil },
	}
}

func (m *memory) id() int64 { m.nextID++; return m.nextID }

func (m *memory) breach(format string, args ...any) {
	m.breaches = append(m.breaches, fmt.Sprintf(format, args...))
}

// open makes a case, ready for screening.
func (m *memory) open(now time.Time, class takedown.Class) int64 {
	c := &takedown.Case{
		ID: m.id(), State: takedown.CaseSubmitted, Class: class, Submissions: 1, SubmittedAt: now, FirstSeenAt: now,
		Indicator: takedown.Indicator{Kind: takedown.KindDomain, Value: "bad.example", Host: "bad.example", Registrable: "bad.example"},
	}
	c.Record(now, takedown.EventSubmitted, "intake", nil)
	m.put(c, now)
	return c.ID
}

func (m *memory) put(c *takedown.Case, now time.Time) {
	for n := range c.NewEvents {
		e := &c.NewEvents[n]
		e.CaseID, e.Seq = c.ID, c.EventSeq+1
		e.Seal(c.EventHash)
		c.EventSeq, c.EventHash = e.Seq, e.Hash
	}
	m.events[c.ID] = append(m.events[c.ID], c.NewEvents...)
	c.NewEvents, c.Loaded = nil, c.Version()
	delete(m.due, c.ID)
	if stage, at, ok := c.NextWork(); ok {
		if at.Before(now) {
			at = now
		}
		m.due[c.ID], m.stage[c.ID] = at, stage
	}
	m.cases[c.ID] = clone(c)
	for _, l := range m.cases[c.ID].Legs {
		l.Stored()
	}
	closed := !c.ClosedAt.IsZero()
	if closed != c.State.Closed() {
		m.breach("case %d is %s and has closed_at %v", c.ID, c.State, c.ClosedAt)
	}
}

func clone[T any](v *T) *T {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	out := new(T)
	if err := json.Unmarshal(raw, out); err != nil {
		panic(err)
	}
	return out
}

func (m *memory) Load(_ context.Context, ids []int64) ([]*takedown.Case, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []*takedown.Case
	for _, id := range ids {
		if c := m.cases[id]; c != nil {
			out = append(out, clone(c))
		}
	}
	return out, nil
}

func (m *memory) Commit(_ context.Context, now time.Time, _ time.Duration, changes []*takedown.Change) (lost []int64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.fail(changes); err != nil {
		return nil, err
	}
	for _, ch := range changes {
		if r := ch.Reply; r != nil && m.tied[r.ID] {
			return nil, takedown.Temporary(errors.New("another writer was faster"))
		}
	}
	for _, ch := range changes {
		c := ch.Case
		stored := m.cases[c.ID]
		if stored.Version() != c.Loaded {
			lost = append(lost, c.ID)
			continue
		}
		m.write(now, stored, ch)
	}
	return lost, nil
}

func (m *memory) write(now time.Time, stored *takedown.Case, ch *takedown.Change) {
	c := ch.Case
	if ch.Resolution != nil {
		c.ResolutionID = m.id()
	}
	for _, n := range ch.Notices {
		n.ID = m.id()
		key := [2]int64{n.LegID, int64(n.Seq)}
		if was := m.bySeq[key]; was != "" {
			m.breach("leg %d has two notices %d: %s and %s", n.LegID, n.Seq, was, n.MessageID)
		}
		m.bySeq[key] = n.MessageID
		m.notices[n.ID] = *n
		for _, l := range c.Legs {
			if l.ID == n.LegID {
				l.NoticeID = n.ID
				l.Touch()
			}
		}
	}
	parties := map[string]bool{}
	for i, l := range c.Legs {
		if k := partyID(l.Party); parties[k] {
			m.breach("case %d has two legs towards %s", c.ID, k)
		} else {
			parties[k] = true
		}
		switch {
		case l.ID == 0:
			l.ID, l.CaseID, l.ResolutionID = m.id(), c.ID, c.ResolutionID
		case !l.Dirty(): // what was not touched is not written
			c.Legs[i] = clone(stored.Legs[i])
		}
	}
	for _, d := range ch.Deliveries {
		key := [2]int64{d.NoticeID, int64(d.Attempt)}
		if d.FinishedAt.IsZero() {
			m.start(stored, d, key)
		} else if was := m.deliveries[key]; was.Outcome == "" || was.Outcome == takedown.OutcomeUnknown {
			m.deliveries[key] = d
		}
	}
	for _, d := range ch.DeadContacts {
		m.dead[d.Contact.Address] = d.Reason
	}
	if ch.Reply != nil {
		m.tied[ch.Reply.ID] = true
	}
	m.put(c, now)
}

// start checks what must be true of every attempt.
func (m *memory) start(stored *takedown.Case, d takedown.Delivery, key [2]int64) {
	n := m.notices[d.NoticeID]
	withdrawn := stored.State == takedown.CaseWithdrawn || stored.State == takedown.CaseNotMalicious
	if stored.State != takedown.CaseActive && !(withdrawn && n.Kind == takedown.NoticeWithdrawal) {
		m.breach("an attempt began while case %d was %s", stored.ID, stored.State)
	}
	if _, dead := m.dead[n.Recipient]; dead {
		m.breach("an attempt began towards the dead address %s", n.Recipient)
	}
	if _, again := m.deliveries[key]; again {
		m.breach("attempt %d of notice %d began twice", d.Attempt, d.NoticeID)
	}
	for attempt := 1; attempt < d.Attempt; attempt++ {
		if was := m.deliveries[[2]int64{d.NoticeID, int64(attempt)}]; was.Outcome != takedown.OutcomeDeferred {
			m.breach("notice %d is sent again after %q", d.NoticeID, was.Outcome)
		}
	}
	m.deliveries[key] = d
}

func (m *memory) DeadLetter(_ context.Context, _ time.Time, subject string, caseID int64, _ []byte, reason string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.letters = append(m.letters, fmt.Sprintf("%s %d: %s", subject, caseID, reason))
	return nil
}

func (m *memory) Submissions(_ context.Context, ids []int64) (map[int64][]takedown.Submission, error) {
	return m.subs, nil
}

func (m *memory) EarlierNotices(_ context.Context, ids []int64) (map[int64][]takedown.EarlierNotice, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[int64][]takedown.EarlierNotice{}
	for _, d := range m.deliveries {
		if d.Outcome == takedown.OutcomeAccepted {
			n := m.notices[d.NoticeID]
			out[d.CaseID] = append(out[d.CaseID], takedown.EarlierNotice{Kind: n.Kind, Recipient: n.Recipient, MessageID: n.MessageID, AcceptedAt: d.FinishedAt})
		}
	}
	return out, nil
}

func (m *memory) DeadContacts(_ context.Context, addresses []string) (map[string]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[string]string{}
	for _, a := range addresses {
		if reason, ok := m.dead[a]; ok {
			out[a] = reason
		}
	}
	return out, nil
}

func (m *memory) Notices(_ context.Context, ids []int64) (map[int64]takedown.Notice, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[int64]takedown.Notice{}
	for _, id := range ids {
		if n, ok := m.notices[id]; ok {
			out[id] = n
		}
	}
	return out, nil
}

func (m *memory) StoreReply(_ context.Context, r takedown.Reply) (takedown.Reply, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r.ID = m.id()
	m.replies = append(m.replies, &r)
	return r, true, nil
}

func (m *memory) PendingReplies(_ context.Context, limit int) ([]takedown.Reply, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []takedown.Reply
	for _, r := range m.replies {
		if r.Authentic && !m.tied[r.ID] && len(out) < limit {
			out = append(out, *r)
		}
	}
	return out, nil
}
