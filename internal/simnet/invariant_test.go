package simnet

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"pgregory.net/rapid"
)

// anyAddr draws IPv4 and IPv6 addresses.
func anyAddr(t *rapid.T) netip.Addr {
	if rapid.Bool().Draw(t, "v4") {
		return netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "bytes")))
	}
	return netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "bytes")))
}

func TestReversedUndoesReverseAddr(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := anyAddr(t)
		name, err := dns.ReverseAddr(a.String())
		if err != nil || a.Is4In6() {
			t.Skip("not a reverse name")
		}
		name = strings.TrimSuffix(strings.TrimSuffix(name, ".in-addr.arpa."), ".ip6.arpa.")
		if got, ok := reversed(name); !ok || got != a {
			t.Fatalf("reversed(%s) = %s, want %s", name, got, a)
		}
	})
}

func TestLastOfIsTheLast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := anyAddr(t)
		p := netip.PrefixFrom(a, rapid.IntRange(0, a.BitLen()).Draw(t, "bits")).Masked()
		last := lastOf(p)
		if !p.Contains(last) || p.Contains(last.Next()) {
			t.Fatalf("lastOf(%s) = %s", p, last)
		}
	})
}

func TestScheduleKeepsOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hand := newHandClock()
		s := newSchedule(Clock{Real: hand.Now}.withDefaults(hand.Now()))
		type planned struct{ at, seq int }
		var done []planned
		for i, at := range rapid.SliceOf(rapid.IntRange(0, 20)).Draw(t, "times") {
			s.at(hand.now.Add(time.Duration(at)*time.Minute), func() { done = append(done, planned{at, i}) })
		}
		total := s.pending()
		hand.now = hand.now.Add(10 * time.Minute)
		s.runDue()
		for i, d := range done {
			if d.at > 10 || i > 0 && (d.at < done[i-1].at || d.at == done[i-1].at && d.seq < done[i-1].seq) {
				t.Fatalf("order %v", done)
			}
		}
		if len(done)+s.pending() != total {
			t.Fatalf("%d done, %d pending of %d", len(done), s.pending(), total)
		}
	})
}

func TestDefangedTargetsAreFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		host := rapid.StringMatching(`[a-z][a-z0-9]{0,10}(-[a-z0-9]{1,5})?\.(com|co\.uk|github\.io)`).Draw(t, "host")
		path := rapid.StringMatching(`(/[a-z0-9.]{0,8}){0,3}`).Draw(t, "path")
		text := "Please remove " + defang("http://"+host+path) + ", and " + defang(host) + "."
		got := findTargets(text, func(h string) string { return h })
		if len(got) != 2 || got[0] != host || got[1] != host {
			t.Fatalf("%q: found %q", text, got)
		}
	})
}
