package policy

import (
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/net/publicsuffix"

	"desist/takedown"
)

// specialUse are the names that are not delegated to anybody, with the source.
// A table of constants.
var specialUse = map[string]string{
	"test": "RFC 6761 section 6.2", "localhost": "RFC 6761 section 6.3", "invalid": "RFC 6761 section 6.4",
	"example": "RFC 6761 section 6.5", "example.com": "RFC 2606 section 3", "example.net": "RFC 2606 section 3", "example.org": "RFC 2606 section 3",
	"local": "RFC 6762 section 3", "onion": "RFC 7686 section 2", "home.arpa": "RFC 8375 section 4", "alt": "RFC 9476 section 2",
	"internal": "reserved by ICANN for private use", "arpa": "RFC 3172: infrastructure of the internet",
}

// place objects to where the indicator is.
func (p *Policy) place(rs *reasons, i takedown.Indicator) {
	if addr, ok := i.Addr(); ok {
		p.address(rs, addr.Unmap(), i)
		return
	}
	host := strings.ToLower(strings.TrimSuffix(i.Host, "."))
	if host == "" {
		return
	}
	if zone := zoneOf(host, p.cfg.OwnDomains); zone != "" {
		rs.refuse(CodeOwn, "%s is under our own domain %s", host, zone)
	}
	if zoneOf(host, p.cfg.ExemptDomains) != "" {
		return
	}
	for zone := range parents(host) {
		if source, reserved := specialUse[zone]; reserved {
			rs.refuse(CodeReservedName, "%s is a special-use name (%s: %s)", host, zone, source)
			break
		}
	}
	// A public suffix belongs to everybody registered below it.
	if suffix, _ := publicsuffix.PublicSuffix(host); suffix == host || host == i.Platform {
		rs.refuse(CodePlatform, "%s is a public suffix: suspending it would hit all of its customers", host)
	}
	p.lists.names(rs, i, host)
}

func (p *Policy) address(rs *reasons, addr netip.Addr, i takedown.Indicator) {
	for _, prefix := range p.cfg.OwnPrefixes {
		if prefix.Contains(addr) {
			rs.refuse(CodeOwn, "%s is in our own network %s", addr, prefix)
		}
	}
	for _, prefix := range p.cfg.ExemptPrefixes {
		if prefix.Contains(addr) {
			return
		}
	}
	if why, reserved := p.cfg.Reserved(addr); reserved {
		rs.refuse(CodeReservedAddress, "%s is not on the public internet (%s)", addr, why)
	}
	p.lists.addresses(rs, i, addr)
}

// zoneOf returns the zone of the list that name is or is under, or nothing.
func zoneOf(name string, zones []string) string {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	for _, z := range zones {
		z = strings.ToLower(strings.Trim(z, "."))
		if z != "" && (name == z || strings.HasSuffix(name, "."+z)) {
			return z
		}
	}
	return ""
}

// parents yields name and every name above it.
func parents(name string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for name != "" {
			if !yield(name) {
				return
			}
			_, name, _ = strings.Cut(name, ".")
		}
	}
}

// onePage reports whether the indicator is one page of a site rather than the
// site: a URL with anything after its host.
func onePage(i takedown.Indicator) bool {
	if i.Kind != takedown.KindURL {
		return false
	}
	u, err := url.Parse(i.Value)
	return err == nil && (strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "")
}
