// Package budget keeps the service a polite client: for each server a rate
// limit, a pause when the server asked for one (429 or 503 with Retry-After,
// RFC 9110 section 10.2.3; a WHOIS quota message), and a breaker that leaves a
// failing server alone for a while.
//
// Wait returns an error of kind snooze, with the time to wait, when the permit
// would come later than the caller's patience; callers turn that into a gap.
package budget

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"desist/takedown"
)

// Config sets the limits for every server. Zero values mean the defaults.
type Config struct {
	// Rate is requests a second to one server; 10. Burst is 20.
	Rate  float64
	Burst int
	// PerServer overrides Rate for servers by name.
	PerServer map[string]float64
	// Patience is the longest that Wait waits; 3 seconds.
	Patience time.Duration
	// Failures in a row open the breaker; 5. It opens for Cooldown, 30
	// seconds, doubled at each further failure up to 16 times.
	Failures int
	Cooldown time.Duration
	// Now is the clock; time.Now when nil.
	Now func() time.Time
	// Sleep waits for d or until ctx ends; a timer when nil.
	Sleep func(ctx context.Context, d time.Duration) error
	// MaxServers bounds the table; 4096. The idle ones go first.
	MaxServers int
}

// A Budget holds the limits of all servers. It is safe for concurrent use.
type Budget struct {
	cfg     Config
	mu      sync.Mutex
	servers map[string]*server
}

type server struct {
	limiter  *rate.Limiter
	failures int
	until    time.Time // no request before
	reason   string
	used     time.Time
}

// New returns a Budget.
func New(c Config) *Budget {
	if c.Rate <= 0 {
		c.Rate = 10
	}
	if c.Burst <= 0 {
		c.Burst = 20
	}
	if c.Patience <= 0 {
		c.Patience = 3 * time.Second
	}
	if c.Failures <= 0 {
		c.Failures = 5
	}
	if c.Cooldown <= 0 {
		c.Cooldown = 30 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Sleep == nil {
		c.Sleep = sleep
	}
	if c.MaxServers <= 0 {
		c.MaxServers = 4096
	}
	return &Budget{cfg: c, servers: make(map[string]*server)}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// Wait returns when a request may go to the server.
func (b *Budget) Wait(ctx context.Context, name string) error {
	now := b.cfg.Now()
	b.mu.Lock()
	s := b.server(name, now)
	wait, why := s.until.Sub(now), s.reason
	var permit *rate.Reservation
	if wait <= b.cfg.Patience {
		permit = s.limiter.ReserveN(now, 1)
		if d := permit.DelayFrom(now); d > wait {
			wait, why = d, "our own rate limit is used up"
		}
	}
	if wait > b.cfg.Patience {
		if permit != nil {
			permit.CancelAt(now)
		}
		b.mu.Unlock()
		return takedown.Snooze(wait, fmt.Errorf("%s: not asked until %s: %s", name, now.Add(wait).UTC().Format(time.RFC3339), why))
	}
	b.mu.Unlock()
	if wait <= 0 {
		return ctx.Err()
	}
	return b.cfg.Sleep(ctx, wait)
}

// Done records the outcome of a request: nil when the server answered at all,
// else its failure. An error of kind snooze pauses the server for as long as it
// says, without counting as a failure.
func (b *Budget) Done(name string, err error) {
	now := b.cfg.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.server(name, now)
	switch takedown.KindOf(err) {
	case takedown.KindSnooze:
		b.pause(s, now.Add(takedown.RetryAfter(err)), "the server asked us to wait")
	case takedown.KindTemporary:
		if s.failures++; s.failures >= b.cfg.Failures {
			again := min(s.failures-b.cfg.Failures, 4)
			b.pause(s, now.Add(b.cfg.Cooldown<<again), fmt.Sprintf("it failed %d times in a row", s.failures))
		}
	default:
		// Any other answer shows that the server works.
		s.failures = 0
	}
}

func (b *Budget) pause(s *server, until time.Time, reason string) {
	if until.After(s.until) {
		s.until, s.reason = until, reason
	}
}

func (b *Budget) server(name string, now time.Time) *server {
	s, ok := b.servers[name]
	if !ok {
		if len(b.servers) >= b.cfg.MaxServers {
			b.evict()
		}
		limit := b.cfg.Rate
		if r, ok := b.cfg.PerServer[name]; ok && r > 0 {
			limit = r
		}
		s = &server{limiter: rate.NewLimiter(rate.Limit(limit), b.cfg.Burst)}
		b.servers[name] = s
	}
	s.used = now
	return s
}

// evict forgets the half of the servers that was idle longest, so that its cost
// is spread over many insertions. Paused servers are kept while others remain.
func (b *Budget) evict() {
	var oldest, newest time.Time
	for _, s := range b.servers {
		if oldest.IsZero() || s.used.Before(oldest) {
			oldest = s.used
		}
		if s.used.After(newest) {
			newest = s.used
		}
	}
	middle := oldest.Add(newest.Sub(oldest) / 2)
	for name, s := range b.servers {
		if !s.used.After(middle) && !s.until.After(newest) {
			delete(b.servers, name)
		}
	}
	for name := range b.servers {
		if len(b.servers) < b.cfg.MaxServers {
			return
		}
		delete(b.servers, name)
	}
}
