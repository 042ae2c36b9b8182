package app_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"desist/internal/postgres/postgrestest"
	"desist/internal/simnet"
	"desist/pipeline"
	"desist/takedown"
)

// TestBadInput sends what nobody may report, and what nobody can read, through
// both doors. Each is refused with a reason, and nobody is told anything.
func TestBadInput(t *testing.T) {
	world, err := simnet.Tiny()
	if err != nil {
		t.Fatal(err)
	}
	world.Epoch = time.Now()
	clock := newWarp(world.Epoch, 1)
	n := startWorld(t, world, clock)
	cfg := configure(t, n, postgrestest.URL(t), map[string]string{
		"policy.own_prefixes": "8.8.8.0/24", "policy.own_domains": "ours-response.net", "track.look_first": "false",
	})
	a := start(t, cfg, n, clock, 1)
	s := a.Database().Store
	reported := func(indicator string) string { return fmt.Sprintf(`{"indicator":%q,"class":"phishing"}`, indicator) }
	const (
		dead    = "dead letter"
		refused = "refused case"
		held    = "held case"
	)
	table := []struct {
		name, body string
		want, says string // what becomes of it; part of the reason
		value      string // of the refused case; empty: the indicator as sent
	}{
		{"private address", reported("10.1.2.3"), refused, "10.0.0.0/8", "10.1.2.3"},
		{"loopback", reported("127.0.0.1"), refused, "127.0.0.0/8", "127.0.0.1"},
		{"link local, metadata", reported("http://169.254.169.254/latest"), refused, "169.254.0.0/16", "http://169.254.169.254/latest"},
		{"mapped private address", reported("::ffff:192.168.0.1"), refused, "192.168.0.0/16", "192.168.0.1"},
		{"unique local", reported("fd00::1"), refused, "fc00::/7", "fd00::1"},
		{"number as address", reported("http://2130706434/"), refused, "127.0.0.0/8", "http://127.0.0.2/"},
		{"own address", reported("8.8.8.8"), refused, "own", "8.8.8.8"},
		{"own name", reported("https://www.ours-response.net/login"), refused, "own", "https://www.ours-response.net/login"},
		{"the sender's own domain", reported("mail.response.example"), refused, "", "mail.response.example"},
		{"allow-listed", reported("https://www.google.com/"), refused, "", "https://www.google.com/"},
		{"documentation name", reported("www.example.com"), refused, "", "www.example.com"},
		{"name without a dot", reported("localhost"), dead, "localhost", ""},
		{"public suffix", reported("co.uk"), dead, "co.uk", ""},
		{"not JSON", `{"indicator":`, dead, "JSON", ""},
		{"nothing", ``, dead, "JSON", ""},
		{"a list", `["sim-phish-0008-heron.com"]`, dead, "JSON", ""},
		{"a number", `{"indicator":1,"class":"phishing"}`, dead, "JSON", ""},
		{"no indicator", `{"class":"phishing"}`, dead, "indicator: is missing", ""},
		{"no class", `{"indicator":"sim-phish-0008-heron.com"}`, dead, "class: is missing", ""},
		{"unknown class", `{"indicator":"sim-phish-0008-heron.com","class":"naughty"}`, dead, "naughty", ""},
		{"words", reported("not an indicator"), dead, "indicator", ""},
		{"no host", reported("http://"), dead, "indicator", ""},
		{"script", reported("javascript:alert(1)"), dead, "indicator", ""},
		{"NUL", `{"indicator":"sim-phish\u0000-0008-heron.com","class":"phishing"}`, dead, "indicator", ""},
		{"invalid UTF-8", "{\"indicator\":\"sim-\xff\xfe.com\",\"class\":\"phishing\"}", dead, "indicator", ""},
		{"from the future", `{"indicator":"sim-phish-0008-heron.com","class":"phishing","seen_at":"2999-01-01T00:00:00Z"}`, dead, "seen_at", ""},
		{"no time", `{"indicator":"sim-phish-0008-heron.com","class":"phishing","seen_at":"yesterday"}`, dead, "JSON", ""},
		{"long description", `{"indicator":"sim-phish-0008-heron.com","class":"phishing","description":"` + strings.Repeat("a", 1<<20) + `"}`, dead, "description", ""},
		{"confidence", `{"indicator":"sim-phish-0008-heron.com","class":"phishing","confidence":93}`, dead, "confidence", ""},
		{"wrong hash", `{"indicator":"sim-phish-0008-heron.com","class":"phishing","evidence":[{"kind":"screenshot","sha256":"00","data":"YQ=="}]}`, dead, "sha256", ""},
		{"live sample", `{"indicator":"sim-phish-0008-heron.com","class":"phishing","evidence":[{"kind":"sample","data":"YQ=="}]}`, dead, "live samples", ""},
		{"too old", `{"indicator":"old-phish.com","class":"phishing","seen_at":"2020-01-01T00:00:00Z"}`, refused, "", "old-phish.com"},
		{"needs a person", `{"indicator":"shop-fraud.com","class":"fraudshop","description":"x"}`, held, "", "shop-fraud.com"},
	}
	for _, tc := range table {
		publish(t, a, "test", []byte(tc.body))
	}
	if err := a.Bus().PublishIndicator(t.Context(), "test", []byte(strings.Repeat(" ", 8<<20))); takedown.KindOf(err) != takedown.KindPermanent {
		t.Errorf("8 MB: %v, want a permanent refusal", err)
	}
	wantDead := 0
	for _, tc := range table {
		if tc.want == dead {
			wantDead++
		}
	}
	eventually(t, 20*time.Second, func() string {
		o := overview(t, s)
		if o.DeadLetters+o.Submissions < len(table) || o.Cases["submitted"] > 0 {
			return fmt.Sprintf("%d dead letters, cases %v", o.DeadLetters, o.Cases)
		}
		return ""
	})
	letters, err := s.DeadLetters(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range letters { // the list leaves the bodies out
		whole, err := s.DeadLetters(t.Context(), l.ID, 1)
		if err != nil || len(whole) != 1 {
			t.Fatal(err)
		}
		letters[i] = whole[0]
	}
	for _, tc := range table {
		t.Run(tc.name, func(t *testing.T) {
			if tc.want == dead {
				for _, l := range letters {
					if string(l.Body) == tc.body {
						if !strings.Contains(l.Reason, tc.says) {
							t.Errorf("the reason %q does not say %q", l.Reason, tc.says)
						}
						return
					}
				}
				t.Fatal("it is not among the dead letters")
			}
			c := storyOf(t, s, tc.value).Case
			if want := map[string]takedown.CaseState{refused: takedown.CaseRefused, held: takedown.CaseHeld}[tc.want]; c.State != want {
				t.Errorf("it is %s (%s), want %s", c.State, c.Reason, want)
			}
			if c.Reason == "" || !strings.Contains(c.Reason, tc.says) {
				t.Errorf("the reason %q does not say %q", c.Reason, tc.says)
			}
		})
	}
	if len(letters) != wantDead {
		t.Errorf("%d dead letters, want %d", len(letters), wantDead)
	}
	intake(t, a.Intake())
	if o := overview(t, s); o.Notices > 0 || n.Stats().Mails > 0 {
		t.Errorf("%d notices, %d mails", o.Notices, n.Stats().Mails)
	}
	stop(t, a)
}

// intake sends the same through the other door, and spellings of one name.
func intake(t *testing.T, in *pipeline.Intake) {
	t.Helper()
	submit := func(indicators ...string) []pipeline.Receipt {
		offers := make([]pipeline.Offer, len(indicators))
		for i, ind := range indicators {
			offers[i] = pipeline.Offer{Source: "test", Message: takedown.IndicatorMessage{Indicator: ind, Class: takedown.ClassFraudshop, Description: "a shop"}}
		}
		receipts, err := in.Submit(t.Context(), offers)
		if err != nil {
			t.Fatal(err)
		}
		return receipts
	}
	for _, bad := range []string{"", " ", "not an indicator", "http://", "a\x00b.com", "sim-\xff.com", "javascript:alert(1)", strings.Repeat("a", 100_000) + ".com"} {
		if r := submit(bad)[0]; takedown.KindOf(r.Err) != takedown.KindPermanent || r.CaseID != 0 {
			t.Errorf("%.20q: case %d, %v", bad, r.CaseID, r.Err)
		} else if len(r.Err.Error()) > 1000 {
			t.Errorf("%.20q: the refusal has %d bytes", bad, len(r.Err.Error()))
		}
	}
	spellings := submit("Spelling-Shop.COM", "spelling-shop.com", "spelling-shop[.]com", "spelling-shop.com.", "SPELLING-SHOP.com")
	for i, r := range spellings {
		if r.Err != nil || r.CaseID != spellings[0].CaseID {
			t.Errorf("spelling %d is case %d (%v), want %d", i, r.CaseID, r.Err, spellings[0].CaseID)
		}
	}
	// A Cyrillic а is another name, shown as what it is in the DNS.
	if r := submit("spelling-sh\u043ep.com")[0]; r.Err != nil || r.CaseID == spellings[0].CaseID || !strings.HasPrefix(r.Indicator.Value, "xn--") {
		t.Errorf("homograph: case %d, %q, %v", r.CaseID, r.Indicator.Value, r.Err)
	}
}
