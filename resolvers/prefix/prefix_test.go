package prefix_test

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"desist/resolvers/prefix"
)

// TestRange checks that the prefixes cover the range, in order, without gaps.
func TestRange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first := rapid.Uint32().Draw(t, "first")
		last := rapid.Uint32Min(first).Draw(t, "last")
		end := addr(last)
		next := addr(first)
		got := prefix.Range(next, end)
		for _, p := range got {
			if p.Masked().Addr() != next || !p.IsValid() {
				t.Fatalf("%s after the range was covered up to %s", p, next)
			}
			next = addr(first + uint32(1)<<(32-p.Bits()))
			first += uint32(1) << (32 - p.Bits())
		}
		if next != end.Next() && end != addr(1<<32-1) && len(got) < prefix.Limit {
			t.Fatalf("covered up to %s, want %s: %v", next, end, got)
		}
	})
}

func addr(n uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

func TestRangeOfNothing(t *testing.T) {
	v4, v6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	for _, r := range [][2]netip.Addr{{v4, v6}, {v4, addr(0)}, {{}, {}}, {v6, {}}} {
		if got := prefix.Range(r[0], r[1]); got != nil {
			t.Errorf("%v: %v", r, got)
		}
	}
}
