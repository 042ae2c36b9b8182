package resolvers_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"desist/resolvers"
	"desist/resolvers/mailbox"
	"desist/takedown"
)

var shop = takedown.Indicator{Kind: takedown.KindDomain, Value: "www.shop.test", Host: "www.shop.test", Registrable: "shop.test"}

func fact(f takedown.Fact, subject, value, source string, attrs ...string) takedown.Finding {
	m := make(map[string]string)
	for i := 0; i+1 < len(attrs); i += 2 {
		m[attrs[i]] = attrs[i+1]
	}
	return takedown.Finding{Fact: f, Subject: subject, Value: value, Source: source, Attrs: m}
}

func mail(subject, address, source string, kind mailbox.Kind) takedown.Finding {
	return fact(takedown.FactContact, subject, address, source, "channel", "email", "kind", string(kind))
}

// hosted is a shop on one network with a registrar.
func hosted(more ...takedown.Finding) []takedown.Finding {
	return append([]takedown.Finding{
		fact(takedown.FactAddress, "www.shop.test", "192.0.2.10", "dns"),
		fact(takedown.FactNetwork, "192.0.2.10", "EXAMPLE-NET", "rdap", "cidr", "192.0.2.0/24", "org", "Example Hosting"),
		fact(takedown.FactASN, "192.0.2.10", "64496", "asn", "cidr", "192.0.0.0/16", "name", "EXAMPLE-AS"),
		fact(takedown.FactCountry, "192.0.2.10", "DE", "rdap", "from", "network"),
		fact(takedown.FactRegistrar, "shop.test", "Example Names", "rdap", "iana_id", "9999"),
	}, more...)
}

func overrides(t testing.TB, text string) *resolvers.Overrides {
	t.Helper()
	o, err := resolvers.ParseOverrides([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// summary is a party in one line: role key name country contacts.
func summary(p takedown.Party) string {
	parts := []string{string(p.Role), p.Key, p.Name, p.Country}
	for _, c := range p.Contacts {
		parts = append(parts, string(c.Channel)+":"+c.Address)
	}
	return strings.Join(parts, " | ")
}

func TestMerge(t *testing.T) {
	const net = "net:192.0.2.0/24"
	const host, registrar = "host | net:192.0.2.0/24 | Example Hosting | DE", "registrar | iana:9999 | Example Names | "
	cdn := resolvers.CDN{Name: "Example CDN", ASNs: []uint32{64500}, Suffixes: []string{"cdn.test"}}
	tests := []struct {
		name      string
		indicator takedown.Indicator
		findings  []takedown.Finding
		rules     resolvers.Rules
		want      []string
		why       string // part of the first party's reason
	}{
		{
			"precedence", shop,
			hosted(mail(net, "noc@h.example", "rdap", mailbox.Other), mail(net, "remarks-abuse@h.example", "whois", mailbox.Remarks), mail(net, "cert@h.example", "whois", mailbox.AbuseC),
				mail("192.0.2.10", "abuse@h.example", "contact-zone", mailbox.Zone), mail("iana:9999", "abuse@names.example", "rdap", mailbox.RoleAbuse)),
			resolvers.Rules{},
			[]string{host + " | email:cert@h.example | email:abuse@h.example | email:remarks-abuse@h.example", registrar + " | email:abuse@names.example"},
			"cert@h.example won: abuse-c, by whois, confidence 0.90; then abuse@h.example (0.70)",
		},
		{
			"agreement", shop, hosted(mail(net, "Abuse@h.example", "rdap", mailbox.RoleAbuse), mail(net, "abuse@h.example", "whois", mailbox.AbuseC)),
			resolvers.Rules{},
			[]string{host + " | email:Abuse@h.example", registrar},
			"by rdap and whois, confidence 0.92",
		},
		{
			"hygiene", shop,
			hosted(mail(net, "removed@h.example", "rdap", mailbox.AbuseC), mail(net, "abuse@ripe.net", "rdap", mailbox.AbuseC), mail(net, "abuse@mail.shop.test", "rdap", mailbox.AbuseC),
				mail(net, "not an address", "rdap", mailbox.AbuseC), mail(net, "jane.doe@h.example", "rdap", mailbox.RoleAbuse), mail(net, "abuse@h.example", "whois", mailbox.AbuseC)),
			resolvers.Rules{},
			[]string{host + " | email:abuse@h.example", registrar},
			"abuse@mail.shop.test (inside the accused domain)",
		},
		{
			"a person is better than nobody", shop, hosted(mail(net, "jane.doe@h.example", "rdap", mailbox.AbuseC)),
			resolvers.Rules{},
			[]string{host + " | email:jane.doe@h.example", registrar},
			"",
		},
		{
			"none", shop, hosted(mail(net, "noc@h.example", "rdap", mailbox.Other)),
			resolvers.Rules{},
			[]string{host, registrar},
			"no contact can be used; left aside: noc@h.example (too unsure",
		},
		{
			"form only", shop, hosted(fact(takedown.FactContact, "iana:9999", "https://names.example/abuse", "rdap", "channel", "manual", "kind", "role-abuse")),
			resolvers.Rules{},
			[]string{host, registrar + " | manual:https://names.example/abuse"},
			"no source names a contact",
		},
		{
			"the enclosing network is a fallback", shop,
			hosted(fact(takedown.FactNetwork, "192.0.2.10", "BIG", "whois", "cidr", "192.0.0.0/16"), mail("net:192.0.0.0/16", "abuse@big.example", "whois", mailbox.AbuseC)),
			resolvers.Rules{},
			[]string{host + " | email:abuse@big.example", registrar},
			"it answers for the enclosing network 192.0.0.0/16",
		},
		{
			"only the AS is known", shop,
			[]takedown.Finding{fact(takedown.FactAddress, "www.shop.test", "192.0.2.10", "dns"), fact(takedown.FactASN, "192.0.2.10", "64496", "asn", "name", "EXAMPLE-AS"), mail("192.0.2.10", "abuse@h.example", "contact-zone", mailbox.Zone)},
			resolvers.Rules{},
			[]string{"host | asn:64496 | EXAMPLE-AS |  | email:abuse@h.example"},
			"",
		},
		{
			"CDN by alias", shop, hosted(fact(takedown.FactCNAME, "www.shop.test", "edge7.cdn.test", "dns")),
			resolvers.Rules{CDNs: []resolvers.CDN{cdn}},
			[]string{"cdn | net:192.0.2.0/24 | Example CDN | DE", registrar},
			"",
		},
		{
			"CDN by AS", shop,
			[]takedown.Finding{fact(takedown.FactAddress, "www.shop.test", "192.0.2.10", "dns"), fact(takedown.FactASN, "192.0.2.10", "64500", "asn")},
			resolvers.Rules{CDNs: []resolvers.CDN{cdn}},
			[]string{"cdn | asn:64500 | Example CDN | "},
			"",
		},
		{
			"platform without registrar",
			takedown.Indicator{Kind: takedown.KindDomain, Value: "x.pages.test", Host: "x.pages.test", Registrable: "pages.test", Platform: "pages.test"},
			[]takedown.Finding{fact(takedown.FactRegistrar, "pages.test", "Example Names", "rdap", "iana_id", "9999")},
			resolvers.Rules{Overrides: overrides(t, "overrides:\n- match: {suffix: pages.test}\n  name: Pages\n  contacts: [{email: abuse@pages.test}, {form: 'https://pages.test/abuse'}]\n  provider: true\n")},
			[]string{"platform | platform:pages.test | Pages |  | email:abuse@pages.test | manual:https://pages.test/abuse"},
			"",
		},
		{
			"suffix rule makes a platform", shop, hosted(),
			resolvers.Rules{Overrides: overrides(t, "overrides:\n- match: {suffix: shop.test}\n  contacts: [{email: abuse@platform.example}]\n")},
			[]string{host, "platform | platform:shop.test | shop.test |  | email:abuse@platform.example"},
			"",
		},
		{
			"override wins", shop, hosted(mail(net, "abuse@h.example", "whois", mailbox.AbuseC)),
			resolvers.Rules{Overrides: overrides(t, "overrides:\n- match: {cidr: 192.0.2.0/25}\n  country: France\n  contacts: [{webhook: 'https://h.example/hook'}, {email: desk@h.example}]\n- match: {party: 'iana:9999'}\n  only: true\n")},
			[]string{"host | net:192.0.2.0/24 | Example Hosting | FR | webhook:https://h.example/hook | email:desk@h.example | email:abuse@h.example", registrar},
			"set by the operator",
		},
		{
			"registry by override", shop, hosted(),
			resolvers.Rules{Overrides: overrides(t, "overrides:\n- match: {party: 'registry:test'}\n  contacts: [{email: abuse@registry.example}]\n")},
			[]string{host, registrar, "registry | registry:test | .test registry |  | email:abuse@registry.example"},
			"",
		},
		{
			"one desk, one notice", shop,
			hosted(fact(takedown.FactAddress, "www.shop.test", "198.51.100.1", "dns"), fact(takedown.FactNetwork, "198.51.100.1", "TWO", "rdap", "cidr", "198.51.100.0/24"),
				mail(net, "abuse@h.example", "rdap", mailbox.AbuseC), mail("net:198.51.100.0/24", "abuse@h.example", "rdap", mailbox.AbuseC)),
			resolvers.Rules{},
			[]string{host + " | email:abuse@h.example", registrar},
			"also responsible for net:198.51.100.0/24",
		},
		{
			"registrar without ID",
			takedown.Indicator{Kind: takedown.KindDomain, Value: "shop.de", Host: "shop.de", Registrable: "shop.de"},
			[]takedown.Finding{fact(takedown.FactRegistrar, "shop.de", "Example Names GmbH", "whois"), mail("registrar:de/example-names-gmbh", "abuse@names.example", "whois", mailbox.Registrar)},
			resolvers.Rules{},
			[]string{"registrar | registrar:de/example-names-gmbh | Example Names GmbH |  | email:abuse@names.example"},
			"",
		},
		{
			"two names for one registrar", shop,
			hosted(fact(takedown.FactRegistrar, "shop.test", "EXAMPLE NAMES LLC", "whois"), mail("registrar:test/example-names-llc", "abuse@names.example", "whois", mailbox.RegistrarAbuse)),
			resolvers.Rules{},
			[]string{host, registrar + " | email:abuse@names.example"},
			"",
		},
		{"nothing", shop, nil, resolvers.Rules{}, nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			parties := resolvers.Merge(tt.indicator, tt.findings, tt.rules)
			var got []string
			for _, p := range parties {
				got = append(got, summary(p))
				if p.Why == "" {
					t.Errorf("%s: no reason is given", p.Key)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if tt.why != "" && !strings.Contains(parties[0].Why, tt.why) {
				t.Errorf("reason %q does not say %q", parties[0].Why, tt.why)
			}
		})
	}
}

func TestMergeCountryConflict(t *testing.T) {
	parties := resolvers.Merge(shop, hosted(
		fact(takedown.FactCountry, "192.0.2.10", "NL", "asn", "from", "asn"),
		fact(takedown.FactCountry, "192.0.2.10", "DE", "whois", "from", "network"),
		fact(takedown.FactCountry, "iana:9999", "US", "rdap", "from", "jcard cc"),
	), resolvers.Rules{})
	if parties[0].Country != "DE" || cmp.Diff([]string{"NL (asn asn)"}, parties[0].CountryConflicts) != "" {
		t.Errorf("host: %s, conflicts %q", parties[0].Country, parties[0].CountryConflicts)
	}
	if parties[1].Country != "US" || !parties[1].GTLD {
		t.Errorf("registrar: %s, gTLD %v", parties[1].Country, parties[1].GTLD)
	}
}

// TestMergeNeverAddsContacts draws findings and checks what must hold for all.
func TestMergeNeverAddsContacts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kinds := []mailbox.Kind{mailbox.AbuseC, mailbox.RoleAbuse, mailbox.Zone, mailbox.Remarks, mailbox.Other, "unheard-of"}
		address := rapid.SampledFrom([]string{"abuse@h.example", "jane.doe@h.example", "removed@h.example", "abuse@ripe.net", "abuse@shop.test", "x", "noc@h.example"})
		findings := hosted()
		stated := make(map[string]bool)
		for range rapid.IntRange(0, 12).Draw(t, "contacts") {
			a := address.Draw(t, "address")
			stated[a] = true
			findings = append(findings, mail(rapid.SampledFrom([]string{"net:192.0.2.0/24", "192.0.2.10", "asn:64496", "iana:9999"}).Draw(t, "subject"), a, "rdap", rapid.SampledFrom(kinds).Draw(t, "kind")))
		}
		for _, p := range resolvers.Merge(shop, findings, resolvers.Rules{}) {
			last := 2.0
			for _, c := range p.Contacts {
				if !stated[c.Address] {
					t.Fatalf("%s was not stated by any source", c.Address)
				}
				switch c.Address {
				case "removed@h.example", "abuse@ripe.net", "abuse@shop.test", "x":
					t.Fatalf("%s must not be used", c.Address)
				}
				if c.Confidence > last || c.Confidence < 0 || c.Confidence > 1 {
					t.Fatalf("confidence %.2f after %.2f", c.Confidence, last)
				}
				last = c.Confidence
			}
		}
	})
}

func TestParseOverrides(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "overrides: []": "",
		"overrides:\n- match: {asn: 64496}\n  contacts: [{email: abuse@h.example}]": "",
		"overides: []":                                                      "overides",
		"overrides:\n- match: {}":                                           "overrides[0]: match",
		"overrides:\n- match: {cidr: 192.0.2.0}":                            "match.cidr",
		"overrides:\n- match: {asn: 1, role: king}":                         "match.role",
		"overrides:\n- match: {asn: 1}\n  country: Atlantis":                "Atlantis",
		"overrides:\n- match: {asn: 1}\n  contacts: [{}]":                   "contacts[0]: set exactly one",
		"overrides:\n- match: {asn: 1}\n  contacts: [{email: x}]":           "not a mail address",
		"overrides:\n- match: {asn: 1}\n  contacts: [{form: 'ftp://h.x/'}]": "not an http URL",
	} {
		_, err := resolvers.ParseOverrides([]byte(text))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if o, err := resolvers.LoadOverrides(""); err != nil || o == nil {
		t.Errorf("no file: %v", err)
	}
	if _, err := resolvers.LoadOverrides("testdata/none.yaml"); err == nil {
		t.Error("a file that is not there was read")
	}
}

func FuzzParseOverrides(f *testing.F) {
	f.Add("overrides:\n- match: {asn: 64496, cidr: 192.0.2.0/24}\n  contacts: [{email: abuse@h.example}]")
	f.Add("overrides:\n- match: {asn: 1}\n  contacts: !0 0") // made the YAML library panic
	f.Fuzz(func(_ *testing.T, text string) { _, _ = resolvers.ParseOverrides([]byte(text)) })
}
