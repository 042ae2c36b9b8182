package dns

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	mdns "github.com/miekg/dns"

	"desist/takedown"
)

// maxAliases bounds a chain of CNAME records, ours and the server's together.
const maxAliases = 10

// hostAnswer is what is known of a host name after its aliases were followed.
type hostAnswer struct {
	answers  []Answer
	addrs    []netip.Addr
	nxdomain bool
	errs     []error // one for each type that could not be asked
}

// lookupHost asks for both address types at once. When a server returns an
// alias without the addresses of its target, the target is asked for.
func (c *Client) lookupHost(ctx context.Context, host string) hostAnswer {
	types := [...]uint16{mdns.TypeA, mdns.TypeAAAA}
	var results [len(types)]hostAnswer
	var wg sync.WaitGroup
	for i, qtype := range types {
		wg.Go(func() { results[i] = c.follow(ctx, host, qtype) })
	}
	wg.Wait()
	all := results[0]
	for _, r := range results[1:] {
		all.answers = append(all.answers, r.answers...)
		all.addrs = append(all.addrs, r.addrs...)
		all.errs = append(all.errs, r.errs...)
		// NXDOMAIN holds for every type (RFC 8020); one saying so is enough
		// unless the other has addresses.
		all.nxdomain = all.nxdomain || r.nxdomain
	}
	all.nxdomain = all.nxdomain && len(all.addrs) == 0
	return all
}

func (c *Client) follow(ctx context.Context, host string, qtype uint16) hostAnswer {
	var h hostAnswer
	seen := make(map[string]bool)
	for name := canonical(host); ; {
		if seen[name] || len(seen) >= maxAliases {
			h.errs = append(h.errs, takedown.Permanent(fmt.Errorf("dns: the aliases of %s form a loop or are more than %d", host, maxAliases)))
			return h
		}
		seen[name] = true
		a, err := c.Query(ctx, name, qtype)
		if err != nil {
			h.errs = append(h.errs, err)
			return h
		}
		h.answers = append(h.answers, a)
		h.addrs = append(h.addrs, a.addrs()...)
		last := a.lastName()
		if len(h.addrs) > 0 || last == name || a.NXDomain {
			// Of an alias to nowhere, the alias itself exists.
			h.nxdomain = a.NXDomain && len(seen) == 1 && last == name
			return h
		}
		name = last
	}
}

func (a Answer) addrs() []netip.Addr {
	var addrs []netip.Addr
	for _, rr := range a.Records {
		if addr, ok := recordAddr(rr); ok {
			addrs = append(addrs, addr)
		}
	}
	return addrs
}

func recordAddr(rr mdns.RR) (netip.Addr, bool) {
	var addr netip.Addr
	var ok bool
	switch rr := rr.(type) {
	case *mdns.A:
		addr, ok = netip.AddrFromSlice(rr.A)
	case *mdns.AAAA:
		addr, ok = netip.AddrFromSlice(rr.AAAA)
		return addr, ok // a mapped address stays what the zone says it is
	}
	return addr.Unmap(), ok
}

// lastName is where the chain of aliases in the answer ends.
func (a Answer) lastName() string {
	name := a.Name
	for _, rr := range a.Records {
		if c, ok := rr.(*mdns.CNAME); ok {
			name = canonical(c.Target)
		}
	}
	return name
}

// LookupAddrs returns the addresses of a host, for netguard.Config.Lookup. A
// name without any is an error of kind not_found.
func (c *Client) LookupAddrs(ctx context.Context, host string) ([]netip.Addr, error) {
	h := c.lookupHost(ctx, host)
	switch {
	case len(h.addrs) > 0:
		return h.addrs, nil
	case len(h.errs) > 0:
		return nil, errors.Join(h.errs...)
	}
	return nil, takedown.NotFound(fmt.Errorf("dns: %s has no address", host))
}

// LookupTXT returns the TXT records of a name, the strings of each record
// joined (RFC 7208 section 3.3 states the custom), with the time that they, or
// their absence, may be kept. No record is an empty slice without an error.
func (c *Client) LookupTXT(ctx context.Context, name string) ([]string, time.Duration, error) {
	a, err := c.Query(ctx, name, mdns.TypeTXT)
	if err != nil {
		return nil, 0, err
	}
	var texts []string
	for _, rr := range a.Records {
		if txt, ok := rr.(*mdns.TXT); ok {
			texts = append(texts, strings.Join(txt.Txt, ""))
		}
	}
	return texts, a.TTL, nil
}

// reverseName is the name of an address in the reverse tree (RFC 1035 section
// 3.5, RFC 3596 section 2.5).
func reverseName(a netip.Addr) string {
	name, err := mdns.ReverseAddr(a.WithZone("").String())
	if err != nil {
		return "invalid." // only the zero address gets here; Query answers NXDOMAIN
	}
	return name
}
