package simnet

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
)

// seedWords make generated names readable; they mean nothing.
var seedWords = [...]string{
	"amber", "birch", "cedar", "delta", "ember", "fjord", "glade", "heron", "iris", "juniper", "kelp", "larch", "maple",
	"north", "olive", "pearl", "quartz", "raven", "slate", "tulip", "umber", "violet", "willow", "yarrow", "zephyr",
}

// expand draws the sites of every population and the addresses that were left
// to chance.
func (w *World) expand() error {
	index := 0
	bare := map[string]int{}
	for i := range w.Populations {
		p := &w.Populations[i]
		for n := range p.Count {
			index++
			r := draw(w.Seed, "site", p.Name, fmt.Sprint(n))
			site, err := w.drawSite(p, index, r, bare)
			if err != nil {
				return fmt.Errorf("population %s: %w", p.Name, err)
			}
			w.Sites = append(w.Sites, site)
		}
	}
	for i := range w.Sites {
		s := &w.Sites[i]
		if s.Platform != "" {
			p := w.platform(s.Platform)
			s.Network, s.Registrar = p.Network, p.Registrar
		}
		if len(s.Addresses) == 0 {
			if a, err := netip.ParseAddr(s.Host); err == nil {
				s.Addresses = []netip.Addr{a}
			} else {
				s.Addresses = w.shared(s.Network, draw(w.Seed, "address", s.Host))
			}
		}
		if s.Page == "" {
			s.Page = pageOf(s.Class)
		}
		if s.State == "" {
			s.State = stateLive
		}
	}
	return nil
}

func (w *World) drawSite(p *Population, index int, r *rand.Rand, bare map[string]int) (Site, error) {
	class := p.Classes.pick(r)
	s := Site{Class: class, Network: p.Networks.pick(r), Cloaked: r.Float64() < p.Cloaked, State: p.States.pickOrNone(r)}
	word := seedWords[r.IntN(len(seedWords))]
	label := fmt.Sprintf("sim-%s-%04d-%s", labelOf(class), index, word)
	switch {
	case p.BareIP:
		addr, err := w.dedicated(s.Network, bare)
		if err != nil {
			return Site{}, err
		}
		s.Host, s.Addresses = addr.String(), []netip.Addr{addr}
	case len(p.Platforms) > 0:
		s.Platform = p.Platforms.pick(r)
		s.Host = label + "." + w.platform(s.Platform).Suffix
	default:
		s.Host = label + "." + p.TLDs.pick(r)
		s.Registrar = p.Registrars.pick(r)
		s.CDN = p.CDNs.pickOrNone(r)
		if class == "compromised" {
			s.Host = "www." + s.Host
		}
	}
	if r.Float64() < p.URLs {
		s.URL = true
		s.Path = pathOf(class, r)
	}
	if r.Float64() < p.IPv6 && !p.BareIP && len(p.Platforms) == 0 {
		s.Addresses = append(w.shared(s.Network, r), w.own6(s.Network, uint64(index)))
	}
	return s, nil
}

// shared draws the IPv4 address of a virtual host among the first half of the
// network; many sites share one.
func (w *World) shared(network string, r *rand.Rand) []netip.Addr {
	for _, p := range w.network(network).Prefixes {
		if p.Addr().Is4() {
			return []netip.Addr{nth(p, 1+r.Uint64N(max(1, size(p)/2-1)))}
		}
	}
	return []netip.Addr{w.own6(network, r.Uint64()>>16)}
}

// own6 is an IPv6 address that one site has for itself.
func (w *World) own6(network string, n uint64) netip.Addr {
	for _, p := range w.network(network).Prefixes {
		if p.Addr().Is6() {
			return nth(p, 0x10000+n)
		}
	}
	return nth(w.network(network).Prefixes[0], 1)
}

// dedicated hands out the second half of the network's IPv4 addresses, then
// IPv6 ones.
func (w *World) dedicated(network string, used map[string]int) (netip.Addr, error) {
	n := w.network(network)
	used[network]++
	k := uint64(used[network])
	for _, p := range n.Prefixes {
		if p.Addr().Is4() && size(p)/2+k < size(p)-1 {
			return nth(p, size(p)/2+k), nil
		}
	}
	for _, p := range n.Prefixes {
		if p.Addr().Is6() {
			return nth(p, 0x20000000+k), nil
		}
	}
	return netip.Addr{}, fmt.Errorf("network %s has no address left; give it a prefix of 2001:db8::/32", network)
}

// size returns the number of addresses in a prefix, at most 2^32.
func size(p netip.Prefix) uint64 {
	return 1 << min(32, p.Addr().BitLen()-p.Bits())
}

// nth returns the n-th address of a prefix; n must be below 2^64.
func nth(p netip.Prefix, n uint64) netip.Addr {
	b := p.Addr().As16()
	low := binary.BigEndian.Uint64(b[8:])
	binary.BigEndian.PutUint64(b[8:], low+n)
	a := netip.AddrFrom16(b)
	if p.Addr().Is4() {
		return a.Unmap()
	}
	return a
}

func labelOf(class string) string {
	switch class {
	case "phishing":
		return "phish"
	case "":
		return "clean"
	case "compromised":
		return "shop"
	}
	return class
}

func pageOf(class string) string {
	switch class {
	case "phishing", "compromised":
		return "phishing"
	case "malware":
		return "malware"
	case "c2":
		return "c2"
	}
	return "clean"
}

func pathOf(class string, r *rand.Rand) string {
	n := r.IntN(900) + 100
	switch class {
	case "malware":
		return fmt.Sprintf("/files/invoice-%d.bin", n)
	case "c2":
		return fmt.Sprintf("/gate/%d", n)
	case "compromised":
		return fmt.Sprintf("/wp-content/uploads/%d/signin.html", n)
	}
	return fmt.Sprintf("/signin/%d/", n)
}
