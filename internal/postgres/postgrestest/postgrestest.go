// Package postgrestest gives each test a migrated database of its own on a
// real server. The server starts once in a test binary; the schema is migrated
// once into a template, and every test gets a clone of it. Where PostgreSQL is
// not installed tests are skipped, and fail if CI is set.
package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"desist/internal/pgserver"
	"desist/internal/pgserver/pgservertest"
	"desist/internal/postgres"
)

const template = "template_desist"

type rig struct {
	server *pgserver.Server
	stop   func() error
	// cloning is held while a clone is made: the template must have no user.
	cloning sync.Mutex
	clones  atomic.Int64
}

var start = sync.OnceValues(launch)

func launch() (*rig, error) {
	server, stop, err := pgservertest.Launch()
	if err != nil {
		return nil, err
	}
	r := &rig{server: server, stop: stop}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := server.CreateDatabase(ctx, template); err != nil {
		return nil, errors.Join(err, stop())
	}
	store, err := postgres.Open(ctx, postgres.Config{URL: server.URL(template)})
	if err != nil {
		return nil, errors.Join(err, stop())
	}
	defer store.Close()
	if _, err := store.Migrate(ctx); err != nil {
		return nil, errors.Join(err, stop())
	}
	return r, nil
}

// Main runs the tests of a package and ends the server that they shared. Call
// it from TestMain.
func Main(m *testing.M) {
	code := m.Run()
	if r, err := start(); err == nil {
		if err := r.stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// URL returns the address of a new, migrated, empty database.
func URL(tb testing.TB) string {
	tb.Helper()
	r, err := start()
	var missing *pgserver.NotFoundError
	if errors.As(err, &missing) && os.Getenv("CI") == "" {
		tb.Skipf("This test needs PostgreSQL: %v", err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	name := fmt.Sprintf("test_%d", r.clones.Add(1))
	r.cloning.Lock()
	defer r.cloning.Unlock()
	conn, err := pgx.Connect(tb.Context(), r.server.URL("postgres"))
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(tb.Context())) }()
	if _, err := conn.Exec(tb.Context(), "CREATE DATABASE "+name+" TEMPLATE "+template); err != nil {
		tb.Fatal(err)
	}
	return r.server.URL(name)
}

// Open returns a store on a new database.
func Open(tb testing.TB) *postgres.Store {
	tb.Helper()
	store, err := postgres.Open(tb.Context(), postgres.Config{URL: URL(tb)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(store.Close)
	return store
}
