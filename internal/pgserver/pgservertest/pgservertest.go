// Package pgservertest gives tests a private PostgreSQL server that is fast and
// not durable. Where PostgreSQL is not installed a test is skipped, and fails if
// the environment variable CI is set.
package pgservertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"desist/internal/pgserver"
)

// limit bounds a start and a stop.
const limit = time.Minute

// Start returns a server of its own for one test, which ends with the test. It
// takes about a second; a package with many tests should Launch one in TestMain.
func Start(tb testing.TB) *pgserver.Server {
	tb.Helper()
	s, stop, err := Launch()
	var missing *pgserver.NotFoundError
	if errors.As(err, &missing) && os.Getenv("CI") == "" {
		tb.Skipf("This test needs PostgreSQL: %v", err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := stop(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// Launch starts a server in a new temporary directory; stop ends it and removes
// the directory. Unlike that of testing.TB.TempDir, the directory can be entered
// by the user that PostgreSQL runs as when the test runs as root.
func Launch() (s *pgserver.Server, stop func() error, err error) {
	dir, err := os.MkdirTemp("", "desist-test-pg")
	if err != nil {
		return nil, nil, fmt.Errorf("pgservertest: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	s, err = pgserver.Start(ctx, pgserver.Config{Dir: dir, Settings: pgserver.ForTests()})
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		return errors.Join(s.Stop(ctx), os.RemoveAll(dir))
	}, nil
}
