package policy

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"
)

// core holds the built-in lists. They are read as any other list is.
//
//go:embed core/*.json
var core embed.FS

// Effect is what a hit on a list does.
type Effect string

// The effects.
const (
	EffectHold Effect = "hold" // allow-list: a person decides
	// EffectPlatform guards the site, not the pages and subdomains that its
	// customers made: a domain, or a URL without a path, is refused.
	EffectPlatform Effect = "platform"
	EffectRefuse   Effect = "refuse"
	EffectIgnore   Effect = "ignore" // says something of the network, nothing of guilt
)

// listEffects are the effects of lists by the names under which the MISP
// project publishes them; any other list holds. A table of constants.
var listEffects = map[string]Effect{
	// Our own.
	"infrastructure-names": EffectRefuse, "infrastructure-addresses": EffectRefuse, "platforms": EffectPlatform,
	// Whoever rents an address in a cloud is not innocent by that.
	"akamai": EffectIgnore, "amazon-aws": EffectIgnore, "cloudflare": EffectIgnore, "fastly": EffectIgnore, "google": EffectIgnore,
	"google-gcp": EffectIgnore, "microsoft-azure": EffectIgnore, "microsoft-azure-china": EffectIgnore, "microsoft-azure-germany": EffectIgnore,
	"microsoft-azure-us-gov": EffectIgnore, "ovh-cluster": EffectIgnore, "stackpath": EffectIgnore, "vpn-ipv4": EffectIgnore, "vpn-ipv6": EffectIgnore,
	"tlds": EffectIgnore, "second-level-tlds": EffectIgnore,
	// Sites made of their customers' pages.
	"dynamic-dns": EffectPlatform, "link-in-bio": EffectPlatform, "url-shortener": EffectPlatform, "public-ipfs-gateways": EffectPlatform,
	"cache-and-proxy": EffectPlatform, "free-email-domains": EffectPlatform,
}

// Bounds of one list file.
const (
	maxListBytes   = 64 << 20
	maxListEntries = 2_000_000
	maxPatterns    = 1000 // regular expressions or substrings of all lists together
	maxPatternLen  = 1000
)

// warninglist is the MISP format.
type warninglist struct {
	Name       string   `json:"name"`
	Type       string   `json:"type"`
	Attributes []string `json:"matching_attributes"`
	List       []string `json:"list"`
}

// list is one list in use.
type list struct {
	id, name string
	effect   Effect
	ip       bool // applies to addresses
	domain   bool
	url      bool
	entries  int
}

type pattern struct {
	list int32
	text string         // substring, if expr is nil
	expr *regexp.Regexp // RE2: linear in the input
}

// lists is all lists in one index, so that a screen costs a few look-ups
// however many lists there are.
type lists struct {
	lists    []list
	exact    map[string][]int32 // host or whole value
	suffix   map[string][]int32 // zone, for it and everything below
	prefixes map[netip.Prefix][]int32
	lengths  [2][]int // prefix lengths in use, IPv4 and IPv6
	patterns []pattern
}

func newLists() *lists {
	return &lists{exact: map[string][]int32{}, suffix: map[string][]int32{}, prefixes: map[netip.Prefix][]int32{}}
}

func readLists(dir fs.FS, overrides map[string]Effect) (*lists, error) {
	ls := newLists()
	sub, err := fs.Sub(core, "core")
	if err != nil {
		return nil, err
	}
	for _, d := range []fs.FS{sub, dir} {
		if d == nil {
			continue
		}
		var files []string
		for _, glob := range []string{"*.json", "*/list.json"} {
			found, err := fs.Glob(d, glob)
			if err != nil {
				return nil, fmt.Errorf("policy: list %s: %w", glob, err)
			}
			files = append(files, found...)
		}
		if len(files) == 0 {
			return nil, errors.New("policy: the warninglist folder holds neither *.json nor */list.json; correct policy.warninglists or leave it empty")
		}
		for _, file := range files {
			if err := ls.read(d, file, overrides); err != nil {
				return nil, fmt.Errorf("policy: warninglist %s: %w", file, err)
			}
		}
	}
	for prefix := range ls.prefixes {
		family := 0
		if prefix.Addr().Is6() {
			family = 1
		}
		if !slices.Contains(ls.lengths[family], prefix.Bits()) {
			ls.lengths[family] = append(ls.lengths[family], prefix.Bits())
		}
	}
	return ls, nil
}

func (ls *lists) read(dir fs.FS, file string, overrides map[string]Effect) error {
	f, err := dir.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	raw, err := io.ReadAll(io.LimitReader(f, maxListBytes+1))
	if err != nil {
		return err
	}
	if len(raw) > maxListBytes {
		return fmt.Errorf("it is larger than %d bytes", maxListBytes)
	}
	var w warninglist
	if err := json.Unmarshal(raw, &w); err != nil {
		return fmt.Errorf("it is not a warninglist: %w", err)
	}
	id := strings.TrimSuffix(path.Base(file), ".json")
	if id == "list" {
		id = path.Base(path.Dir(file))
	}
	return ls.add(id, w, overrides)
}

func (ls *lists) add(id string, w warninglist, overrides map[string]Effect) error {
	if w.Name == "" || len(w.List) == 0 {
		return errors.New("it has no name or an empty list")
	}
	if len(w.List) > maxListEntries {
		return fmt.Errorf("it has %d entries, and %d is the limit", len(w.List), maxListEntries)
	}
	effect, known := overrides[id]
	if !known {
		effect, known = listEffects[id]
	}
	if !known {
		effect = EffectHold
	}
	switch effect {
	case EffectHold, EffectPlatform, EffectRefuse, EffectIgnore:
	default:
		return fmt.Errorf("its effect %q is not one of hold, platform, refuse, ignore", effect)
	}
	l := list{id: id, name: w.Name, effect: effect, entries: len(w.List)}
	for _, a := range w.Attributes {
		switch a, _, _ = strings.Cut(a, "|"); a {
		case "ip-src", "ip-dst":
			l.ip = true
		case "domain", "hostname":
			l.domain = true
		case "url", "uri", "link":
			l.url = true
		}
	}
	if len(w.Attributes) == 0 {
		l.ip, l.domain, l.url = true, true, true
	}
	// Lists of hosts are about URLs at them too.
	l.url = l.url || l.domain

	n := int32(len(ls.lists))
	ls.lists = append(ls.lists, l)
	if effect == EffectIgnore {
		return checkEntries(w)
	}
	for i, entry := range w.List {
		if err := ls.entry(n, w.Type, entry); err != nil {
			return fmt.Errorf("entry %d, %q: %w", i+1, entry, err)
		}
	}
	return nil
}

// checkEntries reads an ignored list all the same, so that it is known to be
// sound on the day somebody gives it an effect.
func checkEntries(w warninglist) error {
	scratch := newLists()
	for i, entry := range w.List {
		if err := scratch.entry(0, w.Type, entry); err != nil {
			return fmt.Errorf("entry %d, %q: %w", i+1, entry, err)
		}
	}
	return nil
}

// entry adds one entry. Lists of type cidr hold bare addresses; a hostname with
// a leading dot stands for everything below it, one without for itself alone; a
// string is compared whole.
func (ls *lists) entry(n int32, kind, entry string) error {
	entry = strings.TrimSpace(entry)
	if entry == "" {
		return errors.New("it is empty")
	}
	switch kind {
	case "cidr":
		prefix, err := parsePrefix(entry)
		if err != nil {
			return err
		}
		ls.prefixes[prefix] = appendOnce(ls.prefixes[prefix], n)
	case "hostname":
		name := strings.TrimSuffix(strings.ToLower(entry), ".")
		if name == "" {
			return errors.New("it would match every name")
		}
		if zone, isSuffix := strings.CutPrefix(name, "."); isSuffix {
			ls.suffix[zone] = appendOnce(ls.suffix[zone], n)
			return nil
		}
		ls.exact[name] = appendOnce(ls.exact[name], n)
	case "string":
		// Some lists of type string hold addresses; those match as such.
		if a, err := netip.ParseAddr(entry); err == nil {
			prefix := netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen())
			ls.prefixes[prefix] = appendOnce(ls.prefixes[prefix], n)
			return nil
		}
		name := strings.ToLower(entry)
		ls.exact[name] = appendOnce(ls.exact[name], n)
	case "substring", "regex":
		if len(ls.patterns) >= maxPatterns || len(entry) > maxPatternLen {
			return fmt.Errorf("more than %d substrings and regular expressions, or one longer than %d characters", maxPatterns, maxPatternLen)
		}
		p := pattern{list: n, text: strings.ToLower(entry)}
		if kind == "regex" {
			var err error
			if p.expr, err = regexp.Compile("(?i)" + undelimit(entry)); err != nil {
				return err
			}
		}
		ls.patterns = append(ls.patterns, p)
	default:
		return fmt.Errorf("the list's type %q is not one of string, substring, hostname, cidr, regex", kind)
	}
	return nil
}

// undelimit takes the slashes and flags off a regular expression as PHP writes
// it, which is how these lists are published.
func undelimit(expr string) string {
	if rest, ok := strings.CutPrefix(expr, "/"); ok {
		if end := strings.LastIndexByte(rest, '/'); end > 0 {
			return rest[:end]
		}
	}
	return expr
}

func parsePrefix(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return netip.Prefix{}, err
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	return p.Masked(), nil
}

func appendOnce(to []int32, n int32) []int32 {
	if slices.Contains(to, n) {
		return to
	}
	return append(to, n)
}
