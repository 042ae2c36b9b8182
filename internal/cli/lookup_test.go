package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"desist/takedown"
	"desist/templates"
)

type fakeResolver struct {
	res takedown.Resolution
	err error
}

func (f fakeResolver) Resolve(context.Context, takedown.Indicator) (takedown.Resolution, error) {
	return f.res, f.err
}

var someResolution = takedown.Resolution{
	Findings: []takedown.Finding{
		{Fact: takedown.FactAddress, Subject: "login.example.com", Value: "192.0.2.7", Source: "dns", Server: "192.0.2.53", Raw: []byte("\x00raw")},
		{Fact: takedown.FactNetwork, Subject: "192.0.2.7", Value: "EXAMPLE-NET", Source: "../rdap", Raw: []byte("{}")},
	},
	Parties: []takedown.Party{
		{
			Role: takedown.RoleHost, Key: "asn:64496", Name: "Example\x1b[2J Networks", Country: "NL", ASN: 64496, CountryConflicts: []string{"DE by label"},
			Why: "the abuse mailbox of the network was named by its registry, and everything else ranks below it, which is why nothing else was chosen",
			Contacts: []takedown.Contact{
				{Channel: takedown.ChannelEmail, Address: "abuse@host.example", Confidence: 0.85, Sources: []string{"rdap", "whois"}, Why: "role abuse"},
				{Channel: takedown.ChannelManual, Address: "https://host.example/report", Confidence: 0.6, Sources: []string{"rdap"}},
			},
		},
		{Role: takedown.RoleRegistrar, Key: "iana:9999", Name: "Example Registrar", GTLD: true, Why: "no contact was found"},
	},
	Gaps: []takedown.Gap{{Source: "whois", Server: "whois.nic.example", Query: "example.com", Reason: "throttled"}},
}

func pickNothing(party takedown.Party) templates.Selection {
	if party.Role == takedown.RoleRegistrar {
		return templates.Selection{Pack: "icann", Denied: "registrars are not told of this"}
	}
	return templates.Selection{Pack: "eu", Regime: "dsa16", Grade: "A/B", Warnings: []string{"the pack is not reviewed"}}
}

func TestLookupTree(t *testing.T) {
	r := lookup(t.Context(), fakeResolver{res: someResolution}, "hxxps://login[.]example[.]com/x", time.Second)
	if r.err != nil {
		t.Fatal(r.err)
	}
	out, text := newPrinter(80)
	printFound(out, r, pickNothing)
	golden(t, "lookup", text())
}

func TestLookupFailures(t *testing.T) {
	r := lookup(t.Context(), fakeResolver{}, "not a name", time.Second)
	if j := r.json(pickNothing); j.Error == "" || j.Indicator != nil || j.Parties == nil || j.Gaps == nil {
		t.Errorf("a bad indicator: %+v", j)
	}
	r = lookup(t.Context(), fakeResolver{err: takedown.Temporary(errors.New("away"))}, "example.com", time.Second)
	if j := r.json(pickNothing); j.Error != "away" || j.Indicator == nil {
		t.Errorf("a resolver that is away: %+v", j)
	}
}

// Raw answers stand under their hash; the name of a source cannot leave the
// folder.
func TestWriteRaw(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "answers")
	if err := writeRaw(dir, someResolution.Findings); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Fatalf("%v, %v", entries, err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "dns-"+rawName([]byte("\x00raw"))))
	if err != nil || string(data) != "\x00raw" {
		t.Errorf("%q, %v", data, err)
	}
}
