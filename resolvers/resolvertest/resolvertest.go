// Package resolvertest holds the rules that every resolvers.Source must keep, as
// a test suite that each source runs against its own fake servers.
package resolvertest

import (
	"context"
	"sync"
	"testing"
	"time"

	"desist/resolvers"
	"desist/takedown"
)

// Config says what a source can do in the test's set-up.
type Config struct {
	Source resolvers.Source
	// Known is a target about which the source learns something.
	Known resolvers.Target
	// Unknown is a target that the source is asked about and has no record of;
	// nil skips the case.
	Unknown *resolvers.Target
	// Hanging is a target for which the servers never answer; nil skips the
	// case. The source's own time-out must be longer than a few seconds.
	Hanging *resolvers.Target
}

// Run checks the rules.
func Run(t *testing.T, c Config) {
	t.Run("findings are complete", func(t *testing.T) { complete(t, c) })
	t.Run("concurrent use", func(t *testing.T) { concurrent(t, c) })
	if c.Unknown != nil {
		t.Run("unknown is not temporary", func(t *testing.T) { unknown(t, c) })
	}
	if c.Hanging != nil {
		t.Run("cancel is honoured", func(t *testing.T) { cancelled(t, c) })
	}
}

func complete(t *testing.T, c Config) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	findings, _, err := c.Source.Find(ctx, c.Known)
	if err != nil {
		t.Fatal(err)
	}
	if len(findings) == 0 {
		t.Fatal("nothing was found about the known target")
	}
	for _, f := range findings {
		if f.Fact == "" || f.Subject == "" || f.Source != c.Source.Name() || f.Server == "" || len(f.Raw) == 0 {
			t.Errorf("incomplete finding: %+v", f)
		}
		if !f.At.Equal(c.Known.Now) {
			t.Errorf("%s: stamped %s, want the target's time %s", f.Fact, f.At, c.Known.Now)
		}
		if f.TTL < 0 {
			t.Errorf("%s: TTL %s", f.Fact, f.TTL)
		}
		if f.Value != takedown.CleanText(f.Value) {
			t.Errorf("%s: value %q cannot be stored", f.Fact, f.Value)
		}
	}
}

func concurrent(t *testing.T, c Config) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, _, err := c.Source.Find(ctx, c.Known); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func unknown(t *testing.T, c Config) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	findings, _, err := c.Source.Find(ctx, *c.Unknown)
	switch kind := takedown.KindOf(err); kind {
	case takedown.KindNotFound:
	case "":
		for _, f := range findings {
			if f.Fact != takedown.FactAbsent {
				t.Errorf("found %+v about an unknown target", f)
			}
		}
	default:
		t.Errorf("error of kind %s: %v", kind, err)
	}
}

func cancelled(t *testing.T, c Config) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		_, _, err := c.Source.Find(ctx, *c.Hanging)
		done <- err
	}()
	cancel()
	select {
	case err := <-done:
		if err == nil {
			t.Error("no error although the context ended")
		}
	case <-time.After(3 * time.Second):
		t.Error("Find did not return when the context ended")
		if err := <-done; err != nil {
			t.Log(err)
		}
	}
}
