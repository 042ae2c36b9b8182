package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"

	"desist/takedown"
)

// ClientConfig says whom to ask. Only Servers has no default.
type ClientConfig struct {
	// Servers are recursive resolvers as host:port, tried in order.
	Servers []string
	// Timeout bounds one question to one server; default 3 s.
	Timeout time.Duration
	// DialContext opens the connections to the servers; default net.Dialer.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
}

// A Client is a small stub resolver: UDP with TCP after truncation or damage,
// the question of an answer checked, cancellation honoured. It is safe for
// concurrent use; every question has its own socket.
type Client struct{ cfg ClientConfig }

// NewClient returns a client.
func NewClient(cfg ClientConfig) (*Client, error) {
	if len(cfg.Servers) == 0 {
		return nil, errors.New("trackers/dns: no server is configured; give at least one host:port")
	}
	for _, s := range cfg.Servers {
		if _, _, err := net.SplitHostPort(s); err != nil {
			return nil, fmt.Errorf("trackers/dns: server %q is not host:port: %w", s, err)
		}
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 3 * time.Second
	}
	if cfg.DialContext == nil {
		cfg.DialContext = new(net.Dialer).DialContext
	}
	return &Client{cfg: cfg}, nil
}

// Lookup asks for the A and AAAA records of name at the same time. A name that
// does not exist is an answer, not an error; every error is temporary, except
// for a name that could never be asked.
func (c *Client) Lookup(ctx context.Context, name string) (Answer, error) {
	if err := checkName(name); err != nil {
		return Answer{}, takedown.Permanent(fmt.Errorf("trackers/dns: %w", err))
	}
	type result struct {
		answer Answer
		err    error
	}
	six := make(chan result, 1)
	go func() {
		a, err := c.ask(ctx, name, dns.TypeAAAA)
		six <- result{a, err}
	}()
	v4, err := c.ask(ctx, name, dns.TypeA)
	v6 := <-six

	answer := v4
	if len(answer.Aliases) == 0 {
		answer.Aliases = v6.answer.Aliases
	}
	answer.Addresses = append(answer.Addresses, v6.answer.Addresses...)
	// Half an answer is enough to know addresses, not enough to deny them.
	if len(answer.Addresses) > 0 {
		answer.Exists = true
		return answer, nil
	}
	if err := errors.Join(err, v6.err); err != nil {
		return Answer{}, takedown.Temporary(fmt.Errorf("trackers/dns: look up %s: %w", name, err))
	}
	// RFC 2308 section 2.1: a name error is about the name, whatever the type.
	answer.Exists = v4.Exists && v6.answer.Exists
	return answer, nil
}

// ask asks the servers in turn until one gives a usable answer.
func (c *Client) ask(ctx context.Context, name string, qtype uint16) (Answer, error) {
	var errs []error
	for _, server := range c.cfg.Servers {
		reply, err := c.exchange(ctx, server, name, qtype)
		if err == nil {
			var answer Answer
			if answer, err = read(reply, name, qtype); err == nil {
				return answer, nil
			}
		}
		errs = append(errs, fmt.Errorf("%s at %s: %w", dns.TypeToString[qtype], server, err))
		if ctx.Err() != nil {
			break
		}
	}
	return Answer{}, errors.Join(errs...)
}

func (c *Client) exchange(ctx context.Context, server, name string, qtype uint16) (*dns.Msg, error) {
	query := new(dns.Msg)
	query.SetQuestion(dns.Fqdn(name), qtype)
	query.SetEdns0(1232, false) // RFC 9715 section 3.1: avoids fragments
	reply, err := c.roundTrip(ctx, "udp", server, query)
	var damaged *damagedError
	if (err == nil && reply.Truncated) || errors.As(err, &damaged) {
		// RFC 7766 section 5: ask again over TCP. A damaged datagram may be
		// somebody else's; over TCP only the server itself can answer.
		return c.roundTrip(ctx, "tcp", server, query)
	}
	return reply, err
}

// damagedError is a message that does not parse.
type damagedError struct{ err error }

func (e *damagedError) Error() string { return "damaged answer: " + e.err.Error() }
func (e *damagedError) Unwrap() error { return e.err }

func (c *Client) roundTrip(ctx context.Context, network, server string, query *dns.Msg) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	raw, err := c.cfg.DialContext(ctx, network, server)
	if err != nil {
		return nil, err
	}
	conn := &dns.Conn{Conn: raw, UDPSize: 1232}
	defer func() { _ = conn.Close() }()
	// A read does not know the context; closing the socket wakes it.
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	defer stop()
	fail := func(err error) (*dns.Msg, error) {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, err
	}
	if err := conn.WriteMsg(query); err != nil {
		return fail(err)
	}
	for {
		reply, err := conn.ReadMsg()
		switch {
		case err == nil:
			if answers(reply, query) {
				return reply, nil
			}
			if network == "tcp" {
				return nil, errors.New("the answer is to another question")
			}
			// Somebody guesses; the true answer may still come.
		case reply != nil, errors.Is(err, dns.ErrShortRead):
			return nil, &damagedError{err}
		default:
			return fail(err)
		}
	}
}

// answers reports whether reply belongs to query: same ID, and the same
// question (RFC 5452 section 9.1), which the library does not compare.
func answers(reply, query *dns.Msg) bool {
	if !reply.Response || reply.Id != query.Id || len(reply.Question) != 1 {
		return false
	}
	got, want := reply.Question[0], query.Question[0]
	return got.Qtype == want.Qtype && got.Qclass == want.Qclass && strings.EqualFold(got.Name, want.Name)
}

// read takes the addresses out of a reply, along its chain of aliases only, so
// that records about other names do not count.
func read(reply *dns.Msg, name string, qtype uint16) (Answer, error) {
	switch reply.Rcode {
	case dns.RcodeSuccess, dns.RcodeNameError:
	default:
		return Answer{}, fmt.Errorf("the server says %s", dns.RcodeToString[reply.Rcode])
	}
	answer := Answer{Exists: reply.Rcode == dns.RcodeSuccess}
	owner := dns.CanonicalName(name)
	for range 16 { // longer chains are loops
		next := ""
		for _, rr := range reply.Answer {
			if dns.CanonicalName(rr.Header().Name) != owner {
				continue
			}
			switch rr := rr.(type) {
			case *dns.CNAME:
				next = dns.CanonicalName(rr.Target)
			case *dns.A:
				if a, ok := netip.AddrFromSlice(rr.A.To4()); ok && qtype == dns.TypeA {
					answer.Addresses = append(answer.Addresses, a)
				}
			case *dns.AAAA:
				if a, ok := netip.AddrFromSlice(rr.AAAA.To16()); ok && qtype == dns.TypeAAAA {
					answer.Addresses = append(answer.Addresses, a)
				}
			}
		}
		if next == "" || len(answer.Addresses) > 0 {
			return answer, nil
		}
		answer.Aliases = append(answer.Aliases, strings.TrimSuffix(next, "."))
		owner = next
	}
	return Answer{}, errors.New("the chain of aliases has no end")
}

// checkName refuses what the library would pack without a murmur: raw UTF-8,
// blanks, empty or oversized labels (RFC 1035 section 2.3.4). Underscores are
// let through; they occur in host names on shared platforms.
func checkName(name string) error {
	name = strings.TrimSuffix(name, ".")
	if name == "" || len(name) > 253 {
		return fmt.Errorf("name %q is empty or longer than 253 characters", name)
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 {
			return fmt.Errorf("name %q has an empty label or one longer than 63 characters", name)
		}
		for _, c := range []byte(label) {
			switch {
			case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
			default:
				return fmt.Errorf("name %q has a character outside letters, digits, hyphen; give the A-label", name)
			}
		}
	}
	return nil
}
