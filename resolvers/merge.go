package resolvers

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"desist/takedown"
)

// Rules are what the operator knows and the sources do not say.
type Rules struct {
	CDNs      []CDN
	Overrides *Overrides
}

// A CDN is a content delivery network or reverse proxy. A target behind one is
// not hosted by it; the notice asks it to forward and to reveal the origin.
type CDN struct {
	Name     string         `yaml:"name"`
	ASNs     []uint32       `yaml:"asns"`
	Suffixes []string       `yaml:"suffixes"` // of CNAME targets
	Prefixes []netip.Prefix `yaml:"prefixes"`
}

// Merge derives the parties from findings:
//
//   - each network that the target's addresses are in is a host, or a CDN when a
//     rule knows the alias, the AS or the prefix;
//   - a shared platform (private public suffix, or a suffix rule) is a platform,
//     and then there is no registrar: suspending the platform's name would hit
//     all of its customers;
//   - the registrar of the registrable domain, and the registry if a source or
//     an override names one.
//
// Parties that share role and first contact are one party, so that one desk gets
// one notice. How contacts are ranked stands in contacts.go. The order of
// findings decides between equal statements, and so does not change the result
// when they come from sorted sources.
func Merge(i takedown.Indicator, findings []takedown.Finding, rules Rules) []takedown.Party {
	m := merger{indicator: i, findings: findings, rules: rules}
	m.index()
	var parties []takedown.Party
	parties = append(parties, m.hosts()...)
	if p, ok := m.platform(); ok {
		parties = append(parties, p)
	} else if i.Registrable != "" {
		parties = append(parties, m.registration()...)
	}
	slices.SortStableFunc(parties, func(a, b takedown.Party) int {
		order := takedown.Roles()
		return cmp.Compare(slices.Index(order, a.Role), slices.Index(order, b.Role))
	})
	return unite(parties)
}

type merger struct {
	indicator takedown.Indicator
	findings  []takedown.Finding
	rules     Rules

	// by subject, in the order of findings
	about map[string][]takedown.Finding
}

func (m *merger) index() {
	m.about = make(map[string][]takedown.Finding)
	for _, f := range m.findings {
		m.about[f.Subject] = append(m.about[f.Subject], f)
	}
}

// addresses returns those of the target, the first stated first.
func (m *merger) addresses() []netip.Addr {
	var addrs []netip.Addr
	add := func(s string) {
		if a, err := netip.ParseAddr(s); err == nil && !slices.Contains(addrs, a.Unmap()) {
			addrs = append(addrs, a.Unmap())
		}
	}
	add(m.indicator.Host)
	for _, f := range m.about[m.indicator.Host] {
		if f.Fact == takedown.FactAddress {
			add(f.Value)
		}
	}
	return addrs
}

// hosts makes one party for each network.
func (m *merger) hosts() []takedown.Party {
	var parties []takedown.Party
	aliasCDN := m.cdnByAlias()
	grouped := make(map[string][]netip.Addr)
	networks := make(map[string]network)
	var keys []string
	for _, a := range m.addresses() {
		n := m.network(a)
		if n.key == "" {
			continue
		}
		if _, seen := networks[n.key]; !seen {
			keys = append(keys, n.key)
			networks[n.key] = n
		}
		grouped[n.key] = append(grouped[n.key], a)
	}
	for _, key := range keys {
		n, addrs := networks[key], grouped[key]
		p := takedown.Party{Role: takedown.RoleHost, Key: key, Name: n.name, ASN: n.asn}
		if cdn, ok := m.cdn(aliasCDN, n, addrs); ok {
			p.Role, p.Name = takedown.RoleCDN, cdn
		}
		subjects := append([]string{}, n.subjects...)
		for _, a := range addrs {
			subjects = append(subjects, a.String())
		}
		m.finish(&p, subjects, n.bits, addrs)
		parties = append(parties, p)
	}
	return parties
}

// network is what the findings say of one address.
type network struct {
	key  string
	name string
	asn  uint32
	bits int // of the most specific prefix
	// subjects are the keys under which contacts of the network stand.
	subjects []string
}

func (m *merger) network(a netip.Addr) network {
	var n network
	var cidr, asnName, org, netName string
	for _, f := range m.about[a.String()] {
		switch f.Fact {
		case takedown.FactNetwork:
			p, err := netip.ParsePrefix(f.Attrs["cidr"])
			if err != nil || !p.Contains(a) {
				continue
			}
			n.subjects = append(n.subjects, NetworkKey(p.String()))
			if cidr == "" || p.Bits() > n.bits {
				cidr, n.bits = p.String(), p.Bits()
				org, netName = f.Attrs["org"], f.Value
			} else if p.Bits() == n.bits {
				org, netName = cmp.Or(org, f.Attrs["org"]), cmp.Or(netName, f.Value)
			}
		case takedown.FactASN:
			if v, err := strconv.ParseUint(strings.TrimPrefix(strings.ToUpper(f.Value), "AS"), 10, 32); err == nil && n.asn == 0 {
				n.asn = uint32(v)
				asnName = f.Attrs["name"]
				n.subjects = append(n.subjects, ASNKey(n.asn))
			}
		}
	}
	n.name = cmp.Or(org, asnName, netName)
	switch {
	case cidr != "":
		n.key = NetworkKey(cidr)
	case n.asn != 0:
		n.key = ASNKey(n.asn)
	case m.overridden(a):
		// Nobody but the operator knows whose this is; that is enough.
		n.key = NetworkKey(netip.PrefixFrom(a, a.BitLen()).String())
	}
	return n
}

func (m *merger) overridden(a netip.Addr) bool {
	if m.rules.Overrides == nil {
		return false
	}
	return slices.ContainsFunc(m.rules.Overrides.list, func(o Override) bool {
		return o.Match.CIDR != "" && o.Match.prefix.Contains(a)
	})
}

// cdnByAlias names the CDN that the target's alias chain leads to.
func (m *merger) cdnByAlias() string {
	for _, f := range m.findings {
		if f.Fact != takedown.FactCNAME {
			continue
		}
		for _, c := range m.rules.CDNs {
			if slices.ContainsFunc(c.Suffixes, func(s string) bool { return under(f.Value, strings.ToLower(strings.Trim(s, "."))) }) {
				return c.Name
			}
		}
	}
	return ""
}

func (m *merger) cdn(alias string, n network, addrs []netip.Addr) (string, bool) {
	for _, c := range m.rules.CDNs {
		if n.asn != 0 && slices.Contains(c.ASNs, n.asn) {
			return c.Name, true
		}
		for _, p := range c.Prefixes {
			if slices.ContainsFunc(addrs, p.Contains) {
				return c.Name, true
			}
		}
	}
	return alias, alias != ""
}

// platform makes the party for a shared platform.
func (m *merger) platform() (takedown.Party, bool) {
	suffix := m.indicator.Platform
	if s, ok := m.rules.Overrides.platform(m.indicator.Host); ok && len(s) > len(suffix) {
		suffix = s
	}
	if suffix == "" {
		return takedown.Party{}, false
	}
	p := takedown.Party{Role: takedown.RolePlatform, Key: PlatformKey(suffix), Name: suffix}
	m.finish(&p, []string{p.Key}, 0, m.addresses())
	return p, true
}

// registration makes the registrar, and the registry where one is known.
func (m *merger) registration() []takedown.Party {
	domain := m.indicator.Registrable
	tld := topLevel(domain)
	var parties []takedown.Party
	var name, id string
	var subjects []string
	for _, f := range m.about[domain] {
		if f.Fact != takedown.FactRegistrar {
			continue
		}
		name, id = cmp.Or(name, f.Value), cmp.Or(id, f.Attrs["iana_id"])
		subjects = append(subjects, RegistrarKey(domain, f.Value, f.Attrs["iana_id"]))
	}
	if len(subjects) > 0 {
		p := takedown.Party{Role: takedown.RoleRegistrar, Key: RegistrarKey(domain, name, id), Name: name, GTLD: len(tld) != 2}
		m.finish(&p, subjects, 0, nil)
		parties = append(parties, p)
	}
	p := takedown.Party{Role: takedown.RoleRegistry, Key: RegistryKey(tld), Name: "." + tld + " registry", GTLD: len(tld) != 2}
	known := false
	for _, f := range m.about[tld] {
		if f.Fact == takedown.FactRegistry {
			p.Name, known = f.Value, true
		}
	}
	m.finish(&p, []string{p.Key, tld}, 0, nil)
	if known || len(p.Contacts) > 0 {
		parties = append(parties, p)
	}
	return parties
}

// finish gives a party its country and contacts.
func (m *merger) finish(p *takedown.Party, subjects []string, bits int, addrs []netip.Addr) {
	slices.Sort(subjects)
	subjects = slices.Compact(subjects)
	m.country(p, subjects)
	preferred, only := m.rules.Overrides.apply(p, addrs)
	m.contacts(p, subjects, bits, preferred, only)
}

// countryOrder ranks where a country is stated: the registry's own field for the
// network, then the organisation's address, then the rest.
var countryOrder = []string{"network", "jcard cc", "entity country", "jcard address", "jcard label", "registrar", "asn"}

// country takes the best statement, and lists those that differ.
func (m *merger) country(p *takedown.Party, subjects []string) {
	type statement struct {
		code, from string
		rank       int
	}
	var all []statement
	for _, s := range subjects {
		for _, f := range m.about[s] {
			if f.Fact != takedown.FactCountry {
				continue
			}
			rank := slices.Index(countryOrder, f.Attrs["from"])
			if rank < 0 {
				rank = len(countryOrder)
			}
			all = append(all, statement{f.Value, f.Source + " " + f.Attrs["from"], rank})
		}
	}
	slices.SortStableFunc(all, func(a, b statement) int { return cmp.Compare(a.rank, b.rank) })
	for i, s := range all {
		if i == 0 {
			p.Country = s.code
			continue
		}
		if text := s.code + " (" + strings.TrimSpace(s.from) + ")"; s.code != p.Country && !slices.Contains(p.CountryConflicts, text) {
			p.CountryConflicts = append(p.CountryConflicts, text)
		}
	}
}

// unite makes one party of those that share role and first contact.
func unite(parties []takedown.Party) []takedown.Party {
	type desk struct {
		role    takedown.Role
		address string
	}
	var united []takedown.Party
	at := make(map[desk]int)
	for _, p := range parties {
		if len(p.Contacts) == 0 {
			united = append(united, p)
			continue
		}
		d := desk{p.Role, strings.ToLower(p.Contacts[0].Address)}
		if first, ok := at[d]; ok {
			united[first].Why += "; also responsible for " + p.Key
			continue
		}
		at[d] = len(united)
		united = append(united, p)
	}
	return united
}
