package simnet

import (
	"encoding/json"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openrdap/rdap"
	"github.com/openrdap/rdap/bootstrap"
)

// decode reads an answer with a decoder that is not ours.
func decode[T any](t *testing.T, body string) *T {
	t.Helper()
	v, err := rdap.NewDecoder([]byte(body)).Decode()
	if err != nil {
		t.Fatalf("openrdap: %v\n%s", err, body)
	}
	out, ok := v.(*T)
	if !ok {
		t.Fatalf("openrdap read a %T:\n%s", v, body)
	}
	return out
}

func (w world) rdap(t *testing.T, server, query string) (int, string) {
	t.Helper()
	return get(t, http.DefaultClient, w.RDAPURL(server)+query, "test")
}

func TestRDAPDomain(t *testing.T) {
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	w := startTiny(t)
	code, body := w.rdap(t, "reg-com", "domain/sim-phish-0001-amber.com")
	if code != http.StatusOK {
		t.Fatalf("%d %s", code, body)
	}
	d := decode[rdap.Domain](t, body)
	if d.LDHName != "SIM-PHISH-0001-AMBER.COM" || len(d.Nameservers) != 2 || d.Status[0] != "active" {
		t.Errorf("domain %+v", d)
	}
	registrar := d.Entities[0]
	if registrar.Roles[0] != "registrar" || registrar.PublicIDs[0].Identifier != "990001" {
		t.Errorf("registrar %+v", registrar)
	}
	if abuse := registrar.Entities[0]; abuse.Roles[0] != "abuse" || abuse.VCard.Email() != "abuse@sim-namewell.com" {
		t.Errorf("abuse %+v", abuse.VCard)
	}
	related := ""
	for _, l := range d.Links {
		if l.Rel == "related" {
			related = l.Href
		}
	}
	if related != w.RDAPURL("namewell")+"domain/sim-phish-0001-amber.com" {
		t.Fatalf("related link %q", related)
	}
	if code, body := get(t, http.DefaultClient, related, "test"); code != http.StatusOK {
		t.Errorf("registrar: %d %s", code, body)
	}
	w.SetSite("sim-phish-0001-amber.com", "hold")
	_, body = w.rdap(t, "reg-com", "domain/sim-phish-0001-amber.com")
	if d := decode[rdap.Domain](t, body); d.Status[0] != "client hold" {
		t.Errorf("status %v", d.Status)
	}
}

func TestRDAPNetworks(t *testing.T) {
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	w := startTiny(t)
	for _, test := range []struct{ server, query, start, country, mailbox string }{
		{"ripe", "ip/192.0.2.7", "192.0.2.0", "DE", "abuse@sim-prompt.de"},
		{"ripe", "ip/2001:db8:100::7", "2001:db8:100::", "DE", "abuse@sim-prompt.de"},
		{"arin", "ip/198.51.100.3", "198.51.100.0", "", "abuse@sim-relapse.com"},
		{"apnic", "ip/203.0.113.5", "203.0.113.0", "SG", "abuse@sim-undns.net"},
		{"lacnic", "ip/203.0.113.20", "203.0.113.16", "BR", "abuse@sim-greylist.net"},
		{"afrinic", "ip/203.0.113.40", "203.0.113.32", "ZA", "abuse@sim-busy.net"},
		{"lacnic", "ip/203.0.113.50", "203.0.113.48", "BR", ""},
	} {
		code, body := w.rdap(t, test.server, test.query)
		if code != http.StatusOK {
			t.Fatalf("%s: %d %s", test.query, code, body)
		}
		n := decode[rdap.IPNetwork](t, body)
		if n.StartAddress != test.start || n.Country != test.country {
			t.Errorf("%s: start %s country %s", test.query, n.StartAddress, n.Country)
		}
		if got := abuseMailbox(n.Entities); got != test.mailbox {
			t.Errorf("%s: abuse mailbox %q, want %q", test.query, got, test.mailbox)
		}
	}
	if code, _ := w.rdap(t, "arin", "ip/192.0.2.7"); code != http.StatusNotFound {
		t.Errorf("the wrong region answered %d", code)
	}
	code, body := w.rdap(t, "ripe", "autnum/64496")
	if a := decode[rdap.Autnum](t, body); code != http.StatusOK || a.Name != "PROMPT-HOST-AS" {
		t.Errorf("autnum %d %+v", code, a)
	}
	code, body = w.rdap(t, "ripe", "entity/ORG-PROMPT-HOST-SIM")
	if e := decode[rdap.Entity](t, body); code != http.StatusOK || abuseMailbox(e.Entities) != "abuse@sim-prompt.de" {
		t.Errorf("entity %d %+v", code, e)
	}
}

func abuseMailbox(list []rdap.Entity) string {
	for _, e := range list {
		for _, role := range e.Roles {
			if role == "abuse" && e.VCard != nil {
				return e.VCard.Email()
			}
		}
		if m := abuseMailbox(e.Entities); m != "" {
			return m
		}
	}
	return ""
}

func TestRDAPMisbehaves(t *testing.T) {
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	w := startTiny(t)
	if err := w.Fault(Faults{RDAP: &RDAPFault{Server: "ripe", Status: 429, Rate: 0.5, RetryAfter: 7}}); err != nil {
		t.Fatal(err)
	}
	throttled := 0
	for range 10 {
		resp, err := http.Get(w.RDAPURL("ripe") + "ip/192.0.2.7")
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode == http.StatusTooManyRequests {
			throttled++
			if resp.Header.Get("Retry-After") != "7" {
				t.Errorf("Retry-After %q", resp.Header.Get("Retry-After"))
			}
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if throttled != 5 {
		t.Errorf("%d of 10 answers were 429, want 5", throttled)
	}
	_, body := w.rdap(t, "oddcards", "domain/sim-shop-0005-ember.de")
	if strings.Contains(body, `"objectClassName":"domain"`) || !strings.Contains(body, `"Floor 2"`) {
		t.Errorf("quirks are missing: %s", body)
	}
	_, body = w.rdap(t, "reg-io", "domain/github.io")
	if !strings.Contains(body, `"redacted"`) || strings.Contains(body, "abuse@sim-namewell.com") {
		t.Errorf("redaction is missing: %s", body)
	}
	_, body = w.rdap(t, "formonly", "domain/sim-phish-0002-birch.nl")
	if !strings.Contains(body, "contact-uri") || strings.Contains(body, `"email"`) {
		t.Errorf("form only: %s", body)
	}
}

func TestBootstrap(t *testing.T) {
	w := startTiny(t)
	dir := filepath.Join(t.TempDir(), "rdap")
	if err := w.WriteBootstrap(dir); err != nil {
		t.Fatal(err)
	}
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	names, err := bootstrap.NewDNSRegistry(read("dns.json"))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := names.Lookup(&bootstrap.Question{Query: "sim-phish-0001-amber.com"})
	if err != nil || len(answer.URLs) != 1 || answer.URLs[0].String() != w.RDAPURL("reg-com") {
		t.Errorf("com: %v %+v", err, answer)
	}
	if answer, err := names.Lookup(&bootstrap.Question{Query: "sim-x.de"}); err != nil || len(answer.URLs) != 0 {
		t.Errorf("de is in the bootstrap: %v %+v", err, answer)
	}
	for file, cases := range map[string]map[string]string{
		"ipv4.json": {"192.0.2.7": "ripe", "198.51.100.3": "arin", "203.0.113.20": "lacnic"},
		"ipv6.json": {"2001:db8:100::7": "ripe"},
	} {
		version := 4
		if file == "ipv6.json" {
			version = 6
		}
		nets, err := bootstrap.NewNetRegistry(read(file), version)
		if err != nil {
			t.Fatal(err)
		}
		for addr, server := range cases {
			answer, err := nets.Lookup(&bootstrap.Question{Query: netip.MustParseAddr(addr).String()})
			if err != nil || len(answer.URLs) != 1 || answer.URLs[0].String() != w.RDAPURL(server) {
				t.Errorf("%s: %v %+v", addr, err, answer)
			}
		}
	}
	if _, err := bootstrap.NewASNRegistry(read("asn.json")); err != nil {
		t.Error(err)
	}
	if !json.Valid(read("object-tags.json")) {
		t.Error("object-tags.json is not JSON")
	}
	if u, err := url.Parse(w.BootstrapURL()); err != nil || u.Hostname() != "127.0.0.1" {
		t.Errorf("bootstrap URL %s", w.BootstrapURL())
	}
}

// whois asks through the dialer, as a client that follows a referral does.
func (w world) whoisQuery(t *testing.T, addr, query string) string {
	t.Helper()
	c, err := w.Dial(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := io.WriteString(c, query+"\r\n"); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(c)
	if err != nil {
		return "error: " + err.Error()
	}
	return string(b)
}

func TestWHOIS(t *testing.T) {
	w := startTiny(t)
	for _, test := range []struct {
		server, query string
		want          []string
	}{
		{"iana", "com", []string{"refer:        whois.sim-registry-com.net\r\n"}},
		{"iana", "192.0.2.7", []string{"refer:        whois.sim-ripe.net\r\n"}},
		{"reg-com", "domain sim-phish-0001-amber.com", []string{"Registrar WHOIS Server: whois.sim-namewell.com\r\n", "Registrar IANA ID: 990001\r\n"}},
		{"namewell", "sim-phish-0001-amber.com", []string{"Registrar Abuse Contact Email: abuse@sim-namewell.com\r\n", "REDACTED FOR PRIVACY"}},
		{"namewell", "sim-phish-0002-birch.nl", []string{"No match for"}},
		{"reg-de", "sim-shop-0005-ember.de", []string{"Domain: sim-shop-0005-ember.de\r\n", "Status: connect\r\n"}},
		{"reg-nl", "sim-phish-0002-birch.nl", []string{"Registrar:\r\n   Form Only", "Status:      active"}},
		{"reg-nl", "sim-none.nl", []string{"sim-none.nl is free"}},
		{"ripe", "-B 192.0.2.7", []string{"% Abuse contact for '192.0.2.0 - 192.0.2.15' is 'abuse@sim-prompt.de'\r\n", "country:        DE\r\n"}},
		{"ripe", "198.51.100.3", []string{"%ERROR:101: no entries found"}},
		{"arin", "n + 198.51.100.3", []string{"OrgAbuseEmail:  abuse@sim-relapse.com\r\n", "CIDR:           198.51.100.0/28\r\n"}},
		{"apnic", "203.0.113.5", []string{"mnt-irt:        IRT-UNDNS-HOST-SIM\r\n"}},
		{"lacnic", "203.0.113.20", []string{"owner:          Greylist", "e-mail:         abuse@sim-greylist.net\r\n"}},
		{"afrinic", "203.0.113.40", []string{"abuse-mailbox:  abuse@sim-busy.net\r\n"}},
	} {
		got := w.whoisQuery(t, w.WHOISAddr(test.server), test.query)
		for _, want := range test.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s %q: no %q in\n%s", test.server, test.query, want, got)
			}
		}
	}
	if got := w.whoisQuery(t, "whois.sim-ripe.net:43", "192.0.2.7"); !strings.Contains(got, "abuse@sim-prompt.de") {
		t.Errorf("by name: %s", got)
	}
	if err := w.Fault(Faults{WHOIS: &WHOISFault{Server: "reg-com", Mode: "ratelimit"}}); err != nil {
		t.Fatal(err)
	}
	if got := w.whoisQuery(t, w.WHOISAddr("reg-com"), "sim-phish-0001-amber.com"); !strings.Contains(got, "%% rate limit") {
		t.Errorf("rate limit: %s", got)
	}
}
