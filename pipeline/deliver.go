package pipeline

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"desist/takedown"
)

// Notifier hands one sealed notice to a channel. What became of it is the
// value; there is no other error.
type Notifier interface {
	Send(ctx context.Context, n takedown.Notice) takedown.Delivery
}

// DeliverStore is what deliver needs of the database.
type DeliverStore interface {
	Notices(ctx context.Context, ids []int64) (map[int64]takedown.Notice, error)
	DeadContacts(ctx context.Context, addresses []string) (map[string]string, error)
	Commit(ctx context.Context, now time.Time, sweepAfter time.Duration, changes []*takedown.Change) (lost []int64, err error)
}

// Deliver sends sealed notices. The attempt is on record before the dialogue
// begins; what a crash leaves open becomes unknown, and an unknown notice is
// never sent again by the program.
type Deliver struct {
	Store    DeliverStore
	Notifier Notifier
	Ladder   Ladder
	Now      func() time.Time
	// Connections bounds the dialogues under way.
	Connections int
	// Lease is how long an attempt may stay without an outcome before it is
	// unknown; longer than any dialogue can take.
	Lease time.Duration
	// Retry is the wait after the first deferral; it doubles up to RetryMax.
	// After GiveUp the contact counts as failed.
	Retry, RetryMax, GiveUp time.Duration
	SweepAfter              time.Duration
}

// Name implements Stage.
func (*Deliver) Name() takedown.Stage { return takedown.StageDeliver }

// An attempt is one delivery of one leg, under way.
type attempt struct {
	leg      *takedown.Leg
	notice   takedown.Notice
	delivery takedown.Delivery
}

// Run implements Stage.
func (s *Deliver) Run(ctx context.Context, now time.Time, batch []*Work) { run(ctx, s, now, batch) }

// Stream implements Streamer.
func (s *Deliver) Stream(ctx context.Context, now time.Time, batch []*Work, done func(*Work)) {
	// An attempt is on record before its dialogue, but not long before: what is
	// on record when the process dies becomes unknown, tried or not.
	ready := make(chan sending)
	var wg sync.WaitGroup
	for range max(1, s.Connections) {
		wg.Go(func() {
			for next := range ready {
				safely(next.work, func(w *Work) {
					for _, a := range next.attempts {
						if w.Err == nil && w.Case != nil {
							s.send(ctx, w, a)
						}
					}
				})
				done(next.work)
			}
		})
	}
	for group := range slices.Chunk(batch, recordAhead*max(1, s.Connections)) {
		attempts := s.begin(ctx, now, group)
		s.record(ctx, now, attempts)
		for _, w := range group {
			ready <- sending{w, attempts[w]}
		}
		now = s.Now()
	}
	close(ready)
	wg.Wait()
}

// recordAhead is how many attempts for each connection are put on record in one
// transaction.
const recordAhead = 4

// sending is a case with its attempts on record.
type sending struct {
	work     *Work
	attempts []*attempt
}

// record stores the attempts before any dialogue begins. A case that somebody
// else changed meanwhile is left to them.
func (s *Deliver) record(ctx context.Context, now time.Time, attempts map[*Work][]*attempt) {
	if len(attempts) == 0 {
		return
	}
	changes := make([]*takedown.Change, 0, len(attempts))
	for w := range attempts {
		changes = append(changes, &w.Change)
	}
	lost, refused, err := commitEach(ctx, changes, func(ctx context.Context, changes []*takedown.Change) ([]int64, error) {
		return s.Store.Commit(ctx, now, s.SweepAfter, changes)
	})
	for w := range attempts {
		switch {
		case err != nil:
			w.Err = err
		case refused[w.Case.ID] != nil:
			w.Err = refused[w.Case.ID]
		case slices.Contains(lost, w.Case.ID):
			w.Case = nil
		default:
			w.Deliveries, w.DeadContacts = nil, nil // stored
		}
	}
}

// send makes one attempt and notes what became of it.
func (s *Deliver) send(ctx context.Context, w *Work, a *attempt) {
	began := a.delivery
	d := s.try(ctx, a)
	d.CaseID, d.LegID, d.NoticeID, d.Attempt, d.StartedAt = began.CaseID, began.LegID, began.NoticeID, began.Attempt, began.StartedAt
	if d.FinishedAt.IsZero() {
		d.FinishedAt = s.Now()
	}
	a.delivery = d
	w.Err = s.finish(w, a.leg, a)
	before := w.Again
	w.Again = func(fresh *Work) error {
		if before != nil {
			if err := before(fresh); err != nil {
				return err
			}
		}
		for _, l := range fresh.Case.Legs {
			if l.ID != a.leg.ID || l.NoticeID != a.notice.ID || l.Attempts != began.Attempt {
				continue
			}
			// If somebody called it unknown meanwhile, we know better.
			known := a.delivery.Outcome == takedown.OutcomeAccepted || a.delivery.Outcome == takedown.OutcomeRejected
			if l.State == takedown.LegSending || l.State == takedown.LegUnknown && known {
				return s.finish(fresh, l, a)
			}
		}
		return nil
	}
}

// try holds the dialogue. A panic in it leaves the outcome unknown, like any
// other break whose place nobody knows.
func (s *Deliver) try(ctx context.Context, a *attempt) (d takedown.Delivery) {
	if s.Now().Sub(a.delivery.StartedAt) >= s.Lease/2 {
		// The notices before it took so long that the lease might end in the
		// middle of this dialogue, and somebody else might call it unknown.
		return takedown.Delivery{Outcome: takedown.OutcomeDeferred, Reply: "not tried: the notices before it took too long"}
	}
	defer func() {
		if r := recover(); r != nil {
			d = takedown.Delivery{Outcome: takedown.OutcomeUnknown, Reply: fmt.Sprintf("the program failed during the attempt: %v", r)}
		}
	}()
	return s.Notifier.Send(ctx, a.notice)
}

// begin makes an attempt for each leg that has a notice to send, and ends
// attempts that a crash left open.
func (s *Deliver) begin(ctx context.Context, now time.Time, batch []*Work) map[*Work][]*attempt {
	var ids []int64
	var to []string
	for _, w := range batch {
		for _, l := range w.Case.Legs {
			if (sendable(w.Case, l) || l.State == takedown.LegSending) && !l.DueAt.After(now) {
				ids = append(ids, l.NoticeID)
				if c, ok := l.CurrentContact(); ok {
					to = append(to, c.Address)
				}
			}
		}
	}
	notices, err := s.Store.Notices(ctx, ids)
	var dead map[string]string
	if err == nil {
		dead, err = s.Store.DeadContacts(ctx, to)
	}
	attempts := make(map[*Work][]*attempt, len(batch))
	for _, w := range batch {
		w.Err = err
		for _, l := range w.Case.Legs {
			if l.DueAt.After(now) || w.Err != nil {
				continue
			}
			n := notices[l.NoticeID]
			switch {
			case l.State == takedown.LegSending:
				w.Err = s.abandon(w, l, now, n)
			case !sendable(w.Case, l):
			case isDead(dead, n.Recipient):
				w.Err = nextContact(w.Case, l, now, "deliver", "the address proved dead meanwhile: "+dead[n.Recipient])
			default:
				var a *attempt
				if a, w.Err = s.start(w, l, now, n); w.Err == nil {
					attempts[w] = append(attempts[w], a)
				}
			}
		}
		if w.Err != nil {
			delete(attempts, w)
		}
	}
	return attempts
}

// sendable reports whether the leg's notice may leave: a case that a person
// holds says nothing, even while another of its legs waits for an outcome.
func sendable(c *takedown.Case, l *takedown.Leg) bool {
	return l.State == takedown.LegComposed && (c.State == takedown.CaseActive || c.Retracts(l))
}

func isDead(dead map[string]string, address string) bool {
	_, ok := dead[address]
	return ok
}

func (s *Deliver) start(w *Work, l *takedown.Leg, now time.Time, n takedown.Notice) (*attempt, error) {
	if n.ID == 0 {
		return nil, takedown.Permanent(fmt.Errorf("leg %d: notice %d does not exist", l.ID, l.NoticeID))
	}
	if err := l.Move(takedown.LegSending, "", now.Add(s.Lease)); err != nil {
		return nil, err
	}
	l.Attempts++
	d := takedown.Delivery{NoticeID: n.ID, CaseID: w.Case.ID, LegID: l.ID, Attempt: l.Attempts, StartedAt: now}
	w.Deliveries = append(w.Deliveries, d)
	w.Case.Record(now, takedown.EventDeliveryStarted, "deliver", map[string]any{
		"leg": l.ID, "role": l.Party.Role, "recipient": n.Recipient, "message_id": n.MessageID, "attempt": l.Attempts,
	})
	return &attempt{leg: l, notice: n, delivery: d}, nil
}

// abandon ends an attempt whose outcome nobody recorded.
func (s *Deliver) abandon(w *Work, l *takedown.Leg, now time.Time, n takedown.Notice) error {
	d := takedown.Delivery{
		NoticeID: l.NoticeID, CaseID: w.Case.ID, LegID: l.ID, Attempt: l.Attempts, FinishedAt: now, Outcome: takedown.OutcomeUnknown,
		Reply: "the program stopped during the attempt",
	}
	return s.finish(w, l, &attempt{delivery: d, notice: n})
}

// finish records the outcome of an attempt and what follows from it.
func (s *Deliver) finish(w *Work, l *takedown.Leg, a *attempt) error {
	if err := s.conclude(w, l, a); err != nil {
		return err
	}
	retract(w.Case, l, a.delivery.FinishedAt)
	if w.Case.State.Closed() {
		closeLegs(w.Case, a.delivery.FinishedAt, "the case was over before the answer came")
	}
	return nil
}

func (s *Deliver) conclude(w *Work, l *takedown.Leg, a *attempt) error {
	c, d := w.Case, a.delivery
	now := d.FinishedAt
	w.Deliveries = append(w.Deliveries, d)
	data := map[string]any{
		"leg": l.ID, "role": l.Party.Role, "recipient": a.notice.Recipient, "message_id": a.notice.MessageID, "attempt": d.Attempt,
		"code": d.Code, "enhanced": takedown.CleanText(d.Enhanced), "reply": clipText(d.Reply, 500), "host": takedown.CleanText(d.Host),
	}
	switch d.Outcome {
	case takedown.OutcomeAccepted:
		if err := l.Move(takedown.LegNotified, "", s.follow(c, l, now)); err != nil {
			return err
		}
		if l.NotifiedAt.IsZero() {
			l.NotifiedAt = now
		}
		if c.NotifiedAt.IsZero() {
			c.NotifiedAt = now
		}
		c.Record(now, takedown.EventAccepted, "deliver", data)
		return nil
	case takedown.OutcomeUnknown:
		// It may have arrived, so the reminder's clock runs: the next mail says
		// that it follows this one.
		if err := l.Move(takedown.LegUnknown, "the outcome of the last attempt is unknown: "+d.Reply, s.follow(c, l, now)); err != nil {
			return err
		}
		c.Record(now, takedown.EventUnknown, "deliver", data)
		return nil
	case takedown.OutcomeDrafted:
		if err := l.Move(takedown.LegDrafted, "dry run: sealed, not sent", time.Time{}); err != nil {
			return err
		}
		c.Record(now, takedown.EventNoticeDrafted, "deliver", data)
		return nil
	case takedown.OutcomeDeferred:
		if wait, ok := s.backoff(d.Attempt); ok {
			if err := l.Move(takedown.LegComposed, "deferred: "+d.Reply, now.Add(wait)); err != nil {
				return err
			}
			data["retry_at"] = l.DueAt.UTC().Format(time.RFC3339)
			c.Record(now, takedown.EventDeferred, "deliver", data)
			return nil
		}
		data["gave_up"] = true
	}
	c.Record(now, takedown.EventRejected, "deliver", data)
	if d.BadAddress {
		if contact, ok := l.CurrentContact(); ok {
			w.DeadContacts = append(w.DeadContacts, takedown.DeadContact{Contact: contact, Reason: d.Reply})
		}
	}
	return nextContact(c, l, now, "deliver", "rejected: "+d.Reply)
}

// backoff returns the wait after a deferred attempt, or false when the waits so
// far and this one add up to more than GiveUp.
func (s *Deliver) backoff(attempt int) (wait time.Duration, ok bool) {
	var total time.Duration
	wait = max(s.Retry, time.Second)
	for range attempt - 1 {
		if total += wait; total > s.GiveUp {
			return 0, false
		}
		wait = max(min(2*wait, s.RetryMax), time.Second)
	}
	return wait, total+wait <= s.GiveUp
}

// follow is when the next step of a told leg is due.
func (s *Deliver) follow(c *takedown.Case, l *takedown.Leg, now time.Time) time.Time {
	rung, ok := s.Ladder.rung(l.Party.Role, c.Class)
	if !ok || rung.ReminderAfter <= 0 || l.Kind == takedown.NoticeWithdrawal {
		return time.Time{}
	}
	return now.Add(rung.ReminderAfter)
}

// nextContact turns to the party's next contact, or gives the leg up.
func nextContact(c *takedown.Case, l *takedown.Leg, now time.Time, actor, reason string) error {
	l.Contact++
	l.Touch()
	if l.Kind == takedown.NoticeReminder {
		l.Kind, l.Reminders = takedown.NoticeFirst, 0 // this desk was never told
	}
	if _, ok := l.CurrentContact(); !ok {
		return unreachable(c, l, now, actor, reason)
	}
	if err := l.Move(takedown.LegPlanned, reason, now); err != nil {
		return err
	}
	c.Record(now, takedown.EventLegPlanned, actor, legData(l))
	return nil
}
