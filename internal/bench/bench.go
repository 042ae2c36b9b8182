// Package bench measures what Desist costs on this machine and prints the
// figures; it never judges them. The figures stand beside the floor: what the
// same number of bare durable writes and SMTP dialogues cost here, without any
// of our code between.
//
// Everything runs in this process and on loopback, over a private PostgreSQL
// with the settings that ship, in a temporary directory that is removed at the
// end, also after an interrupt. A benchmark that makes no progress for a minute
// ends with an error that says how far it came.
package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"desist/internal/pgserver"
	"desist/takedown"
)

// Options say what to measure and how. N and Connections must be positive.
type Options struct {
	N           int // indicators, mails, notices or rows
	Connections int // to the mail server
	// Dir is where the temporary directory is made; empty: the system's.
	Dir string
	// Server is used instead of a private one with the settings that ship.
	Server *pgserver.Server
	// Progress is told how far a measurement is; nil is told nothing.
	Progress func(label string, done, total int)
	// Profile is called where the measurement that a benchmark is named for
	// begins, and what it returns where it ends; nil profiles nothing.
	Profile func() (stop func() error, err error)
	Logger  *slog.Logger
}

// Defaults of the options.
const (
	DefaultN           = 5000
	DefaultConnections = 8
)

// All is the name that stands for every benchmark.
const All = "all"

// Names lists the benchmarks in the order in which All runs them.
func Names() []string { return []string{"floor", "intake", "compose", "smtp", "pipeline"} }

// A Report holds the figures of the benchmarks that ran.
type Report struct {
	Machine  Machine   `json:"machine"`
	Floor    *Floor    `json:"floor,omitempty"`
	Intake   *Intake   `json:"intake,omitempty"`
	Compose  *Compose  `json:"compose,omitempty"`
	SMTP     *SMTP     `json:"smtp,omitempty"`
	Pipeline *Pipeline `json:"pipeline,omitempty"`
}

// Run runs the named benchmark, or all of them, and removes what it made.
func Run(ctx context.Context, name string, o Options) (report Report, err error) {
	if name != All && !slices.Contains(Names(), name) {
		return report, takedown.Permanent(fmt.Errorf("bench: there is no %q; choose one of %s, %s", name, strings.Join(Names(), ", "), All))
	}
	if o.N < 1 || o.Connections < 1 {
		return report, takedown.Permanent(fmt.Errorf("bench: %d items over %d connections cannot be measured; both must be positive", o.N, o.Connections))
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Progress == nil {
		o.Progress = func(string, int, int) {}
	}
	if o.Profile == nil {
		o.Profile = func() (func() error, error) { return func() error { return nil }, nil }
	}
	r, err := newRig(ctx, o)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, r.close(ctx)) }()
	report.Machine = r.machine
	for _, n := range Names() {
		if name != All && name != n {
			continue
		}
		if err := report.run(ctx, r, n); err != nil {
			if ctx.Err() != nil { // what broke off says so in many ways
				err = ctx.Err()
			}
			return report, fmt.Errorf("bench %s: %w", n, err)
		}
	}
	return report, nil
}

func (rep *Report) run(ctx context.Context, r *rig, name string) (err error) {
	switch name {
	case "floor":
		rep.Floor, err = r.floor(ctx, r.o.Profile)
	case "intake":
		rep.Intake, err = r.intake(ctx)
	case "compose":
		rep.Compose, err = r.compose(ctx)
	case "smtp":
		rep.SMTP, err = r.smtp(ctx)
	case "pipeline":
		rep.Pipeline, err = r.pipeline(ctx, rep.Floor)
	}
	return err
}
