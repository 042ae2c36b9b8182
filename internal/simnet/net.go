package simnet

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

// Config says how a world is run.
type Config struct {
	// World is required; see [Internet], [Tiny], [LoadWorld].
	World *World
	// Listen is the host to listen on, on ports that the system chooses.
	// Empty: 127.0.0.1.
	Listen string
	// ManagementPort fixes the port of RDAP, bootstrap files and management API.
	// Zero: chosen by the system.
	ManagementPort int
	// RDAPTLS serves RDAP, bootstrap files and management API by HTTPS, with a
	// certificate of the world's authority (see [Net.CAPool]).
	RDAPTLS bool
	// Clock is the world's time; the zero value runs at real speed.
	Clock Clock
	// ReplyTo is where the desks' answers go: host:port of the product's inbox.
	// Prefix smtp:// or lmtp:// says which protocol; without one SMTP is tried,
	// then LMTP. Empty: answers are only recorded. See [Net.SetReplyTo].
	ReplyTo string
	// SMTPSink accepts and counts every mail and does nothing else with it.
	SMTPSink bool
	// KeepMails bounds how many mails are kept for the management API, whole, in
	// memory. Zero: 1000.
	KeepMails int
	// Logger receives what goes wrong. Nil: slog.Default.
	Logger *slog.Logger
}

// A Net is a running world.
type Net struct {
	cfg    Config
	world  *World
	clock  Clock
	log    *slog.Logger
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	closer []func() error

	idx   *index
	sched *schedule
	cloak *regexp.Regexp

	// mu guards every state inside idx and the counters.
	mu       sync.RWMutex
	attempts map[string]int // at RCPT, by mailbox and sender, where the first ones fail
	mails    ring[Mail]
	answers  ring[Answer]
	stats    Stats

	faults  *faultTable
	limits  *rdapLimits
	outbox  *outbox
	ca      *authority
	smtp    *smtp.Server
	dnsAddr string
	webAddr string
	tlsAddr string
	mtaAddr string
	gwAddr  string
	apiAddr string
	whois   map[string]string // server name to address
}

// Start opens every socket of the world. When ctx ends nothing happens in the
// world any more; Close must still be called to end the servers.
func Start(ctx context.Context, cfg Config) (*Net, error) {
	if cfg.World == nil {
		return nil, errors.New("simnet: start: Config.World is missing; use simnet.Internet or simnet.LoadWorld")
	}
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1"
	}
	if ip := net.ParseIP(cfg.Listen); ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("simnet: start: listen %q: the simulated internet is served on a loopback address only", cfg.Listen)
	}
	if cfg.KeepMails <= 0 {
		cfg.KeepMails = 1000
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	cloak, err := regexp.Compile(cfg.World.CloakAgent)
	if err != nil {
		return nil, fmt.Errorf("simnet: start: cloak_agent: %w", err)
	}
	ca, err := newAuthority()
	if err != nil {
		return nil, fmt.Errorf("simnet: start: %w", err)
	}
	n := &Net{
		cfg: cfg, world: cfg.World, clock: cfg.Clock.withDefaults(cfg.World.Epoch), log: cfg.Logger,
		idx: buildIndex(cfg.World), cloak: cloak, ca: ca,
		attempts: map[string]int{},
		mails:    ring[Mail]{cap: cfg.KeepMails}, answers: ring[Answer]{cap: cfg.KeepMails},
		faults: newFaultTable(), limits: newRDAPLimits(cfg.World), whois: map[string]string{},
	}
	n.ctx, n.cancel = context.WithCancel(ctx)
	n.sched = newSchedule(n.clock)
	n.outbox = newOutbox(cfg.ReplyTo)
	for _, start := range []func(context.Context) error{
		n.startDNS, n.startWHOIS, n.startWeb, n.startSMTP, n.startAPI, n.startGateway,
	} {
		if err := start(n.ctx); err != nil {
			return nil, errors.Join(err, n.Close())
		}
	}
	n.planNaturalDeaths()
	n.spawn(func() { n.sched.run(n.ctx) })
	n.spawn(func() { n.deliverAnswers(n.ctx) })
	return n, nil
}

// Close ends every server and waits for every goroutine. It may be called once.
func (n *Net) Close() error {
	n.cancel()
	errs := make([]error, 0, len(n.closer))
	for _, c := range slices.Backward(n.closer) {
		if err := c(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	n.wg.Wait()
	return errors.Join(errs...)
}

// spawn runs a goroutine that Close waits for.
func (n *Net) spawn(f func()) { n.wg.Go(f) }

func (n *Net) onClose(f func() error) { n.closer = append(n.closer, f) }

func (n *Net) listen(ctx context.Context, port int) (net.Listener, error) {
	var lc net.ListenConfig
	return lc.Listen(ctx, "tcp", net.JoinHostPort(n.cfg.Listen, fmt.Sprint(port)))
}

// serveHTTP runs a server until Close.
func (n *Net) serveHTTP(srv *http.Server, ln net.Listener, name string) {
	srv.ReadHeaderTimeout = 10 * time.Second
	srv.ErrorLog = slog.NewLogLogger(n.log.Handler(), slog.LevelDebug)
	n.onClose(srv.Close)
	n.spawn(func() {
		if err := srv.Serve(ln); err != nil && !errors.Is(err, http.ErrServerClosed) {
			n.log.Error("server ended", "server", name, "error", err)
		}
	})
}

// Now returns the world's time.
func (n *Net) Now() time.Time { return n.clock.Now() }

// RunDue does every act that is due by the clock and returns how many. The
// scheduler calls it by itself; a test that moves an injected clock calls it
// to see the effect at once.
func (n *Net) RunDue() int { return n.sched.runDue() }

// World returns the world that runs.
func (n *Net) World() *World { return n.world }

// DNSAddr is the host:port of the name server, UDP and TCP.
func (n *Net) DNSAddr() string { return n.dnsAddr }

// WHOISAddr is the host:port of a WHOIS server: "iana", a RIR ("ripe"), a
// registry's or a registrar's name in the world. Unknown: "".
func (n *Net) WHOISAddr(server string) string { return n.whois[server] }

// WHOISAddrs maps every WHOIS server's name to its host:port.
func (n *Net) WHOISAddrs() map[string]string {
	out := make(map[string]string, len(n.whois))
	for k, v := range n.whois {
		out[k] = v
	}
	return out
}

// SMTPAddr is the host:port of the relay, which is also everybody's MX.
func (n *Net) SMTPAddr() string { return n.mtaAddr }

// WebAddr is the host:port of the web server of all sites.
func (n *Net) WebAddr() string { return n.webAddr }

// GatewayAddr is the host:port of the HTTP CONNECT gateway (RFC 9110 section 9.3.6).
func (n *Net) GatewayAddr() string { return n.gwAddr }

// ManagementURL is the base of the management API, without a slash at its end.
func (n *Net) ManagementURL() string { return n.apiBase() + "/sim" }

// BootstrapURL is the folder of the five RDAP bootstrap files, with a slash at its end.
func (n *Net) BootstrapURL() string { return n.apiBase() + "/bootstrap/" }

// RDAPURL is the base URL of a server's RDAP service, with a slash at its end.
func (n *Net) RDAPURL(server string) string { return n.apiBase() + "/rdap/" + server + "/" }

func (n *Net) apiBase() string {
	if n.cfg.RDAPTLS {
		return "https://" + n.apiAddr
	}
	return "http://" + n.apiAddr
}

// CAPool holds the authority that signs every certificate of the world.
func (n *Net) CAPool() *x509.CertPool { return n.ca.pool() }

// A ring keeps the last cap values.
type ring[T any] struct {
	cap   int
	items []T
	next  int
}

func (r *ring[T]) add(v T) {
	if len(r.items) < r.cap {
		r.items = append(r.items, v)
		return
	}
	r.items[r.next] = v
	r.next = (r.next + 1) % r.cap
}

// last returns up to n values, the newest last.
func (r *ring[T]) last(n int) []T {
	ordered := slices.Concat(r.items[r.next:], r.items[:r.next])
	return ordered[max(0, len(ordered)-n):]
}
