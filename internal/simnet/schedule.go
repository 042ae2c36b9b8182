package simnet

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// An act is something that will happen in the world at a time of the world.
type act struct {
	at  time.Time
	seq uint64 // keeps acts of the same instant in the order they were planned
	do  func()
}

type actHeap []act

func (h actHeap) Len() int { return len(h) }
func (h actHeap) Less(i, j int) bool {
	if h[i].at.Equal(h[j].at) {
		return h[i].seq < h[j].seq
	}
	return h[i].at.Before(h[j].at)
}
func (h actHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *actHeap) Push(x any)   { *h = append(*h, x.(act)) }
func (h *actHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = act{}
	*h = old[:len(old)-1]
	return last
}

// A schedule holds every planned act in one heap; run is its only goroutine.
type schedule struct {
	clock Clock
	kick  chan struct{}

	// running makes callers of runDue wait for an act that another is doing.
	running sync.Mutex

	mu   sync.Mutex
	heap actHeap
	seq  uint64
}

func newSchedule(clock Clock) *schedule {
	return &schedule{clock: clock, kick: make(chan struct{}, 1)}
}

// at plans do for the world's time t.
func (s *schedule) at(t time.Time, do func()) {
	s.mu.Lock()
	s.seq++
	heap.Push(&s.heap, act{at: t, seq: s.seq, do: do})
	first := s.heap[0].seq == s.seq
	s.mu.Unlock()
	if first {
		select {
		case s.kick <- struct{}{}:
		default: // a wake-up is already waiting
		}
	}
}

func (s *schedule) pending() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.heap)
}

// runDue does every act whose time has come and returns how many there were.
// An act may plan further acts; those that are due already run too.
func (s *schedule) runDue() int {
	s.running.Lock()
	defer s.running.Unlock()
	done := 0
	for {
		now := s.clock.Now()
		s.mu.Lock()
		if len(s.heap) == 0 || s.heap[0].at.After(now) {
			s.mu.Unlock()
			return done
		}
		next := heap.Pop(&s.heap).(act)
		s.mu.Unlock()
		next.do()
		done++
	}
}

// run does acts as they fall due until ctx ends.
func (s *schedule) run(ctx context.Context) {
	const idle = time.Hour
	timer := time.NewTimer(idle)
	defer timer.Stop()
	for {
		s.runDue()
		wait := idle
		s.mu.Lock()
		if len(s.heap) > 0 {
			// Never below a millisecond: at a high factor the wait rounds to
			// nothing and the loop would spin.
			wait = min(idle, max(time.Millisecond, s.clock.wait(s.heap[0].at)))
		}
		s.mu.Unlock()
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-s.kick:
		case <-timer.C:
		}
	}
}
