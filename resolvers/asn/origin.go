package asn

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"desist/resolvers"
	"desist/resolvers/country"
	"desist/takedown"
)

// LookupTXT returns the TXT records of a name and how long they may be kept; no
// record is an empty slice. The client of package dns has it.
type LookupTXT func(ctx context.Context, name string) ([]string, time.Duration, error)

// OriginConfig says where the origin zone is.
type OriginConfig struct {
	// Zone is the zone for IPv4, such as origin.asn.cymru.com. If its first
	// label is "origin", the zone for IPv6 is taken to begin with "origin6",
	// and the names of systems to stand in its parent; else all are in Zone.
	Zone   string
	Lookup LookupTXT
}

// Origin finds the autonomous system of an address.
type Origin struct {
	zone4, zone6, names string
	lookup              LookupTXT
}

var _ resolvers.Source = (*Origin)(nil)

// NewOrigin returns a source for the zone.
func NewOrigin(c OriginConfig) *Origin {
	zone := strings.ToLower(strings.Trim(c.Zone, "."))
	o := &Origin{zone4: zone, zone6: zone, names: zone, lookup: c.Lookup}
	if parent, ok := strings.CutPrefix(zone, "origin."); ok {
		o.zone6, o.names = "origin6."+parent, parent
	}
	return o
}

// Name is "asn".
func (o *Origin) Name() string { return "asn" }

// Find asks for the origin of an address; of a name it knows nothing.
func (o *Origin) Find(ctx context.Context, t resolvers.Target) ([]takedown.Finding, []takedown.Gap, error) {
	a, ok := t.Indicator.Addr()
	if !ok {
		return nil, nil, nil
	}
	zone := o.zone4
	if a = a.Unmap(); a.Is6() {
		zone = o.zone6
	}
	name := ReverseName(a) + "." + zone
	texts, ttl, err := o.lookup(ctx, name)
	if err != nil {
		return nil, nil, fmt.Errorf("asn: origin of %s: %w", a, err)
	}
	best, err := mostSpecific(texts, a)
	if err != nil {
		return nil, nil, fmt.Errorf("asn: origin of %s: %w", a, err)
	}
	if best.asn == 0 {
		return nil, nil, nil
	}
	finding := func(fact takedown.Fact, value string, attrs map[string]string, raw string) takedown.Finding {
		return takedown.Finding{Fact: fact, Subject: a.String(), Value: value, Attrs: attrs, Source: o.Name(), Server: zone, At: t.Now, TTL: ttl, Raw: []byte(raw)}
	}
	attrs := map[string]string{"cidr": best.prefix.String(), "registry": best.registry}
	var gaps []takedown.Gap
	system := "AS" + strconv.FormatUint(uint64(best.asn), 10)
	if texts, _, err := o.lookup(ctx, system+"."+o.names); err != nil {
		gaps = append(gaps, takedown.Gap{Source: o.Name(), Server: o.names, Query: system, Reason: err.Error()})
	} else if len(texts) > 0 {
		attrs["name"] = systemName(texts[0])
	}
	findings := []takedown.Finding{finding(takedown.FactASN, strconv.FormatUint(uint64(best.asn), 10), attrs, strings.Join(texts, "\n"))}
	if code, ok := country.Code(best.country); ok {
		findings = append(findings, finding(takedown.FactCountry, code, map[string]string{"from": "asn"}, strings.Join(texts, "\n")))
	}
	return findings, gaps, nil
}

// origin is one record of the zone.
type origin struct {
	asn               uint32
	prefix            netip.Prefix
	country, registry string
}

// mostSpecific reads the records and returns the one with the longest prefix
// that holds a. A prefix announced by several systems lists them all in the
// first field; the first is taken.
func mostSpecific(texts []string, a netip.Addr) (origin, error) {
	var best origin
	for _, text := range texts {
		fields := fieldsOf(text)
		if len(fields) < 4 {
			return origin{}, takedown.Permanent(fmt.Errorf("%q is not a record of an origin zone", text))
		}
		first, _, _ := strings.Cut(fields[0], " ")
		n, err1 := strconv.ParseUint(strings.TrimPrefix(strings.ToUpper(first), "AS"), 10, 32)
		prefix, err2 := netip.ParsePrefix(fields[1])
		if err1 != nil || err2 != nil {
			return origin{}, takedown.Permanent(fmt.Errorf("%q is not a record of an origin zone", text))
		}
		if prefix.Contains(a) && (best.asn == 0 || prefix.Bits() > best.prefix.Bits()) {
			best = origin{uint32(n), prefix.Masked(), fields[2], fields[3]}
		}
	}
	return best, nil
}

func fieldsOf(text string) []string {
	fields := strings.Split(text, "|")
	for i := range fields {
		fields[i] = strings.TrimSpace(fields[i])
	}
	return fields
}

// systemName is the last field, without the country that ends it.
func systemName(text string) string {
	fields := fieldsOf(text)
	if len(fields) < 5 {
		return ""
	}
	name := takedown.CleanText(fields[4])
	if i := strings.LastIndex(name, ", "); i > 0 && len(name)-i == 4 {
		name = name[:i]
	}
	return name
}

// ReverseName returns the labels of an address in reverse order: octets for
// IPv4, nibbles for IPv6 (RFC 5782 sections 2.1 and 2.4).
func ReverseName(a netip.Addr) string {
	b := a.AsSlice()
	labels := make([]string, 0, len(b)*2)
	for i := len(b) - 1; i >= 0; i-- {
		if a.Is4() {
			labels = append(labels, strconv.Itoa(int(b[i])))
			continue
		}
		labels = append(labels, strconv.FormatUint(uint64(b[i]&0xf), 16), strconv.FormatUint(uint64(b[i]>>4), 16))
	}
	return strings.Join(labels, ".")
}
