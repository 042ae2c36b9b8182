package simnet

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

const (
	maxWorldBytes = 16 << 20
	maxSites      = 10_000_000
)

// LoadWorld reads a world; name stands for the file in errors. An unknown key,
// a reference to something undeclared or an address outside documentation
// space is an error with its line.
func LoadWorld(r io.Reader, name string) (*World, error) {
	w, err := decodeWorld(r, name)
	if err != nil {
		return nil, err
	}
	if err := w.expand(); err != nil {
		return nil, fmt.Errorf("world %s: %w", name, err)
	}
	return w, nil
}

// decodeWorld reads and checks a world, without drawing its populations.
func decodeWorld(r io.Reader, name string) (*World, error) {
	src, err := io.ReadAll(io.LimitReader(r, maxWorldBytes+1))
	if err != nil {
		return nil, fmt.Errorf("world %s: read: %w", name, err)
	}
	if len(src) > maxWorldBytes {
		return nil, fmt.Errorf("world %s: larger than %d bytes", name, maxWorldBytes)
	}
	w := new(World)
	if err := yaml.UnmarshalWithOptions(src, w, yaml.Strict()); err != nil {
		return nil, decodeError(name, src, err)
	}
	file, err := parser.ParseBytes(src, 0)
	if err != nil {
		return nil, decodeError(name, src, err)
	}
	c := &worldCheck{world: w, name: name, file: file}
	c.all()
	if len(c.faults) > 0 {
		return nil, errors.Join(c.faults...)
	}
	return w, nil
}

// decodeError puts the line of a YAML error where people look for it.
func decodeError(name string, src []byte, err error) error {
	var y yaml.Error
	if errors.As(err, &y) {
		if t := y.GetToken(); t != nil && t.Position != nil {
			return fmt.Errorf("%s:%d: %s", name, t.Position.Line, y.GetMessage())
		}
	}
	// Values that are read by their own rules (times, prefixes) come without a
	// position; they are named in the message, in quotes.
	if file, parseErr := parser.ParseBytes(src, 0); parseErr == nil {
		for _, doc := range file.Docs {
			if doc.Body == nil {
				continue
			}
			for _, node := range ast.Filter(ast.StringType, doc.Body) {
				s, ok := node.(*ast.StringNode)
				if ok && s.Value != "" && strings.Contains(err.Error(), strconv.Quote(s.Value)) {
					return fmt.Errorf("%s:%d: %w", name, s.GetToken().Position.Line, err)
				}
			}
		}
	}
	return fmt.Errorf("world %s: %w", name, err)
}

// worldCheck collects everything that is wrong with a world.
type worldCheck struct {
	world  *World
	name   string
	file   *ast.File
	faults []error
}

// fault records what is wrong at a YAML path such as $.sites[3].network.
func (c *worldCheck) fault(path, format string, args ...any) {
	c.faults = append(c.faults, fmt.Errorf("%s:%d: %s: %s", c.name, c.line(path), strings.TrimPrefix(path, "$."), fmt.Sprintf(format, args...)))
}

// line finds the line of a path, or of the nearest parent that was written.
func (c *worldCheck) line(path string) int {
	for path != "$" && path != "" {
		if p, err := yaml.PathString(path); err == nil {
			if node, err := p.FilterFile(c.file); err == nil && node != nil {
				return node.GetToken().Position.Line
			}
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut < 0 {
			break
		}
		path = path[:cut]
	}
	return 1
}

var (
	endNames   = []string{"notfound", "gone", "suspended", "parking", "refused", "nodns"}
	smtpNames  = []string{"nouser", "quota", "greylist", "unavailable", "drop"}
	pageNames  = []string{"", "phishing", "malware", "c2", "clean", "parking", "challenge"}
	classNames = []string{"", "phishing", "malware", "c2", "compromised", "spam", "attack", "fraudshop"}
	rirNames   = []string{"ripe", "arin", "apnic", "lacnic", "afrinic"}
	quirkNames = []string{"redacted", "noclass", "oddjcard"}
	whoisNames = []string{"gtld", "denic", "sidn"}
)

func (c *worldCheck) all() {
	w := c.world
	if w.Name == "" {
		c.fault("$.name", "a world needs a name")
	}
	if w.Epoch.IsZero() {
		w.Epoch = time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)
	}
	if w.CloakAgent == "" {
		w.CloakAgent = `(?i)mobile|android|iphone`
	}
	if _, err := regexp.Compile(w.CloakAgent); err != nil {
		c.fault("$.cloak_agent", "not a regular expression: %v", err)
	}
	for name, b := range w.Behaviours {
		path := "$.behaviours." + name
		c.shares(path+".ends", b.Ends, endNames)
		c.shares(path+".smtp", b.SMTP, smtpNames)
	}
	c.parties()
	c.sites()
	c.populations()
	for domain, network := range w.ProviderMailboxes {
		c.known("$.provider_mailboxes", "network", network, w.network(network) != nil)
		if !strings.Contains(domain, ".") {
			c.fault("$.provider_mailboxes", "%q is not a mail domain", domain)
		}
	}
}

func (c *worldCheck) parties() {
	w := c.world
	for i, r := range w.Registries {
		path := fmt.Sprintf("$.registries[%d]", i)
		c.party(path, r.Name, r.Domain, r.Quirks, r.Desk)
		if len(r.TLDs) == 0 {
			c.fault(path+".tlds", "registry %s runs no top-level domain", r.Name)
		}
		if r.WHOIS == "" {
			w.Registries[i].WHOIS = "gtld"
		} else {
			c.oneOf(path+".whois", r.WHOIS, whoisNames)
		}
	}
	for i, r := range w.Registrars {
		c.party(fmt.Sprintf("$.registrars[%d]", i), r.Name, r.Domain, r.Quirks, r.Desk)
	}
	for i, n := range w.Networks {
		path := fmt.Sprintf("$.networks[%d]", i)
		c.party(path, n.Name, n.Domain, n.Quirks, n.Desk)
		c.oneOf(path+".rir", n.RIR, rirNames)
		if len(n.Prefixes) == 0 {
			c.fault(path+".prefixes", "network %s has no addresses", n.Name)
		}
		for j, p := range n.Prefixes {
			if !documentation(p.Addr()) || p != p.Masked() {
				c.fault(fmt.Sprintf("%s.prefixes[%d]", path, j), "%s is not a prefix of documentation space (RFC 5737, RFC 3849)", p)
			}
		}
		if n.Upstream != "" {
			c.known(path+".upstream", "network", n.Upstream, w.network(n.Upstream) != nil)
		}
	}
	for i, d := range w.CDNs {
		path := fmt.Sprintf("$.cdns[%d]", i)
		c.known(path+".network", "network", d.Network, w.network(d.Network) != nil)
		if d.Edge == "" {
			c.fault(path+".edge", "CDN %s needs the name of its edge", d.Name)
		}
	}
	for i, p := range w.Platforms {
		path := fmt.Sprintf("$.platforms[%d]", i)
		c.known(path+".network", "network", p.Network, w.network(p.Network) != nil)
		c.known(path+".registrar", "registrar", p.Registrar, w.registrar(p.Registrar) != nil)
	}
	c.unique()
}

// unique makes sure that a name means one thing: WHOIS and RDAP servers are
// found by it.
func (c *worldCheck) unique() {
	seen := map[string]bool{}
	check := func(path, name string) {
		if seen[name] {
			c.fault(path, "the name %q is used twice", name)
		}
		seen[name] = true
	}
	for i, r := range c.world.Registries {
		check(fmt.Sprintf("$.registries[%d].name", i), r.Name)
	}
	for i, r := range c.world.Registrars {
		check(fmt.Sprintf("$.registrars[%d].name", i), r.Name)
	}
	for i, n := range c.world.Networks {
		check(fmt.Sprintf("$.networks[%d].name", i), n.Name)
	}
}

func (c *worldCheck) party(path, name, domain string, quirks []string, d Desk) {
	if name == "" {
		c.fault(path+".name", "missing")
	}
	if domain == "" {
		c.fault(path+".domain", "%s needs a domain of its own", name)
	}
	for _, q := range quirks {
		c.oneOf(path+".quirks", q, quirkNames)
	}
	if d.Behaviour != "" {
		_, ok := c.world.Behaviours[d.Behaviour]
		c.known(path+".desk.behaviour", "behaviour", d.Behaviour, ok)
	} else if d.Abuse != "" || d.Form != "" {
		c.fault(path+".desk.behaviour", "the desk of %s can be written to but has no behaviour", name)
	}
}

func (c *worldCheck) sites() {
	w := c.world
	seen := map[string]bool{}
	for i, s := range w.Sites {
		path := fmt.Sprintf("$.sites[%d]", i)
		if seen[s.Host] {
			c.fault(path+".host", "%s is declared twice", s.Host)
		}
		seen[s.Host] = true
		if s.Host == "" {
			c.fault(path+".host", "missing")
		}
		c.oneOf(path+".class", s.Class, classNames)
		c.oneOf(path+".page", s.Page, pageNames)
		if s.State != "" && s.State != stateLive {
			c.oneOf(path+".state", s.State, endNames)
		}
		c.known(path+".network", "network", s.Network, s.Platform != "" || w.network(s.Network) != nil)
		c.known(path+".cdn", "cdn", s.CDN, s.CDN == "" || w.cdn(s.CDN) != nil)
		c.known(path+".platform", "platform", s.Platform, s.Platform == "" || w.platform(s.Platform) != nil)
		if addr, err := netip.ParseAddr(s.Host); err == nil {
			if !documentation(addr) {
				c.fault(path+".host", "%s is not in documentation space", addr)
			}
		} else if s.Platform == "" {
			c.known(path+".registrar", "registrar", s.Registrar, w.registrar(s.Registrar) != nil)
			if w.registry(tldOf(s.Host)) == nil {
				c.fault(path+".host", "no registry runs .%s", tldOf(s.Host))
			}
		}
		for j, a := range s.Addresses {
			if !documentation(a) {
				c.fault(fmt.Sprintf("%s.addresses[%d]", path, j), "%s is not in documentation space", a)
			}
		}
	}
}

func (c *worldCheck) populations() {
	w := c.world
	for i, p := range w.Populations {
		path := fmt.Sprintf("$.populations[%d]", i)
		if p.Count < 0 {
			c.fault(path+".count", "is negative")
		}
		if p.Count > maxSites {
			c.fault(path+".count", "is more than %d", maxSites)
		}
		if len(p.Classes) == 0 {
			c.fault(path+".classes", "population %s needs at least one class", p.Name)
		}
		c.shares(path+".classes", p.Classes, classNames)
		c.shares(path+".states", p.States, endNames)
		for k := range p.Networks {
			c.known(path+".networks", "network", k, w.network(k) != nil)
		}
		for k := range p.CDNs {
			c.known(path+".cdns", "cdn", k, w.cdn(k) != nil)
		}
		for k := range p.Platforms {
			c.known(path+".platforms", "platform", k, w.platform(k) != nil)
		}
		for k := range p.Registrars {
			c.known(path+".registrars", "registrar", k, w.registrar(k) != nil)
		}
		for k := range p.TLDs {
			c.known(path+".tlds", "top-level domain", k, w.registry(k) != nil)
		}
		named := !p.BareIP && len(p.Platforms) == 0
		if len(p.Platforms) == 0 && len(p.Networks) == 0 {
			c.fault(path+".networks", "population %s lives nowhere", p.Name)
		}
		if named && (len(p.TLDs) == 0 || len(p.Registrars) == 0) {
			c.fault(path+".tlds", "population %s has names and needs tlds and registrars", p.Name)
		}
	}
}

func (c *worldCheck) oneOf(path, value string, known []string) {
	if !slices.Contains(known, value) {
		c.fault(path, "%q is not one of %s", value, strings.Trim(strings.Join(known, ", "), ", "))
	}
}

func (c *worldCheck) known(path, kind, value string, ok bool) {
	if !ok {
		c.fault(path, "there is no %s %q", kind, value)
	}
}

func (c *worldCheck) shares(path string, s Shares, known []string) {
	for k, v := range s {
		c.oneOf(path, k, known)
		if v < 0 {
			c.fault(path, "the share of %q is negative", k)
		}
	}
}
