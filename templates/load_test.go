package templates

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

var now = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)

func load(t testing.TB) *Library {
	t.Helper()
	lib, err := Load(Options{})
	if err != nil {
		t.Fatal(err)
	}
	return lib
}

// edited returns one shipped file with a change, as an override folder.
func edited(t *testing.T, name, old, replacement string) fstest.MapFS {
	t.Helper()
	data, err := shipped.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(data, []byte(old)) {
		t.Fatalf("%s does not contain %q", name, old)
	}
	return fstest.MapFS{name: {Data: bytes.Replace(data, []byte(old), []byte(replacement), 1)}}
}

func TestOverrideIsLoggedAndUsed(t *testing.T) {
	var logged bytes.Buffer
	override := edited(t, "languages/en/closing.tmpl", "We have a bona fide belief", "We firmly have a bona fide belief")
	lib, err := Load(Options{Override: override, Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(logged.String(), "languages/en/closing.tmpl") {
		t.Errorf("the override was not logged: %s", &logged)
	}
	plain, changed := load(t).Packs(), lib.Packs()
	for i := range plain {
		if plain[i].Version == changed[i].Version {
			t.Errorf("pack %s has the same version with other wording", plain[i].ID)
		}
	}
}

func TestLoadNamesFileAndLine(t *testing.T) {
	for _, tt := range []struct {
		name, file, old, replacement, want string
	}{
		{"unknown key", "jurisdictions/eu-nl.yaml", "languages:", "langs:", `jurisdictions/eu-nl.yaml:12: unknown field "langs"`},
		{"bad date", "jurisdictions/eu.yaml", "checked_on: 2026-11-23", "checked_on: soon", "jurisdictions/eu.yaml:8: checked_on \"soon\""},
		{"unknown parent", "jurisdictions/eu-nl.yaml", "inherits: eu", "inherits: em", "jurisdictions/eu-nl.yaml:5: pack \"em\""},
		{"cycle", "jurisdictions/eu.yaml", "id: eu", "id: eu\ninherits: eu-de", "inherits from itself"},
		{"wrong name", "jurisdictions/eu-nl.yaml", "id: eu-nl", "id: nl", "must stand in jurisdictions/nl.yaml"},
		{"country twice", "jurisdictions/icann.yaml", "countries: []", "countries: [NL]", "country NL is claimed by"},
		{"bad template", "languages/en/request.tmpl", "{{end}}", "", "languages/en/request.tmpl:"},
		{"two for gTLDs", "jurisdictions/xx.yaml", "id: xx", "id: xx\ngtld: true", "both serve generic"},
	} {
		_, err := Load(Options{Override: edited(t, tt.file, tt.old, tt.replacement)})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v does not contain %q", tt.name, err, tt.want)
		}
	}
}

func TestNewLanguageByOverride(t *testing.T) {
	override := fstest.MapFS{"README.md": {Data: []byte("not ours")}}
	for _, lang := range load(t).languages["en"].sources {
		data := strings.ReplaceAll(string(lang.data), "code: en", "code: nl")
		override[strings.Replace(lang.name, "/en/", "/nl/", 1)] = &fstest.MapFile{Data: []byte(data)}
	}
	// A language without citations of its own cannot carry a statutory notice.
	found := false
	for _, f := range Lint(override, now) {
		found = found || strings.Contains(f.Message, "has no citation in language nl")
	}
	if !found {
		t.Error("the linter accepts a language without citations")
	}
	lib, err := Load(Options{Override: override})
	if err != nil {
		t.Fatal(err)
	}
	req := Sample("first", "cdn", "phishing", now) // the fall-back cites nothing
	req.Party.Country = "NL"
	draft, err := lib.Render(req)
	if err != nil || strings.Join(draft.Languages, " ") != "nl en" {
		t.Errorf("languages %v, error %v", draft.Languages, err)
	}
}

func FuzzParsePack(f *testing.F) {
	for _, name := range []string{"eu", "eu-de", "eu-nl", "icann", "xx"} {
		data, err := shipped.ReadFile("jurisdictions/" + name + ".yaml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, fault := parsePack("jurisdictions/x.yaml", data)
		if (p == nil) == (fault == nil) {
			t.Fatalf("pack %v with fault %v", p != nil, fault)
		}
		if fault != nil && fault.Line < 1 {
			t.Errorf("fault without a line: %s", fault)
		}
	})
}
