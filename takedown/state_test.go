package takedown_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"desist/takedown"
)

// Every state can be reached from the first, every state named as a successor
// exists, and closed states lead only where the table says.
func TestCaseTableIsWhole(t *testing.T) {
	reached := map[takedown.CaseState]bool{takedown.CaseSubmitted: true}
	queue := []takedown.CaseState{takedown.CaseSubmitted}
	for len(queue) > 0 {
		s := queue[0]
		queue = queue[1:]
		if err := s.Validate(); err != nil {
			t.Errorf("successor %q: %v", s, err)
		}
		for _, next := range s.Next() {
			if !reached[next] {
				reached[next] = true
				queue = append(queue, next)
			}
		}
	}
	for _, s := range takedown.CaseStates() {
		if !reached[s] {
			t.Errorf("state %s cannot be reached", s)
		}
		if !s.Closed() && len(s.Next()) == 0 {
			t.Errorf("open state %s is a dead end", s)
		}
	}
}

func TestLegTableIsWhole(t *testing.T) {
	reached := map[takedown.LegState]bool{takedown.LegPlanned: true, takedown.LegWaiting: true}
	queue := []takedown.LegState{takedown.LegPlanned}
	for len(queue) > 0 {
		s := queue[0]
		queue = queue[1:]
		if err := s.Validate(); err != nil {
			t.Errorf("successor %q: %v", s, err)
		}
		for _, next := range s.Next() {
			if !reached[next] {
				reached[next] = true
				queue = append(queue, next)
			}
		}
	}
	for _, s := range takedown.LegStates() {
		if !reached[s] {
			t.Errorf("leg state %s cannot be reached", s)
		}
		if s != takedown.LegClosed && s != takedown.LegSending && !slices.Contains(s.Next(), takedown.LegClosed) {
			t.Errorf("leg state %s cannot be closed", s)
		}
	}
}

// Whatever is asked of a case, it only ever makes transitions of the table, and
// it has work exactly when a stage can move it.
func TestCaseWalksTheTable(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		c := &takedown.Case{ID: 1, State: takedown.CaseSubmitted}
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			before := c.State
			to := rapid.SampledFrom(takedown.CaseStates()).Draw(rt, "to")
			err := c.Move(to, "drawn")
			allowed := slices.Contains(before.Next(), to)
			if (err == nil) != allowed {
				rt.Fatalf("%s to %s: allowed %v, err %v", before, to, allowed, err)
			}
			if err != nil {
				if c.State != before {
					rt.Fatalf("a refused move changed %s to %s", before, c.State)
				}
				if takedown.KindOf(err) != takedown.KindPermanent {
					rt.Fatalf("a refused move is %s", takedown.KindOf(err))
				}
			}
			stage, at, ok := c.NextWork()
			if ok && !c.HasWork(stage, at) {
				rt.Fatalf("%s: NextWork says %s at %s, HasWork says no", c.State, stage, at)
			}
			moves := c.State == takedown.CaseSubmitted || c.State == takedown.CaseScreened || c.State == takedown.CaseResolved
			if ok != moves {
				rt.Fatalf("%s without legs or watch: has work %v", c.State, ok)
			}
		}
		_ = now
	})
}

// NextWork names the earliest timer, and never lets work be forgotten.
func TestNextWorkIsTheEarliestTimer(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		base := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		when := func(name string) time.Time {
			return base.Add(time.Duration(rapid.IntRange(1, 1000).Draw(rt, name)) * time.Minute)
		}
		c := &takedown.Case{ID: 1, State: takedown.CaseActive}
		var want time.Time
		note := func(at time.Time) {
			if want.IsZero() || at.Before(want) {
				want = at
			}
		}
		for range rapid.IntRange(0, 5).Draw(rt, "legs") {
			l := &takedown.Leg{State: rapid.SampledFrom(takedown.LegStates()).Draw(rt, "state"), DueAt: when("due")}
			c.Legs = append(c.Legs, l)
			switch l.State {
			case takedown.LegPlanned, takedown.LegComposed, takedown.LegSending, takedown.LegNotified, takedown.LegUnknown, takedown.LegWaiting, takedown.LegManual:
				note(l.DueAt)
			}
		}
		if rapid.Bool().Draw(rt, "tracked") {
			c.Track.NextAt = when("check")
			note(c.Track.NextAt)
		}
		stage, at, ok := c.NextWork()
		if ok != !want.IsZero() || !at.Equal(want) {
			rt.Fatalf("NextWork says %s at %s (%v), want %s", stage, at, ok, want)
		}
		if ok && (!c.HasWork(stage, at) || c.HasWork(stage, at.Add(-time.Second)) && stage != takedown.StageTrack) {
			rt.Fatalf("HasWork disagrees with NextWork for %s", stage)
		}
	})
}
