package whois_test

import (
	"strings"
	"testing"

	"desist/resolvers/whois"
)

func TestOutcome(t *testing.T) {
	tests := []struct {
		body string
		want whois.Outcome
		wait int
	}{
		{"No match for domain \"X.TEST\".\r\n\r\nTerms: access is rate limited, queries exceeding the limit are blocked.", whois.NotFound, 0},
		{"Domain: x.test\nStatus: free\n", whois.NotFound, 0},
		{"%ERROR:101: no entries found\n", whois.NotFound, 0},
		{"x.test is free\n", whois.NotFound, 0},
		{"%ERROR:201: access denied for 192.0.2.1\n%\n% Queries from your IP address have passed the daily limit of controlled objects.\n% Query rate limit exceeded\n", whois.Throttled, 60},
		{"WHOIS LIMIT EXCEEDED - SEE WWW.REGISTRY.TEST FOR DETAILS\n", whois.Throttled, 60},
		{"You have exceeded your query limit. Try again in 5 minutes.\n", whois.Throttled, 300},
		{"Too many requests, wait 30 seconds\n", whois.Throttled, 30},
		{"This name is reserved by the Registry in accordance with policy.\n", whois.Reserved, 0},
		{"The service is temporarily unavailable, sorry.\n", whois.Unavailable, 0},
		{"\r\n", whois.Unavailable, 0},
		{"Domain Name: x.test\nRegistrar: R\n", whois.Found, 0},
		{"Domain Name: x.test\nDomain Status: reserved\nRegistrar: R\n\nYou exceeded nothing; quota exceeded is what others read.\n", whois.Found, 0},
	}
	for _, tt := range tests {
		got := whois.Parse("whois.test", "x.test", []byte(tt.body))
		if got.Outcome != tt.want || got.RetryAfterS != tt.wait {
			t.Errorf("%q: %s after %d s, want %s after %d s", tt.body, got.Outcome, got.RetryAfterS, tt.want, tt.wait)
		}
	}
}

func TestForms(t *testing.T) {
	tests := []struct {
		name, body                               string
		registrar, id, abuse, ns, created, state string
	}{
		{
			"colons", "Domain Name: X.TEST\nRegistrar: Names Ltd\nRegistrar IANA ID: 0099\nRegistrar Abuse Contact Email: abuse@names.example\nReseller:\nDomain Status: ok https://icann.org/epp#ok\nName Server: NS1.X.TEST\nCreation Date: 2025-01-02T03:04:05Z\n",
			"Names Ltd", "99", "abuse@names.example", "ns1.x.test", "2025-01-02T03:04:05Z", "ok",
		},
		{
			"indented sections", "    Domain name:\n        x.test\n\n    Registrar:\n        Names Ltd [Tag = NAMES]\n        URL: https://names.example\n\n    Relevant dates:\n        Registered on: 02-Jan-2025\n\n    Registration status:\n        Registered until expiry date.\n\n    Name servers:\n        ns1.x.test   192.0.2.1\n",
			"Names Ltd [Tag = NAMES]", "", "", "ns1.x.test", "2025-01-02T00:00:00Z", "Registered",
		},
		{
			"brackets", "[Domain Name]     X.TEST\n[Name Server]     ns1.x.test\n[State]           Connected (2027/01/31)\n[Created on]      2025/01/02\n",
			"", "", "", "ns1.x.test", "2025-01-02T00:00:00Z", "Connected",
		},
		{
			"leaders", "Domain Name............: x.test\nPrimary server.........: ns1.x.test\nDomain created: 2025-01-02 03:04:05 (GMT+1:00)\nDomain status : ok -\nCurrent Registrar: NAMES\n",
			"NAMES", "", "", "ns1.x.test", "2025-01-02T03:04:05+01:00", "ok",
		},
		{
			"objects", "domain:  x.test\nnserver: ns1.x.test 192.0.2.1\nstatus:  ACTIVE\ncreated: 2025-01-02T03:04:05Z\nregistrar: NAMES\n\nregistrar: NAMES\ne-mail:  abuse@names.example\ncountry: FR\n\nnic-hdl: P1\ne-mail:  owner@x.test\ncreated: 2000-01-01T00:00:00Z\n",
			"NAMES", "", "abuse@names.example", "ns1.x.test", "2025-01-02T03:04:05Z", "ACTIVE",
		},
		{
			"registry, then registrar", "Domain Name: X.TEST\nRegistrar: Names Ltd\nRegistrar Abuse Contact Email:\nName Server: ns1.x.test\n>>> Last update <<<\n\nTerms: Abuse Contact Email: nobody@terms.example\n\nDomain Name: x.test\nRegistrar Abuse Contact Email: abuse@names.example\n",
			"Names Ltd", "", "abuse@names.example", "ns1.x.test", "", "",
		},
	}
	for _, tt := range tests {
		r := whois.Parse("whois.test", "x.test", []byte(strings.ReplaceAll(tt.body, "\n", "\r\n")))
		got := []string{r.Registrar.Name, r.Registrar.IANAID, r.Registrar.AbuseEmail, strings.Join(r.Nameservers, " "), r.Created, strings.Join(r.Statuses, " ")}
		want := []string{tt.registrar, tt.id, tt.abuse, tt.ns, tt.created, tt.state}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%s: %q, want %q", tt.name, got, want)
				break
			}
		}
		for _, c := range r.Contacts {
			if strings.HasSuffix(c.Email, "@x.test") {
				t.Errorf("%s: the registrant's mailbox %s is a contact", tt.name, c.Email)
			}
		}
	}
}

func TestNetworks(t *testing.T) {
	tests := []struct {
		name, body, cidr, org, country, chosen string
	}{
		{"abuse-c", "inetnum: 192.0.2/24\nowner: Example SA\ncountry: BR\nabuse-c: AB1\n\nnic-hdl: AB1\ne-mail: sec@h.example\n\nnic-hdl: XX1\ne-mail: other@h.example\n", "192.0.2.0/24", "Example SA", "BR", "sec@h.example"},
		{"none registered", "% No abuse contact registered for 192.0.2.0 - 192.0.2.255\n\ninetnum: 192.0.2.0 - 192.0.2.255\ndescr: Example\ncountry: KE\nchanged: someone@h.example 2020\n", "192.0.2.0/24", "Example", "KE", ""},
		{"remarks of two purposes", "inetnum: 192.0.2.0 - 192.0.2.255\ncountry: GB\nremarks: Please send delisting issues to ip@h.example\nremarks: Send abuse to desk@h.example\n", "192.0.2.0/24", "", "GB", "desk@h.example"},
		{"most specific", "NetRange: 192.0.0.0 - 192.255.255.255\nCIDR: 192.0.0.0/8\nOrganization: Big (BIG)\n\nOrgName: Big\nCountry: US\nOrgAbuseEmail: abuse@big.example\n\nNetRange: 192.0.2.0 - 192.0.2.255\nCIDR: 192.0.2.0/24\nOrganization: Small (SMALL)\n\nOrgName: Small\nCountry: CA\nOrgAbuseEmail: abuse@small.example\n", "192.0.2.0/24", "Small", "CA", ""},
	}
	for _, tt := range tests {
		r := whois.Parse("whois.test", "192.0.2.1", []byte(tt.body))
		if r.Outcome != whois.Found || len(r.Network.CIDRs) == 0 || r.Network.CIDRs[0] != tt.cidr || r.Network.Org != tt.org || r.Country != tt.country {
			t.Errorf("%s: %+v, country %q", tt.name, r.Network, r.Country)
		}
		if tt.chosen != "" && r.Chosen != tt.chosen || tt.name == "none registered" && r.Chosen != "" {
			t.Errorf("%s: chosen %q, want %q", tt.name, r.Chosen, tt.chosen)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "Domain Name: x\nRegistrar:\n\tName\n\nName servers\nns1.x.test", "inetnum: 192.0.2.0 - 192.0.2.255\nabuse-c: X", "\x1b$B\xff\x00[a. [b] c]", "% Abuse contact for 'x' is 'a@b.example'\n\ninet6num: ::/0"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := whois.Parse("whois.test", "x.test", body)
		switch r.Outcome {
		case whois.Found, whois.NotFound, whois.Throttled, whois.Unavailable, whois.Reserved:
		default:
			t.Errorf("outcome %q", r.Outcome)
		}
		if r.Outcome != whois.Found && len(r.Contacts) > 0 {
			t.Errorf("%s with contacts %v", r.Outcome, r.Contacts)
		}
		if r.RetryAfterS < 0 || r.RetryAfterS > 86400 {
			t.Errorf("wait of %d s", r.RetryAfterS)
		}
		for _, c := range r.Contacts {
			if strings.ContainsAny(c.Email, "\r\n \x00") {
				t.Errorf("%q is no address", c.Email)
			}
		}
	})
}
