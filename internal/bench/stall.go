package bench

import (
	"context"
	"fmt"
	"time"

	"desist/internal/app"
	"desist/takedown"
)

// A stall ends a measurement that comes to nothing.
type stall struct {
	every time.Duration // between looks
	done  int
	since time.Time
}

const (
	stallTime = time.Minute
	lookOften = 50 * time.Millisecond
	// lookSeldom is for looks that cost something, where the end is read from
	// the record.
	lookSeldom = 250 * time.Millisecond
)

func newStall(every time.Duration) *stall { return &stall{every: every, done: -1, since: time.Now()} }

// wait waits for the next look, and fails when nothing has moved for too long.
func (s *stall) wait(ctx context.Context, a *app.App, done, total int, what string) error {
	if done != s.done {
		s.done, s.since = done, time.Now()
	}
	if time.Since(s.since) > stallTime {
		return takedown.Temporary(fmt.Errorf("only %d of %d %s, and no more for %v; run it again with -v to see what failed", done, total, what, stallTime))
	}
	t := time.NewTimer(s.every)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-a.Failed():
		return err
	case <-t.C:
		return nil
	}
}
