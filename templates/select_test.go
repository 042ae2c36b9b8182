package templates

import (
	"strings"
	"testing"
	"time"

	"desist/takedown"
)

func TestSelect(t *testing.T) {
	lib := load(t)
	day := 24 * time.Hour
	for _, tt := range []struct {
		country      string
		role         takedown.Role
		class        takedown.Class
		gtld         bool
		at           time.Time
		pack, regime string
		denied, warn string
	}{
		{"DE", "host", "phishing", false, now, "eu-de", "dsa16", "", ""},
		{"de", "platform", "fraudshop", false, now, "eu-de", "dsa16", "", ""},
		{"DE", "isp", "attack", false, now, "eu-de", "tkg169", "", ""},
		{"DE", "isp", "phishing", false, now, "xx", "aup", "", ""},
		{"DE", "cdn", "phishing", false, now, "xx", "aup", "", ""},
		{"DE", "registrar", "phishing", true, now, "icann", "raa3182", "", ""},
		{"DE", "registrar", "phishing", false, now, "xx", "registration", "", ""},
		{"DE", "registry", "phishing", false, now, "eu-de", "", "DENIC", ""},
		{"DE", "registry", "phishing", true, now, "icann", "registration", "", ""},
		{"NL", "host", "c2", false, now, "eu-nl", "dsa16", "", ""},
		{"FR", "host", "malware", false, now, "eu", "dsa16", "", ""},
		{"EL", "host", "malware", false, now, "eu", "dsa16", "", ""},
		{"FR", "isp", "attack", false, now, "xx", "aup", "", ""},
		{"US", "host", "phishing", false, now, "xx", "aup", "", ""},
		{"", "host", "phishing", false, now, "xx", "aup", "", ""},
		{"UK", "host", "phishing", false, now, "xx", "aup", "", ""},
		{"US", "registrar", "c2", true, now, "icann", "raa3182", "", ""},
		{"US", "registrar", "fraudshop", true, now, "icann", "registration", "", ""},
		{"US", "registrar", "spam", true, now, "icann", "registration", "", ""},
		{"US", "registrar", "compromised", true, now, "icann", "registration", "", ""},
		{"US", "registrar", "attack", true, now, "icann", "", "attacks come from an address", ""},
		{"US", "registrar", "attack", false, now, "xx", "", "attacks come from an address", ""},
		{"DE", "csirt", "c2", false, now, "xx", "csirt", "", ""},
		{"DE", "upstream", "c2", false, now, "xx", "aup", "", ""},
		{"DE", "host", "phishing", false, now.Add(400 * day), "xx", "aup", "", "pack eu-de is stale"},
		{"DE", "host", "phishing", false, now.Add(-5 * 365 * day), "xx", "aup", "", "pack eu-de is valid from 2024-05-14"},
		{"US", "registrar", "phishing", true, now.Add(400 * day), "xx", "registration", "", "pack icann is stale"},
		{"US", "host", "phishing", false, now.Add(400 * day), "xx", "aup", "", "pack xx is stale"},
	} {
		s := lib.Select(tt.country, tt.role, tt.class, tt.gtld, tt.at)
		if s.Pack != tt.pack || s.Regime != tt.regime || (s.Denied == "") != (tt.denied == "") || !strings.Contains(s.Denied, tt.denied) {
			t.Errorf("%s %s %s gtld=%v: %+v, want pack %s regime %q denied %q", tt.country, tt.role, tt.class, tt.gtld, s, tt.pack, tt.regime, tt.denied)
		}
		if warned := strings.Join(s.Warnings, "; "); (warned == "") != (tt.warn == "") || !strings.Contains(warned, tt.warn) {
			t.Errorf("%s %s %s: warnings %q, want %q", tt.country, tt.role, tt.class, warned, tt.warn)
		}
	}
}

func TestEveryMemberStateHasAPack(t *testing.T) {
	lib := load(t)
	members := strings.Fields("AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE")
	if len(members) != 27 {
		t.Fatal(len(members))
	}
	for _, m := range members {
		if s := lib.Select(m, takedown.RoleHost, takedown.ClassPhishing, false, now.AddDate(0, 1, 0)); s.Regime != "dsa16" {
			t.Errorf("%s: %+v", m, s)
		}
	}
	for _, m := range strings.Fields("GB CH NO US RU CN") {
		if s := lib.Select(m, takedown.RoleHost, takedown.ClassPhishing, false, now); s.Pack != FallbackID {
			t.Errorf("%s: %+v", m, s)
		}
	}
}
