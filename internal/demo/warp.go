package demo

import (
	"sync"
	"time"
)

// warp is a clock whose speed can change while it runs. It never goes back.
type warp struct {
	mu     sync.Mutex
	at     time.Time // shown at since
	since  time.Time
	factor float64
}

func newWarp(epoch time.Time, factor float64) *warp {
	return &warp{at: epoch, since: time.Now(), factor: factor}
}

// Now returns the simulated time.
func (w *warp) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now()
}

func (w *warp) now() time.Time {
	return w.at.Add(time.Duration(float64(time.Since(w.since)) * w.factor))
}

// Speed sets how many times faster than the world the clock runs from now on.
func (w *warp) Speed(factor float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at, w.since, w.factor = w.now(), time.Now(), factor
}

// Factor returns the speed.
func (w *warp) Factor() float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.factor
}
