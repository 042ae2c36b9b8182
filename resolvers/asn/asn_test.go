package asn_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"desist/resolvers"
	"desist/resolvers/asn"
	"desist/resolvers/resolvertest"
	"desist/takedown"
)

var records = map[string][]string{
	"1.2.0.192.origin.asn.test":    {"64496 64497 | 192.0.2.0/24 | DE | ripencc | 2020-01-01", "64498 | 192.0.0.0/16 | US | arin | 2020-01-01"},
	"1.100.51.198.origin.asn.test": {"not a record"},
	"AS64496.asn.test":             {"64496 | DE | ripencc | 2020-01-01 | EXAMPLE-AS Example Hosting, DE"},
	"1.2.0.192.contacts.test":      {"abuse@hoster.example", "removed@hoster.example"},
	"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.origin6.asn.test": {"64496 | 2001:db8::/32 | DE | ripencc | 2020-01-01"},
}

func lookup(ctx context.Context, name string) ([]string, time.Duration, error) {
	switch name {
	case "9.2.0.192.origin.asn.test":
		return nil, 0, takedown.Temporary(errors.New("SERVFAIL"))
	case "8.2.0.192.origin.asn.test":
		<-ctx.Done()
		return nil, 0, ctx.Err()
	}
	return records[name], time.Hour, nil
}

func target(a string) resolvers.Target {
	addr := netip.MustParseAddr(a)
	kind := takedown.KindIPv4
	if addr.Is6() {
		kind = takedown.KindIPv6
	}
	return resolvers.Target{Indicator: takedown.Indicator{Kind: kind, Value: a, Host: a}, Now: time.Unix(0, 0)}
}

func TestOrigin(t *testing.T) {
	source := asn.NewOrigin(asn.OriginConfig{Zone: "origin.asn.test.", Lookup: lookup})
	unknown, hanging := target("192.0.2.77"), target("192.0.2.8")
	resolvertest.Run(t, resolvertest.Config{Source: source, Known: target("192.0.2.1"), Unknown: &unknown, Hanging: &hanging})
	for _, address := range []string{"192.0.2.1", "2001:db8::1"} {
		findings, gaps, err := source.Find(context.Background(), target(address))
		if err != nil || len(gaps) > 0 || len(findings) != 2 {
			t.Fatalf("%s: %+v, %+v, %v", address, findings, gaps, err)
		}
		if f := findings[0]; f.Fact != takedown.FactASN || f.Value != "64496" || f.Attrs["name"] != "EXAMPLE-AS Example Hosting" {
			t.Errorf("%s: %+v", address, f)
		}
		if f := findings[1]; f.Fact != takedown.FactCountry || f.Value != "DE" {
			t.Errorf("%s: %+v", address, f)
		}
	}
	for address, kind := range map[string]takedown.ErrorKind{"198.51.100.1": takedown.KindPermanent, "192.0.2.9": takedown.KindTemporary} {
		if _, _, err := source.Find(context.Background(), target(address)); takedown.KindOf(err) != kind {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestContacts(t *testing.T) {
	source := asn.NewContacts(asn.ContactsConfig{Zone: "contacts.test", Lookup: lookup})
	unknown := target("192.0.2.77")
	resolvertest.Run(t, resolvertest.Config{Source: source, Known: target("192.0.2.1"), Unknown: &unknown})
	findings, _, err := source.Find(context.Background(), target("192.0.2.1"))
	if err != nil || len(findings) != 1 || findings[0].Value != "abuse@hoster.example" || findings[0].Subject != "192.0.2.1" {
		t.Errorf("%+v, %v", findings, err)
	}
}
