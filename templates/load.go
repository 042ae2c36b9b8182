package templates

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"slices"
	"sort"
	"strings"
	"text/template"
	"time"

	"github.com/goccy/go-yaml"
)

//go:embed jurisdictions languages
var shipped embed.FS

// DefaultStaleAfter is how long after checked_on a pack may be used.
const DefaultStaleAfter = 365 * 24 * time.Hour

// maxFile bounds one pack or wording file.
const maxFile = 1 << 20

// Options say how to load the library.
type Options struct {
	// Override holds files that replace shipped files of the same path
	// (jurisdictions/eu.yaml, languages/de/request.tmpl) or add to them.
	Override fs.FS
	// StaleAfter is how long after checked_on a pack may be used;
	// DefaultStaleAfter when zero.
	StaleAfter time.Duration
	// Logger hears of shipped legal text that was overridden.
	Logger *slog.Logger
}

// A Library holds every pack and wording block, parsed. It is immutable and
// safe for concurrent use.
type Library struct {
	packs      map[string]*pack
	ids        []string // sorted
	byCountry  map[string]*pack
	gtld       *pack
	languages  map[string]*language
	staleAfter time.Duration
}

// language is one folder of languages/.
type language struct {
	Code       string `yaml:"code"`
	Name       string `yaml:"name"`
	CheckedOn  string `yaml:"checked_on"`
	ReviewedBy string `yaml:"reviewed_by"`

	blocks  *template.Template
	sources []sourceFile
}

type sourceFile struct {
	name string
	data []byte
}

// Load reads the shipped packs and wording with the overrides of o. The error
// names every fault that keeps the library from being used, with file and
// line; Lint finds more.
func Load(o Options) (*Library, error) {
	logger := o.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	files, replaced, err := readTree(o.Override)
	if err != nil {
		return nil, err
	}
	for _, name := range replaced {
		sum := sha256.Sum256(files[name])
		logger.Warn("shipped legal text is overridden", slog.String("file", name), slog.String("sha256", hex.EncodeToString(sum[:])))
	}
	lib, faults := build(files)
	if len(faults) > 0 {
		errs := make([]error, len(faults))
		for i, f := range faults {
			errs[i] = errors.New(f.String())
		}
		return nil, fmt.Errorf("load packs: %w", errors.Join(errs...))
	}
	if o.StaleAfter > 0 {
		lib.staleAfter = o.StaleAfter
	}
	return lib, nil
}

// readTree returns the shipped files with those of override over them, and the
// names of the shipped files that changed.
func readTree(override fs.FS) (files map[string][]byte, replaced []string, err error) {
	files = map[string][]byte{}
	for _, root := range []fs.FS{shipped, override} {
		if root == nil {
			continue
		}
		err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() || !isOurs(name) {
				return nil
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			if info.Size() > maxFile {
				return fmt.Errorf("%s is larger than %d bytes", name, maxFile)
			}
			data, err := fs.ReadFile(root, name)
			if err != nil {
				return err
			}
			if old, ok := files[name]; ok && string(old) != string(data) {
				replaced = append(replaced, name)
			}
			files[name] = data
			return nil
		})
		if err != nil {
			return nil, nil, fmt.Errorf("read packs and wording: %w", err)
		}
	}
	return files, replaced, nil
}

// isOurs reports whether name is a place for a pack or for wording.
func isOurs(name string) bool {
	switch dir, ext := path.Split(name); {
	case dir == "jurisdictions/":
		return strings.HasSuffix(ext, ".yaml")
	case strings.HasPrefix(dir, "languages/") && strings.Count(dir, "/") == 2:
		return strings.HasSuffix(ext, ".tmpl") || ext == "language.yaml"
	}
	return false
}

// build parses everything and resolves inheritance.
func build(files map[string][]byte) (*Library, []Fault) {
	lib := &Library{
		packs: map[string]*pack{}, byCountry: map[string]*pack{},
		languages: map[string]*language{}, staleAfter: DefaultStaleAfter,
	}
	var faults []Fault
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if strings.HasPrefix(name, "languages/") {
			if f := lib.addWording(name, files[name]); f != nil {
				faults = append(faults, *f)
			}
			continue
		}
		p, f := parsePack(name, files[name])
		if f != nil {
			faults = append(faults, *f)
			continue
		}
		if want := "jurisdictions/" + p.ID + ".yaml"; want != name {
			faults = append(faults, Fault{name, lineOf(p.source, "id:"), fmt.Sprintf("pack %q must stand in %s", p.ID, want)})
			continue
		}
		lib.packs[p.ID] = p
		lib.ids = append(lib.ids, p.ID)
	}
	faults = append(faults, lib.link()...)
	if len(faults) > 0 {
		return nil, faults
	}
	return lib, nil
}

func (l *Library) addWording(name string, data []byte) *Fault {
	code := path.Base(path.Dir(name))
	lang := l.languages[code]
	if lang == nil {
		lang = &language{blocks: template.New(code).Option("missingkey=error")}
		l.languages[code] = lang
	}
	lang.sources = append(lang.sources, sourceFile{name, data})
	if path.Base(name) == "language.yaml" {
		if err := yaml.UnmarshalWithOptions(data, lang, yaml.Strict()); err != nil {
			return &Fault{name, 1, err.Error()}
		}
		if lang.Code != code {
			return &Fault{name, lineOf(data, "code:"), fmt.Sprintf("code %q is not the name of its folder", lang.Code)}
		}
		return nil
	}
	if _, err := lang.blocks.New(name).Parse(string(data)); err != nil {
		return &Fault{name, templateLine(err), err.Error()}
	}
	return nil
}

// link resolves inheritance, dates, countries and versions.
func (l *Library) link() []Fault {
	var faults []Fault
	fault := func(p *pack, key, format string, args ...any) {
		faults = append(faults, Fault{p.file, lineOf(p.source, key), fmt.Sprintf(format, args...)})
	}
	for code, lang := range l.languages {
		if lang.Code == "" {
			faults = append(faults, Fault{"languages/" + code + "/language.yaml", 1, "the language has no language.yaml"})
		}
	}
	done := map[string]bool{}
	var resolve func(p *pack, path []string)
	resolve = func(p *pack, path []string) {
		if done[p.ID] {
			return
		}
		if slices.Contains(path, p.ID) {
			fault(p, "inherits:", "pack %s inherits from itself: %s", p.ID, strings.Join(append(path, p.ID), " > "))
			done[p.ID] = true
			return
		}
		if p.Inherits != "" {
			parent := l.packs[p.Inherits]
			if parent == nil {
				fault(p, "inherits:", "pack %q, which %s inherits from, does not exist", p.Inherits, p.ID)
			} else {
				resolve(parent, append(path, p.ID))
				p.inherit(parent)
			}
		}
		done[p.ID] = true
	}
	for _, id := range l.ids {
		resolve(l.packs[id], nil)
	}
	for _, id := range l.ids {
		p := l.packs[id]
		for _, d := range []struct {
			key, value string
			into       *time.Time
			optional   bool
		}{
			{"valid_from:", p.ValidFrom, &p.from, false},
			{"valid_to:", p.ValidTo, &p.to, true},
			{"checked_on:", p.CheckedOn, &p.checked, false},
		} {
			if d.value == "" && d.optional {
				continue
			}
			t, err := time.Parse(time.DateOnly, d.value)
			if err != nil {
				fault(p, d.key, "%s %q is not a date such as 2026-11-23", strings.TrimSuffix(d.key, ":"), d.value)
			}
			*d.into = t
		}
		for _, country := range p.Countries {
			other := l.byCountry[country]
			switch {
			case other == nil || p.Inherits == other.ID:
				l.byCountry[country] = p
			case other.Inherits == p.ID:
			default:
				fault(p, "countries:", "country %s is claimed by %s and %s", country, other.ID, p.ID)
			}
		}
		if p.GTLD {
			if l.gtld != nil {
				fault(p, "gtld:", "packs %s and %s both serve generic top-level domains", l.gtld.ID, p.ID)
			}
			l.gtld = p
		}
	}
	if l.packs[FallbackID] == nil {
		faults = append(faults, Fault{"jurisdictions/" + FallbackID + ".yaml", 1, "the fall-back pack is missing"})
	}
	l.version()
	return faults
}

// version gives each pack, with each set of languages it can be sent in, a
// version: the beginning of the SHA-256 of all that its wording depends on.
func (l *Library) version() {
	for _, p := range l.packs {
		p.versions = map[string]string{}
		var sets [][]string
		for _, q := range l.packs {
			sets = append(sets, l.available(q))
		}
		for code := range l.languages {
			sets = append(sets, []string{code})
		}
		for _, set := range sets {
			h := sha256.New()
			for q, n := p, 0; q != nil && n <= len(l.packs); q, n = l.packs[q.Inherits], n+1 {
				h.Write(q.source)
			}
			for _, code := range set {
				for _, s := range l.languages[code].sources {
					h.Write(s.data)
				}
			}
			p.versions[strings.Join(set, "+")] = hex.EncodeToString(h.Sum(nil))[:12]
		}
	}
}

// available lists the languages of the pack for which wording exists.
func (l *Library) available(p *pack) []string {
	var list []string
	for _, code := range p.Languages.Send {
		if l.languages[code] != nil {
			list = append(list, code)
		}
	}
	return list
}

// templateLine takes the line out of an error of text/template, whose form is
// "template: name:line:column: …".
func templateLine(err error) int {
	for part := range strings.SplitSeq(err.Error(), ":") {
		var n int
		if _, scanErr := fmt.Sscanf(part, "%d", &n); scanErr == nil && n > 0 {
			return n
		}
	}
	return 1
}
