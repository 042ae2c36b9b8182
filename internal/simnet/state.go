package simnet

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// The states of what is served under a site's name. The name itself may be
// gone too: see domainState.hold.
const (
	stateLive      = "live"
	stateNotFound  = "notfound"  // HTTP 404
	stateGone      = "gone"      // HTTP 410
	stateSuspended = "suspended" // the host's suspension page
	stateParking   = "parking"   // a parking page
	stateRefused   = "refused"   // nobody listens
	stateNoDNS     = "nodns"     // no address record
)

// siteState is a site as it is now. Guarded by Net.mu.
type siteState struct {
	*Site
	domain    *domainState // nil for a bare address
	network   *Network     // where the content is; a hop changes it
	addrs     []netip.Addr // of the content, likewise
	cdn       *CDN
	platform  *Platform
	serves    string // one of the states above
	downSince time.Time
	relapsed  bool
	cases     map[*desk]*deskCase
}

// up says whether a visitor with the right client finds the malicious content.
func (s *siteState) up() bool {
	return s.serves == stateLive && (s.domain == nil || s.domain.hold == "")
}

// domainState is a registered name as it is now. Guarded by Net.mu.
type domainState struct {
	name       string
	registry   *Registry
	registrar  *Registrar // nil where a foreign world has none
	registered time.Time
	hold       string // "", "client hold", "server hold" (RFC 8056)
	sites      []*siteState
}

// A desk is the people who read a mailbox or a form.
type desk struct {
	name      string
	role      string // host, cdn, platform, registrar, registry
	org       string
	domain    string
	country   string
	decl      Desk
	behaviour Behaviour
	network   *Network
	registrar *Registrar
	registry  *Registry
	counts    DeskCounts // guarded by Net.mu
}

// infraHost is a host of the internet's own machinery.
type infraHost struct {
	addrs []netip.Addr
	mail  bool   // has an MX of its own
	whois string // the WHOIS server that it runs
	desk  *desk  // whose web pages it shows
	ns    bool   // is the apex of an organisation
}

// index finds things by the names that the protocols use. Only the states
// inside change after it was built.
type index struct {
	sites     map[string]*siteState
	order     []*siteState
	byAddr    map[netip.Addr][]*siteState
	domains   map[string]*domainState
	registry  map[string]*Registry // by top-level domain
	infra     map[string]*infraHost
	whoisAddr map[netip.Addr]string // address to WHOIS server
	desks     []*desk
	mailboxes map[string]*desk // by lower-case address
	byDomain  map[string][]*desk
	networks  map[string]*desk
	registrar map[string]*desk
	edges     map[string]*CDN
}

// The machinery's own corner of documentation space.
var (
	infraPrefix = netip.MustParsePrefix("203.0.113.192/26")
	nsAddr      = nth(infraPrefix, 60)
	wwwAddr     = nth(infraPrefix, 61)
	mxAddr      = nth(infraPrefix, 62)
	infra6      = netip.MustParsePrefix("2001:db8:ffff::/48")
)

func buildIndex(w *World) *index {
	x := &index{
		sites: make(map[string]*siteState, len(w.Sites)), byAddr: map[netip.Addr][]*siteState{},
		domains: make(map[string]*domainState, len(w.Sites)), registry: map[string]*Registry{},
		infra: map[string]*infraHost{}, whoisAddr: map[netip.Addr]string{},
		mailboxes: map[string]*desk{}, byDomain: map[string][]*desk{},
		networks: map[string]*desk{}, registrar: map[string]*desk{}, edges: map[string]*CDN{},
	}
	for i := range w.Registries {
		for _, t := range w.Registries[i].TLDs {
			x.registry[t] = &w.Registries[i]
		}
	}
	for i := range w.CDNs {
		x.edges[w.CDNs[i].Edge] = &w.CDNs[i]
	}
	x.addDesks(w)
	x.addInfra(w)
	x.addSites(w)
	return x
}

func (x *index) addDesks(w *World) {
	for i := range w.Networks {
		n := &w.Networks[i]
		role := "host"
		for _, c := range w.CDNs {
			if c.Network == n.Name {
				role = "cdn"
			}
		}
		for _, p := range w.Platforms {
			if p.Network == n.Name {
				role = "platform"
			}
		}
		x.networks[n.Name] = x.addDesk(w, &desk{name: n.Name, role: role, org: n.Org, domain: n.Domain, country: n.Country, decl: n.Desk, network: n})
	}
	for i := range w.Registrars {
		r := &w.Registrars[i]
		x.registrar[r.Name] = x.addDesk(w, &desk{name: r.Name, role: "registrar", org: r.Org, domain: r.Domain, country: r.Country, decl: r.Desk, registrar: r})
	}
	for i := range w.Registries {
		r := &w.Registries[i]
		x.addDesk(w, &desk{name: r.Name, role: "registry", org: r.Org, domain: r.Domain, country: r.Country, decl: r.Desk, registry: r})
	}
	for domain, network := range w.ProviderMailboxes {
		x.byDomain[strings.ToLower(domain)] = append(x.byDomain[strings.ToLower(domain)], x.networks[network])
	}
}

func (x *index) addDesk(w *World, d *desk) *desk {
	d.behaviour = w.Behaviours[d.decl.Behaviour]
	x.desks = append(x.desks, d)
	if d.decl.Abuse != "" {
		mailbox := strings.ToLower(d.decl.Abuse)
		x.mailboxes[mailbox] = d
		at := mailbox[strings.LastIndexByte(mailbox, '@')+1:]
		x.byDomain[at] = append(x.byDomain[at], d)
	}
	if !slices.Contains(x.byDomain[d.domain], d) {
		x.byDomain[d.domain] = append(x.byDomain[d.domain], d)
	}
	return d
}

// whoisHosts names the WHOIS servers: one per registry, registrar and RIR, and
// IANA's.
func whoisHosts(w *World) map[string]string {
	hosts := map[string]string{"iana": "whois.sim-iana.net"}
	for _, r := range rirNames {
		hosts[r] = "whois.sim-" + r + ".net"
	}
	for _, r := range w.Registries {
		hosts[r.Name] = "whois." + r.Domain
	}
	for _, r := range w.Registrars {
		hosts[r.Name] = "whois." + r.Domain
	}
	return hosts
}

func (x *index) addInfra(w *World) {
	for _, d := range x.desks {
		x.addOrg(d.domain, d)
	}
	for mailbox, d := range x.mailboxes {
		x.addOrg(mailbox[strings.LastIndexByte(mailbox, '@')+1:], d)
	}
	for _, name := range append([]string{"iana"}, rirNames...) {
		x.addOrg("sim-"+name+".net", nil)
	}
	for domain := range w.ProviderMailboxes {
		x.addOrg(domain, nil)
	}
	hosts := whoisHosts(w)
	servers := make([]string, 0, len(hosts))
	for server := range hosts {
		servers = append(servers, server)
	}
	slices.Sort(servers)
	for i, server := range servers {
		addr := nth(infra6, uint64(i)+0x43)
		if i < 58 {
			addr = nth(infraPrefix, uint64(i)+1)
		}
		x.infra[hosts[server]] = &infraHost{addrs: []netip.Addr{addr}, whois: server}
		x.whoisAddr[addr] = server
	}
}

// addOrg gives an organisation its name servers, mail exchanger and web site.
func (x *index) addOrg(domain string, d *desk) {
	if x.infra[domain] != nil {
		return
	}
	x.infra[domain] = &infraHost{addrs: []netip.Addr{wwwAddr}, mail: true, desk: d, ns: true}
	x.infra["www."+domain] = &infraHost{addrs: []netip.Addr{wwwAddr}, desk: d}
	x.infra["mail."+domain] = &infraHost{addrs: []netip.Addr{mxAddr}}
	x.infra["ns1."+domain] = &infraHost{addrs: []netip.Addr{nsAddr}}
	x.infra["ns2."+domain] = &infraHost{addrs: []netip.Addr{nsAddr, nth(infra6, 0x53)}}
}

func (x *index) addSites(w *World) {
	networks := map[string]*Network{}
	for i := range w.Networks {
		networks[w.Networks[i].Name] = &w.Networks[i]
	}
	registrars := map[string]*Registrar{}
	for i := range w.Registrars {
		registrars[w.Registrars[i].Name] = &w.Registrars[i]
	}
	for i := range w.Platforms {
		p := &w.Platforms[i]
		name, _ := registrable("x." + p.Suffix)
		x.domain(w, name, registrars[p.Registrar])
		if x.infra[p.Suffix] == nil {
			x.infra[p.Suffix] = &infraHost{addrs: w.shared(p.Network, draw(w.Seed, "platform", p.Name)), desk: x.networks[p.Network], ns: true}
		}
	}
	for i := range w.Sites {
		s := &w.Sites[i]
		state := &siteState{Site: s, network: networks[s.Network], addrs: s.Addresses, serves: s.State}
		if s.CDN != "" {
			state.cdn = w.cdn(s.CDN)
		}
		if s.Platform != "" {
			state.platform = w.platform(s.Platform)
		}
		if _, err := netip.ParseAddr(s.Host); err != nil {
			name, _ := registrable(s.Host)
			state.domain = x.domain(w, name, registrars[s.Registrar])
			state.domain.sites = append(state.domain.sites, state)
		}
		if state.serves != stateLive {
			state.downSince = w.Epoch
		}
		x.sites[s.Host] = state
		x.order = append(x.order, state)
		for _, a := range s.Addresses {
			x.byAddr[a] = append(x.byAddr[a], state)
		}
	}
}

func (x *index) domain(w *World, name string, r *Registrar) *domainState {
	if d := x.domains[name]; d != nil {
		return d
	}
	age := time.Duration(draw(w.Seed, "registered", name).IntN(40*24)+2) * time.Hour
	d := &domainState{name: name, registry: x.registry[tldOf(name)], registrar: r, registered: w.Epoch.Add(-age)}
	x.domains[name] = d
	return d
}

// target returns the host of the site that somebody means by a name or
// address: itself, the www form, or the site of a registered name. "": none.
func (x *index) target(host string) string {
	if x.sites[host] != nil {
		return host
	}
	if www := "www." + host; x.sites[www] != nil {
		return www
	}
	if short := strings.TrimPrefix(host, "www."); x.sites[short] != nil {
		return short
	}
	if d := x.domains[host]; d != nil && len(d.sites) > 0 && d.sites[0].platform == nil {
		return d.sites[0].Host
	}
	return ""
}

// findDomain returns the registered name that a host belongs to.
func (x *index) findDomain(host string) *domainState {
	for name := host; strings.Contains(name, "."); name = name[strings.IndexByte(name, '.')+1:] {
		if d := x.domains[name]; d != nil {
			return d
		}
	}
	return nil
}
