package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"desist/internal/app"
	"desist/internal/config"
	"desist/internal/demo"
	"desist/internal/postgres"
	"desist/takedown"
)

// maxInput bounds a file that is read whole.
const maxInput = 64 << 20

// config loads the configuration with the flags that override it.
func (p *Program) config() (config.Config, error) {
	environ := p.Environ
	if p.flags.DataDir != "" {
		dir, err := filepath.Abs(p.flags.DataDir)
		if err != nil {
			return config.Config{}, usage("--data: %w", err)
		}
		environ = append(append([]string(nil), environ...), config.EnvName("data_dir")+"="+dir)
	}
	cfg, err := config.Load(p.flags.ConfigFile, environ)
	if err != nil {
		return cfg, fileError(err)
	}
	return cfg, nil
}

// fileError gives errors of files and settings their kind: the same input fails
// again.
func fileError(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return takedown.NotFound(err)
	}
	return takedown.Permanent(err)
}

// logger returns the log of a service, or with quiet that of a command, which
// speaks only of what is wrong.
func (p *Program) logger(cfg config.Config, quiet bool) *slog.Logger {
	level := slog.LevelInfo
	switch {
	case p.flags.Verbose:
		level = slog.LevelDebug
	case quiet:
		level = slog.LevelWarn
	default:
		if err := level.UnmarshalText([]byte(cfg.Log.Level)); err != nil {
			level = slog.LevelInfo // config has checked it
		}
	}
	o := &slog.HandlerOptions{Level: level}
	if cfg.Log.Format == "json" {
		return slog.New(slog.NewJSONHandler(p.Err, o))
	}
	return slog.New(slog.NewTextHandler(p.Err, o))
}

// say tells the person something beside the result. That standard error cannot
// be written to, nobody could be told.
func (p *Program) say(format string, args ...any) { _, _ = fmt.Fprintf(p.Err, format, args...) }

// clock returns the time that the configuration asks for.
func clock(cfg config.Config) app.Clock {
	return app.NewClock(cfg.Simnet.Epoch, time.Now(), cfg.Simnet.ClockFactor)
}

// recordClock returns the time at which commands look at a record. That of a
// rehearsal, whose clock ran apart from the world's, is looked at where its
// record ends.
func recordClock(ctx context.Context, cfg config.Config, store *postgres.Store) (app.Clock, error) {
	if cfg.Simnet.ClockFactor == 1 && !demo.Holds(cfg.DataDir) {
		return clock(cfg), nil
	}
	last, err := store.LastEventAt(ctx)
	if err != nil || last.IsZero() {
		return clock(cfg), err
	}
	return app.NewClock(last, time.Now(), 1), nil
}

// record is what commands on the record work with.
type record struct {
	cfg   config.Config
	store *postgres.Store
	clock app.Clock
	log   *slog.Logger
}

func (r *record) actions() actions { return app.NewActions(r.store, r.clock, r.cfg) }

// withRecord opens the database for the time of f.
func (p *Program) withRecord(ctx context.Context, f func(*record) error) (err error) {
	cfg, err := p.config()
	if err != nil {
		return err
	}
	p.orDemo(&cfg)
	log := p.logger(cfg, true)
	db, err := app.OpenStore(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := db.Close(context.WithoutCancel(ctx)); cerr != nil {
			log.WarnContext(ctx, "the database did not close cleanly", "err", cerr)
		}
	}()
	now, err := recordClock(ctx, cfg, db.Store)
	if err != nil {
		return err
	}
	return f(&record{cfg: cfg, store: db.Store, clock: now, log: log})
}

// actor names the person at the command line, without the name of the machine.
func (p *Program) actor() string {
	name := ""
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if name == "" {
		name = p.getenv("USER")
	}
	if name == "" {
		name = "unknown"
	}
	return "cli:" + safe(name)
}

func (p *Program) getenv(name string) string {
	for i := len(p.Environ) - 1; i >= 0; i-- {
		if value, ok := strings.CutPrefix(p.Environ[i], name+"="); ok {
			return value
		}
	}
	return ""
}

// printJSON writes one value as an indented document.
func (p *Program) printJSON(v any) error {
	e := json.NewEncoder(p.Out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return written(e.Encode(v))
}

// written gives an error of writing the result its kind.
func written(err error) error {
	if err == nil {
		return nil
	}
	return takedown.Permanent(fmt.Errorf("write the result: %w", err))
}

// open opens a file, or standard input for "-".
func (p *Program) open(path string) (io.ReadCloser, error) {
	if path == "-" {
		return io.NopCloser(p.In), nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fileError(err)
	}
	return f, nil
}

// readFile reads a file whole, or standard input for "-".
func (p *Program) readFile(path string, limit int64) ([]byte, error) {
	f, err := p.open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // nothing was written
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fileError(fmt.Errorf("read %s: %w", path, err))
	}
	if int64(len(data)) > limit {
		return nil, takedown.Permanent(fmt.Errorf("%s is longer than %d bytes", path, limit))
	}
	return data, nil
}

// A moment is a time given as RFC 3339, as a date, or as how long ago it was.
type moment struct {
	at  time.Time
	ago time.Duration
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *moment) UnmarshalText(text []byte) error {
	s := string(text)
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			m.at = t.UTC()
			return nil
		}
	}
	var ago span
	if err := ago.UnmarshalText(text); err != nil {
		return fmt.Errorf("%q is not a time; write it as 2026-03-01T12:00:00Z, as 2026-03-01, or as how long ago, such as 6h or 30d", s)
	}
	m.ago = time.Duration(ago)
	return nil
}

// or returns the time, or the other one if none was given.
func (m moment) or(now, other time.Time) time.Time {
	switch {
	case !m.at.IsZero():
		return m.at
	case m.ago != 0:
		return now.Add(-m.ago)
	}
	return other
}

// A span is a duration that may count in days.
type span time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *span) UnmarshalText(text []byte) error {
	s := string(text)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		hours, err := time.ParseDuration(days + "h")
		if err == nil && hours >= 0 && hours < 1<<62/24 {
			*d = span(hours * 24)
			return nil
		}
	}
	v, err := time.ParseDuration(s)
	if err != nil || v < 0 {
		return fmt.Errorf("%q is not a duration; write it as in 90m, 12h or 30d", s)
	}
	*d = span(v)
	return nil
}
