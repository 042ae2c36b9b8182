package rdap

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"desist/resolvers"
	"desist/resolvers/mailbox"
	"desist/takedown"
)

// Config is what a Source needs.
type Config struct {
	HTTP    Doer // guarded, see Doer
	Locator Locator
	Budget  Budget
	// UserAgent names the service to the servers.
	UserAgent string
	Now       func() time.Time
	// TTL is how long an answer may be kept; a day when zero.
	TTL time.Duration
}

// A Source finds the network of an address or the registration of a domain.
type Source struct{ cfg Config }

var _ resolvers.Source = (*Source)(nil)

// New returns a source.
func New(c Config) *Source {
	if c.UserAgent == "" {
		c.UserAgent = "desist"
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.TTL <= 0 {
		c.TTL = 24 * time.Hour
	}
	return &Source{c}
}

// Name is "rdap".
func (s *Source) Name() string { return "rdap" }

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

func (s *Source) network(ctx context.Context, a netip.Addr, now time.Time) ([]takedown.Finding, []takedown.Gap, error) {
	servers, err := s.cfg.Locator.Addr(ctx, a)
	if err != nil {
		return nil, nil, err
	}
	answer, err := s.query(ctx, servers, "ip", a.String())
	if err != nil {
		return nil, nil, err
	}
	r, err := Parse(a.String(), answer.body)
	if err != nil {
		return nil, nil, fmt.Errorf("rdap: query %s at %s: %w", a, answer.server, err)
	}
	if r.Object != "ip network" {
		return nil, nil, takedown.Permanent(fmt.Errorf("rdap: query %s at %s: the answer is a %s, not a network", a, answer.server, r.Object))
	}
	e := emitter{source: s, server: answer.server, raw: answer.body, now: now}
	var gaps []takedown.Gap
	attrs := map[string]string{"handle": r.Handle, "org": r.Org}
	cidr := covering(r, a)
	if cidr == "" {
		gaps = append(gaps, takedown.Gap{Source: "rdap", Server: answer.server, Query: a.String(), Reason: "the answer is about another network: " + r.Handle})
		return nil, gaps, nil
	}
	attrs["cidr"] = cidr
	e.add(takedown.FactNetwork, a.String(), r.Name, attrs)
	for _, c := range r.Countries {
		e.add(takedown.FactCountry, a.String(), c.Code, map[string]string{"from": c.From})
	}
	e.contacts("net:"+cidr, r)
	return e.findings, append(gaps, redacted(r, answer.server, a.String())...), nil
}

// covering returns the prefix of the network that holds a.
func covering(r Record, a netip.Addr) string {
	for _, c := range r.CIDRs {
		if p, err := netip.ParsePrefix(c); err == nil && p.Contains(a) {
			return p.String()
		}
	}
	return ""
}

func (s *Source) domain(ctx context.Context, domain string, now time.Time) ([]takedown.Finding, []takedown.Gap, error) {
	servers, err := s.cfg.Locator.Domain(ctx, domain)
	if err != nil {
		return nil, nil, err
	}
	answer, err := s.query(ctx, servers, "domain", domain)
	if err != nil {
		return nil, nil, err
	}
	r, err := Parse(domain, answer.body)
	if err != nil {
		return nil, nil, fmt.Errorf("rdap: query %s at %s: %w", domain, answer.server, err)
	}
	if r.Object != "domain" || r.Name != "" && !strings.EqualFold(r.Name, domain) {
		return nil, nil, takedown.Permanent(fmt.Errorf("rdap: query %s at %s: the answer is about %s %s", domain, answer.server, r.Object, r.Name))
	}
	e := emitter{source: s, server: answer.server, raw: answer.body, now: now}
	e.registration(domain, r)
	gaps := redacted(r, answer.server, domain)
	if r.Chosen == "" && r.Related != "" {
		if err := s.hop(ctx, domain, r, &e); err != nil {
			gaps = append(gaps, takedown.Gap{Source: "rdap", Server: r.Related, Query: domain, Reason: err.Error()})
		}
	}
	return e.findings, gaps, nil
}

// hop completes a thin answer from the registrar's own server, once. The
// registry's word on the registrar's identity stands.
func (s *Source) hop(ctx context.Context, domain string, registry Record, e *emitter) error {
	u, err := url.Parse(registry.Related)
	if err != nil || u.Host == "" {
		return takedown.Permanent(fmt.Errorf("rdap: the link to the registrar's answer, %q, is no URL", registry.Related))
	}
	answer, err := s.get(ctx, u)
	if err != nil {
		return err
	}
	r, err := Parse(domain, answer.body)
	if err != nil {
		return err
	}
	if r.Object != "domain" || !strings.EqualFold(r.Name, domain) {
		return takedown.Permanent(fmt.Errorf("rdap: the registrar's answer is about %s %s", r.Object, r.Name))
	}
	e.server, e.raw = answer.server, answer.body
	if registry.Registrar.Name == "" && registry.Registrar.IANAID == "" {
		e.registration(domain, r)
		return nil
	}
	r.Registrar = registry.Registrar
	e.contacts(registrarKey(domain, r.Registrar), r)
	return nil
}

// redacted says so when a server withheld something and no contact was left.
func redacted(r Record, server, query string) []takedown.Gap {
	if r.Chosen != "" || len(r.Redacted) == 0 {
		return nil
	}
	return []takedown.Gap{{Source: "rdap", Server: server, Query: query, Reason: "the server withheld (RFC 9537): " + strings.Join(r.Redacted, ", ")}}
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
		Source: "rdap", Server: e.server, At: e.now, TTL: e.source.cfg.TTL, Raw: e.raw,
	})
}

func (e *emitter) registration(domain string, r Record) {
	if r.Registrar != (Registrar{}) {
		e.add(takedown.FactRegistrar, domain, r.Registrar.Name, map[string]string{"iana_id": r.Registrar.IANAID})
		for _, c := range r.RegistrarCountries {
			e.add(takedown.FactCountry, registrarKey(domain, r.Registrar), c.Code, map[string]string{"from": c.From})
		}
		e.contacts(registrarKey(domain, r.Registrar), r)
	}
	for _, status := range r.Statuses {
		e.add(takedown.FactStatus, domain, status, nil)
	}
	for _, ns := range r.Nameservers {
		e.add(takedown.FactNameserver, domain, ns, nil)
	}
	if !r.Registered.IsZero() {
		e.add(takedown.FactRegistered, domain, r.Registered.UTC().Format(time.RFC3339), nil)
	}
}

func (e *emitter) contacts(party string, r Record) {
	for _, c := range r.Contacts {
		e.add(takedown.FactContact, party, c.Email, resolvers.ContactAttrs(c))
	}
	for _, form := range r.Forms {
		e.add(takedown.FactContact, party, form, map[string]string{"channel": string(takedown.ChannelManual), "kind": string(mailbox.RoleAbuse), "role": "abuse"})
	}
}

func registrarKey(domain string, r Registrar) string {
	return resolvers.RegistrarKey(domain, r.Name, r.IANAID)
}
