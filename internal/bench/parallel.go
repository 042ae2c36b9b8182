package bench

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// parallel calls f for 0 to n-1, workers at a time, and returns what each call
// took. The first error ends it.
func (r *rig) parallel(ctx context.Context, label string, n, workers int, f func(ctx context.Context, i int) error) ([]time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	each := make([]time.Duration, n)
	var next, done atomic.Int64
	var wg sync.WaitGroup
	for range min(workers, n) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				begun := time.Now()
				if err := f(ctx, i); err != nil {
					cancel(err)
					return
				}
				each[i] = time.Since(begun)
				done.Add(1)
			}
		})
	}
	finished := make(chan struct{})
	go func() { wg.Wait(); close(finished) }()
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case <-finished:
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			return each, nil
		case <-tick.C:
			r.o.Progress(label, int(done.Load()), n)
		}
	}
}

const progressEvery = 200 * time.Millisecond
