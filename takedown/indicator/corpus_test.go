package indicator_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"desist/takedown/indicator"
)

// deviations lists the texts of the corpus for which another answer is better
// for this service, with the reason. There are none at present.
var deviations = map[string]string{}

type expectation struct {
	Domains []string `json:"domains"`
	URLs    []string `json:"urls"`
	Emails  []string `json:"emails"`
	IP4s    []string `json:"ip4s"`
	IP6s    []string `json:"ip6s"`
}

func TestExtractCorpus(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(corpora(t), "ioc", "cases.json"))
	if err != nil {
		t.Skipf("the corpus of defanged texts is not here: %v", err)
	}
	var cases map[string]expectation
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	matched := 0
	for text, want := range cases {
		got := indicator.Extract(text)
		diff := cmp.Diff(indicator.Extraction{
			Domains: set(want.Domains), URLs: set(want.URLs), Emails: set(want.Emails), IPs: set(append(want.IP4s, want.IP6s...)),
		}, got)
		switch {
		case diff == "":
			matched++
			if reason, ok := deviations[text]; ok {
				t.Errorf("%q matches, though the table says it deviates: %s", text, reason)
			}
		case deviations[text] == "":
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
	t.Logf("%d of %d texts match exactly", matched, len(cases))
	if least := len(cases) * 95 / 100; matched < least {
		t.Errorf("%d of %d texts match, want at least %d", matched, len(cases), least)
	}
}

func set(list []string) []string {
	list = append([]string{}, list...)
	slices.Sort(list)
	return slices.Compact(list)
}

// corpora returns the folder of real data, beside the root of the project
// unless DESIST_CORPORA names another.
func corpora(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("DESIST_CORPORA"); dir != "" {
		return dir
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "..", "shared", "corpora")
		}
		if dir == filepath.Dir(dir) {
			t.Skip("no go.mod above the test, so no corpora beside it")
		}
		dir = filepath.Dir(dir)
	}
}
