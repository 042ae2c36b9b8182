package simnet

import (
	"net/netip"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// docSpace is the address space that worlds are made of: RFC 5737, RFC 3849.
var docSpace = [...]netip.Prefix{
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("2001:db8::/32"),
}

func documentation(a netip.Addr) bool {
	for _, p := range docSpace {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

func (w *World) network(name string) *Network {
	for i := range w.Networks {
		if w.Networks[i].Name == name {
			return &w.Networks[i]
		}
	}
	return nil
}

func (w *World) registrar(name string) *Registrar {
	for i := range w.Registrars {
		if w.Registrars[i].Name == name {
			return &w.Registrars[i]
		}
	}
	return nil
}

// registry finds who runs a top-level domain.
func (w *World) registry(tld string) *Registry {
	for i := range w.Registries {
		for _, t := range w.Registries[i].TLDs {
			if t == tld {
				return &w.Registries[i]
			}
		}
	}
	return nil
}

func (w *World) cdn(name string) *CDN {
	for i := range w.CDNs {
		if w.CDNs[i].Name == name {
			return &w.CDNs[i]
		}
	}
	return nil
}

func (w *World) platform(name string) *Platform {
	for i := range w.Platforms {
		if w.Platforms[i].Name == name {
			return &w.Platforms[i]
		}
	}
	return nil
}

// networkFor returns the network that holds an address, and the prefix of it:
// the longest that contains the address (RFC 9224 section 5 has the same rule).
func (w *World) networkFor(a netip.Addr) (*Network, netip.Prefix) {
	var best *Network
	var bestPrefix netip.Prefix
	for i := range w.Networks {
		for _, p := range w.Networks[i].Prefixes {
			if p.Contains(a) && (best == nil || p.Bits() > bestPrefix.Bits()) {
				best, bestPrefix = &w.Networks[i], p
			}
		}
	}
	if best != nil || !w.foreign || !public(a) {
		return best, bestPrefix
	}
	bits := 24
	if a.Is6() {
		bits = 48
	}
	prefix, err := a.Prefix(bits)
	if err != nil {
		return nil, netip.Prefix{}
	}
	// The registry of a foreign block is fixed by its leading bits (see
	// bootstrap), the holder is drawn among that registry's members.
	rir := foreignRIR(a)
	var members []*Network
	for i := range w.Networks {
		if w.Networks[i].RIR == rir && w.hosting(w.Networks[i].Name) {
			members = append(members, &w.Networks[i])
		}
	}
	if len(members) == 0 {
		return nil, netip.Prefix{}
	}
	return members[draw(w.Seed, "block", prefix.String()).IntN(len(members))], prefix
}

// hosting says whether a network rents to customers: not a CDN's, a platform's
// or the infrastructure.
func (w *World) hosting(name string) bool {
	for _, d := range w.CDNs {
		if d.Network == name {
			return false
		}
	}
	for _, p := range w.Platforms {
		if p.Network == name {
			return false
		}
	}
	return true
}

// foreignRIR assigns whole /8 (IPv4) or /16 (IPv6) blocks, so that the
// bootstrap files stay small.
func foreignRIR(a netip.Addr) string {
	return rirNames[foreignBlock(a).Addr().As16()[foreignByte(a)]%uint8(len(rirNames))]
}

func foreignByte(a netip.Addr) int {
	if a.Is4() {
		return 12
	}
	return 1
}

func foreignBlock(a netip.Addr) netip.Prefix {
	bits := 16
	if a.Is4() {
		bits = 8
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

func public(a netip.Addr) bool {
	return a.IsGlobalUnicast() && !a.IsPrivate() && !a.IsLoopback()
}

func tldOf(host string) string { return host[strings.LastIndexByte(host, '.')+1:] }

// registrable returns the domain that a registrar sold (ICANN suffix and one
// label), and the private suffix of the Public Suffix List that the host sits
// under, if any.
func registrable(host string) (domain, platform string) {
	suffix, icann := publicsuffix.PublicSuffix(host)
	if !icann && strings.Contains(suffix, ".") && suffix != host {
		platform = suffix
	}
	for !icann && strings.Contains(suffix, ".") {
		suffix, icann = publicsuffix.PublicSuffix(suffix[strings.IndexByte(suffix, '.')+1:])
	}
	if len(host) <= len(suffix) {
		return "", platform
	}
	head := strings.TrimSuffix(host[:len(host)-len(suffix)], ".")
	return head[strings.LastIndexByte(head, '.')+1:] + "." + suffix, platform
}
