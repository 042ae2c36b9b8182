package rdap_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"desist/resolvers/rdap"
)

// corpora returns the folder of outside data, or skips.
func corpora(t *testing.T, parts ...string) string {
	t.Helper()
	dir := os.Getenv("DESIST_CORPORA")
	if dir == "" {
		root, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for {
			if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
				break
			}
			if filepath.Dir(root) == root {
				t.Fatal("no go.mod above the test")
			}
			root = filepath.Dir(root)
		}
		dir = filepath.Join(root, "..", "shared", "corpora")
	}
	dir = filepath.Join(append([]string{dir}, parts...)...)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the corpus is not here: %v; set DESIST_CORPORA to its folder", err)
	}
	return dir
}

// TestCorpus compares with the contacts that were read by hand. For two of the
// ten addresses the document does not hold the right mailbox at all; the answer
// must then be none, not a guess.
func TestCorpus(t *testing.T) {
	dir := corpora(t, "rdap")
	data, err := os.ReadFile(filepath.Join(dir, "truth.json"))
	if err != nil {
		t.Fatal(err)
	}
	var labels map[string]struct {
		Abuse    []string `json:"abuse"`
		Fallback []string `json:"fallback"`
		Country  string   `json:"country"`
	}
	if err := json.Unmarshal(data, &labels); err != nil {
		t.Fatal(err)
	}
	for address, want := range labels {
		body, err := os.ReadFile(filepath.Join(dir, strings.ReplaceAll(address, ":", "_")+".json"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := rdap.Parse(address, body)
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		inDocument := func(email string) bool {
			return strings.Contains(strings.ToLower(string(body)), strings.ToLower(email))
		}
		accepted := slices.Concat(want.Abuse, want.Fallback)
		if !slices.ContainsFunc(want.Abuse, inDocument) {
			accepted = append(accepted, "")
		}
		if !slices.ContainsFunc(accepted, func(a string) bool { return strings.EqualFold(a, got.Chosen) }) {
			t.Errorf("%s: chosen %q, want one of %q; contacts %+v", address, got.Chosen, accepted, got.Contacts)
		}
		for _, c := range got.Contacts {
			if !inDocument(c.Email) {
				t.Errorf("%s: %s is not in the document", address, c.Email)
			}
		}
		if got.Object != "ip network" || len(got.CIDRs) == 0 || got.Country != want.Country {
			t.Errorf("%s: object %q, prefixes %q, country %q, want country %q", address, got.Object, got.CIDRs, got.Country, want.Country)
		}
		t.Logf("%s: chosen %q, prefixes %q", address, got.Chosen, got.CIDRs)
	}
}
