package dns

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"time"

	mdns "github.com/miekg/dns"

	"desist/takedown"
)

const (
	udpSize = 1232 // RFC 9715 section 3: fits a path without fragments

	minNegativeTTL = 30 * time.Second
	maxNegativeTTL = 3 * time.Hour // RFC 2308 section 5
	defaultTTL     = 5 * time.Minute
)

// Config says whom to ask.
type Config struct {
	// Servers are "host:port" or "tls://host:port#name"; at least one.
	Servers []string
	// Timeout bounds one attempt at one server; 2 seconds when zero.
	Timeout time.Duration
	// TLS is the base configuration for tls:// servers, such as other roots.
	TLS *tls.Config
	// Dial opens connections; nil dials the network. The servers are the
	// operator's choice, so that no guard stands between.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// A Client sends queries. It is safe for concurrent use.
type Client struct {
	servers []server
	timeout time.Duration
	tls     *tls.Config
	dial    func(ctx context.Context, network, addr string) (net.Conn, error)
	// preferred is the server that answered last; the others wait in reserve.
	preferred atomic.Uint32
}

// NewClient returns a client, or an error that names the malformed server.
func NewClient(c Config) (*Client, error) {
	if len(c.Servers) == 0 {
		return nil, errors.New("dns: no server is configured; set dns.servers to at least one host:port")
	}
	client := &Client{timeout: c.Timeout, tls: c.TLS, dial: c.Dial}
	if client.timeout <= 0 {
		client.timeout = 2 * time.Second
	}
	if client.dial == nil {
		client.dial = (&net.Dialer{}).DialContext
	}
	for _, spec := range c.Servers {
		s, err := parseServer(spec)
		if err != nil {
			return nil, err
		}
		client.servers = append(client.servers, s)
	}
	return client, nil
}

// An Answer is the reply to one question.
type Answer struct {
	Name   string // asked, lower case without the final dot
	Type   uint16
	Server string
	// Records are the answer section, restricted to the asked name and the
	// chain of aliases that starts there.
	Records []mdns.RR
	// NXDomain says that the name does not exist; with neither this nor
	// records, the name exists without this type (RFC 2308 section 2).
	NXDomain bool
	// TTL is how long the answer, or the absence, may be kept.
	TTL time.Duration
	Raw []byte
}

// rounds is how often all servers are asked before a question is given up:
// datagrams get lost, most of all when many are under way.
const rounds = 2

// Query asks for the records of a name. The name must be in A-label form.
func (c *Client) Query(ctx context.Context, name string, qtype uint16) (Answer, error) {
	if err := checkName(name); err != nil {
		return Answer{}, err
	}
	q := new(mdns.Msg)
	q.SetQuestion(mdns.Fqdn(name), qtype)
	q.SetEdns0(udpSize, false)
	first := c.preferred.Load()
	var errs []error
	for i := range rounds * len(c.servers) {
		n := (first + uint32(i)) % uint32(len(c.servers))
		s := c.servers[n]
		q.Id = mdns.Id()
		m, raw, err := c.ask(ctx, s, q)
		if err == nil {
			if err = usable(m); err == nil {
				if n != first {
					c.preferred.Store(n)
				}
				return newAnswer(name, qtype, s, m, raw), nil
			}
		}
		errs = append(errs, fmt.Errorf("%s: %w", s, err))
		if ctx.Err() != nil {
			break
		}
	}
	return Answer{}, takedown.Temporary(fmt.Errorf("dns: query %s %s: %w", name, mdns.TypeToString[qtype], errors.Join(errs...)))
}

// usable refuses replies that say more about the server than about the name.
func usable(m *mdns.Msg) error {
	switch m.Rcode {
	case mdns.RcodeSuccess, mdns.RcodeNameError:
		return nil
	}
	return fmt.Errorf("the server answered %s", mdns.RcodeToString[m.Rcode])
}

// errDoubt marks a UDP reply that must not be believed but may have been forged
// by somebody else, so that the question is worth asking over TCP.
var errDoubt = errors.New("reply is truncated, malformed, or to another question")

func (c *Client) ask(ctx context.Context, s server, q *mdns.Msg) (*mdns.Msg, []byte, error) {
	if s.tls {
		return c.exchange(ctx, s, "tcp", q)
	}
	m, raw, err := c.exchange(ctx, s, "udp", q)
	if errors.Is(err, errDoubt) {
		return c.exchange(ctx, s, "tcp", q)
	}
	return m, raw, err
}

// exchange sends q over one new connection. It does not outlast ctx: the
// library's own reads do, so that the deadline of the connection is moved when
// ctx ends.
func (c *Client) exchange(ctx context.Context, s server, network string, q *mdns.Msg) (*mdns.Msg, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	conn, err := c.dial(ctx, network, s.addr)
	if err != nil {
		return nil, nil, err
	}
	defer conn.Close() //nolint:errcheck // nothing is left to be flushed
	if s.tls {
		cfg := c.tls.Clone()
		if cfg == nil {
			cfg = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		cfg.ServerName = s.name
		secure := tls.Client(conn, cfg)
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, nil, err
		}
		conn = secure
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	dc := &mdns.Conn{Conn: conn, UDPSize: udpSize}
	if err := dc.WriteMsg(q); err != nil {
		return nil, nil, contextOr(ctx, err)
	}
	raw, err := dc.ReadMsgHeader(nil)
	if err != nil {
		// A datagram too short for a header is as malformed as any other.
		if network == "udp" && errors.Is(err, mdns.ErrShortRead) {
			return nil, nil, errDoubt
		}
		return nil, nil, contextOr(ctx, err)
	}
	m := new(mdns.Msg)
	err = readReply(raw, q, m)
	if err == nil && m.Truncated && network == "udp" {
		err = errDoubt
	}
	if err != nil {
		return nil, nil, err
	}
	return m, raw, nil
}

// readReply parses raw and checks that it answers q: the same ID, a response,
// and the same question (RFC 5452 section 9.1), names compared without case.
func readReply(raw []byte, q, m *mdns.Msg) error {
	if err := m.Unpack(raw); err != nil {
		return fmt.Errorf("%w: %s", errDoubt, err.Error())
	}
	if m.Id != q.Id || !m.Response || m.Opcode != mdns.OpcodeQuery || len(m.Question) != 1 {
		return errDoubt
	}
	got, want := m.Question[0], q.Question[0]
	if !strings.EqualFold(got.Name, want.Name) || got.Qtype != want.Qtype || got.Qclass != want.Qclass {
		return fmt.Errorf("%w: asked for %s, answered for %s", errDoubt, want.Name, got.Name)
	}
	return nil
}

func contextOr(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

func newAnswer(name string, qtype uint16, s server, m *mdns.Msg, raw []byte) Answer {
	a := Answer{Name: canonical(name), Type: qtype, Server: s.String(), Raw: raw}
	a.Records = inChain(m.Answer, a.Name, qtype)
	a.NXDomain = m.Rcode == mdns.RcodeNameError
	a.TTL = negativeTTL(m)
	for i, rr := range a.Records {
		if ttl := time.Duration(rr.Header().Ttl) * time.Second; i == 0 || ttl < a.TTL {
			a.TTL = ttl
		}
	}
	return a
}

// inChain keeps the records of the asked name and of the aliases reached from
// it. Whatever else a server put into the answer section is not an answer.
func inChain(records []mdns.RR, name string, qtype uint16) []mdns.RR {
	aliases := make(map[string]*mdns.CNAME)
	for _, rr := range records {
		if c, ok := rr.(*mdns.CNAME); ok {
			aliases[canonical(c.Hdr.Name)] = c
		}
	}
	var kept []mdns.RR
	seen := make(map[string]bool)
	for owner := name; !seen[owner]; {
		seen[owner] = true
		for _, rr := range records {
			h := rr.Header()
			if h.Rrtype == qtype && h.Class == mdns.ClassINET && canonical(h.Name) == owner && qtype != mdns.TypeCNAME {
				kept = append(kept, rr)
			}
		}
		if c, ok := aliases[owner]; ok {
			kept = append(kept, c)
			owner = canonical(c.Target)
		}
	}
	return kept
}

// negativeTTL is the smaller of the SOA's own TTL and its minimum field
// (RFC 2308 section 5), within bounds.
func negativeTTL(m *mdns.Msg) time.Duration {
	for _, rr := range m.Ns {
		if soa, ok := rr.(*mdns.SOA); ok {
			ttl := time.Duration(min(soa.Hdr.Ttl, soa.Minttl)) * time.Second
			return min(max(ttl, minNegativeTTL), maxNegativeTTL)
		}
	}
	return defaultTTL
}

func canonical(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// checkName refuses what the library would put on the wire unchanged: U-labels,
// spaces, empty and over-long labels. Underscores occur in service names.
func checkName(name string) error {
	n := strings.TrimSuffix(name, ".")
	if n == "" || len(n) > 253 {
		return takedown.Permanent(fmt.Errorf("dns: %q is not a domain name: it must have 1 to 253 characters", name))
	}
	for label := range strings.SplitSeq(n, ".") {
		if label == "" || len(label) > 63 {
			return takedown.Permanent(fmt.Errorf("dns: %q is not a domain name: a label must have 1 to 63 characters", name))
		}
		for i := range len(label) {
			b := label[i]
			if (b|0x20 < 'a' || b|0x20 > 'z') && (b < '0' || b > '9') && b != '-' && b != '_' {
				return takedown.Permanent(fmt.Errorf("dns: %q is not a domain name in A-label form", name))
			}
		}
	}
	return nil
}
