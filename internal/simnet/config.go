package simnet

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
)

// ServeConfig returns the part of the product's configuration, in YAML, that
// makes a separate process live in this world.
func (n *Net) ServeConfig() []byte {
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# The simulated internet %q: every address below is on loopback.", n.world.Name)
	line("dns:\n  servers: [%q]", n.dnsAddr)
	line("rdap:\n  bootstrap: %q", n.BootstrapURL())
	line("whois:\n  servers:")
	servers := map[string]string{}
	for name, addr := range n.whois {
		servers[name] = addr
	}
	for name, host := range whoisHosts(n.world) {
		servers[host] = n.whois[name] // referrals name the host
	}
	for _, r := range n.world.Registries {
		for _, tld := range r.TLDs {
			servers[tld] = n.whois[r.Name]
		}
	}
	for _, name := range slices.Sorted(maps.Keys(servers)) {
		line("    %q: %q", name, servers[name])
	}
	line("smtp:\n  relay: %q\n  tls: none", n.mtaAddr)
	line("resolve:\n  asn_zone: %q\n  contact_zone: %q", originZone[:len(originZone)-1], contactZone[:len(contactZone)-1])
	line("netguard:\n  allow: [127.0.0.0/8, 192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24, \"2001:db8::/32\"]")
	line("# HTTP CONNECT gateway for connections to addresses of the world.")
	line("simnet:\n  dial: %q", n.gwAddr)
	if f := n.clock.Factor; f != 0 && f != 1 {
		line("  # The world's clock runs faster; so must the service's.\n  clock_factor: %v", f)
	}
	line("# Management API: %s", n.ManagementURL())
	return b.Bytes()
}
