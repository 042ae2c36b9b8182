package borders_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"desist/internal/borders"
	"desist/takedown"
)

var update = flag.Bool("update", false, "rewrite the generated parts of docs/ARCHITECTURE.md")

const root = "../.."

func tree(t *testing.T) []borders.File {
	t.Helper()
	files, err := borders.Read(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatalf("there is no file below %s", root)
	}
	return files
}

func TestImports(t *testing.T) {
	for _, f := range tree(t) {
		for _, fault := range borders.Check(f) {
			t.Error(fault)
		}
	}
}

func TestHabits(t *testing.T) {
	for _, f := range tree(t) {
		for _, fault := range borders.Habits(f) {
			t.Error(fault)
		}
	}
}

func TestPackageComments(t *testing.T) {
	for _, fault := range borders.Docs(tree(t)) {
		t.Error(fault)
	}
}

// TestArchitecture keeps the generated parts of the document true.
func TestArchitecture(t *testing.T) {
	const again = "go test ./internal/borders -update"
	path := filepath.Join(root, "docs", "ARCHITECTURE.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("docs/ARCHITECTURE.md cannot be read, so the import table and the states have no place: %v", err)
	}
	document := string(text)
	for _, part := range []struct{ name, want string }{
		{"borders", borders.Table()},
		{"states", takedown.StateDiagram()},
	} {
		got, err := borders.Section(document, part.name)
		if err != nil {
			t.Errorf("docs/ARCHITECTURE.md: %v; then run: %s", err, again)
			continue
		}
		if *update {
			if document, err = borders.Replace(document, part.name, part.want); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if diff := cmp.Diff(strings.Trim(part.want, "\n"), got); diff != "" {
			t.Errorf("docs/ARCHITECTURE.md does not show the %s as they are; run: %s\n-code +document:\n%s", part.name, again, diff)
		}
	}
	if *update && document != string(text) {
		if err := os.WriteFile(path, []byte(document), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCheck shows that the rules bite.
func TestCheck(t *testing.T) {
	for _, tc := range []struct {
		pkg, imports string
		test         bool
		want         string // part of the fault; empty: allowed
	}{
		{"takedown", "time", false, ""},
		{"takedown", "golang.org/x/net/idna", false, "standard library only"},
		{"takedown", "desist/internal/config", false, "not in its row"},
		{"takedown", "desist/takedown/indicator", false, "not in its row"},
		{"takedown/indicator", "desist/takedown", false, ""},
		{"takedown/indicator", "golang.org/x/net/idna", false, ""},
		{"pipeline", "desist/takedown", false, ""},
		{"pipeline", "desist/resolvers", false, "not in its row"},
		{"pipeline", "desist/internal/postgres", false, "not in its row"},
		{"pipeline", "desist/internal/postgres", true, ""},
		{"feeds", "desist/takedown/indicator", false, ""},
		{"feeds", "desist/pipeline", false, "not in its row"},
		{"resolvers/dns", "desist/resolvers", false, ""},
		{"resolvers/dns", "desist/resolvers/rdap", false, "not in its row"},
		{"resolvers/dns", "desist/trackers/dns", false, "not in its row"},
		{"resolvers", "desist/resolvers/rdap", false, "not in its row"},
		{"resolvers/rdap", "desist/resolvers/resolvertest", false, "serves tests only"},
		{"resolvers/rdap", "desist/resolvers/resolvertest", true, ""},
		{"trackers/web", "desist/trackers/dns", false, "not in its row"},
		{"notifiers/email", "desist/templates", false, "not in its row"},
		{"inbox", "desist/notifiers/email", false, "not in its row"},
		{"templates", "desist/pipeline", false, "not in its row"},
		{"internal/simnet", "desist/takedown", false, "not in its row"},
		{"internal/simnet", "github.com/miekg/dns", false, ""},
		{"internal/postgres", "github.com/jackc/pgx/v5/pgxpool", false, ""},
		{"internal/postgres/postgrestest", "github.com/jackc/pgx/v5", false, ""},
		{"internal/postgres/postgrestest", "desist/internal/pgserver", false, ""},
		{"internal/stats", "github.com/jackc/pgx/v5", false, "only `internal/postgres/...`"},
		{"web/api", "github.com/jackc/pgx/v5", true, "only `internal/postgres/...`"},
		{"web/api", "github.com/nats-io/nats.go", false, "only `internal/bus/...`"},
		{"web/api", "github.com/nats-iology", false, ""},
		{"web/api", "desist/internal/app", false, "not in its row"},
		{"web/api", "desist/internal/app", true, ""},
		{"web/api", "desist/internal/stats", false, ""},
		{"internal/app", "desist/resolvers/rdap", false, ""},
		{"internal/app", "desist/internal/cli", false, "not in its row"},
		{"internal/cli", "desist/internal/app", false, ""},
		{"cmd/desist", "desist/internal/app", false, ""},
	} {
		f := borders.File{Path: tc.pkg + "/x.go", Go: true, Test: tc.test, Package: tc.pkg, Imports: []string{tc.imports}}
		got := strings.Join(borders.Check(f), "\n")
		if (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) {
			t.Errorf("%s imports %s (test: %v): got %q, want %q", tc.pkg, tc.imports, tc.test, got, tc.want)
		}
	}
}

func TestHabitsBite(t *testing.T) {
	long := strings.Repeat("//\n", 601)
	for _, tc := range []struct {
		path, text string
		faults     int
	}{
		{"a/a.go", "package a\n", 0},
		{"a/a.go", long, 1},
		{"a/a_test.go", long, 0},
		{"a/a.md", long, 0},
		{"a/a_test.go", "time." + "Sleep(1)\ntime." + "Sleep(2)\n", 2},
		{"a/a.go", "time." + "Sleep(1)\n", 0},
		{"a.md", "a TO" + "DO b\n", 1},
		{"a.md", "TO" + "DOs, a XX" + "XX\n", 0},
		{"a.yaml", "dir: /wo" + "rk/x\n", 1},
		{"a.yaml", "url: https://example.org/wo" + "rk/x\n", 0},
		{"a.go", "panic(\"not " + "yet\")\n", 1},
	} {
		f := borders.File{Path: tc.path, Text: []byte(tc.text), Go: strings.HasSuffix(tc.path, ".go"), Test: strings.HasSuffix(tc.path, "_test.go")}
		if got := borders.Habits(f); len(got) != tc.faults {
			t.Errorf("%s %.40q: got %q, want %d faults", tc.path, tc.text, got, tc.faults)
		}
	}
}

func TestDocs(t *testing.T) {
	file := func(pkg, name, doc string) borders.File {
		return borders.File{Path: pkg + "/" + name, Go: true, Package: pkg, Name: filepath.Base(pkg), Doc: doc}
	}
	command := file("cmd/desist", "main.go", "Command desist takes down.\n")
	command.Name = "main"
	for _, tc := range []struct {
		name   string
		files  []borders.File
		faults int
	}{
		{"one", []borders.File{file("a", "a.go", "Package a does.\n"), file("a", "b.go", "")}, 0},
		{"none", []borders.File{file("a", "a.go", ""), file("a", "b.go", "")}, 1},
		{"two", []borders.File{file("a", "a.go", "Package a does.\n"), file("a", "b.go", "Package a too.\n")}, 1},
		{"wrong name", []borders.File{file("a", "a.go", "Package b does.\n")}, 1},
		{"command", []borders.File{command}, 0},
	} {
		if got := borders.Docs(tc.files); len(got) != tc.faults {
			t.Errorf("%s: got %q, want %d faults", tc.name, got, tc.faults)
		}
	}
}

func TestSection(t *testing.T) {
	const document = "# A\n\n<!-- x:begin -->\nold\n<!-- x:end -->\n\nend\n"
	got, err := borders.Replace(document, "x", "new\ntext\n")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("# A\n\n<!-- x:begin -->\n\nnew\ntext\n\n<!-- x:end -->\n\nend\n", got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if text, err := borders.Section(got, "x"); err != nil || text != "new\ntext" {
		t.Errorf("Section = %q, %v", text, err)
	}
	for _, bad := range []string{"", "<!-- x:begin -->", "<!-- x:end --><!-- x:begin -->", document + document} {
		if _, err := borders.Section(bad, "x"); err == nil {
			t.Errorf("%q: want an error", bad)
		}
	}
}
