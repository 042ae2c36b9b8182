package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"desist/inbox"
	"desist/internal/bus"
	"desist/internal/config"
	"desist/internal/netguard"
	"desist/pipeline"
	"desist/takedown"
)

// Roles are what a process can do; a service does all of them, in one process
// or in several.
func Roles() []string {
	return []string{"api", "web", "intake", "screen", "resolve", "plan", "compose", "deliver", "track", "inbox", "relay"}
}

// Options say how to run the service.
type Options struct {
	Config config.Config
	Logger *slog.Logger
	// Roles limits what the process does; empty means Config.Roles, and if that
	// is empty too, everything.
	Roles []string
	// Clock is the service's time; nil takes it from the configuration.
	Clock *Clock
	// Dial opens outbound connections to targets and sources after they passed
	// the guard; nil dials as the configuration says.
	Dial netguard.DialFunc
	// OpenRead lets a browser on this machine read without a token, for
	// rehearsals.
	OpenRead bool
	// Resolver replaces the resolution of parties, and Notifier the sending,
	// for measurements of the pipeline alone.
	Resolver pipeline.Resolver
	Notifier pipeline.Notifier
}

// softStop is how long work in hand may take after a stop was asked for; after
// it, it is cancelled. Together with the closing it stays below ten seconds.
const (
	softStop  = 6 * time.Second
	closeTime = 3 * time.Second
)

// An App is a running service.
type App struct {
	cfg   config.Config
	log   *slog.Logger
	clock Clock
	roles []string

	db      *Database
	bus     *bus.Bus
	intake  *pipeline.Intake
	actions *pipeline.Actions
	parts   *parts
	ln      net.Listener
	metrics *metrics
	// openRead is Options.OpenRead.
	openRead bool
	inbox    *inbox.Listener

	soft, hard         context.Context
	softStop, hardStop context.CancelFunc
	running            sync.WaitGroup
	closers            []closer // closed in the opposite order
	failed             chan error
}

type closer struct {
	name  string
	close func(context.Context) error
}

// Run starts the service and stops it when ctx ends. It returns early if a part
// fails for good.
func Run(ctx context.Context, cfg config.Config, roles []string, log *slog.Logger) error {
	a, err := Start(ctx, Options{Config: cfg, Roles: roles, Logger: log})
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case err = <-a.failed:
	}
	return errors.Join(err, a.Stop())
}

// Start opens everything and begins to work. ctx bounds the start only.
func Start(ctx context.Context, o Options) (a *App, err error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if len(o.Roles) == 0 {
		o.Roles = o.Config.Roles
	}
	roles, err := expandRoles(o.Roles)
	if err != nil {
		return nil, err
	}
	if err := o.Config.Unbuilt(); err != nil {
		return nil, takedown.Permanent(err)
	}
	a = &App{openRead: o.OpenRead, cfg: o.Config, log: o.Logger, roles: roles, failed: make(chan error, 1)}
	if o.Clock != nil {
		a.clock = *o.Clock
	} else {
		a.clock = NewClock(o.Config.Simnet.Epoch, time.Now(), o.Config.Simnet.ClockFactor)
	}
	a.soft, a.softStop = context.WithCancel(context.Background())
	a.hard, a.hardStop = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Stop())
			a = nil
		}
	}()
	if err := a.open(ctx, o); err != nil {
		return a, err
	}
	if err := a.launch(ctx); err != nil {
		return a, err
	}
	return a, nil
}

// expandRoles checks the roles; plan stands for screen too, which no process
// has reason to run apart.
func expandRoles(roles []string) ([]string, error) {
	if len(roles) == 0 {
		return Roles(), nil
	}
	out := slices.Clone(roles)
	for _, r := range roles {
		if !slices.Contains(Roles(), r) {
			return nil, takedown.Permanent(fmt.Errorf("role %q is unknown; the roles are %v", r, Roles()))
		}
	}
	if slices.Contains(out, "plan") && !slices.Contains(out, "screen") {
		out = append(out, "screen")
	}
	return out, nil
}

// Database returns the open store. The accessors hand out parts to the demo,
// measurements and tests.
func (a *App) Database() *Database { return a.db }

// Bus returns the broker.
func (a *App) Bus() *bus.Bus { return a.bus }

// Intake returns the front door.
func (a *App) Intake() *pipeline.Intake { return a.intake }

// Actions returns what people can do.
func (a *App) Actions() *pipeline.Actions { return a.actions }

// Clock returns the service's time.
func (a *App) Clock() Clock { return a.clock }

// URL returns the address of the dashboard and the API, or nothing if this
// process serves neither.
func (a *App) URL() string {
	if a.ln == nil {
		return ""
	}
	return "http://" + a.ln.Addr().String()
}

// Failed delivers an error that ends the service.
func (a *App) Failed() <-chan error { return a.failed }

func (a *App) has(role string) bool { return slices.Contains(a.roles, role) }

func (a *App) onClose(name string, f func(context.Context) error) {
	a.closers = append(a.closers, closer{name, f})
}

func (a *App) open(ctx context.Context, o Options) error {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.StartupTimeout)
	defer cancel()
	db, err := openStore(ctx, a.cfg, a.log, true)
	if err != nil {
		return err
	}
	a.db = db
	a.onClose("database", db.Close)
	a.bus, err = bus.Open(ctx, bus.Config{
		URL: a.cfg.NATS.URL.Reveal(), StoreDir: filepath.Join(a.cfg.DataDir, "nats"), Listen: a.cfg.NATS.Listen, Username: a.cfg.NATS.Username,
		Password: a.cfg.NATS.Password.Reveal(), CredentialsFile: a.cfg.NATS.Credentials, Replicas: a.cfg.NATS.Replicas, Logger: a.log,
		// What a killed process had in hand comes again when the sweep does, too.
		AckWait: 2 * a.cfg.Pipeline.SweepAfter,
	})
	if err != nil {
		return takedown.Temporary(fmt.Errorf("NATS: %w", err))
	}
	a.onClose("bus", a.bus.Close)
	if a.intake, err = NewIntake(db.Store, a.clock, a.cfg, a.log); err != nil {
		return err
	}
	a.actions = NewActions(db.Store, a.clock, a.cfg)
	a.metrics = newMetrics()
	a.parts, err = a.newParts(ctx, o)
	return err
}

// Stop ends the service in two phases and closes what it opened. It may be
// called once.
func (a *App) Stop() error {
	a.softStop()
	if a.bus != nil {
		a.bus.StopFetching()
	}
	done := make(chan struct{})
	go func() { a.running.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(softStop):
		a.log.Warn("work in hand takes too long; cancelling it")
	}
	a.hardStop()
	<-done
	var errs []error
	for _, c := range slices.Backward(a.closers) {
		ctx, cancel := context.WithTimeout(context.Background(), closeTime)
		if err := c.close(ctx); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", c.name, err))
		}
		cancel()
	}
	return errors.Join(errs...)
}

// fail ends the service with an error.
func (a *App) fail(err error) {
	select {
	case a.failed <- err:
	default:
	}
}

// goRun runs f until it returns, and counts it.
func (a *App) goRun(f func()) { a.running.Go(f) }

// launch starts the loops of the roles.
func (a *App) launch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.StartupTimeout)
	defer cancel()
	engine := pipeline.NewEngine(pipeline.Config{
		Store: a.db.Store, Logger: a.log, Now: a.clock.Now, Batch: a.cfg.Pipeline.Batch,
		SweepAfter: a.clock.Real(a.cfg.Pipeline.SweepAfter), Observe: a.metrics.batch,
		Retry: a.clock.Real(5 * time.Second), RetryMax: a.clock.Real(time.Hour),
	})
	for _, stage := range a.parts.stages {
		if !a.has(string(stage.Name())) {
			continue
		}
		queue, err := a.bus.Work(ctx, string(stage.Name()))
		if err != nil {
			return err
		}
		a.goRun(func() { engine.Serve(a.soft, a.hard, stage, workQueue{queue}, stageWorkers) })
	}
	if a.has("intake") {
		queue, err := a.bus.Indicators(ctx)
		if err != nil {
			return err
		}
		for range intakeWorkers {
			a.goRun(func() { a.intake.Serve(a.soft, a.hard, frontDoor{queue}, a.cfg.Pipeline.Batch) })
		}
	}
	if a.has("relay") {
		step := relay(a.db.Store, a.bus)
		a.goRun(func() { pipeline.Pump(a.soft, a.log, "relay", relayIdle, a.db.Store.Committed(), step) })
		offer := sweep(a.db.Store, a.bus, a.clock, a.cfg.Pipeline.SweepAfter)
		a.goRun(func() { pipeline.Pump(a.soft, a.log, "sweep", sweepIdle, nil, offer) })
	}
	if a.has("inbox") {
		if err := a.hear(ctx); err != nil {
			return err
		}
	}
	if a.has("api") || a.has("web") {
		return a.serveHTTP(ctx)
	}
	return nil
}

const (
	stageWorkers  = 2
	intakeWorkers = 2
	// The relay is woken by commits of its own process; those of others wait
	// this long.
	relayIdle = 100 * time.Millisecond
	sweepIdle = 50 * time.Millisecond
)

// serveHTTP listens for the API and the dashboard.
func (a *App) serveHTTP(ctx context.Context) error {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", a.cfg.Listen)
	if err != nil {
		return takedown.Permanent(fmt.Errorf("listen %s: %w; set another address", a.cfg.Listen, err))
	}
	a.ln = ln
	handler, err := a.handler()
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	srv := &http.Server{
		Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		// Streams of events end with the soft stop, not with the server.
		BaseContext: func(net.Listener) context.Context { return a.soft },
	}
	a.onClose("http", srv.Shutdown)
	a.goRun(func() {
		if err := srv.Serve(ln); err != nil && !errors.Is(err, http.ErrServerClosed) {
			a.fail(fmt.Errorf("http: %w", err))
		}
	})
	// The server ends with the soft stop, so that a.running can end.
	a.goRun(func() {
		<-a.soft.Done()
		ctx, cancel := context.WithTimeout(a.hard, closeTime)
		defer cancel()
		_ = srv.Shutdown(ctx)
	})
	return nil
}
