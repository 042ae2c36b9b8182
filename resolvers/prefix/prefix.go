// Package prefix turns address ranges, as registries write them, into prefixes.
package prefix

import "net/netip"

// Limit bounds how many prefixes one range is cut into.
const Limit = 64

// Range cuts an inclusive range into the fewest prefixes, at most Limit. A range
// whose ends are of different families, or the wrong way round, is none.
func Range(start, end netip.Addr) []netip.Prefix {
	var prefixes []netip.Prefix
	if start.BitLen() != end.BitLen() {
		return nil
	}
	for start.IsValid() && start.Compare(end) <= 0 && len(prefixes) < Limit {
		bits := start.BitLen()
		for bits > 0 {
			wider, err := start.Prefix(bits - 1)
			if err != nil || wider.Addr() != start || lastAddr(wider).Compare(end) > 0 {
				break
			}
			bits--
		}
		p := netip.PrefixFrom(start, bits)
		prefixes = append(prefixes, p)
		start = lastAddr(p).Next()
	}
	return prefixes
}

func lastAddr(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for bit := p.Bits(); bit < len(b)*8; bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}
