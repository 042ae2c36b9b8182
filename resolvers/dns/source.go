package dns

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	mdns "github.com/miekg/dns"

	"desist/resolvers"
	"desist/takedown"
)

// SourceConfig says what a Source asks beyond addresses and name servers.
type SourceConfig struct {
	Client *Client
	// MX asks for the mail servers of the registrable domain too.
	MX bool
	// SOA asks for the start of authority of the registrable domain too.
	SOA bool
}

// A Source finds what the DNS says of a target.
type Source struct {
	client *Client
	extra  []uint16
}

var _ resolvers.Source = (*Source)(nil)

// NewSource returns a source that asks the client's servers.
func NewSource(c SourceConfig) *Source {
	s := &Source{client: c.Client}
	if c.MX {
		s.extra = append(s.extra, mdns.TypeMX)
	}
	if c.SOA {
		s.extra = append(s.extra, mdns.TypeSOA)
	}
	return s
}

// Name is "dns".
func (s *Source) Name() string { return "dns" }

// Find asks for the addresses of a host and the name servers of its registrable
// domain; of an address, for its reverse name.
func (s *Source) Find(ctx context.Context, t resolvers.Target) ([]takedown.Finding, []takedown.Gap, error) {
	c := collector{now: t.Now}
	if a, ok := t.Indicator.Addr(); ok {
		answer, err := s.client.Query(ctx, reverseName(a), mdns.TypePTR)
		if err != nil {
			return nil, nil, err
		}
		c.answer(answer, a.String())
		return c.findings, nil, nil
	}
	host, zone := t.Indicator.Host, t.Indicator.Registrable
	types := s.extra
	if zone != "" {
		types = append([]uint16{mdns.TypeNS}, types...)
	}
	answers := make([]Answer, len(types))
	errs := make([]error, len(types))
	var wg sync.WaitGroup
	for i, qtype := range types {
		wg.Go(func() { answers[i], errs[i] = s.client.Query(ctx, zone, qtype) })
	}
	h := s.client.lookupHost(ctx, host)
	wg.Wait()
	c.host(host, h)
	for i, err := range errs {
		if err == nil {
			c.answer(answers[i], zone)
		} else {
			c.gap(zone, err)
		}
	}
	if len(c.findings) == 0 && len(h.errs) > 0 {
		return nil, nil, errors.Join(h.errs...)
	}
	return c.findings, c.gaps, nil
}

// collector turns answers into findings.
type collector struct {
	now      time.Time
	findings []takedown.Finding
	gaps     []takedown.Gap
}

func (c *collector) host(host string, h hostAnswer) {
	seen := make(map[string]bool)
	for _, a := range h.answers {
		for _, rr := range a.Records {
			f := takedown.Finding{Subject: canonical(rr.Header().Name), TTL: time.Duration(rr.Header().Ttl) * time.Second}
			switch rr := rr.(type) {
			case *mdns.CNAME:
				f.Fact, f.Value = takedown.FactCNAME, canonical(rr.Target)
			default:
				addr, ok := recordAddr(rr)
				if !ok {
					continue
				}
				// The address is a fact about the host that was asked for; the
				// name at the end of the aliases is a detail.
				f.Fact, f.Value = takedown.FactAddress, addr.String()
				if f.Subject != canonical(host) {
					f.Attrs = map[string]string{"owner": f.Subject}
				}
				f.Subject = canonical(host)
			}
			if key := string(f.Fact) + f.Subject + " " + f.Value; !seen[key] {
				seen[key] = true
				c.add(f, a)
			}
		}
	}
	for _, err := range h.errs {
		c.gap(host, err)
	}
	if len(h.addrs) > 0 || len(h.errs) > 0 || len(h.answers) == 0 {
		return
	}
	value := "nodata"
	if h.nxdomain {
		value = "nxdomain"
	}
	last := h.answers[len(h.answers)-1]
	c.add(takedown.Finding{Fact: takedown.FactAbsent, Subject: canonical(host), Value: value, TTL: last.TTL}, last)
}

// answer adds the records of one answer about subject.
func (c *collector) answer(a Answer, subject string) {
	for _, rr := range a.Records {
		f := takedown.Finding{Subject: subject, TTL: time.Duration(rr.Header().Ttl) * time.Second}
		switch rr := rr.(type) {
		case *mdns.NS:
			f.Fact, f.Value = takedown.FactNameserver, canonical(rr.Ns)
		case *mdns.PTR:
			f.Fact, f.Value = takedown.FactPTR, canonical(rr.Ptr)
		case *mdns.MX:
			f.Fact, f.Value = takedown.FactNameserver, canonical(rr.Mx)
			f.Attrs = map[string]string{"kind": "mx", "preference": strconv.Itoa(int(rr.Preference))}
		case *mdns.SOA:
			f.Fact, f.Value = takedown.FactNameserver, canonical(rr.Ns)
			f.Attrs = map[string]string{"kind": "soa", "mailbox": canonical(rr.Mbox), "serial": strconv.FormatUint(uint64(rr.Serial), 10)}
		default:
			continue
		}
		if f.Value != "" {
			c.add(f, a)
		}
	}
}

func (c *collector) add(f takedown.Finding, a Answer) {
	f.Source, f.Server, f.At, f.Raw = "dns", a.Server, c.now, a.Raw
	c.findings = append(c.findings, f)
}

func (c *collector) gap(query string, err error) {
	c.gaps = append(c.gaps, takedown.Gap{Source: "dns", Query: query, Reason: err.Error()})
}
