package email

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"desist/takedown"
)

// TLSMode says how a connection is protected.
type TLSMode string

// The TLS modes.
const (
	TLSNone TLSMode = "none"
	// TLSOpportunistic encrypts when the server offers it. The certificate is
	// not checked (RFC 7435), unless credentials are to be sent.
	TLSOpportunistic TLSMode = "opportunistic"
	// TLSRequire sends nothing without a verified certificate. On port 465 TLS
	// starts at once (RFC 8314), elsewhere by STARTTLS (RFC 3207).
	TLSRequire TLSMode = "require"
)

// The defaults of Config.
const (
	DefaultConnections = 8
	DefaultTimeout     = 2 * time.Minute
	DefaultIdle        = 20 * time.Second
)

// Config says how mail leaves.
type Config struct {
	// Relay is the smarthost, host:port. Empty sends to the mail exchangers of
	// each recipient's domain on port 25, one connection a mail.
	Relay string
	// TLS is opportunistic when empty. TLSConfig adds roots; nil means the
	// system's.
	TLS       TLSMode
	TLSConfig *tls.Config
	// Username and Password are only sent over verified TLS, or to this machine.
	Username string
	Password string
	// Hello is our name in EHLO; empty means localhost.
	Hello string
	// Connections bounds the connections in use at one time.
	Connections int
	// Timeout bounds one dialogue, from a free connection to the reply. RFC 5321
	// section 4.5.3.2 asks for minutes.
	Timeout time.Duration
	// Idle is how long an unused connection is kept.
	Idle time.Duration
	// Dial opens a connection; nil means a net.Dialer. Without a relay it must
	// refuse reserved addresses, because the recipient's DNS names the host.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// LookupMX finds mail exchangers; nil means the system's resolver. Only
	// used without a relay.
	LookupMX func(ctx context.Context, domain string) ([]*net.MX, error)
	Logger   *slog.Logger
	Now      func() time.Time
}

// Notifier sends sealed notices by SMTP. It is safe for concurrent use.
type Notifier struct {
	cfg   Config
	relay *endpoint
	slots chan struct{}
	idle  idleConns
}

// New checks the configuration. It connects to nothing.
func New(cfg Config) (*Notifier, error) {
	cfg = cfg.withDefaults()
	n := &Notifier{cfg: cfg, slots: make(chan struct{}, cfg.Connections)}
	switch cfg.TLS {
	case TLSNone, TLSOpportunistic, TLSRequire:
	default:
		return nil, takedown.Permanent(fmt.Errorf("smtp.tls is %q; use none, opportunistic or require", cfg.TLS))
	}
	if strings.ContainsAny(cfg.Hello, " \r\n") {
		return nil, takedown.Permanent(fmt.Errorf("smtp: hello name %q is not a host name", cfg.Hello))
	}
	if cfg.Relay == "" {
		if cfg.Username != "" {
			return nil, takedown.Permanent(errors.New("smtp.username is set without smtp.relay; mail exchangers take no credentials"))
		}
		return n, nil
	}
	host, port, err := net.SplitHostPort(cfg.Relay)
	if err != nil || host == "" || port == "" {
		return nil, takedown.Permanent(fmt.Errorf("smtp.relay is %q; write host:port", cfg.Relay))
	}
	if cfg.Username != "" && cfg.TLS == TLSNone && !isLoopback(host) {
		return nil, takedown.Permanent(errors.New("smtp.username is set with smtp.tls none; credentials are not sent in clear, use require"))
	}
	n.relay = &endpoint{host: host, address: cfg.Relay, implicitTLS: port == "465" && cfg.TLS == TLSRequire}
	return n, nil
}

func (c Config) withDefaults() Config {
	if c.TLS == "" {
		c.TLS = TLSOpportunistic
	}
	if c.Hello == "" {
		c.Hello = "localhost"
	}
	if c.Connections <= 0 {
		c.Connections = DefaultConnections
	}
	if c.Timeout <= 0 {
		c.Timeout = DefaultTimeout
	}
	if c.Idle <= 0 {
		c.Idle = DefaultIdle
	}
	if c.Dial == nil {
		c.Dial = new(net.Dialer).DialContext
	}
	if c.LookupMX == nil {
		c.LookupMX = net.DefaultResolver.LookupMX
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Close ends the idle connections. It does not wait for Send.
func (n *Notifier) Close() error { return n.idle.close() }

// Send hands one notice over and says what became of it. The attempt must be on
// record before. Cancelling ctx ends the dialogue: before the final dot nothing
// was sent and the outcome is deferred, after it the outcome is unknown.
func (n *Notifier) Send(ctx context.Context, notice takedown.Notice) takedown.Delivery {
	started := n.cfg.Now()
	r := n.send(ctx, notice)
	d := takedown.Delivery{
		NoticeID: notice.ID, CaseID: notice.CaseID, LegID: notice.LegID,
		StartedAt: started, FinishedAt: n.cfg.Now(),
		Outcome: r.outcome, Code: r.code, Enhanced: r.enhanced, Reply: r.text,
		Host: r.host, TLS: r.tls, BadAddress: r.badAddress,
	}
	if d.Outcome != takedown.OutcomeAccepted {
		n.cfg.Logger.WarnContext(ctx, "notice not accepted", "notice", notice.ID, "leg", notice.LegID,
			"outcome", string(d.Outcome), "host", d.Host, "reply", d.Reply)
	}
	return d
}

func (n *Notifier) send(ctx context.Context, notice takedown.Notice) result {
	if err := checkNotice(notice); err != nil {
		return result{outcome: takedown.OutcomeRejected, text: "not sent: " + err.Error()}
	}
	select {
	case n.slots <- struct{}{}:
		defer func() { <-n.slots }()
	case <-ctx.Done():
		return transportFailure("wait for a connection", ctx.Err())
	}
	ctx, cancel := context.WithTimeout(ctx, n.cfg.Timeout)
	defer cancel()
	if n.relay == nil {
		return n.sendDirect(ctx, notice)
	}
	return n.sendVia(ctx, n.relay, notice)
}

// checkNotice refuses what must not reach a dialogue: lines that would become
// commands, and bytes that are not those that were sealed.
func checkNotice(notice takedown.Notice) error {
	for _, address := range []string{notice.EnvelopeFrom, notice.Recipient} {
		if ascii, err := asciiAddress(address); err != nil || ascii != address {
			return fmt.Errorf("envelope address %q is not a plain ASCII mailbox", address)
		}
	}
	if len(notice.Sealed) == 0 {
		return errors.New("the notice is not sealed")
	}
	if sha256.Sum256(notice.Sealed) != notice.SHA256 {
		return errors.New("the sealed bytes do not match their SHA-256")
	}
	return nil
}

// sendVia uses an idle connection or opens one. When the server turns out to
// have closed an idle connection, nothing was sent, and a new one is opened.
func (n *Notifier) sendVia(ctx context.Context, to *endpoint, notice takedown.Notice) result {
	if c := n.idle.take(time.Now().Add(-n.cfg.Idle)); c != nil {
		r := n.dialogue(ctx, c, notice)
		if !r.stale || ctx.Err() != nil {
			return r
		}
	}
	c, err := n.connect(ctx, to)
	if err != nil {
		r := transportFailure("connect", err)
		r.host = to.host
		return r
	}
	return n.dialogue(ctx, c, notice)
}

// dialogue sends over c and puts c back when it can be used again.
func (n *Notifier) dialogue(ctx context.Context, c *conn, notice takedown.Notice) result {
	release := c.attend(ctx)
	r := c.deliver(notice)
	r.host, r.tls = c.host, c.tlsState
	if r.open {
		r.keep = c.smtp.Reset() == nil
	}
	if !release() || !r.keep || n.relay == nil {
		c.close()
		return r
	}
	n.idle.put(c)
	return r
}

func isLoopback(host string) bool {
	return host == "localhost" || host == "127.0.0.1" || host == "::1"
}
