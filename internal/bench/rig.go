package bench

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"desist/internal/app"
	"desist/internal/config"
	"desist/internal/pgserver"
	"desist/internal/simnet"
)

// A Machine is what the figures hold for.
type Machine struct {
	Cores      int    `json:"cores"`
	Go         string `json:"go"`
	Platform   string `json:"platform"`
	PostgreSQL string `json:"postgresql"`
	// Memory says that the files are in memory, where durable writes cost
	// nothing.
	Memory bool `json:"files_in_memory"`
}

// A rig is what the benchmarks share.
type rig struct {
	o       Options
	dir     string
	server  *pgserver.Server
	own     bool // the server is ours to stop
	machine Machine
	made    int // databases and folders so far
}

const startTime, stopTime = time.Minute, 20 * time.Second

func newRig(ctx context.Context, o Options) (r *rig, err error) {
	dir, err := os.MkdirTemp(o.Dir, "desist-bench-")
	if err != nil {
		return nil, fmt.Errorf("bench: temporary directory: %w", err)
	}
	r = &rig{o: o, dir: dir, server: o.Server}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close(ctx))
			r = nil
		}
	}()
	// PostgreSQL may run as another user, who must get to its folder.
	if err := os.Chmod(dir, 0o711); err != nil {
		return r, fmt.Errorf("bench: temporary directory: %w", err)
	}
	if r.server == nil {
		ctx, cancel := context.WithTimeout(ctx, startTime)
		defer cancel()
		if r.server, err = pgserver.Start(ctx, pgserver.Config{Dir: filepath.Join(dir, "postgres"), Logger: o.Logger}); err != nil {
			return r, fmt.Errorf("bench: %w", err)
		}
		r.own = true
	}
	r.machine = Machine{
		Cores: runtime.GOMAXPROCS(0), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, PostgreSQL: r.server.Version(),
		Memory: inMemory(dir),
	}
	return r, nil
}

// close stops the server and removes every file.
func (r *rig) close(ctx context.Context) error {
	var errs []error
	if r.own {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		defer cancel()
		errs = append(errs, r.server.Stop(ctx))
	}
	return errors.Join(append(errs, os.RemoveAll(r.dir))...)
}

// folder returns the path of a new folder, which does not exist yet.
func (r *rig) folder(name string) string {
	r.made++
	return filepath.Join(r.dir, fmt.Sprintf("%s-%d", name, r.made))
}

// database makes a new, empty database and returns its address.
func (r *rig) database(ctx context.Context) (string, error) {
	r.made++
	name := fmt.Sprintf("bench_%d_%d", os.Getpid(), r.made)
	if err := r.server.CreateDatabase(ctx, name); err != nil {
		return "", err
	}
	return r.server.URL(name), nil
}

// sender signs the notices of a measurement.
var sender = config.Sender{
	LegalName: "Example Response Team", Organisation: "Example Response Team", Address: "Example Street 1, 10115 Example City",
	Email: "abuse-desk@desist-bench.example", Telephone: "+49 30 5550100", Capacity: "security provider reporting its own observations", Country: "DE",
}

// configure returns the configuration of a service on a new database, with the
// settings that ship wherever the network does not need others.
func (r *rig) configure(ctx context.Context, net *simnet.Net) (config.Config, error) {
	cfg := config.Default()
	url, err := r.database(ctx)
	if err != nil {
		return cfg, err
	}
	cfg.Database.URL = config.SecretURL(url)
	cfg.DataDir = r.folder("data")
	cfg.Listen = "127.0.0.1:0"
	cfg.Sending = config.SendingLive // to the sink
	cfg.Sender = sender
	cfg.SMTP.Relay, cfg.SMTP.TLS, cfg.SMTP.Connections = net.SMTPAddr(), config.TLSNone, r.o.Connections
	cfg.DNS.Servers = []string{net.DNSAddr()}
	cfg.RDAP.Bootstrap = net.BootstrapURL()
	cfg.WHOIS.Servers = net.WHOISAddrs()
	cfg.Resolve.ASNZone, cfg.Resolve.ContactZone = "origin.asn.sim", "abuse-contacts.sim"
	cfg.Resolve.Budget.Rate, cfg.Resolve.Budget.Burst = 1000, 1000
	for _, p := range []string{"127.0.0.0/8", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"} {
		cfg.Netguard.Allow = append(cfg.Netguard.Allow, netip.MustParsePrefix(p))
	}
	// The host alone is told: one mail for each indicator.
	only := cfg.Ladder.Host
	cfg.Ladder = config.Ladder{Host: only, ManualAfter: cfg.Ladder.ManualAfter, FinalWait: cfg.Ladder.FinalWait}
	// The target is not looked at while it is measured.
	const later = 24 * time.Hour
	cfg.Track.LookFirst, cfg.Track.First, cfg.Track.AfterDay, cfg.Track.AfterWeek = false, later, later, later
	return cfg, cfg.Validate()
}

// withApp runs f on a service of the given roles in a world whose mail goes to
// a sink, and stops both.
func (r *rig) withApp(ctx context.Context, world *simnet.World, roles []string, f func(*app.App, *simnet.Net) error) (err error) {
	return r.withNet(ctx, world, func(net *simnet.Net) error {
		cfg, err := r.configure(ctx, net)
		if err != nil {
			return err
		}
		a, err := app.Start(ctx, app.Options{Config: cfg, Roles: roles, Logger: r.o.Logger, Dial: net.Dial})
		if err != nil {
			return err
		}
		return errors.Join(f(a, net), a.Stop())
	})
}

// withNet runs f in a world whose mail goes to a sink.
func (r *rig) withNet(ctx context.Context, world *simnet.World, f func(*simnet.Net) error) error {
	net, err := simnet.Start(ctx, simnet.Config{World: world, SMTPSink: true, Logger: r.o.Logger})
	if err != nil {
		return err
	}
	return errors.Join(f(net), net.Close())
}
