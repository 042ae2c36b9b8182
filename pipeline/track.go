package pipeline

import (
	"context"
	"time"

	"desist/takedown"
)

// Target is what a tracker looks at.
type Target struct {
	Indicator takedown.Indicator
	Addresses []string
	Baseline  string
}

// Tracker makes one round of observations.
type Tracker interface {
	Check(ctx context.Context, t Target) takedown.Check
}

// Track watches targets until they are gone and stay gone: N agreeing rounds
// close a case, the relapse watch reopens it.
type Track struct {
	Tracker     Tracker
	Ladder      Ladder
	Concurrency int
	Timeout     time.Duration
	// Rounds is how many rounds in a row must agree that the target is gone.
	Rounds int
	// Watch is how long a removed target is watched for a relapse; GiveUp is
	// how long a target that stays up is watched at all.
	Watch, GiveUp time.Duration
	// Next says when to look again.
	Next func(c *takedown.Case, now time.Time) time.Time
}

// Name implements Stage.
func (*Track) Name() takedown.Stage { return takedown.StageTrack }

// Run implements Stage.
func (s *Track) Run(ctx context.Context, now time.Time, batch []*Work) { run(ctx, s, now, batch) }

// Stream implements Streamer.
func (s *Track) Stream(ctx context.Context, now time.Time, batch []*Work, done func(*Work)) {
	each(batch, s.Concurrency, done, func(w *Work) {
		ctx, cancel := context.WithTimeout(ctx, s.Timeout)
		defer cancel()
		c := w.Case
		check := s.Tracker.Check(ctx, Target{Indicator: c.Indicator, Addresses: c.Track.Addresses, Baseline: c.Track.Baseline})
		check.CaseID = c.ID
		if check.At.IsZero() {
			check.At = now
		}
		w.Checks = append(w.Checks, check)
		w.Err = s.judge(c, check)
	})
}

// judge draws the consequences of one check.
func (s *Track) judge(c *takedown.Case, check takedown.Check) error {
	now := check.At
	t := &c.Track
	previous := t.Verdict
	t.Checks++
	t.Verdict, t.Layer, t.Detail, t.CheckedAt = check.Verdict, check.Layer, takedown.CleanText(check.Detail), now
	switch check.Verdict {
	case takedown.VerdictUp:
		t.GoneRounds = 0
		t.UpAt = now
		remember(t, check)
	case takedown.VerdictGone:
		t.GoneRounds++
	}
	next := s.Next(c, now)
	if check.Verdict != previous {
		c.Record(now, takedown.EventChecked, "track", map[string]any{
			"verdict": check.Verdict, "layer": check.Layer, "detail": t.Detail, "before": previous,
		})
	}
	if c.State == takedown.CaseRemoved {
		return s.watch(c, now)
	}
	switch check.Verdict {
	case takedown.VerdictUp:
		c.GoneSeenAt = time.Time{}
		if c.Absent && previous != takedown.VerdictUp {
			// The name that did not exist does now: find out who holds it. A
			// steady verdict does not ask again, so this cannot go in circles.
			if err := c.Move(takedown.CaseScreened, "the name exists now"); err != nil {
				return err
			}
			t.NextAt = time.Time{}
			return nil
		}
	case takedown.VerdictGone:
		if t.GoneRounds == 1 || c.GoneSeenAt.IsZero() {
			c.GoneSeenAt = now
			c.Record(now, takedown.EventGoneSeen, "track", map[string]any{"layer": check.Layer, "detail": t.Detail})
		}
		if t.GoneRounds >= s.Rounds {
			return s.remove(c, now)
		}
		quiet(c, next)
	}
	if done := s.expired(c, now); done != "" {
		return s.expire(c, now, done)
	}
	t.NextAt = next
	return nil
}

// quiet keeps legs from speaking before the next look: nothing is said about a
// target that looks gone.
func quiet(c *takedown.Case, next time.Time) {
	for _, l := range c.Legs {
		switch l.State {
		case takedown.LegPlanned, takedown.LegComposed, takedown.LegNotified, takedown.LegUnknown, takedown.LegWaiting, takedown.LegManual:
			if !l.DueAt.IsZero() && !l.DueAt.After(next) {
				l.DueAt = next.Add(time.Second)
				l.Touch()
			}
		}
	}
}

// remember keeps what the target looked like and where it was.
func remember(t *takedown.Track, check takedown.Check) {
	var addresses []string
	for _, o := range check.Observations {
		if len(o.Addresses) > 0 {
			addresses = o.Addresses
		}
		if t.Baseline == "" && o.Fingerprint != "" && o.Verdict == takedown.VerdictUp {
			t.Baseline = o.Fingerprint
		}
	}
	if len(addresses) > 0 {
		t.Addresses = addresses
	}
}

func (s *Track) remove(c *takedown.Case, now time.Time) error {
	if err := c.Move(takedown.CaseRemoved, c.Track.Detail); err != nil {
		return err
	}
	c.GoneAt, c.ClosedAt = now, now
	c.WatchUntil = now.Add(s.Watch)
	closeLegs(c, now, "the target is gone")
	c.Record(now, takedown.EventRemoved, "track", map[string]any{
		"layer": c.Track.Layer, "detail": c.Track.Detail, "rounds": c.Track.GoneRounds,
		"gone_seen_at": c.GoneSeenAt.UTC().Format(time.RFC3339), "notified": !c.NotifiedAt.IsZero(),
	})
	if s.Watch <= 0 {
		return s.endWatch(c, now)
	}
	c.Track.NextAt = s.Next(c, now)
	return nil
}

// watch looks after a removed target.
func (s *Track) watch(c *takedown.Case, now time.Time) error {
	t := &c.Track
	if t.Verdict == takedown.VerdictUp {
		// It may have moved to another network: find out who holds it now, before
		// anybody is told.
		if err := c.Move(takedown.CaseScreened, "it came back"); err != nil {
			return err
		}
		c.Relapses++
		c.GoneSeenAt, c.GoneAt, c.ClosedAt, c.WatchUntil = time.Time{}, time.Time{}, time.Time{}, time.Time{}
		t.GoneRounds, t.NextAt = 0, time.Time{}
		c.Record(now, takedown.EventRelapsed, "track", map[string]any{"detail": t.Detail, "relapse": c.Relapses})
		return nil
	}
	if !now.Before(c.WatchUntil) {
		return s.endWatch(c, now)
	}
	t.NextAt = s.Next(c, now)
	return nil
}

func (s *Track) endWatch(c *takedown.Case, now time.Time) error {
	c.WatchUntil, c.Track.NextAt = time.Time{}, time.Time{}
	c.Record(now, takedown.EventWatchEnded, "track", nil)
	return nil
}

// expired says why a target that stays up is not watched any longer, or
// nothing.
func (s *Track) expired(c *takedown.Case, now time.Time) string {
	if c.Track.Verdict == takedown.VerdictGone {
		return "" // the rounds will tell
	}
	begun := c.SubmittedAt
	for _, l := range c.Legs { // a relapse opens them anew
		if l.OpenedAt.After(begun) {
			begun = l.OpenedAt
		}
	}
	if s.GiveUp > 0 && now.Sub(begun) >= s.GiveUp {
		return "still there after the longest time that a target is watched"
	}
	if !over(c) {
		return ""
	}
	last := begun
	if c.NotifiedAt.After(last) {
		last = c.NotifiedAt
	}
	for _, l := range c.Legs {
		if end := l.NotifiedAt.Add(s.after(c, l)); !l.NotifiedAt.IsZero() && end.After(last) {
			last = end
		}
	}
	if now.Sub(last) < s.Ladder.FinalWait {
		return ""
	}
	return "the ladder has run out and the target is still there"
}

// after is how long a leg runs from its first notice to its end.
func (s *Track) after(c *takedown.Case, l *takedown.Leg) time.Duration {
	r, _ := s.Ladder.rung(l.Party.Role, c.Class)
	return r.ReminderAfter * time.Duration(1+r.Reminders)
}

func (s *Track) expire(c *takedown.Case, now time.Time, why string) error {
	if err := c.Move(takedown.CaseExpired, why); err != nil {
		return err
	}
	c.ClosedAt = now
	c.Track.NextAt = time.Time{}
	closeLegs(c, now, "the case expired")
	c.Record(now, takedown.EventExpired, "track", map[string]any{"reason": why, "verdict": c.Track.Verdict, "detail": c.Track.Detail})
	return nil
}

// closeLegs ends every leg that may end. A leg in the middle of a dialogue is
// left to its outcome.
func closeLegs(c *takedown.Case, now time.Time, why string) {
	for _, l := range c.Legs {
		if l.State == takedown.LegClosed || l.State == takedown.LegSending || c.Retracts(l) {
			continue
		}
		if err := l.Move(takedown.LegClosed, why, time.Time{}); err == nil {
			c.Record(now, takedown.EventLegClosed, "track", legData(l))
		}
	}
}
