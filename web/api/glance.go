package api

import (
	"context"
	"fmt"
	"sync"
	"time"

	"desist/internal/postgres"
	"desist/internal/stats"
)

// A Glance is what the first page shows.
type Glance struct {
	At       time.Time
	Overview postgres.Overview
	// Removal is the survival of targets from the first notice accepted to the
	// target seen gone.
	Removal stats.Curve
}

// Glances returns a function that looks at everything. However many people
// look, it asks the database for at most a twentieth of the time: an answer is
// given again for twenty times as long as it took, and a second at least.
// Failures are not kept.
func Glances(f Figures, now func() time.Time) func(context.Context) (Glance, error) {
	var mu sync.Mutex
	var last Glance
	var until time.Time
	return func(ctx context.Context) (Glance, error) {
		mu.Lock()
		defer mu.Unlock()
		began := time.Now() // how long things take is of the world, not of a rehearsal
		if began.Before(until) {
			return last, nil
		}
		g := Glance{At: now()}
		var err error
		if g.Overview, err = f.Overview(ctx); err != nil {
			return g, fmt.Errorf("overview: %w", err)
		}
		lives, err := f.Lives(ctx, time.Unix(0, 0), g.At.Add(time.Second))
		if err != nil {
			return g, fmt.Errorf("overview: %w", err)
		}
		g.Removal = stats.KaplanMeier(removals(lives, g.At))
		last, until = g, time.Now().Add(max(time.Second, 20*time.Since(began)))
		return g, nil
	}
}

// removals measures each case from the first notice accepted to the first round
// that saw the target gone, as the clock stats.ClockRemoval does: a case that
// was gone before anybody was told is left out, one that is still up is
// censored at its last moment under observation.
func removals(lives []postgres.Life, now time.Time) []stats.Span {
	var spans []stats.Span
	for _, l := range lives {
		start, end := l.NotifiedAt, l.GoneSeenAt
		if start.IsZero() || start.After(now) || (!end.IsZero() && end.Before(start)) {
			continue
		}
		if !end.IsZero() && !end.After(now) {
			spans = append(spans, stats.Span{Duration: end.Sub(start), Observed: true})
			continue
		}
		last := now
		for _, t := range []time.Time{l.ClosedAt, l.GoneAt} {
			if !t.IsZero() && t.Before(last) {
				last = t
			}
		}
		spans = append(spans, stats.Span{Duration: last.Sub(start)})
	}
	return spans
}
