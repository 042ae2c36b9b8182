package whois

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"desist/takedown"
)

const (
	maxAnswer    = 1 << 20
	maxReferrals = 4096
	keepReferral = 24 * time.Hour
	defaultIANA  = "whois.iana.org:43"
	defaultPort  = "43"
)

// Budget limits the requests to each server; see package budget.
type Budget interface {
	Wait(ctx context.Context, server string) error
	Done(server string, err error)
}

// Config is what a Source needs.
type Config struct {
	// Dial opens connections; it must refuse special addresses, as
	// netguard.Guard.DialContext does.
	Dial   func(ctx context.Context, network, addr string) (net.Conn, error)
	Budget Budget
	// Servers maps a top-level domain, a public suffix, a registry (iana,
	// arin, ripencc, ripe, apnic, lacnic, afrinic) or the host name of a server
	// to host:port.
	Servers map[string]string
	// IANA is the server that refers to the others, whois.iana.org:43 when
	// empty.
	IANA string
	// Timeout bounds one exchange; 10 seconds when zero.
	Timeout time.Duration
	// TTL is how long an answer may be kept; a day when zero.
	TTL time.Duration
	Now func() time.Time
}

// client talks to servers and remembers which one serves what.
type client struct {
	cfg Config

	mu     sync.Mutex
	tlds   map[string]referral
	blocks []referral // IANA's blocks; there are some hundred
}

// A referral is IANA's word on which server to ask.
type referral struct {
	server  string
	block   netip.Prefix // for addresses
	expires time.Time
}

// exchange sends one query and reads the whole answer.
func (c *client) exchange(ctx context.Context, server, query string) ([]byte, error) {
	if strings.ContainsAny(query, "\r\n\x00") || query == "" {
		return nil, takedown.Permanent(fmt.Errorf("whois: %q cannot be asked", query))
	}
	if err := c.cfg.Budget.Wait(ctx, server); err != nil {
		return nil, fmt.Errorf("whois: query %s at %s: %w", query, server, err)
	}
	body, err := c.talk(ctx, server, query)
	if err != nil {
		if ctx.Err() == nil {
			c.cfg.Budget.Done(server, err)
		}
		return nil, fmt.Errorf("whois: query %s at %s: %w", query, server, err)
	}
	return body, nil
}

func (c *client) talk(ctx context.Context, server, query string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	conn, err := c.cfg.Dial(ctx, "tcp", server)
	if err != nil {
		return nil, err
	}
	defer conn.Close() //nolint:errcheck // only read from by then
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	// RFC 3912 section 2.
	if _, err := io.WriteString(conn, query+"\r\n"); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(conn, maxAnswer+1))
	switch {
	case len(body) > maxAnswer:
		return nil, takedown.Permanent(fmt.Errorf("the answer is larger than %d bytes", maxAnswer))
	case ctx.Err() != nil:
		return nil, takedown.Temporary(ctx.Err())
	case err != nil && len(body) == 0:
		return nil, err
	}
	// Servers that reset the connection after a complete answer are common;
	// what arrived is judged by what it says.
	return body, nil
}

// ask exchanges and gives the outcomes that are no record their kind.
func (c *client) ask(ctx context.Context, server, line, query string) (Record, []byte, error) {
	body, err := c.exchange(ctx, server, line)
	if err != nil {
		return Record{}, nil, err
	}
	r := Parse(server, query, body)
	switch r.Outcome {
	case Throttled:
		err = takedown.Snooze(time.Duration(r.RetryAfterS)*time.Second, errors.New("the server says that it is asked too often"))
	case Unavailable:
		err = takedown.Temporary(errors.New("the server gives no answer that can be read"))
	case NotFound:
		err = takedown.NotFound(errors.New("the server knows no record"))
	case Reserved:
		err = takedown.NotFound(errors.New("the name is reserved and not registered"))
	}
	c.cfg.Budget.Done(server, err)
	if err != nil {
		return r, body, fmt.Errorf("whois: query %s at %s: %w", query, server, err)
	}
	return r, body, nil
}

// domainServer asks IANA which server to ask about the names of a TLD.
func (c *client) domainServer(ctx context.Context, tld string) (string, error) {
	c.mu.Lock()
	known, ok := c.tlds[tld]
	c.mu.Unlock()
	if ok && c.cfg.Now().Before(known.expires) {
		return known.named(tld)
	}
	known, err := c.refer(ctx, tld)
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.tlds) >= maxReferrals {
		clear(c.tlds) // cheaper than order, and rarer than a restart
	}
	c.tlds[tld] = known
	return known.named(tld)
}

// networkServer asks IANA which registry to ask about an address. What it says
// holds for the block that it names.
func (c *client) networkServer(ctx context.Context, a netip.Addr) (string, error) {
	now := c.cfg.Now()
	c.mu.Lock()
	for _, known := range c.blocks {
		if known.block.Contains(a) && now.Before(known.expires) {
			c.mu.Unlock()
			return known.named(a.String())
		}
	}
	c.mu.Unlock()
	known, err := c.refer(ctx, a.String())
	if err != nil {
		return "", err
	}
	if known.block.Contains(a) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.blocks = slices.DeleteFunc(c.blocks, func(r referral) bool { return r.block == known.block || !now.Before(r.expires) })
		if len(c.blocks) >= maxReferrals {
			c.blocks = nil
		}
		c.blocks = append(c.blocks, known)
	}
	return known.named(a.String())
}

func (c *client) refer(ctx context.Context, query string) (referral, error) {
	body, err := c.exchange(ctx, c.cfg.IANA, query)
	if err != nil {
		return referral{}, err
	}
	c.cfg.Budget.Done(c.cfg.IANA, nil)
	r := ianaReferral(body, query)
	r.expires = c.cfg.Now().Add(keepReferral)
	return r, nil
}

func (r referral) named(query string) (string, error) {
	if r.server == "" {
		return "", takedown.NotFound(fmt.Errorf("whois: IANA names no server for %s", query))
	}
	return r.server, nil
}

// ianaReferral reads the server, and for an address the block, from IANA's
// answer.
func ianaReferral(body []byte, query string) referral {
	var r referral
	for line := range strings.SplitSeq(decode(body), "\n") {
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "refer", "whois":
			if s := serverName(value); s != "" && r.server == "" {
				r.server = withPort(s)
			}
		case "inetnum", "inet6num":
			if blocks := prefixesOf(value, query); len(blocks) > 0 && !r.block.IsValid() {
				r.block = blocks[0]
			}
		}
	}
	return r
}

func withPort(server string) string {
	if _, _, err := net.SplitHostPort(server); err == nil {
		return server
	}
	return net.JoinHostPort(strings.Trim(server, "[]"), defaultPort)
}
