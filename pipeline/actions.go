package pipeline

import (
	"context"
	"errors"
	"fmt"
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

// Approve lets a held case go on.
func (a *Actions) Approve(ctx context.Context, id int64, actor, reason string) (*takedown.Case, error) {
	return a.change(ctx, id, func(ch *takedown.Change, now time.Time) error {
		c := ch.Case
		approved := false
		for _, l := range c.Legs {
			if l.State == takedown.LegHeld {
				if err := l.Move(takedown.LegPlanned, reason, now); err != nil {
					return err
				}
				approved = true
			}
		}
		if c.State == takedown.CaseHeld {
			to := takedown.CaseScreened
			if len(c.Legs) > 0 {
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
		closeLegs(c, now, reason)
		return nil
	})
}

// Dispute stops escalation of the legs towards a role, or of every leg that was
// told if the role is empty.
func (a *Actions) Dispute(ctx context.Context, id int64, actor string, role takedown.Role, reason string) (*takedown.Case, error) {
	return a.change(ctx, id, func(ch *takedown.Change, now time.Time) error {
		n := 0
		for _, l := range ch.Case.Legs {
			if role != "" && l.Party.Role != role {
				continue
			}
			if l.Move(takedown.LegDisputed, reason, time.Time{}) == nil {
				n++
				data := legData(l)
				ch.Case.Record(now, takedown.EventLegDisputed, actor, data)
			}
		}
		if n == 0 {
			return takedown.Denied(fmt.Errorf("case %s has no leg that was told and could be disputed", ch.Case.Reference()))
		}
		// A reasoned dispute stops escalation: legs that only wait do not start.
		for _, l := range ch.Case.Legs {
			if l.State == takedown.LegPlanned || l.State == takedown.LegComposed {
				if err := l.Move(takedown.LegHeld, "the target is disputed", time.Time{}); err != nil {
					return err
				}
				ch.Case.Record(now, takedown.EventLegHeld, actor, legData(l))
			}
		}
		return nil
	})
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
