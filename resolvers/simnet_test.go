package resolvers_test

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"desist/internal/netguard"
	"desist/internal/simnet"
	"desist/resolvers"
	"desist/resolvers/asn"
	"desist/resolvers/budget"
	"desist/resolvers/dns"
	"desist/resolvers/rdap"
	"desist/resolvers/whois"
	"desist/takedown"
)

// simulated starts a world and a resolver wired to it as the program wires one
// to the internet.
func simulated(t testing.TB, w *simnet.World) (*simnet.Net, *resolvers.Resolver) {
	t.Helper()
	world, err := simnet.Start(context.Background(), simnet.Config{World: w})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := world.Close(); err != nil {
			t.Error(err)
		}
	})
	client, err := dns.NewClient(dns.Config{Servers: []string{world.DNSAddr()}})
	if err != nil {
		t.Fatal(err)
	}
	var allow []netip.Prefix
	for _, p := range []string{"127.0.0.0/8", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"} {
		allow = append(allow, netip.MustParsePrefix(p))
	}
	guard := netguard.New(netguard.Config{Allow: allow, Dial: world.Dial, Lookup: client.LookupAddrs})
	web := guard.HTTPClient(netguard.HTTPConfig{AllowHTTP: true})
	t.Cleanup(web.CloseIdleConnections)
	boot, err := rdap.NewBootstrap(rdap.BootstrapConfig{Location: world.BootstrapURL(), HTTP: web})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(boot.Close)
	limits := budget.New(budget.Config{Rate: 10000, Burst: 10000})
	registration := rdap.New(rdap.Config{HTTP: web, Locator: boot, Budget: limits})
	servers := map[string]string{}
	for name, addr := range world.WHOISAddrs() {
		servers[name] = addr
	}
	for _, r := range w.Registries {
		for _, tld := range r.TLDs {
			servers[tld] = world.WHOISAddr(r.Name)
		}
	}
	text := whois.New(whois.Config{Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		return guard.DialContext(ctx, network, addr)
	}, Budget: limits, Servers: servers})
	r := resolvers.New(resolvers.Config{
		Names: []resolvers.Source{dns.NewSource(dns.SourceConfig{Client: client})},
		Networks: []resolvers.Source{
			registration, text,
			asn.NewOrigin(asn.OriginConfig{Zone: "origin.asn.sim", Lookup: client.LookupTXT}),
			asn.NewContacts(asn.ContactsConfig{Zone: "abuse-contacts.sim", Lookup: client.LookupTXT}),
		},
		Registrations: []resolvers.Source{registration, text},
		CheckAddr:     guard.CheckAddr,
	})
	t.Cleanup(r.Close)
	return world, r
}

// TestSimulatedInternet resolves every site of the small world and compares the
// desks found with the ones that the world declares.
func TestSimulatedInternet(t *testing.T) {
	w, err := simnet.Tiny()
	if err != nil {
		t.Fatal(err)
	}
	world, r := simulated(t, w)
	networks := make(map[string]simnet.Network)
	for _, n := range w.Networks {
		networks[n.Name] = n
	}
	registrars := make(map[string]simnet.Registrar)
	for _, reg := range w.Registrars {
		registrars[reg.Name] = reg
	}
	for _, site := range world.Sites("up") {
		i := indicatorOf(site)
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		res, err := r.Resolve(ctx, i)
		cancel()
		if err != nil {
			t.Errorf("%s: %v", site.Host, err)
			continue
		}
		for _, p := range res.Parties {
			var want string
			switch p.Role {
			case takedown.RoleHost:
				want = networks[site.Network].Desk.Abuse
				if site.CDN != "" {
					continue // the rules of this test know no CDN
				}
				if p.Country != networks[site.Network].Country {
					t.Errorf("%s: %s has country %q (%q), want %q", site.Host, p.Key, p.Country, p.CountryConflicts, networks[site.Network].Country)
				}
			case takedown.RoleRegistrar:
				want = registrars[site.Registrar].Desk.Abuse
			default:
				continue
			}
			got := ""
			if len(p.Contacts) > 0 && p.Contacts[0].Channel == takedown.ChannelEmail {
				got = p.Contacts[0].Address
			}
			if got != want {
				t.Errorf("%s: %s %s %q: contact %q, want %q: %s", site.Host, p.Role, p.Key, p.Name, got, want, p.Why)
			}
		}
		// The registry of .de publishes no registrar.
		if named := i.Registrable != "" && !strings.HasSuffix(i.Registrable, ".de") && site.Registrar != ""; named && site.Platform == "" && !has(res.Parties, takedown.RoleRegistrar) {
			t.Errorf("%s: no registrar among %+v; gaps %+v", site.Host, res.Parties, res.Gaps)
		}
		if !has(res.Parties, takedown.RoleHost) {
			t.Errorf("%s: no host among %+v; gaps %+v", site.Host, res.Parties, res.Gaps)
		}
	}
}

func has(parties []takedown.Party, role takedown.Role) bool {
	for _, p := range parties {
		if p.Role == role {
			return true
		}
	}
	return false
}

func indicatorOf(site simnet.SiteStatus) takedown.Indicator {
	i := takedown.Indicator{Kind: takedown.KindDomain, Value: site.Host, Host: site.Host}
	if a, err := netip.ParseAddr(site.Host); err == nil {
		i.Kind = takedown.KindIPv4
		if a.Is6() {
			i.Kind = takedown.KindIPv6
		}
		return i
	}
	labels := strings.Split(site.Host, ".")
	i.Registrable = strings.Join(labels[max(len(labels)-2, 0):], ".")
	i.Platform = site.Platform
	return i
}
