package templates

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"desist/takedown"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// cases are one representative notice for each pack, basis and kind.
var cases = []struct {
	country string
	gtld    bool
	role    takedown.Role
	class   takedown.Class
	kind    takedown.NoticeKind
}{
	{"DE", false, "host", "phishing", "first"},
	{"DE", false, "host", "compromised", "first"},
	{"DE", false, "isp", "attack", "first"},
	{"DE", false, "host", "malware", "withdrawal"},
	{"DE", false, "cdn", "phishing", "first"},
	{"NL", false, "host", "c2", "first"},
	{"NL", false, "host", "c2", "reminder"},
	{"FR", false, "platform", "fraudshop", "relapse"},
	{"FR", false, "host", "spam", "correction"},
	{"US", true, "registrar", "phishing", "first"},
	{"US", true, "registrar", "c2", "escalation"},
	{"US", true, "registrar", "compromised", "first"},
	{"US", true, "registry", "malware", "escalation"},
	{"US", false, "host", "phishing", "first"},
	{"", false, "cdn", "malware", "first"},
	{"", false, "isp", "attack", "first"},
	{"", false, "upstream", "c2", "escalation"},
	{"", false, "registrar", "fraudshop", "first"},
	{"", false, "csirt", "c2", "escalation"},
	{"", false, "platform", "phishing", "withdrawal"},
}

func TestGolden(t *testing.T) {
	lib := load(t)
	for _, c := range cases {
		req := Sample(c.kind, c.role, c.class, now)
		req.Party.Country, req.Party.GTLD = c.country, c.gtld
		draft, err := lib.Render(req)
		if err != nil {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		var b strings.Builder
		fmt.Fprintf(&b, "Subject: %s\nPack: %s, grade %s, regime %s, languages %s\n", draft.Subject, draft.Pack, draft.Grade, draft.Regime, strings.Join(draft.Languages, " "))
		for _, w := range draft.Warnings {
			fmt.Fprintf(&b, "Warning: %s\n", w)
		}
		lines := strings.Split(draft.Text, "\n")
		for _, e := range draft.Elements {
			fmt.Fprintf(&b, "Element: %s (%s) in block %s at line %d: %s\n", e.ID, e.Required, e.Block, e.Line, e.Quote)
			if !strings.HasPrefix(strings.TrimSpace(lines[e.Line-1]), e.Quote) {
				t.Errorf("%+v: line %d is %q, not %q", c, e.Line, lines[e.Line-1], e.Quote)
			}
		}
		// The version follows every letter of the wording; it has its own test.
		b.WriteString("\n" + strings.ReplaceAll(draft.Text, draft.PackVersion, "VERSION"))
		path := filepath.Join("testdata", "golden", fmt.Sprintf("%s-%s-%s-%s-%s.txt", draft.Pack, strings.Join(draft.Languages, "+"), c.role, c.class, c.kind))
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Errorf("%v (run go test -update)", err)
			continue
		}
		if diff := cmp.Diff(string(want), b.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

func TestRefusals(t *testing.T) {
	lib := load(t)
	for _, tt := range []struct {
		name   string
		change func(*takedown.NoticeRequest)
		kind   takedown.ErrorKind
		want   string
	}{
		{"no mail address", func(r *takedown.NoticeRequest) { r.Sender.Email = "" }, takedown.KindDenied, "set sender.email in the configuration"},
		{"no name", func(r *takedown.NoticeRequest) { r.Sender.LegalName = "\u200b" }, takedown.KindDenied, "sender.legal_name is empty"},
		{"attack at registrar", func(r *takedown.NoticeRequest) { r.Role, r.Class = "registrar", "attack" }, takedown.KindDenied, "attacks come from an address"},
		{"platform name", func(r *takedown.NoticeRequest) { r.Role, r.Indicator.Platform = "registrar", "pages.example" }, takedown.KindDenied, "shared platform pages[.]example"},
		{"address at registrar", func(r *takedown.NoticeRequest) {
			r.Role, r.Indicator = "registrar", takedown.Indicator{Kind: "ipv4", Value: "192.0.2.1", Host: "192.0.2.1"}
		}, takedown.KindDenied, "is an address"},
		{"no time", func(r *takedown.NoticeRequest) {
			r.Party.Country, r.FirstSeenAt, r.CheckedAt = "", time.Time{}, time.Time{}
		}, takedown.KindDenied, "element time"},
		{"reminder of nothing", func(r *takedown.NoticeRequest) { r.Kind = "reminder" }, takedown.KindPermanent, "Earlier is empty"},
		{"reference with a line", func(r *takedown.NoticeRequest) { r.Reference = "DSI\nBcc: x" }, takedown.KindPermanent, "reference"},
		{"no class", func(r *takedown.NoticeRequest) { r.Class = "" }, takedown.KindPermanent, "class"},
		{"no indicator", func(r *takedown.NoticeRequest) { r.Indicator.Value = "" }, takedown.KindPermanent, "indicator is empty"},
		{"no clock", func(r *takedown.NoticeRequest) { r.Now = time.Time{} }, takedown.KindPermanent, "Now"},
	} {
		req := Sample("first", "host", "phishing", now)
		req.Party.Country = "DE"
		tt.change(&req)
		draft, err := lib.Render(req)
		if takedown.KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %s with %q", tt.name, err, tt.kind, tt.want)
		}
		if draft.Text != "" {
			t.Errorf("%s: a text came with the error", tt.name)
		}
	}
}

func TestLanguageIsChosen(t *testing.T) {
	lib := load(t)
	for _, tt := range []struct{ country, asked, want, warning string }{
		{"DE", "", "de+en", ""},
		{"DE", "en", "en", ""},
		{"US", "de", "de", ""},
		{"DE", "tlh", "de+en", `no wording in language "tlh"`},
		{"NL", "", "en", "language nl, but there is no wording"},
	} {
		req := Sample("first", "host", "phishing", now)
		req.Party.Country, req.Language = tt.country, tt.asked
		draft, err := lib.Render(req)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(draft.Languages, "+"); got != tt.want || draft.PackVersion == "" {
			t.Errorf("%+v: languages %s, version %q", tt, got, draft.PackVersion)
		}
		if warned := strings.Join(draft.Warnings, ";"); (warned == "") != (tt.warning == "") || !strings.Contains(warned, tt.warning) {
			t.Errorf("%+v: warnings %q", tt, warned)
		}
	}
}

func TestWarnings(t *testing.T) {
	lib := load(t)
	req := Sample("first", "host", "phishing", now)
	req.Party.Country, req.Party.CountryConflicts = "DE", []string{"US by label"}
	req.Observation, req.References, req.Evidence = "", nil, nil
	req.Descriptions = []string{"Remove it within 24 hours or face legal action."}
	draft, err := lib.Render(req)
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(draft.Warnings, "\n")
	for _, want := range []string{"disagree on the recipient's country: US by label", "a description was left out", "the reasons rest on the class alone"} {
		if !strings.Contains(all, want) {
			t.Errorf("no warning %q in %q", want, all)
		}
	}
	if strings.Contains(draft.Text, "24 hours") {
		t.Error("the threat was printed")
	}
}

// TestAnyRequest: whatever outside text says, the notice holds what it must
// and nothing that it must not.
func TestAnyRequest(t *testing.T) {
	lib := load(t)
	hosts := []string{"login.bank.example", "192.0.2.77", "xn--bcher-kva.example"}
	rapid.Check(t, func(rt *rapid.T) {
		c := rapid.SampledFrom(cases).Draw(rt, "case")
		req := Sample(c.kind, c.role, c.class, now)
		req.Party.Country, req.Party.GTLD = c.country, c.gtld
		host := rapid.SampledFrom(hosts).Draw(rt, "host")
		req.Indicator = takedown.Indicator{Kind: takedown.KindURL, Value: "https://" + host + "/a?u=http://" + host + "/&email=v@w.example", Host: host, Registrable: "bank.example"}
		outside := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
			"{{.Cite \"dsa6\"}} {{template \"x\"}}", "\r\nBcc: x@y.example\r\n\r\n", "https://" + host + "/x", "under the DMCA", "\u202egnp.exe",
			"You must act within 24 hours", "\x00\x1b[2J", strings.Repeat("ä", 5000), "a\tb\n- c", "victim@" + host,
		}))
		req.Descriptions = rapid.SliceOfN(outside, 0, 8).Draw(rt, "descriptions")
		req.Observation = outside.Draw(rt, "observation")
		req.References = rapid.SliceOfN(outside, 0, 4).Draw(rt, "references")
		req.Party.Name = outside.Draw(rt, "party")
		req.Sender.Capacity = rapid.String().Draw(rt, "capacity")
		req.Evidence = []takedown.Evidence{{Kind: outside.Draw(rt, "kind"), MediaType: rapid.String().Draw(rt, "media")}}
		for i := range req.Earlier {
			req.Earlier[i].Reply = outside.Draw(rt, "reply")
			req.Earlier[i].Recipient = outside.Draw(rt, "recipient")
		}
		draft, err := lib.Render(req)
		if err != nil {
			rt.Fatal(err)
		}
		if len(draft.Elements) == 0 {
			rt.Error("no elements")
		}
		if threat := threatening.FindString(strings.ReplaceAll(draft.Text, "§ 169 Abs. 4 TKG", "")); threat != "" {
			rt.Errorf("says %q", threat)
		}
		if strings.Contains(draft.Text, host) || strings.Contains(draft.Subject, host) {
			rt.Errorf("raw indicator %q in:\n%s", host, draft.Text)
		}
		if strings.Contains(draft.Text, "v@w.example") {
			rt.Error("personal data in the address")
		}
		for _, r := range draft.Text {
			if r != '\n' && !unicode.IsPrint(r) {
				rt.Errorf("control character %U", r)
			}
		}
		for line := range strings.SplitSeq(draft.Text, "\n") {
			if n := len([]rune(line)); n > lineWidth && !strings.Contains(line, "://response.example") {
				rt.Errorf("%d columns: %q", n, line)
			}
			if strings.HasPrefix(line, "Bcc:") {
				rt.Error("an outside line stands by itself")
			}
		}
		if len(draft.Subject) > subjectLimit || !strings.HasPrefix(draft.Subject, "[DSI-000123] ") {
			rt.Errorf("subject %q", draft.Subject)
		}
		for _, r := range draft.Subject {
			if r < ' ' || r > '~' {
				rt.Errorf("subject %q", draft.Subject)
			}
		}
	})
}

func TestSheetAndPacks(t *testing.T) {
	lib := load(t)
	packs := lib.Packs()
	if len(packs) != 5 {
		t.Errorf("%d packs", len(packs))
	}
	for _, p := range packs {
		sheet := strings.Join(strings.Fields(lib.Sheet(p.ID)), " ")
		for _, want := range []string{p.ID, p.Grade, p.CheckedOn, "not reviewed by a lawyer", "Required elements", "never cited"} {
			if !strings.Contains(sheet, want) {
				t.Errorf("the sheet of %s lacks %q:\n%s", p.ID, want, sheet)
			}
		}
	}
	if !strings.Contains(lib.Sheet("eu-nl"), "nl: no wording is shipped") {
		t.Error(lib.Sheet("eu-nl"))
	}
	if lib.Sheet("none") != "" {
		t.Error("a sheet of no pack")
	}
}
