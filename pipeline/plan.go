package pipeline

import (
	"context"
	"fmt"
	"time"

	"desist/takedown"
)

// Plan turns parties into legs, and moves the legs whose time has come:
// reminders, the next rung, the end of the ladder.
type Plan struct {
	Ladder Ladder
	// LookFirst makes the first check come before the first notice, so that we
	// never report what we have not looked at.
	LookFirst bool
	// FirstCheck is when the first check follows if LookFirst is false.
	FirstCheck time.Duration
}

// Name implements Stage.
func (*Plan) Name() takedown.Stage { return takedown.StagePlan }

// Run implements Stage.
func (s *Plan) Run(_ context.Context, now time.Time, batch []*Work) {
	for _, w := range batch {
		if w.Case.State == takedown.CaseResolved {
			w.Err = s.open(w.Case, now)
		} else {
			w.Err = s.step(w.Case, now)
		}
	}
}

// open makes the legs of a resolved case and starts the watch.
func (s *Plan) open(c *takedown.Case, now time.Time) error {
	known := make(map[string]*takedown.Leg, len(c.Legs))
	for _, l := range c.Legs {
		known[partyID(l.Party)] = l
	}
	for _, p := range c.Parties {
		rung, ok := s.Ladder.rung(p.Role, c.Class)
		if !ok || c.Absent {
			continue
		}
		if l := known[partyID(p)]; l != nil {
			if err := reopen(c, l, rung, now); err != nil {
				return err
			}
			continue
		}
		l := &takedown.Leg{
			CaseID: c.ID, Party: p, State: takedown.LegPlanned, Kind: takedown.NoticeFirst,
			DueAt: now.Add(rung.After), OpenedAt: now, ResolutionID: c.ResolutionID,
		}
		c.Legs = append(c.Legs, l)
		known[partyID(p)] = l // sources may name a party twice
		data := map[string]any{"role": p.Role, "party": takedown.CleanText(p.Name), "key": p.Key, "due_at": l.DueAt.UTC().Format(time.RFC3339)}
		if len(p.Contacts) == 0 {
			if err := l.Move(takedown.LegUnreachable, "no contact is known: "+p.Why, time.Time{}); err != nil {
				return err
			}
			data["why"] = takedown.CleanText(p.Why)
			c.Record(now, takedown.EventLegUnreachable, "plan", data)
			continue
		}
		c.Record(now, takedown.EventLegPlanned, "plan", data)
	}
	if err := c.Move(takedown.CaseActive, ""); err != nil {
		return err
	}
	switch {
	case c.Absent:
		c.Reason = "the name does not exist; nobody is told unless it comes back"
	case len(c.Legs) == 0:
		c.Reason = "no party that could act was found"
	}
	if reachable := s.reachable(c); !reachable && len(c.Legs) > 0 {
		c.Reason = "no party has a contact"
	} else {
		for _, l := range c.Legs {
			if l.State == takedown.LegUnreachable {
				advance(c, now)
				break
			}
		}
	}
	// The watch starts before the first notice is due, so NextWork names it
	// first.
	c.Track.NextAt = now.Add(-time.Nanosecond)
	if !s.LookFirst {
		c.Track.NextAt = now.Add(s.FirstCheck)
	}
	c.Record(now, takedown.EventPlanned, "plan", map[string]any{"legs": len(c.Legs), "reason": c.Reason})
	return nil
}

// reopen begins a leg anew whose target was gone and came back. Legs of parties
// that no longer hold it stay closed.
func reopen(c *takedown.Case, l *takedown.Leg, rung Rung, now time.Time) error {
	if l.State != takedown.LegClosed {
		return nil
	}
	due := now
	if l.Seq == 0 { // it was gone before this party's turn came
		due = now.Add(rung.After)
	} else {
		l.Kind = takedown.NoticeRelapse
	}
	if err := l.Move(takedown.LegPlanned, "it came back", due); err != nil {
		return err
	}
	l.OpenedAt, l.Reminders = now, 0
	c.Record(now, takedown.EventLegPlanned, "plan", legData(l))
	return nil
}

func partyID(p takedown.Party) string { return string(p.Role) + " " + takedown.CleanText(p.Key) }

func (s *Plan) reachable(c *takedown.Case) bool {
	for _, l := range c.Legs {
		if l.State != takedown.LegUnreachable {
			return true
		}
	}
	return false
}

// step moves the legs whose own clock has run down.
func (s *Plan) step(c *takedown.Case, now time.Time) error {
	for _, l := range c.Legs {
		if l.DueAt.IsZero() || l.DueAt.After(now) {
			continue
		}
		if err := s.stepLeg(c, l, now); err != nil {
			return err
		}
	}
	return nil
}

func (s *Plan) stepLeg(c *takedown.Case, l *takedown.Leg, now time.Time) error {
	data := legData(l)
	switch l.State {
	case takedown.LegNotified, takedown.LegUnknown:
		rung, _ := s.Ladder.rung(l.Party.Role, c.Class)
		if l.Reminders < rung.Reminders {
			if err := l.Move(takedown.LegPlanned, "the target is still there", now); err != nil {
				return err
			}
			l.Kind = takedown.NoticeReminder
			l.Reminders++
			data["kind"] = l.Kind
			c.Record(now, takedown.EventLegPlanned, "plan", data)
			return nil
		}
		if err := l.Move(takedown.LegExhausted, fmt.Sprintf("told and reminded %d times without effect", l.Reminders), time.Time{}); err != nil {
			return err
		}
		c.Record(now, takedown.EventLegExhausted, "plan", data)
		advance(c, now)
	case takedown.LegWaiting:
		if err := l.Move(takedown.LegUnreachable, "what it waited for did not come", time.Time{}); err != nil {
			return err
		}
		c.Record(now, takedown.EventLegUnreachable, "plan", data)
		advance(c, now)
	case takedown.LegManual:
		l.DueAt = time.Time{}
		l.Touch()
		c.Record(now, takedown.EventNote, "plan", map[string]any{"role": l.Party.Role, "text": "the task for a person is overdue; the next party is told"})
		advance(c, now)
	}
	return nil
}

func legData(l *takedown.Leg) map[string]any {
	d := map[string]any{"role": l.Party.Role, "party": takedown.CleanText(l.Party.Name), "key": l.Party.Key}
	if l.ID != 0 {
		d["leg"] = l.ID
	}
	if l.Reason != "" {
		d["reason"] = l.Reason
	}
	return d
}
