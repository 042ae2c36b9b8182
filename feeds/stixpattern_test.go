package feeds

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPatternValues(t *testing.T) {
	tests := []struct {
		pattern string
		want    []string
		err     string
	}{
		{pattern: "[ipv4-addr:value = '192.0.2.1']", want: []string{"192.0.2.1"}},
		{pattern: "[ipv4-addr:value='192.0.2.1'OR url:value='http://a.example/']", want: []string{"192.0.2.1", "http://a.example/"}},
		{pattern: "[domain-name:value = 'a.example'] FOLLOWEDBY [domain-name:value = 'a.example'] WITHIN 600 SECONDS", want: []string{"a.example"}},
		{pattern: "([ipv6-addr:value = '2001:db8::1'] AND [(url:value = 'http://a.example/' )]) REPEATS 5 TIMES", want: []string{"2001:db8::1", "http://a.example/"}},
		{pattern: `[url:value = 'http://a.example/it\'s\\']`, want: []string{`http://a.example/it's\`}},
		{pattern: "[domain-name:value IN ('a.example', 'b.example')]", want: []string{"a.example", "b.example"}},
		{pattern: "[network-traffic:dst_ref.value = '192.0.2.1' AND network-traffic:dst_port = 443]", want: []string{"192.0.2.1"}},
		{pattern: "[domain-name:value NOT = 'a.example' OR domain-name:value != 'b.example' OR url:value LIKE 'http://%']"},
		{pattern: "[file:hashes.'SHA-256' = 'aa' AND file:name MATCHES '^a]$']"},
		{pattern: "[EXISTS file:name AND x-thing:list[*].key = 7]"},
		{pattern: "[ipv4-addr:value = '192.0.2.1'] START t'2026-03-01T00:00:00Z' STOP t'2026-03-02T00:00:00Z'", want: []string{"192.0.2.1"}},
		{pattern: "", err: "no observation"},
		{pattern: "ipv4-addr:value = '192.0.2.1'", err: "no observation"},
		{pattern: "[ipv4-addr:value = '192.0.2.1'", err: "the bracket [ is not closed"},
		{pattern: "[ipv4-addr:value = '192.0.2.1", err: "at byte 19: a quotation mark is not closed"},
		{pattern: "[ipv4-addr:value = '192.0.2.1')", err: "the bracket ) has no partner"},
		{pattern: "[ipv4-addr:value = ]", err: "no constant"},
		{pattern: "[ipv4-addr:value ~ 'x']", err: `"~" is not an operator`},
		{pattern: "[value = 'x']", err: "value is not an object path"},
		{pattern: "[ipv4-addr:value IN '192.0.2.1']", err: "IN needs a list"},
		{pattern: "[ipv4-addr:value IN ('192.0.2.1'", err: "not closed"},
		{pattern: "[[a:b = 'x']]", err: "inside another"},
		{pattern: strings.Repeat("(", maxPattern+1), err: "the limit is 65536"},
	}
	for _, tt := range tests {
		got, err := patternValues(tt.pattern)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("patternValues(%.60q): error %v, want one with %q", tt.pattern, err, tt.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("patternValues(%q): %v", tt.pattern, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("patternValues(%q) (-want +got):\n%s", tt.pattern, diff)
		}
	}
}

func TestClassOf(t *testing.T) {
	tests := map[string]string{
		"phishing":                  "phishing",
		"Spear-Phishing":            "phishing",
		`rsit:fraud="phishing"`:     "phishing",
		"command-and-control":       "c2",
		"botnet_cc":                 "c2",
		"C&C":                       "c2",
		"IP address of a C2 server": "c2",
		"malware_download":          "malware",
		"Payload delivery":          "malware",
		"malicious-activity":        "",
		"SCCM":                      "",
		"brute-force":               "attack",
		"fake-shop":                 "fraudshop",
		"web defacement":            "compromised",
		"unsolicited mail":          "spam",
		`misp-galaxy:threat-actor="Example Bear"`: "",
	}
	for hint, want := range tests {
		if got := classOf("", hint); string(got) != want {
			t.Errorf("classOf(%q) = %q, want %q", hint, got, want)
		}
	}
}

func TestParseTime(t *testing.T) {
	const want = "2026-03-01 10:00:05 +0000 UTC"
	for _, s := range []string{
		"2026-03-01T10:00:05Z", "2026-03-01T11:00:05+01:00", "2026-03-01T11:00:05+0100", "2026-03-01 10:00:05", "2026-03-01 10:00:05 UTC",
		"2026-03-01 10:00:05+00:00", "2026-03-01T10:00:05", "1772359205", " 2026-03-01T10:00:05.000Z ",
	} {
		got, err := parseTime(s)
		if err != nil || got == nil || got.String() != want {
			t.Errorf("parseTime(%q) = %v, %v, want %s", s, got, err, want)
		}
	}
	for _, s := range []string{"", "None", "null", "0"} {
		if got, err := parseTime(s); err != nil || got != nil {
			t.Errorf("parseTime(%q) = %v, %v, want nothing", s, got, err)
		}
	}
	for _, s := range []string{"yesterday", "2026-13-01", "12", "2026-03-01 10:00:05 CET", "-1772359205", "99999999999999"} {
		if got, err := parseTime(s); err == nil {
			t.Errorf("parseTime(%q) = %v, want an error", s, got)
		}
	}
}

func FuzzPattern(f *testing.F) {
	f.Add("[url:value = 'http://a.example/it\\'s' OR domain-name:value IN ('a', 'b')] AND ([ipv4-addr:value NOT = '1']) WITHIN 5 SECONDS")
	f.Add("[EXISTS a:b['c'][*] AND d:e.'f' MATCHES t'2026-03-01T00:00:00Z']")
	f.Fuzz(func(t *testing.T, pattern string) {
		values, err := patternValues(pattern)
		if err != nil && values != nil {
			t.Fatalf("patternValues(%q) = %q with error %v", pattern, values, err)
		}
	})
}
