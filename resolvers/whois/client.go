package whois

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"desist/takedown"
)

const (
	maxAnswer    = 1 << 20
	maxTLDs      = 4096
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

	mu        sync.Mutex
	referrals map[string]referral // by TLD or first octets
}

type referral struct {
	server  string
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

// refer asks IANA which server to ask about a key: a TLD or an address.
func (c *client) refer(ctx context.Context, key, query string) (string, error) {
	now := c.cfg.Now()
	c.mu.Lock()
	known, ok := c.referrals[key]
	c.mu.Unlock()
	if !ok || !now.Before(known.expires) {
		body, err := c.exchange(ctx, c.cfg.IANA, query)
		if err != nil {
			return "", err
		}
		c.cfg.Budget.Done(c.cfg.IANA, nil)
		known = referral{server: ianaReferral(body), expires: now.Add(keepReferral)}
		c.mu.Lock()
		if len(c.referrals) >= maxTLDs {
			clear(c.referrals) // cheaper than order, and rarer than a restart
		}
		c.referrals[key] = known
		c.mu.Unlock()
	}
	if known.server == "" {
		return "", takedown.NotFound(fmt.Errorf("whois: IANA names no server for %s", key))
	}
	return known.server, nil
}

// ianaReferral reads the server from IANA's answer.
func ianaReferral(body []byte) string {
	for line := range strings.SplitSeq(decode(body), "\n") {
		key, value, _ := strings.Cut(line, ":")
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "refer", "whois":
			if s := serverName(value); s != "" {
				return withPort(s)
			}
		}
	}
	return ""
}

func withPort(server string) string {
	if _, _, err := net.SplitHostPort(server); err == nil {
		return server
	}
	return net.JoinHostPort(strings.Trim(server, "[]"), defaultPort)
}
