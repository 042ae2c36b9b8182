package whois

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"desist/resolvers"
	"desist/resolvers/country"
	"desist/takedown"
)

// A Source finds the registration of a domain or the network of an address.
type Source struct{ client *client }

var _ resolvers.Source = (*Source)(nil)

// New returns a source.
func New(c Config) *Source {
	if c.Timeout <= 0 {
		c.Timeout = 10 * time.Second
	}
	if c.TTL <= 0 {
		c.TTL = 24 * time.Hour
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	servers := make(map[string]string, len(c.Servers))
	for k, v := range c.Servers {
		servers[strings.ToLower(strings.Trim(k, "."))] = withPort(v)
	}
	c.Servers = servers
	if c.IANA == "" {
		c.IANA = cmp.Or(servers["iana"], defaultIANA)
	}
	return &Source{&client{cfg: c, tlds: make(map[string]referral)}}
}

// Name is "whois".
func (s *Source) Name() string { return "whois" }

// Find asks for the network if the target is an address, else for the
// registrable domain.
func (s *Source) Find(ctx context.Context, t resolvers.Target) ([]takedown.Finding, []takedown.Gap, error) {
	if a, ok := t.Indicator.Addr(); ok {
		return s.network(ctx, a.Unmap(), t.Now)
	}
	if t.Indicator.Registrable == "" {
		return nil, nil, nil
	}
	return s.domain(ctx, t.Indicator.Registrable, t.Now)
}

func (s *Source) domain(ctx context.Context, domain string, now time.Time) ([]takedown.Finding, []takedown.Gap, error) {
	server, err := s.domainServer(ctx, domain)
	if err != nil {
		return nil, nil, err
	}
	r, body, err := s.client.ask(ctx, server, domainLine(server, domain), domain)
	if err != nil {
		return nil, nil, err
	}
	e := emitter{source: s, server: server, raw: body, now: now}
	e.registration(domain, r)
	next := s.override(r.Referral)
	if r.Chosen != "" || next == "" || next == server {
		return e.findings, nil, nil
	}
	// A thin registry refers to the registrar, once; its word on who the
	// registrar is stands.
	detail, body, err := s.client.ask(ctx, next, domainLine(next, domain), domain)
	if err != nil {
		return e.findings, []takedown.Gap{{Source: s.Name(), Server: next, Query: domain, Reason: err.Error()}}, nil
	}
	e.server, e.raw = next, body
	if r.Registrar.Name == "" && r.Registrar.IANAID == "" {
		e.registration(domain, detail)
		return e.findings, nil, nil
	}
	detail.Registrar.Name, detail.Registrar.IANAID = r.Registrar.Name, r.Registrar.IANAID
	e.registrar(domain, detail)
	return e.findings, nil, nil
}

// domainServer is the configured one for the longest suffix, else IANA's.
func (s *Source) domainServer(ctx context.Context, domain string) (string, error) {
	for suffix := domain; ; {
		_, rest, ok := strings.Cut(suffix, ".")
		if !ok {
			server, err := s.client.domainServer(ctx, suffix)
			return s.override(server), err
		}
		if server, ok := s.client.cfg.Servers[rest]; ok {
			return server, nil
		}
		suffix = rest
	}
}

// domainLine is the query line; some servers want a flag for a domain's record
// instead of a search, or for English.
func domainLine(server, domain string) string {
	host, _, err := net.SplitHostPort(server)
	if err != nil {
		return domain
	}
	switch host {
	case "whois.denic.de":
		return "-T dn,ace " + domain
	case "whois.jprs.jp":
		return domain + "/e"
	case "whois.verisign-grs.com":
		return "domain " + domain
	}
	return domain
}

// registries maps names of servers to the keys under which one may be set.
var registries = map[string][]string{
	"whois.arin.net": {"arin"}, "whois.ripe.net": {"ripencc", "ripe"}, "whois.apnic.net": {"apnic"},
	"whois.lacnic.net": {"lacnic"}, "whois.afrinic.net": {"afrinic"},
}

// networkHops is the first server and two referrals.
const networkHops = 3

func (s *Source) network(ctx context.Context, a netip.Addr, now time.Time) ([]takedown.Finding, []takedown.Gap, error) {
	server, err := s.client.networkServer(ctx, a)
	if err != nil {
		return nil, nil, err
	}
	server = s.override(server)
	var gaps []takedown.Gap
	e := emitter{source: s, now: now}
	asked := make(map[string]bool)
	for hop := 0; hop < networkHops && server != "" && !asked[server]; hop++ {
		asked[server] = true
		r, body, err := s.client.ask(ctx, server, networkLine(server, a), a.String())
		if err != nil {
			if hop == 0 {
				return nil, nil, err
			}
			gaps = append(gaps, takedown.Gap{Source: s.Name(), Server: server, Query: a.String(), Reason: err.Error()})
			break
		}
		// The answer of the server referred to replaces the first: it is the
		// registry of the network, where the first had only the region.
		if cidr := covering(r, a); cidr != "" {
			e.findings, e.server, e.raw = nil, server, body
			e.network(a, cidr, r)
		}
		server = s.override(r.Referral)
	}
	if len(e.findings) == 0 {
		return nil, nil, takedown.NotFound(fmt.Errorf("whois: no answer is about the network of %s", a))
	}
	return e.findings, gaps, nil
}

// override replaces a registry's server by the configured one.
func (s *Source) override(server string) string {
	if server == "" {
		return ""
	}
	server = withPort(server)
	host, _, err := net.SplitHostPort(server)
	if err != nil {
		return server
	}
	for _, key := range append([]string{host}, registries[host]...) {
		if configured, ok := s.client.cfg.Servers[key]; ok {
			return configured
		}
	}
	return server
}

func networkLine(server string, a netip.Addr) string {
	if host, _, err := net.SplitHostPort(server); err == nil && host == "whois.arin.net" {
		return "n + " + a.String() // networks only, in full
	}
	return a.String()
}

func covering(r Record, a netip.Addr) string {
	for _, c := range r.Network.CIDRs {
		if p, err := netip.ParsePrefix(c); err == nil && p.Contains(a) {
			return c
		}
	}
	return ""
}

// emitter makes findings of one answer.
type emitter struct {
	source   *Source
	server   string
	raw      []byte
	now      time.Time
	findings []takedown.Finding
}

func (e *emitter) add(fact takedown.Fact, subject, value string, attrs map[string]string) {
	for k, v := range attrs {
		if v == "" {
			delete(attrs, k)
		}
	}
	e.findings = append(e.findings, takedown.Finding{
		Fact: fact, Subject: subject, Value: takedown.CleanText(value), Attrs: attrs,
		Source: e.source.Name(), Server: e.server, At: e.now, TTL: e.source.client.cfg.TTL, Raw: e.raw,
	})
}

func (e *emitter) network(a netip.Addr, cidr string, r Record) {
	e.add(takedown.FactNetwork, a.String(), r.Network.Name, map[string]string{"cidr": cidr, "handle": r.Network.Handle, "org": r.Network.Org})
	if r.Country != "" {
		e.add(takedown.FactCountry, a.String(), r.Country, map[string]string{"from": "network"})
	}
	e.contacts(resolvers.NetworkKey(cidr), r)
}

func (e *emitter) registration(domain string, r Record) {
	e.registrar(domain, r)
	for _, status := range r.Statuses {
		e.add(takedown.FactStatus, domain, status, nil)
	}
	for _, ns := range r.Nameservers {
		e.add(takedown.FactNameserver, domain, ns, nil)
	}
	if r.Created != "" {
		e.add(takedown.FactRegistered, domain, r.Created, nil)
	}
}

func (e *emitter) registrar(domain string, r Record) {
	if r.Registrar.Name == "" && r.Registrar.IANAID == "" {
		return
	}
	key := resolvers.RegistrarKey(domain, r.Registrar.Name, r.Registrar.IANAID)
	e.add(takedown.FactRegistrar, domain, r.Registrar.Name, map[string]string{"iana_id": r.Registrar.IANAID, "url": r.Registrar.URL})
	if code, ok := country.Code(r.Country); ok {
		e.add(takedown.FactCountry, key, code, map[string]string{"from": "registrar"})
	}
	e.contacts(key, r)
}

func (e *emitter) contacts(party string, r Record) {
	for _, c := range r.Contacts {
		e.add(takedown.FactContact, party, c.Email, resolvers.ContactAttrs(c))
	}
}
