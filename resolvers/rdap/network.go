package rdap

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"desist/resolvers/prefix"
)

// cidrs returns the prefixes of an ip network object: from the cidr0 extension,
// else from the range, else from the handle.
func (o object) cidrs() []netip.Prefix {
	var found []netip.Prefix
	for _, c := range o.objects("cidr0_cidrs") {
		text := c.text("v4prefix") + c.text("v6prefix")
		bits, ok := c["length"].(float64)
		if addr, err := parseAddr(text); err == nil && ok {
			if p, err := addr.Prefix(int(bits)); err == nil {
				found = append(found, p)
			}
		}
	}
	if len(found) > 0 {
		return found
	}
	start, err1 := parseAddr(o.text("startAddress"))
	end, err2 := parseAddr(o.text("endAddress"))
	if err1 == nil && err2 == nil {
		return prefix.Range(start, end)
	}
	if p, err := netip.ParsePrefix(o.text("handle")); err == nil {
		return []netip.Prefix{p.Masked()}
	}
	return nil
}

// parseAddr reads an address as registries write it: zero-padded octets
// (074.125.000.000) and a superfluous prefix length (192.0.2.0/32) occur.
func parseAddr(s string) (netip.Addr, error) {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "/")
	if a, err := netip.ParseAddr(s); err == nil {
		return a.WithZone("").Unmap(), nil
	}
	octets := strings.Split(s, ".")
	if len(octets) != 4 {
		return netip.Addr{}, fmt.Errorf("rdap: %q is not an address", s)
	}
	var b [4]byte
	for i, o := range octets {
		n, err := strconv.ParseUint(o, 10, 8)
		if err != nil || len(o) > 3 {
			return netip.Addr{}, fmt.Errorf("rdap: %q is not an address", s)
		}
		b[i] = byte(n)
	}
	return netip.AddrFrom4(b), nil
}
