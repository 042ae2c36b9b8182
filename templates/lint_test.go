package templates

import (
	"strings"
	"testing"
	"time"

	"github.com/jba/templatecheck"
)

func TestShippedIsClean(t *testing.T) {
	for _, f := range Lint(nil, now) {
		t.Error(f)
	}
}

func TestLintFindsFaults(t *testing.T) {
	for _, tt := range []struct {
		name, file, old, replacement, want string
	}{
		{
			"element removed", "jurisdictions/eu.yaml", "  - id: bona_fide\n    required: Article 16(2)(d) DSA\n    roles: [host, platform]\n    block: good_faith\n", "",
			`jurisdictions/eu.yaml:91: element "bona_fide", which dsa16 requires`,
		},
		{
			"element without a block", "jurisdictions/eu.yaml", "block: good_faith", "block: good_will",
			"has no place: block good_will",
		},
		{
			"element proved by another block", "jurisdictions/eu.yaml", "block: good_faith", "block: answer",
			`jurisdictions/eu.yaml:91: element "bona_fide" is proved by block good_faith`,
		},
		{"denied without a reason", "jurisdictions/eu-de.yaml", "reason: DENIC", "reason: \"\" # DENIC", "jurisdictions/eu-de.yaml:76: a notice is denied without a reason"},
		{"unknown class", "jurisdictions/icann.yaml", "classes: [attack]", "classes: [attacks]", `class "attacks"`},
		{
			"wording block removed", "languages/de/closing.tmpl", `{{define "good_faith"}}`, `{{define "other"}}`,
			`language de has no block "good_faith"`,
		},
		{"wording block emptied", "languages/en/opening.tmpl", "Location\t{{.Target}}", "", "block location has nothing to say in language en"},
		{
			"duty with a number", "languages/en/request.tmpl", "Please examine this report and", "Within 24 hours examine this report and",
			`languages/en/request.tmpl:2: the wording must not say "Within 24"`,
		},
		{"duty in German", "languages/de/request.tmpl", "Bitte prüfen Sie diese Meldung", "Sie müssen diese Meldung prüfen", `languages/de/request.tmpl:2: the wording must not say "Sie müssen"`},
		{
			"threat", "languages/en/request.tmpl", "Please inform your customer", "You must inform your customer",
			`languages/en/request.tmpl:4: the wording must not say "You must"`,
		},
		{"copyright words", "languages/en/closing.tmpl", "bona fide belief", "bona fide belief under penalty of perjury", "the wording must not say"},
		{
			"citation in wording", "languages/en/reasons.tmpl", "unlawful in our assessment (fraud)", "unlawful under 18 U.S.C. 1343",
			`is cited outside the pack's data`,
		},
		{
			"citation in a literal", "languages/en/reasons.tmpl", "unlawful in our assessment (fraud)", `unlawful under {{"Article 7"}}`,
			`"Article 7" is cited outside the pack's data`,
		},
		{"citation that is not allowed", "languages/en/reasons.tmpl", `{{.Cite "dsa17"}}`, `{{.Cite "dsa6"}}`, "dsa6 of pack eu is marked as not printable"},
		{
			"unverified made printable", "jurisdictions/eu.yaml", "    source: recital 22 states the same rule; the article itself was not read\n    printable: false",
			"    source: none\n    printable: true", "jurisdictions/eu.yaml:58: instrument dsa6 of pack eu is not verified",
		},
		{"offence without review", "jurisdictions/eu-de.yaml", "printable: false # offence", "printable: true # offence", "needs a lawyer's review"},
		{"printable time limit", "jurisdictions/xx.yaml", "    source: the sources of packs eu and icann\n    printable: false", "    source: S1\n    printable: true", "a time fact cannot be printable"},
		{"checked in the future", "jurisdictions/eu.yaml", "checked_on: 2026-11-23", "checked_on: 2027-11-23", "jurisdictions/eu.yaml:8: checked_on 2027-11-23 is in the future"},
		{"aged", "jurisdictions/eu.yaml", "checked_on: 2026-11-23", "checked_on: 2025-11-01", "jurisdictions/eu.yaml:8: pack eu is stale"},
		{"validity over", "jurisdictions/icann.yaml", "checked_on:", "valid_to: 2026-01-01\nchecked_on:", "jurisdictions/icann.yaml:11: pack icann was valid until"},
		{
			"hole in the fall-back", "jurisdictions/xx.yaml", "roles: [host, platform, isp, cdn, upstream]", "roles: [host, platform, isp, cdn]",
			"jurisdictions/xx.yaml:65: the fall-back has neither a notice to a upstream",
		},
		{"unknown basis", "jurisdictions/xx.yaml", "basis: csirt", "basis: law", `basis "law" is not known`},
		{"unknown role", "jurisdictions/xx.yaml", "roles: [csirt]", "roles: [csirt, police]", `role "police"`},
		{"prevailing language not sent", "jurisdictions/eu-de.yaml", "prevails: en", "prevails: fr", `jurisdictions/eu-de.yaml:12: language "fr" prevails`},
		{"unknown sender field", "jurisdictions/eu.yaml", "sender_requires: [legal_name, email]", "sender_requires: [legal_name, email, fax]", `sender has no field "fax"`},
	} {
		var all []string
		found := false
		for _, f := range Lint(edited(t, tt.file, tt.old, tt.replacement), now) {
			all = append(all, f.String())
			found = found || strings.Contains(f.String(), tt.want)
			if f.Line < 1 || f.File == "" {
				t.Errorf("%s: fault without a place: %s", tt.name, f)
			}
		}
		if !found {
			t.Errorf("%s: no fault contains %q in:\n%s", tt.name, tt.want, strings.Join(all[:min(len(all), 8)], "\n"))
		}
	}
}

func TestLintAges(t *testing.T) {
	faults := Lint(nil, now.Add(400*24*time.Hour))
	if len(faults) != len(load(t).ids) {
		t.Errorf("%d faults for %d aged packs: %v", len(faults), len(load(t).ids), faults)
	}
}

// TestTemplatesFitTheirData type-checks every block against the view.
func TestTemplatesFitTheirData(t *testing.T) {
	for code, lang := range load(t).languages {
		for _, tmpl := range lang.blocks.Templates() {
			var data any = &view{}
			switch tmpl.Name() {
			case "version", "kindname":
				data = ""
			}
			if err := templatecheck.CheckText(tmpl, data); err != nil {
				t.Errorf("%s: %s: %v", code, tmpl.Name(), err)
			}
		}
	}
}

// TestLanguagesHaveTheSameBlocks: a block that one language lacks would leave
// its readers with less.
func TestLanguagesHaveTheSameBlocks(t *testing.T) {
	lib := load(t)
	names := func(code string) map[string]bool {
		set := map[string]bool{}
		for _, tmpl := range lib.languages[code].blocks.Templates() {
			if !strings.Contains(tmpl.Name(), "/") {
				set[tmpl.Name()] = true
			}
		}
		return set
	}
	en := names("en")
	for code := range lib.languages {
		other := names(code)
		for name := range en {
			if !other[name] {
				t.Errorf("language %s lacks block %s", code, name)
			}
		}
		for name := range other {
			if !en[name] {
				t.Errorf("language %s has block %s, which English lacks", code, name)
			}
		}
	}
}
