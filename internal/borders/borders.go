package borders

import (
	"fmt"
	"strings"
)

// Module is the import path of the module.
const Module = "desist"

// A Rule says what the packages that match it may import. Patterns are paths
// within the module; "a/..." is a and everything below it, "..." everything.
type Rule struct {
	Packages []string
	May      []string // of ours; empty: nothing
	Not      []string // exceptions from May
	StdOnly  bool     // no library from outside either
	Why      string
}

// nouns are what every package may speak of.
const nouns = "takedown/..."

// rules are read from the top; the first that matches a package counts.
var rules = []Rule{
	{Packages: []string{"takedown"}, StdOnly: true, Why: "the nouns, which everything shares"},
	{Packages: []string{"takedown/..."}, May: []string{"takedown"}, Why: "how nouns are read and written"},
	{Packages: []string{"pipeline/..."}, May: []string{nouns, "pipeline/..."}, Why: "the stages own the interfaces they need; what fulfils them is wired in"},
	{Packages: []string{"feeds/..."}, May: []string{nouns, "feeds/..."}, Why: "reads what others report; who takes it in is wired in"},
	{Packages: []string{"resolvers"}, May: []string{nouns, "resolvers/country", "resolvers/mailbox", "resolvers/prefix"}, Why: "asks sources through an interface and merges what they find"},
	{Packages: []string{"resolvers/..."}, May: []string{nouns, "resolvers", "resolvers/budget", "resolvers/country", "resolvers/mailbox", "resolvers/prefix"}, Why: "sources do not know one another"},
	{Packages: []string{"notifiers/..."}, May: []string{nouns, "notifiers"}, Why: "channels and formats do not know one another"},
	{Packages: []string{"trackers/..."}, May: []string{nouns, "trackers"}, Why: "probes do not know one another"},
	{Packages: []string{"inbox/..."}, May: []string{nouns, "inbox/..."}, Why: "reads what came back, whoever sent the notice"},
	{Packages: []string{"templates/..."}, May: []string{nouns, "templates/..."}, Why: "wording knows nothing of how it is sent"},
	{Packages: []string{"migrations", "internal/pgserver", "internal/simnet/...", "internal/borders"}, Why: "independent; a misreading in the simulated internet must not be the service's own"},
	{Packages: []string{"internal/postgres/..."}, May: []string{nouns, "migrations"}, Why: "the database"},
	{Packages: []string{"internal/bus/...", "internal/config", "internal/netguard/...", "internal/policy/...", "internal/stats/..."}, May: []string{nouns}, Why: "parts without a place in the flow"},
	{Packages: []string{"internal/app"}, May: []string{"..."}, Not: []string{"cmd/...", "internal/cli/...", "internal/bench/...", "internal/demo/..."}, Why: "wires everything"},
	{Packages: []string{"cmd/...", "internal/cli/...", "internal/bench/...", "internal/demo/..."}, May: []string{"..."}, Why: "what people start"},
	{Packages: []string{"..."}, May: []string{"..."}, Not: []string{"cmd/...", "internal/app", "internal/cli/...", "internal/bench/...", "internal/demo/..."}, Why: "the rest: nothing else imports the wiring"},
}

// A Library belongs to some packages; nobody else imports it, not even in a
// test.
type Library struct {
	Path   string // a prefix of import paths
	Owners []string
	Why    string
}

var libraries = []Library{
	{"github.com/jackc/pgx", []string{"internal/postgres/...", "internal/bench/...", "migrations"}, "SQL stands in one place; benchmarks measure the bare driver beside it"},
	{"github.com/nats-io", []string{"internal/bus/...", "internal/bench/..."}, "the broker stays behind one interface"},
}

// Rules returns the import table.
func Rules() []Rule { return append([]Rule(nil), rules...) }

// Libraries returns the table of libraries with an owner.
func Libraries() []Library { return append([]Library(nil), libraries...) }

// Table returns both tables as Markdown, as docs/ARCHITECTURE.md shows them.
func Table() string {
	var b strings.Builder
	b.WriteString("| packages | may import, of ours | because |\n| --- | --- | --- |\n")
	for _, r := range rules {
		may := "nothing"
		if r.StdOnly {
			may = "nothing, and no library"
		}
		if len(r.May) > 0 {
			may = list(r.May)
		}
		if len(r.Not) > 0 {
			may += " except " + list(r.Not)
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", list(r.Packages), may, r.Why)
	}
	b.WriteString("\nThe first row that matches counts. A package whose name ends in `test` serves tests, may import anything, and is imported by tests only.\n")
	b.WriteString("\n| library | imported only by | because |\n| --- | --- | --- |\n")
	for _, l := range libraries {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", l.Path, list(l.Owners), l.Why)
	}
	return b.String()
}

func list(patterns []string) string {
	quoted := make([]string, len(patterns))
	for i, p := range patterns {
		quoted[i] = "`" + p + "`"
		if p == "..." {
			quoted[i] = "everything"
		}
	}
	return strings.Join(quoted, ", ")
}

// match reports whether a path within the module matches one of the patterns.
func match(path string, patterns []string) bool {
	for _, p := range patterns {
		base, subtree := strings.CutSuffix(p, "...")
		base = strings.TrimSuffix(base, "/")
		if path == base || subtree && (base == "" || strings.HasPrefix(path, base+"/")) {
			return true
		}
	}
	return false
}

// forTests reports whether a package serves tests.
func forTests(path string) bool { return strings.HasSuffix(path, "test") }

// Check returns what is wrong with the imports of a file, one sentence each.
func Check(f File) []string {
	var faults []string
	for _, path := range f.Imports {
		if why := check(f, path); why != "" {
			faults = append(faults, fmt.Sprintf("%s imports %s: %s", f.Path, path, why))
		}
	}
	return faults
}

func check(f File, path string) string {
	for _, l := range libraries {
		if (path == l.Path || strings.HasPrefix(path, l.Path+"/")) && !match(f.Package, l.Owners) {
			return fmt.Sprintf("only %s may, because %s; go through it", list(l.Owners), l.Why)
		}
	}
	if f.Test || forTests(f.Package) {
		return ""
	}
	r := rule(f.Package)
	ours, isOurs := strings.CutPrefix(path, Module+"/")
	switch first, _, _ := strings.Cut(path, "/"); {
	case !isOurs && r.StdOnly && strings.Contains(first, "."):
		return "this package uses the standard library only; put the code beside the library's other users"
	case !isOurs:
		return ""
	case forTests(ours):
		return "it serves tests only"
	case !match(ours, r.May) || match(ours, r.Not):
		return fmt.Sprintf("not in its row of the import table (%s); define an interface here and wire it in internal/app", r.Why)
	}
	return ""
}

func rule(pkg string) Rule {
	for _, r := range rules {
		if match(pkg, r.Packages) {
			return r
		}
	}
	return Rule{} // not reached: the last rule matches everything
}
