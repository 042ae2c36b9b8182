package app_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"desist/internal/app"
	"desist/internal/config"
	"desist/internal/postgres/postgrestest"
	"desist/internal/simnet"
	"desist/takedown"
)

// closedPort is an address where nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	return ln.Addr().String()
}

// A logBuffer is a log that a test reads.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestStartWaits: a server that is away is waited for, with a message, and given
// up in the end as temporarily unavailable.
func TestStartWaits(t *testing.T) {
	postgrestest.URL(t) // starts the server that the tests share
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for _, tc := range []struct {
		name, key, scheme, says string
	}{
		{"PostgreSQL", "database.url", "postgres://nobody@%s/nothing", "waiting for PostgreSQL"},
		{"NATS", "nats.url", "nats://%s", "NATS is not ready"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			all := settings(map[string]string{
				"data_dir": t.TempDir(), "database.url": postgrestest.URL(t), "dns.servers": "127.0.0.1:53", "startup_timeout": "1500ms",
			})
			all[tc.key] = fmt.Sprintf(tc.scheme, closedPort(t))
			cfg, err := config.Load("", environment(all))
			if err != nil {
				t.Fatal(err)
			}
			var log logBuffer
			began := time.Now()
			a, err := app.Start(t.Context(), app.Options{Config: cfg, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			if err == nil {
				stop(t, a)
				t.Fatal("it started without its server")
			}
			if took := time.Since(began); took < time.Second || took > 10*time.Second {
				t.Errorf("it gave up after %v", took)
			}
			if code := takedown.ConsequenceOf(err).ExitCode; code != 5 {
				t.Errorf("the exit code is %d, want 5: %v", code, err)
			}
			if !strings.Contains(err.Error(), "PostgreSQL") && !strings.Contains(err.Error(), "NATS") {
				t.Errorf("the error does not say what is away: %v", err)
			}
			if !strings.Contains(log.String(), tc.says) {
				t.Errorf("nothing said %q while it waited:\n%s", tc.says, log.String())
			}
		})
	}
}

// TestStartRefuses: what waiting cannot mend ends the start at once, and what
// was opened before is closed.
func TestStartRefuses(t *testing.T) {
	postgrestest.URL(t)
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := taken.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, tc := range []struct{ name, key, value string }{
		{"port in use", "listen", taken.Addr().String()},
		{"inbox in use", "inbox.lmtp", taken.Addr().String()},
		{"no such lists", "policy.warninglists", "/nonexistent/lists"},
		{"no such overrides", "contacts.overrides", "/nonexistent/overrides.yaml"},
		{"no such rules", "cdn", "/nonexistent/cdn.yaml"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg, err := config.Load("", environment(settings(map[string]string{
				"data_dir": t.TempDir(), "database.url": postgrestest.URL(t), "dns.servers": "127.0.0.1:53", tc.key: tc.value,
			})))
			if err != nil {
				t.Fatal(err)
			}
			a, err := app.Start(t.Context(), app.Options{Config: cfg, Logger: quiet()})
			if err == nil {
				stop(t, a)
				t.Fatal("it started")
			}
			if code := takedown.ConsequenceOf(err).ExitCode; code != 1 {
				t.Errorf("the exit code is %d, want 1: %v", code, err)
			}
			if !strings.Contains(err.Error(), tc.value) {
				t.Errorf("the error does not name %s: %v", tc.value, err)
			}
		})
	}
	cfg, err := config.Load("", environment(settings(map[string]string{"data_dir": t.TempDir()})))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := app.Start(t.Context(), app.Options{Config: cfg, Roles: []string{"cook"}}); err == nil || !strings.Contains(err.Error(), "cook") {
		t.Errorf("an unknown role: %v", err)
	}
}

// TestStop interrupts the service in the middle of its work. It ends in time,
// leaves nothing running and nothing unknown, and the next start finishes the
// rest.
func TestStop(t *testing.T) {
	world, err := simnet.LoadWorld(strings.NewReader(killWorld), "kill.yaml")
	if err != nil {
		t.Fatal(err)
	}
	world.Epoch = time.Now()
	clock := newWarp(world.Epoch, 1)
	n := startWorld(t, world, clock)
	cfg := configure(t, n, postgrestest.URL(t), map[string]string{
		"ladder.registrar.enabled": "false", "track.look_first": "false", "track.first": "24h", "pipeline.sweep_after": "2s",
	})
	rows := n.Feed(600, simnet.FeedOptions{Plain: true})
	before := goleak.IgnoreCurrent()
	a := start(t, cfg, n, clock, 1)
	for i, row := range rows {
		publish(t, a, "test", report(t, row.Indicator, row.Class, row.SeenAt, fmt.Sprint(i)))
	}
	eventually(t, 20*time.Second, func() string {
		if n.Stats().Mails < 50 {
			return "no notice left before the stop"
		}
		return ""
	})
	began := time.Now()
	stop(t, a)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the stop took %v", took)
	}
	goleak.VerifyNone(t, before)
	t.Logf("stopped in %v after %d mails", time.Since(began), n.Stats().Mails)

	a = start(t, cfg, n, clock, 1)
	s := a.Database().Store
	eventually(t, 20*time.Second, func() string {
		o := overview(t, s)
		if o.Cases[string(takedown.CaseActive)] != len(rows) || o.Legs[string(takedown.LegNotified)] != len(rows) {
			return fmt.Sprintf("cases %v, legs %v, deliveries %v, %d dead letters", o.Cases, o.Legs, o.Deliveries, o.DeadLetters)
		}
		return ""
	})
	if got := n.Stats().Mails; got != len(rows) {
		t.Errorf("%d mails arrived for %d cases", got, len(rows))
	}
	saidOnce(t, s, n.Mails(20_000))
	audited(t, s)
	stop(t, a)
	goleak.VerifyNone(t, before)
}
