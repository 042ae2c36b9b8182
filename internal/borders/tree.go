package borders

import (
	"bytes"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A File is a file of the tree, with what the rules look at.
type File struct {
	Path string // within the module, with slashes
	Text []byte
	// The rest is set for Go files.
	Go      bool
	Test    bool
	Package string   // path of the package within the module
	Name    string   // as the package clause says
	Doc     string   // the package comment, if it stands in this file
	Imports []string // import paths, in order
}

// textFiles are the names that habits are checked in.
var textFiles = regexp.MustCompile(`(^|/)Makefile$|\.(go|md|ya?ml|sql|tmpl|html|css|js|sh|json|txt|toml|service)$`)

// Read returns the text files of the tree below root in order. Hidden folders,
// testdata, and build results in bin are left out.
func Read(root string) ([]File, error) {
	var files []File
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if entry.IsDir() {
			if rel != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata" || entry.Name() == "node_modules" || rel == "bin") {
				return filepath.SkipDir
			}
			return nil
		}
		if !entry.Type().IsRegular() || !textFiles.MatchString(rel) {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		f, err := newFile(rel, text)
		files = append(files, f)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("borders: read the tree below %s: %w", root, err)
	}
	return files, nil
}

func newFile(rel string, text []byte) (File, error) {
	f := File{Path: rel, Text: text}
	if !strings.HasSuffix(rel, ".go") {
		return f, nil
	}
	syntax, err := parser.ParseFile(token.NewFileSet(), rel, text, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return f, err
	}
	f.Go, f.Test, f.Package, f.Name = true, strings.HasSuffix(rel, "_test.go"), path.Dir(rel), syntax.Name.Name
	f.Doc = syntax.Doc.Text()
	for _, spec := range syntax.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return f, fmt.Errorf("%s: import %s: %w", rel, spec.Path.Value, err)
		}
		f.Imports = append(f.Imports, imported)
	}
	return f, nil
}

// maxLines is how long a Go file may be, tests apart.
const maxLines = 600

// habits are what no file may hold. The patterns are written so that they do not
// match themselves.
var habits = []struct {
	files   *regexp.Regexp
	pattern *regexp.Regexp
	why     string
}{
	{regexp.MustCompile(`_test\.go$`), regexp.MustCompile(`\btime\.Sleep[(]`), "a test waits for a condition or uses testing/synctest, it does not sleep"},
	{regexp.MustCompile(`.`), regexp.MustCompile(`\b(TO[D]O|FIX[M]E|X[X]X|HA[C]K)\b`), "unfinished work belongs into an issue"},
	{regexp.MustCompile(`\.go$`), regexp.MustCompile(`panic\("(to[d]o|un|not )`), "unfinished code does not go in"},
	{regexp.MustCompile(`.`), regexp.MustCompile(`(^|[\s"'=(:])/(work|Users)/`), "a path of somebody's machine"},
}

// Habits returns where a file breaks a habit, as file:line and a reason.
func Habits(f File) []string {
	var faults []string
	lines := bytes.Split(bytes.TrimSuffix(f.Text, []byte("\n")), []byte("\n"))
	if f.Go && !f.Test && len(lines) > maxLines {
		faults = append(faults, fmt.Sprintf("%s has %d lines, more than %d: split it where it does two things", f.Path, len(lines), maxLines))
	}
	for _, h := range habits {
		if !h.files.MatchString(f.Path) || !h.pattern.Match(f.Text) {
			continue
		}
		for i, line := range lines {
			if found := h.pattern.Find(line); found != nil {
				faults = append(faults, fmt.Sprintf("%s:%d: %q: %s", f.Path, i+1, bytes.TrimSpace(found), h.why))
			}
		}
	}
	return faults
}

// Docs returns the packages that do not have exactly one package comment of the
// form that go doc expects.
func Docs(files []File) []string {
	docs := map[string][]File{}
	var order []string
	for _, f := range files {
		if !f.Go || f.Test {
			continue
		}
		if _, seen := docs[f.Package]; !seen {
			order = append(order, f.Package)
			docs[f.Package] = nil
		}
		if f.Doc == "" {
			continue
		}
		docs[f.Package] = append(docs[f.Package], f)
		begin := "Package " + f.Name + " "
		if f.Name == "main" {
			begin = "Command " + path.Base(f.Package) + " "
		}
		if !strings.HasPrefix(f.Doc, begin) {
			docs[f.Package] = append(docs[f.Package], File{Path: f.Path + " (does not begin with \"" + strings.TrimSpace(begin) + "\")"})
		}
	}
	var faults []string
	for _, pkg := range order {
		switch with := docs[pkg]; len(with) {
		case 1:
		case 0:
			faults = append(faults, pkg+" has no package comment: say its job, the standard it follows, how it behaves on failure")
		default:
			names := make([]string, len(with))
			for i, f := range with {
				names[i] = f.Path
			}
			faults = append(faults, fmt.Sprintf("%s: the package comment must stand once and in the usual form: %s", pkg, strings.Join(slices.Compact(names), ", ")))
		}
	}
	return faults
}
