package templates

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

// TestReadmeExample loads and lints the pack that the README shows.
func TestReadmeExample(t *testing.T) {
	data, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(data), "```yaml\n")
	example, _, closed := strings.Cut(rest, "```")
	if !ok || !closed {
		t.Fatal("README.md shows no pack")
	}
	override := fstest.MapFS{"jurisdictions/eu-at.yaml": {Data: []byte(example)}}
	for _, f := range Lint(override, now) {
		t.Error(f)
	}
	lib, err := Load(Options{Override: override})
	if err != nil {
		t.Fatal(err)
	}
	req := Sample("first", "host", "phishing", now)
	req.Party.Country = "AT"
	draft, err := lib.Render(req)
	if err != nil {
		t.Fatal(err)
	}
	if draft.Pack != "eu-at" || strings.Join(draft.Languages, " ") != "de en" {
		t.Errorf("pack %s in %v", draft.Pack, draft.Languages)
	}
}
