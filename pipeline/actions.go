package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"desist/takedown"
)

// CaseStore is what actions of people need.
type CaseStore interface {
	Load(ctx context.Context, ids []int64) ([]*takedown.Case, error)
	Commit(ctx context.Context, now time.Time, sweepAfter time.Duration, changes []*takedown.Change) (lost []int64, err error)
}

// Actions is what people do with cases. Each is an event with the person's
// name.
type Actions struct {
	Store      CaseStore
	Now        func() time.Time
	SweepAfter time.Duration
	// Submissions, if set, makes the approver another person than every
	// submitter (policy.review.distinct_approver).
	Submissions Submissions
}

// change loads a case, applies f, and stores it; it starts again when somebody
// else was faster.
func (a *Actions) change(ctx context.Context, id int64, f func(*takedown.Change, time.Time) error) (*takedown.Case, error) {
	for range 10 {
		cases, err := a.Store.Load(ctx, []int64{id})
		if err != nil {
			return nil, err
		}
		if len(cases) == 0 {
			return nil, takedown.NotFound(fmt.Errorf("case %s does not exist", takedown.Reference(id)))
		}
		now := a.Now()
		ch := &takedown.Change{Case: cases[0]}
		if err := f(ch, now); err != nil {
			return nil, err
		}
		lost, err := a.Store.Commit(ctx, now, a.SweepAfter, []*takedown.Change{ch})
		if err != nil {
			return nil, err
		}
		if len(lost) == 0 {
			return ch.Case, nil
		}
	}
	return nil, takedown.Temporary(fmt.Errorf("case %s keeps changing; try again", takedown.Reference(id)))
}

// Approve lets what waits for a person go on: a held case, its held legs, and
// legs whose dispute a person has looked at.
func (a *Actions) Approve(ctx context.Context, id int64, actor, reason string) (*takedown.Case, error) {
	if a.Submissions != nil { // four eyes
		subs, err := a.Submissions.Submissions(ctx, []int64{id})
		if err != nil {
			return nil, err
		}
		for _, sub := range subs[id] {
			if sub.Source == actor {
				return nil, takedown.Denied(fmt.Errorf("case %s was submitted by %s, who cannot approve it; another person must", takedown.Reference(id), actor))
			}
		}
	}
	return a.change(ctx, id, func(ch *takedown.Change, now time.Time) error {
		c := ch.Case
		approved := false
		for _, l := range c.Legs {
			to := takedown.LegPlanned
			switch l.State {
			case takedown.LegHeld:
				l.ApprovedBy = actor
			case takedown.LegDisputed:
				to = takedown.LegNotified // its next step is due now
			default:
				continue
			}
			if err := l.Move(to, reason, now); err != nil {
				return err
			}
			approved = true
		}
		if c.State == takedown.CaseHeld {
			to := takedown.CaseScreened
			switch {
			case c.ScreenedAt.IsZero(): // it was held before policy could rule
				to = takedown.CaseSubmitted
			case len(c.Legs) > 0:
				to = takedown.CaseActive
			}
			if err := c.Move(to, reason); err != nil {
				return err
			}
			approved = true
		}
		if !approved {
			return takedown.Denied(fmt.Errorf("case %s is %s and nothing of it waits for approval", c.Reference(), c.State))
		}
		c.Record(now, takedown.EventApproved, actor, map[string]any{"reason": reason})
		return nil
	})
}

// Hold stops a case until a person approves it.
func (a *Actions) Hold(ctx context.Context, id int64, actor, reason string) (*takedown.Case, error) {
	return a.change(ctx, id, func(ch *takedown.Change, now time.Time) error {
		if err := denied(ch.Case.Move(takedown.CaseHeld, reason)); err != nil {
			return err
		}
		ch.Case.Record(now, takedown.EventHeld, actor, map[string]any{"reason": reason})
		return nil
	})
}

// Withdraw ends a case because we take it back; notMalicious says that the
// accusation was wrong.
func (a *Actions) Withdraw(ctx context.Context, id int64, actor, reason string, notMalicious bool) (*takedown.Case, error) {
	if reason == "" {
		return nil, takedown.Permanent(errors.New("a withdrawal needs a reason"))
	}
	return a.change(ctx, id, func(ch *takedown.Change, now time.Time) error {
		c := ch.Case
		to, kind := takedown.CaseWithdrawn, takedown.EventWithdrawn
		if notMalicious {
			to, kind = takedown.CaseNotMalicious, takedown.EventNotMalicious
		}
		if err := denied(c.Move(to, reason)); err != nil {
			return err
		}
		c.ClosedAt, c.WatchUntil, c.Track.NextAt = now, time.Time{}, time.Time{}
		c.Record(now, kind, actor, map[string]any{"reason": reason})
		for _, l := range c.Legs {
			retract(c, l, now)
		}
		closeLegs(c, now, reason)
		return nil
	})
}

// retract plans the notice that takes back what a leg has said, if the case was
// withdrawn: everybody who was told, or may have been, hears that it was wrong.
func retract(c *takedown.Case, l *takedown.Leg, now time.Time) {
	if c.State != takedown.CaseWithdrawn && c.State != takedown.CaseNotMalicious || l.Kind == takedown.NoticeWithdrawal {
		return
	}
	if l.NotifiedAt.IsZero() && l.State != takedown.LegUnknown {
		return
	}
	// An attempt under way comes back here with its outcome.
	if err := l.Move(takedown.LegPlanned, "we take it back", now); err == nil {
		l.Kind = takedown.NoticeWithdrawal
		c.Record(now, takedown.EventLegPlanned, "withdraw", legData(l))
	}
}

// Dispute stops escalation because the legs towards a role, or every leg that
// was told if the role is empty, are contested.
func (a *Actions) Dispute(ctx context.Context, id int64, actor string, role takedown.Role, reason string) (*takedown.Case, error) {
	return a.change(ctx, id, func(ch *takedown.Change, now time.Time) error {
		n := 0
		for _, l := range ch.Case.Legs {
			if (role == "" || l.Party.Role == role) && slices.Contains(l.State.Next(), takedown.LegDisputed) {
				n++
				if err := dispute(ch.Case, l, now, actor, reason); err != nil {
					return err
				}
			}
		}
		if n == 0 {
			return takedown.Denied(fmt.Errorf("case %s has no leg that was told and could be disputed", ch.Case.Reference()))
		}
		return nil
	})
}

// dispute stops a leg, and with it the legs that would follow: a reasoned
// dispute stops escalation until a person has looked at it.
func dispute(c *takedown.Case, l *takedown.Leg, now time.Time, actor, reason string) error {
	if !slices.Contains(l.State.Next(), takedown.LegDisputed) {
		return nil // disputed already, or over
	}
	if err := l.Move(takedown.LegDisputed, reason, time.Time{}); err != nil {
		return err
	}
	c.Record(now, takedown.EventLegDisputed, actor, legData(l))
	for _, other := range c.Legs {
		if other.State != takedown.LegPlanned && other.State != takedown.LegComposed || c.Retracts(other) {
			continue
		}
		if err := other.Move(takedown.LegHeld, "the target is disputed", time.Time{}); err != nil {
			return err
		}
		c.Record(now, takedown.EventLegHeld, actor, legData(other))
	}
	return nil
}

// Note adds a remark to the record.
func (a *Actions) Note(ctx context.Context, id int64, actor, text string) (*takedown.Case, error) {
	if text == "" {
		return nil, takedown.Permanent(errors.New("the note is empty"))
	}
	return a.change(ctx, id, func(ch *takedown.Change, now time.Time) error {
		ch.Case.Record(now, takedown.EventNote, actor, map[string]any{"text": clipText(text, 8<<10)})
		return nil
	})
}

// denied turns an impossible transition into a refusal: the person asked for
// something that the state does not allow.
func denied(err error) error {
	if err == nil {
		return nil
	}
	return takedown.Denied(err)
}
