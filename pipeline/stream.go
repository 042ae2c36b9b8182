package pipeline

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"desist/takedown"
)

// A Streamer is a stage whose cases take unequal time, because it waits for
// servers. It says of each case when it is finished, and the engine commits
// what is finished in groups, so that one slow server does not hold up the
// others of the batch.
type Streamer interface {
	Stage
	// Stream works on the batch, and calls done once for each case; done may be
	// called from any goroutine. It returns when it has called all of them.
	Stream(ctx context.Context, now time.Time, batch []*Work, done func(*Work))
}

// gather is how long finished cases wait for company before they are stored.
const gather = 20 * time.Millisecond

// stream runs a Streamer and commits in groups.
func (e *Engine) stream(ctx context.Context, s Streamer, now time.Time, batch []*Work) error {
	finished := make(chan *Work, len(batch))
	left := make(map[*Work]int64, len(batch))
	for _, w := range batch {
		left[w] = w.Case.ID
	}
	go func() { // ends by closing finished, which the loop below waits for
		defer close(finished)
		defer func() {
			if r := recover(); r != nil {
				e.cfg.Logger.Error("stage panicked", "stage", s.Name(), "cases", len(batch), "panic", r, "stack", string(debug.Stack()))
			}
		}()
		s.Stream(ctx, now, batch, func(w *Work) { finished <- w })
	}()
	var errs []error
	var group []*Work
	settle := func() {
		if len(group) == 0 {
			return
		}
		if err := e.settle(ctx, s, group); err != nil {
			errs = append(errs, err)
		}
		group = nil
	}
	var flush <-chan time.Time
	for {
		select {
		case w, more := <-finished:
			if !more {
				settle()
				// Cases that a panic of the stage left: each alone, so that only the
				// one that causes it fails.
				for _, id := range left {
					if err := e.alone(ctx, s, id); err != nil {
						errs = append(errs, err)
					}
				}
				return errors.Join(errs...)
			}
			delete(left, w)
			if group = append(group, w); len(group) == 1 {
				flush = time.After(gather)
			}
		case <-flush:
			settle()
		}
	}
}

// run adapts a Streamer to Stage.Run, which waits for the whole batch.
func run(ctx context.Context, s Streamer, now time.Time, batch []*Work) {
	s.Stream(ctx, now, batch, func(*Work) {})
}

// each calls f for every case, at most limit at a time, and done after it. A
// panic becomes the error of the case that caused it.
func each(batch []*Work, limit int, done func(*Work), f func(*Work)) {
	limit = max(1, min(limit, len(batch)))
	next := make(chan *Work)
	var wg sync.WaitGroup
	for range limit {
		wg.Go(func() {
			for w := range next {
				safely(w, f)
				done(w)
			}
		})
	}
	for _, w := range batch {
		next <- w
	}
	close(next)
	wg.Wait()
}

func safely(w *Work, f func(*Work)) {
	defer func() {
		if r := recover(); r != nil {
			w.Err = takedown.Permanent(&panicError{value: r, stack: debug.Stack()})
		}
	}()
	f(w)
}

// A panicError is what a panic left. The stack is for the log, not for the
// record.
type panicError struct {
	value any
	stack []byte
}

func (p *panicError) Error() string { return fmt.Sprintf("panic: %v", p.value) }
