package netguard

import (
	"fmt"
	"net/netip"
)

// A block is one entry of the registries of special-purpose addresses.
type block struct {
	prefix netip.Prefix
	name   string
	rfc    string
}

func entry(prefix, name, rfc string) block {
	return block{netip.MustParsePrefix(prefix), name, rfc}
}

// special4 is the IANA IPv4 Special-Purpose Address Registry, with multicast.
// Entries that are globally reachable but serve one purpose only (AS112, AMT)
// are here too: no abuse desk answers for them. More specific entries stand
// before the ones that contain them.
var special4 = []block{
	entry("0.0.0.0/8", "this network", "RFC 791 section 3.2"),
	entry("10.0.0.0/8", "private use", "RFC 1918"),
	entry("100.64.0.0/10", "shared address space", "RFC 6598"),
	entry("127.0.0.0/8", "loopback", "RFC 1122 section 3.2.1.3"),
	entry("169.254.0.0/16", "link local", "RFC 3927"),
	entry("172.16.0.0/12", "private use", "RFC 1918"),
	entry("192.0.0.0/24", "IETF protocol assignments", "RFC 6890 section 2.1"),
	entry("192.0.2.0/24", "documentation (TEST-NET-1)", "RFC 5737"),
	entry("192.31.196.0/24", "AS112-v4", "RFC 7535"),
	entry("192.52.193.0/24", "AMT", "RFC 7450"),
	entry("192.88.99.0/24", "deprecated 6to4 relay anycast", "RFC 7526"),
	entry("192.168.0.0/16", "private use", "RFC 1918"),
	entry("192.175.48.0/24", "direct delegation AS112 service", "RFC 7534"),
	entry("198.18.0.0/15", "benchmarking", "RFC 2544"),
	entry("198.51.100.0/24", "documentation (TEST-NET-2)", "RFC 5737"),
	entry("203.0.113.0/24", "documentation (TEST-NET-3)", "RFC 5737"),
	entry("224.0.0.0/4", "multicast", "RFC 5771"),
	entry("255.255.255.255/32", "limited broadcast", "RFC 8190"),
	entry("240.0.0.0/4", "reserved", "RFC 1112 section 4"),
}

// special6 is the IANA IPv6 Special-Purpose Address Registry, with multicast
// and the deprecated site-local block.
var special6 = []block{
	entry("::/128", "unspecified address", "RFC 4291"),
	entry("::1/128", "loopback", "RFC 4291"),
	entry("::/96", "deprecated IPv4-compatible address", "RFC 4291 section 2.5.5.1"),
	entry("64:ff9b:1::/48", "local-use IPv4/IPv6 translation", "RFC 8215"),
	entry("100::/64", "discard-only", "RFC 6666"),
	entry("100:0:0:1::/64", "dummy prefix", "RFC 9780"),
	entry("2001::/32", "Teredo", "RFC 4380"),
	entry("2001:2::/48", "benchmarking", "RFC 5180"),
	entry("2001:3::/32", "AMT", "RFC 7450"),
	entry("2001:4:112::/48", "AS112-v6", "RFC 7535"),
	entry("2001:10::/28", "deprecated ORCHID", "RFC 4843"),
	entry("2001:20::/28", "ORCHIDv2", "RFC 7343"),
	entry("2001:30::/28", "drone remote ID", "RFC 9374"),
	entry("2001::/23", "IETF protocol assignments", "RFC 2928"),
	entry("2001:db8::/32", "documentation", "RFC 3849"),
	entry("2620:4f:8000::/48", "direct delegation AS112 service", "RFC 7534"),
	entry("3fff::/20", "documentation", "RFC 9637"),
	entry("5f00::/16", "segment routing SIDs", "RFC 9602"),
	entry("fc00::/7", "unique local", "RFC 4193"),
	entry("fe80::/10", "link local", "RFC 4291"),
	entry("fec0::/10", "deprecated site local", "RFC 3879"),
	entry("ff00::/8", "multicast", "RFC 4291 section 2.7"),
}

var (
	nat64   = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052 section 2.1
	sixTo4  = netip.MustParsePrefix("2002::/16")    // RFC 3056 section 2
	unicast = netip.MustParsePrefix("2000::/3")     // RFC 4291 section 2.4; all that IANA allocates from
)

// IsReserved reports whether a is a special-purpose address, and by which
// registry entry. An IPv4 address carried inside an IPv6 one is judged as that
// IPv4 address.
func IsReserved(a netip.Addr) (reason string, reserved bool) {
	if !a.IsValid() {
		return "not an address", true
	}
	if a.Zone() != "" {
		return "address with a zone, which is meaningful on one link only (RFC 4007)", true
	}
	inner, form := unwrap(a)
	table := special6
	if inner.Is4() {
		table = special4
	}
	for _, b := range table {
		if b.prefix.Contains(inner) {
			return fmt.Sprintf("%s%s, %s (%s)", form, b.name, b.prefix, b.rfc), true
		}
	}
	if inner.Is6() && !unicast.Contains(inner) {
		return "outside of global unicast, 2000::/3 (RFC 4291 section 2.4)", true
	}
	return "", false
}

// unwrap returns the IPv4 address that an IPv6 address carries, and how; or the
// address itself.
func unwrap(a netip.Addr) (inner netip.Addr, form string) {
	if a.Is4() {
		return a, ""
	}
	b := a.As16()
	switch {
	case a.Is4In6():
		return a.Unmap(), "IPv4-mapped address of "
	case nat64.Contains(a):
		return netip.AddrFrom4([4]byte(b[12:16])), "NAT64 address of "
	case sixTo4.Contains(a):
		return netip.AddrFrom4([4]byte(b[2:6])), "6to4 address of "
	}
	return a, ""
}
