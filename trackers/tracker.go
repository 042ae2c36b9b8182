package trackers

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"desist/takedown"
)

// A Target is what one round of observations looks at.
type Target struct {
	Indicator takedown.Indicator
	// Addresses are the target's addresses when it was last seen. They stand in
	// where the name cannot be looked up, to show that it is up, never gone.
	Addresses []string
	// Baseline is the fingerprint of the page when it was first seen up; empty
	// before that. It must never be taken from a round that was not up.
	Baseline string
}

// A Probe looks at a target in its own way. It returns one observation for each
// client profile or vantage, and none where it does not apply. It must honour
// ctx and must not return before its goroutines have.
type Probe interface {
	Observe(ctx context.Context, target Target) []takedown.Observation
}

// A Canary reports an error when a thing that must work does not: the sign that
// we are offline rather than they.
type Canary func(ctx context.Context) error

// Config is what a Tracker needs. Only Probes has no default.
type Config struct {
	Probes []Probe
	// Canary is asked before a round is believed to be gone; nil asks nobody.
	Canary Canary
	// CanaryFor is how long an answer of the canary counts; default 15 s.
	CanaryFor time.Duration
	// Timeout bounds one round, canary included; default 45 s.
	Timeout time.Duration
	Now     func() time.Time
}

// A Tracker runs rounds of observations. It is safe for concurrent use.
type Tracker struct {
	cfg Config

	// canaryTurn holds the one token that allows a canary to run, so that a
	// thousand checks at a time ask once.
	canaryTurn chan struct{}
	mu         sync.Mutex
	canaryAt   time.Time
	canaryErr  error
}

// New returns a tracker. It refuses a configuration without probes, because
// rounds without observations would stay unclear for ever.
func New(cfg Config) (*Tracker, error) {
	if len(cfg.Probes) == 0 {
		return nil, errors.New("trackers: no probe is configured; give at least the name and the web probe")
	}
	if cfg.CanaryFor <= 0 {
		cfg.CanaryFor = 15 * time.Second
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 45 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	t := &Tracker{cfg: cfg, canaryTurn: make(chan struct{}, 1)}
	t.canaryTurn <- struct{}{}
	return t, nil
}

// Check runs one round: all probes at once, then the verdict. CaseID and ID of
// the returned check are the caller's to fill.
func (t *Tracker) Check(ctx context.Context, target Target) takedown.Check {
	ctx, cancel := context.WithTimeout(ctx, t.cfg.Timeout)
	defer cancel()

	results := make([][]takedown.Observation, len(t.cfg.Probes))
	var wg sync.WaitGroup
	for i, probe := range t.cfg.Probes {
		wg.Go(func() { results[i] = probe.Observe(ctx, target) })
	}
	wg.Wait()

	check := takedown.Check{At: t.cfg.Now().UTC()}
	for _, observations := range results {
		for _, o := range observations {
			if o.At.IsZero() {
				o.At = check.At
			}
			o.Detail = takedown.CleanText(o.Detail)
			check.Observations = append(check.Observations, o)
		}
	}
	check.Verdict, check.Layer, check.Detail = Decide(check.Observations)
	if check.Verdict == takedown.VerdictGone {
		if err := t.askCanary(ctx); err != nil {
			check.Verdict = takedown.VerdictUnclear
			check.Detail = takedown.CleanText(fmt.Sprintf("looks gone (%s), but the canary failed too, so we may be offline: %v", check.Detail, err))
		}
	}
	return check
}

// askCanary returns the canary's answer, at most CanaryFor old.
func (t *Tracker) askCanary(ctx context.Context) error {
	if t.cfg.Canary == nil {
		return nil
	}
	select {
	case <-t.canaryTurn:
		defer func() { t.canaryTurn <- struct{}{} }()
	case <-ctx.Done():
		return fmt.Errorf("waiting for the canary: %w", ctx.Err())
	}
	t.mu.Lock()
	at, err := t.canaryAt, t.canaryErr
	t.mu.Unlock()
	if age := t.cfg.Now().Sub(at); !at.IsZero() && age >= 0 && age < t.cfg.CanaryFor {
		return err
	}
	err = t.cfg.Canary(ctx)
	if err != nil && ctx.Err() != nil {
		return err // this round ran out of time; that says nothing about the next
	}
	t.mu.Lock()
	t.canaryAt, t.canaryErr = t.cfg.Now(), err
	t.mu.Unlock()
	return err
}

// ProbeCanary makes a canary of a probe and a target that must be up.
func ProbeCanary(probe Probe, target Target) Canary {
	return func(ctx context.Context) error {
		detail := "it observed nothing"
		for _, o := range probe.Observe(ctx, target) {
			if o.Verdict == takedown.VerdictUp {
				return nil
			}
			detail = o.Detail
		}
		return fmt.Errorf("trackers: canary %s is not up: %s", target.Indicator.Value, detail)
	}
}
