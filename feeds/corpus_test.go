package feeds_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"desist/feeds"
	"desist/takedown"
)

// TestReadCorpus counts the rows of real feeds by kind and outcome.
func TestReadCorpus(t *testing.T) {
	tests := []struct {
		file   string
		format feeds.Format
		class  takedown.Class
		want   map[string]int
	}{
		{"misp-event.json", feeds.MISP, takedown.ClassC2, map[string]int{"domain": 19, "ipv4": 12, "skipped": 91}},
		{"stix-indicator-for-c2-ip-address.json", feeds.STIX, "", map[string]int{"ipv4 c2": 1}},
		{"stix-indicators-for-C2-with-COA.json", feeds.STIX, "", map[string]int{"ipv4 c2": 1, "skipped": 7}},
		{"stix-infrastructure.json", feeds.STIX, "", map[string]int{"ipv4 c2": 1, "error": 1, "skipped": 8}},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			for _, format := range []feeds.Format{tt.format, feeds.Auto} {
				file, err := os.Open(filepath.Join(corpora(t), "feeds", tt.file))
				if err != nil {
					t.Skipf("the corpus of feeds is not here: %v", err)
				}
				got := map[string]int{}
				for row, err := range feeds.Read(file, feeds.Options{Format: format, DefaultClass: tt.class}) {
					switch {
					case err != nil:
						t.Errorf("as %s: %v", format, err)
					case row.Skipped:
						got["skipped"]++
					case row.Err != nil:
						got["error"]++
					case tt.class != "":
						got[string(row.Indicator.Kind)]++
					default:
						got[string(row.Indicator.Kind)+" "+string(row.Message.Class)]++
					}
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("as %s (-want +got):\n%s", format, diff)
				}
				if err := file.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
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
