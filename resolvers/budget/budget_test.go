package budget_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"desist/resolvers/budget"
	"desist/takedown"
)

type clock struct {
	now    time.Time
	waited time.Duration
}

func (c *clock) Now() time.Time { return c.now }
func (c *clock) Sleep(_ context.Context, d time.Duration) error {
	c.now, c.waited = c.now.Add(d), c.waited+d
	return nil
}

func newBudget(c *clock) *budget.Budget {
	return budget.New(budget.Config{Rate: 1, Burst: 2, Patience: 2 * time.Second, Failures: 3, Cooldown: time.Minute, Now: c.Now, Sleep: c.Sleep, MaxServers: 4})
}

func TestRate(t *testing.T) {
	c := &clock{now: time.Unix(1000, 0)}
	b := newBudget(c)
	ctx := context.Background()
	for i := range 5 {
		if err := b.Wait(ctx, "a"); err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
	}
	if c.waited != 3*time.Second {
		t.Errorf("waited %s for three requests over the burst", c.waited)
	}
	if err := b.Wait(ctx, "b"); err != nil || c.waited != 3*time.Second {
		t.Errorf("another server: %v, waited %s", err, c.waited)
	}
}

func TestPause(t *testing.T) {
	c := &clock{now: time.Unix(1000, 0)}
	b := newBudget(c)
	ctx := context.Background()
	b.Done("a", takedown.Snooze(2*time.Second, errors.New("429")))
	if err := b.Wait(ctx, "a"); err != nil || c.waited != 2*time.Second {
		t.Errorf("a short pause: %v, waited %s", err, c.waited)
	}
	b.Done("a", takedown.Snooze(time.Hour, errors.New("429")))
	err := b.Wait(ctx, "a")
	if takedown.KindOf(err) != takedown.KindSnooze || takedown.RetryAfter(err) != time.Hour {
		t.Errorf("a long pause: %v", err)
	}
}

func TestBreaker(t *testing.T) {
	c := &clock{now: time.Unix(1000, 0)}
	b := newBudget(c)
	ctx := context.Background()
	failure := takedown.Temporary(errors.New("reset"))
	b.Done("a", failure)
	b.Done("a", failure)
	b.Done("a", takedown.NotFound(errors.New("no such domain"))) // it works
	b.Done("a", failure)
	b.Done("a", failure)
	if err := b.Wait(ctx, "a"); err != nil {
		t.Fatalf("open after two failures in a row: %v", err)
	}
	b.Done("a", failure)
	if err := b.Wait(ctx, "a"); takedown.RetryAfter(err) != time.Minute {
		t.Errorf("after three failures: %v", err)
	}
	c.now = c.now.Add(time.Minute)
	if err := b.Wait(ctx, "a"); err != nil {
		t.Errorf("after the cooldown: %v", err)
	}
	b.Done("a", failure)
	if err := b.Wait(ctx, "a"); takedown.RetryAfter(err) != 2*time.Minute {
		t.Errorf("the next failure: %v", err)
	}
}

func TestBounded(t *testing.T) {
	c := &clock{now: time.Unix(1000, 0)}
	b := newBudget(c)
	for i := range 100 {
		c.now = c.now.Add(time.Second)
		if err := b.Wait(context.Background(), fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := b.Wait(ctx, "z"); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context: %v", err)
	}
}
