// Package demo rehearses the whole service: a private PostgreSQL, JetStream in
// the process, the simulated internet, and a feed of malicious indicators that
// goes through every stage to closed cases and removal times. Nothing but the
// network is simulated: the parts are those of `desist serve`.
//
// The clock runs slowly until the first notices are out, so that the pipeline's
// own seconds do not count as hours, and fast from then on.
//
// A failure of any part ends the demo with its error; what it stored stays in
// its data directory for a look.
package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"desist/internal/app"
	"desist/internal/config"
	"desist/internal/pgserver"
	"desist/internal/postgres"
	"desist/internal/simnet"
	"desist/internal/stats"
	"desist/takedown"
	"desist/web/api"
)

// Options say how to rehearse.
type Options struct {
	Indicators int     // rows of the feed
	Speed      float64 // simulated seconds in a second, once the first notices are out
	DataDir    string  // made if it does not exist; an earlier demo in it is removed
	Listen     string  // of the dashboard
	Exit       bool    // end when every case is closed or its ladder has run out
	JSON       bool    // end with the summary as JSON on Out

	Out io.Writer // the summary
	Err io.Writer // progress
	// Terminal makes Err a live view of Width columns.
	Terminal bool
	Width    func() int
	Logger   *slog.Logger
}

// Defaults of the options.
const (
	DefaultIndicators = 300
	DefaultSpeed      = 10800 // three hours in a second
)

// firstSpeed is the speed while the first notices are written: a minute in a
// second.
const firstSpeed = 60

// Run rehearses until ctx ends or, with Exit, until nothing is left to do.
func Run(ctx context.Context, o Options) error {
	begun := time.Now()
	if err := prepare(ctx, o.DataDir); err != nil {
		return err
	}
	world, err := simnet.Internet(simnet.InternetOptions{Indicators: o.Indicators})
	if err != nil {
		return fmt.Errorf("demo: world: %w", err)
	}
	// The rehearsal plays at the world's own time, which makes runs comparable.
	clock := newWarp(world.Epoch, firstSpeed)
	net, err := simnet.Start(ctx, simnet.Config{
		World: world, Logger: o.Logger, Clock: simnet.Clock{Epoch: world.Epoch, Start: world.Epoch, Factor: 1, Real: clock.Now},
	})
	if err != nil {
		return fmt.Errorf("demo: simulated internet: %w", err)
	}
	cfg, err := configure(o, net)
	if err != nil {
		return errors.Join(err, net.Close())
	}
	serviceClock := app.ClockOf(clock.Now, o.Speed)
	a, err := app.Start(ctx, app.Options{Config: cfg, Logger: o.Logger, Clock: &serviceClock, Dial: net.Dial, OpenRead: true})
	if err != nil {
		return errors.Join(err, net.Close())
	}
	net.SetReplyTo(a.InboxAddr())
	r := &rehearsal{o: o, clock: clock, net: net, app: a, begun: begun, summary: Summary{Speed: o.Speed, Data: o.DataDir, Dashboard: a.URL()}}
	err = r.play(ctx)
	return errors.Join(err, a.Stop(), net.Close())
}

// marker shows that a directory holds a demo and may be emptied.
const marker = "demo-of-desist"

// Holds reports whether a directory holds the data of a demo.
func Holds(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, marker))
	return err == nil
}

// prepare makes an empty data directory. It removes an earlier demo, but
// nothing else.
func prepare(ctx context.Context, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("demo: --data: %w", err)
	}
	if len(entries) > 0 {
		if !Holds(dir) {
			return takedown.Permanent(fmt.Errorf("demo: %s is not empty and holds no earlier demo; name another directory with --data", dir))
		}
		if err := stopOrphan(ctx, filepath.Join(dir, "postgres")); err != nil {
			return err
		}
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("demo: remove the earlier demo: %w", err)
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("demo: --data: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, marker), []byte("This directory is emptied when the demo starts again.\n"), 0o644); err != nil {
		return fmt.Errorf("demo: --data: %w", err)
	}
	return nil
}

// stopOrphan stops the database that a killed demo left running.
func stopOrphan(ctx context.Context, dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "data", "postmaster.pid")); err != nil {
		return nil
	}
	s, err := pgserver.Start(ctx, pgserver.Config{Dir: dir})
	var inUse *pgserver.InUseError
	if errors.As(err, &inUse) {
		return takedown.Temporary(fmt.Errorf("demo: another demo runs in %s (process %d); end it or name another directory with --data", filepath.Dir(dir), inUse.PID))
	}
	if err != nil {
		return fmt.Errorf("demo: the database of the earlier demo: %w", err)
	}
	return s.Stop(ctx)
}

// configure points the service at the simulated internet, and leaves a file
// with which the other commands look at the demo's data.
func configure(o Options, net *simnet.Net) (config.Config, error) {
	cfg := config.Default()
	cfg.DataDir = o.DataDir
	cfg.Listen = o.Listen
	cfg.Sending = config.SendingLive // inside the simulated internet
	cfg.Sender = config.Sender{
		LegalName: "Example Response Team", Organisation: "Example Response Team", Address: "Example Street 1, 10115 Example City",
		Email: "abuse-desk@desist-demo.example", Telephone: "+49 30 5550100", Capacity: "security provider reporting its own observations", Country: "DE",
	}
	cfg.SMTP.Relay, cfg.SMTP.TLS = net.SMTPAddr(), config.TLSNone
	cfg.Inbox.LMTP = "127.0.0.1:0"
	cfg.DNS.Servers = []string{net.DNSAddr()}
	cfg.RDAP.Bootstrap = net.BootstrapURL()
	cfg.WHOIS.Servers = net.WHOISAddrs()
	cfg.Resolve.ASNZone, cfg.Resolve.ContactZone = "origin.asn.sim", "abuse-contacts.sim"
	cfg.Resolve.Budget.Rate, cfg.Resolve.Budget.Burst = 1000, 1000
	cfg.Policy.OwnDomains = []string{"desist-demo.example"}
	for _, p := range []string{"127.0.0.0/8", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"} {
		cfg.Netguard.Allow = append(cfg.Netguard.Allow, netip.MustParsePrefix(p))
	}
	// Looking every quarter of an hour would be twelve looks a second at each
	// target; the figures say how often it was looked.
	cfg.Track.First, cfg.Track.AfterDay, cfg.Track.AfterWeek = checkEvery, 2*checkEvery, 4*checkEvery
	cfg.Track.ConfirmInterval = time.Hour
	cfg.Track.WatchInterval = 12 * time.Hour
	if o.Speed > DefaultSpeed {
		slower := o.Speed / DefaultSpeed
		for _, d := range []*time.Duration{&cfg.Track.First, &cfg.Track.AfterDay, &cfg.Track.AfterWeek, &cfg.Track.ConfirmInterval, &cfg.Track.WatchInterval} {
			*d = time.Duration(float64(*d) * slower)
		}
	}
	// A server that is busy for a second of the world is not away for hours.
	cfg.Deliver.Retry.First = time.Hour
	cdns := "# The demo's own: networks of the simulated internet that only forward.\n"
	for _, c := range net.World().CDNs {
		cdns += fmt.Sprintf("- name: %q\n  suffixes: [%q]\n", c.Name, c.Edge)
	}
	cfg.CDN = filepath.Join(o.DataDir, "cdn.yaml")
	if err := os.WriteFile(cfg.CDN, []byte(cdns), 0o644); err != nil {
		return cfg, fmt.Errorf("demo: %w", err)
	}
	file := fmt.Sprintf("# Written by the demo: desist --config FILE case list\ndata_dir: %q\n", o.DataDir)
	if err := os.WriteFile(filepath.Join(o.DataDir, "desist.yaml"), []byte(file), 0o644); err != nil {
		return cfg, fmt.Errorf("demo: %w", err)
	}
	return cfg, cfg.Validate()
}

const checkEvery = 3 * time.Hour

// A rehearsal is one running demo.
type rehearsal struct {
	o       Options
	clock   *warp
	net     *simnet.Net
	app     *app.App
	begun   time.Time
	summary Summary
	view    view
	// notices were sealed when last looked, the newest at about writing.
	notices int
	writing time.Time
}

// slowAtMost bounds the slow beginning, in case the first notices never end.
const slowAtMost = 20 * time.Second

// play feeds the service and watches until the end.
func (r *rehearsal) play(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	acting := make(chan struct{})
	go func() {
		defer close(acting)
		r.act(ctx)
	}()
	defer func() { cancel(); <-acting }()
	rows := r.net.Feed(r.o.Indicators, simnet.FeedOptions{})
	r.summary.Indicators = len(rows)
	if err := r.feed(ctx, rows); err != nil {
		return err
	}
	r.view = view{out: r.o.Err, terminal: r.o.Terminal, width: r.o.Width}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return r.end(context.WithoutCancel(ctx))
		case err := <-r.app.Failed():
			return err
		case <-tick.C:
		}
		done, err := r.look(ctx)
		if err != nil && ctx.Err() == nil {
			return err
		}
		if done && r.o.Exit {
			return r.end(ctx)
		}
	}
}

// act lets the people of the simulated internet act when their time has come.
func (r *rehearsal) act(ctx context.Context) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			r.net.RunDue()
		}
	}
}

// feed hands the indicators in at the documented subject, as any client would.
func (r *rehearsal) feed(ctx context.Context, rows []simnet.FeedRow) error {
	for i, row := range rows {
		seen := row.SeenAt
		body, err := json.Marshal(takedown.IndicatorMessage{
			Indicator: row.Indicator, Class: takedown.Class(row.Class), SeenAt: &seen, Description: "Seen by the demo's sensor.",
			ExternalID: fmt.Sprintf("demo-%d", i+1), Reporter: takedown.Reporter{Name: "demo feed"},
		})
		if err != nil {
			return fmt.Errorf("demo: row %d: %w", i+1, err)
		}
		if err := r.app.Bus().PublishIndicator(ctx, "demo", body); err != nil {
			return fmt.Errorf("demo: row %d: %w", i+1, err)
		}
	}
	return nil
}

// look updates the view and reports whether nothing is left to do.
func (r *rehearsal) look(ctx context.Context) (done bool, err error) {
	store := r.app.Database().Store
	ov, err := store.Overview(ctx)
	if err != nil {
		return false, err
	}
	s := &r.summary
	elapsed := time.Since(r.begun)
	if s.FirstNoticeS == 0 && ov.Deliveries[string(takedown.OutcomeAccepted)] > 0 {
		s.FirstNoticeS = elapsed.Seconds()
	}
	s.fill(ov)
	arrived := ov.Submissions+ov.DeadLetters >= s.Indicators
	early := ov.Cases[string(takedown.CaseSubmitted)] + ov.Cases[string(takedown.CaseScreened)] + ov.Cases[string(takedown.CaseResolved)]
	if ov.Notices != r.notices {
		r.notices, r.writing = ov.Notices, time.Now()
	}
	written := arrived && early == 0 && time.Since(r.writing) > time.Second
	if r.clock.Factor() == firstSpeed && (written || elapsed > slowAtMost) {
		r.clock.Speed(r.o.Speed)
	}
	if err := r.measure(ctx, store); err != nil {
		return false, err
	}
	s.WallS = elapsed.Seconds()
	s.SimulatedH = r.clock.Now().Sub(r.net.World().Epoch).Hours()
	done = arrived && ov.Running == 0
	r.view.draw(*s, ov, done)
	return done, nil
}

// measure computes the removal times so far, open cases counted as open.
func (r *rehearsal) measure(ctx context.Context, store *postgres.Store) error {
	lives, err := store.Lives(ctx, time.Time{}, r.clock.Now().Add(time.Hour))
	if err != nil {
		return err
	}
	f := stats.Summarise(api.Rows(lives), stats.Options{Now: r.clock.Now()}).All.Clocks[stats.ClockRemoval]
	r.summary.Removal = f
	return nil
}

// end verifies the record and prints the summary.
func (r *rehearsal) end(ctx context.Context) error {
	if _, err := r.look(ctx); err != nil {
		return err
	}
	audit, err := r.app.Database().Store.Audit(ctx, nil, nil)
	if err != nil {
		return err
	}
	r.summary.Audit = audit
	r.summary.WallS = time.Since(r.begun).Seconds()
	if err := r.summary.write(r.o.Out, r.o.JSON); err != nil {
		return err
	}
	if len(audit.Breaks) > 0 {
		return takedown.Permanent(fmt.Errorf("demo: the record is broken: %s", audit.Breaks[0]))
	}
	return nil
}
