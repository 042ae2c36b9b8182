package netguard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"desist/takedown"
)

// DialFunc opens a connection, as net.Dialer.DialContext does.
type DialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// LookupFunc resolves a host name to its addresses.
type LookupFunc func(ctx context.Context, host string) ([]netip.Addr, error)

// maxTried bounds how many addresses of one name are dialled.
const maxTried = 4

// Config says what a Guard lets through. The zero value allows no special
// address, dials the real network, and resolves no names.
type Config struct {
	// Allow lists prefixes that are exempt from the check: laboratories, and
	// the documentation space that the simulated internet lives in.
	Allow []netip.Prefix
	// Dial opens connections to addresses that passed the check; it is where
	// the simulated internet takes over. Nil dials the real network.
	Dial DialFunc
	// Lookup resolves names. Without it only address literals can be dialled.
	Lookup LookupFunc
	// Timeout bounds one attempt to connect; 10 seconds when zero.
	Timeout time.Duration
}

// A Guard checks and opens connections. It is safe for concurrent use.
type Guard struct {
	allow   []netip.Prefix
	dial    DialFunc
	lookup  LookupFunc
	timeout time.Duration
}

// New returns a Guard for the configuration.
func New(c Config) *Guard {
	g := &Guard{dial: c.Dial, lookup: c.Lookup, timeout: c.Timeout}
	for _, p := range c.Allow {
		g.allow = append(g.allow, p.Masked())
	}
	if g.dial == nil {
		g.dial = (&net.Dialer{}).DialContext
	}
	if g.timeout <= 0 {
		g.timeout = 10 * time.Second
	}
	return g
}

// CheckAddr refuses a special-purpose address that is not exempt. The error is
// of kind denied and names the registry entry.
func (g *Guard) CheckAddr(a netip.Addr) error {
	reason, reserved := IsReserved(a)
	if !reserved {
		return nil
	}
	if a.IsValid() && a.Zone() == "" {
		inner, _ := unwrap(a)
		for _, p := range g.allow {
			if p.Contains(a) || p.Contains(inner) {
				return nil
			}
		}
	}
	return takedown.Denied(fmt.Errorf("address %s is refused: %s; add its prefix to netguard.allow if this is a laboratory", a, reason))
}

// DialContext connects to addr, a host and port. A name is resolved first, and
// what is dialled is the address that was checked, never the name again.
func (g *Guard) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, takedown.Permanent(fmt.Errorf("netguard: dial %q: %w", addr, err))
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return nil, takedown.Permanent(fmt.Errorf("netguard: dial %q: the port must be a number from 1 to 65535", addr))
	}
	addrs, err := g.resolve(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("netguard: dial %s: %w", addr, err)
	}
	var errs []error
	tried := 0
	for _, a := range addrs {
		if err := g.CheckAddr(a); err != nil {
			errs = append(errs, err)
			continue
		}
		if tried++; tried > maxTried {
			break
		}
		conn, err := g.dialOne(ctx, network, net.JoinHostPort(a.String(), port))
		if err == nil {
			return conn, nil
		}
		// What the network said goes first: KindOf looks at the first kind,
		// and a host with one private and one dead address is dead, not denied.
		errs = slices.Insert(errs, 0, takedown.Temporary(err))
		if ctx.Err() != nil {
			break
		}
	}
	return nil, fmt.Errorf("netguard: dial %s: %w", addr, errors.Join(errs...))
}

func (g *Guard) dialOne(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	return g.dial(ctx, network, addr)
}

func (g *Guard) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	if g.lookup == nil {
		return nil, takedown.Permanent(fmt.Errorf("no resolver is configured to look up the name %q", host))
	}
	addrs, err := g.lookup(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("look up %s: %w", host, err)
	}
	if len(addrs) == 0 {
		return nil, takedown.NotFound(fmt.Errorf("the name %s has no address", host))
	}
	return addrs, nil
}
