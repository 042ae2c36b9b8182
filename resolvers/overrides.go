package resolvers

import (
	"bytes"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"desist/resolvers/country"
	"desist/resolvers/mailbox"
	"desist/takedown"
)

// maxOverrideFile caps the file in bytes.
const maxOverrideFile = 16 << 20

// An Override is the operator's own word on a party: whom to write to, and what
// it is called. It wins over everything that the sources say.
type Override struct {
	Match Match `yaml:"match"`
	// Name and Country replace what the sources say; empty keeps it.
	Name    string `yaml:"name"`
	Country string `yaml:"country"`
	// Contacts go before all others, in this order.
	Contacts []OverrideContact `yaml:"contacts"`
	// Only drops every contact that the sources found.
	Only bool `yaml:"only"`
	// Provider marks a general rule about a provider, which ranks just below
	// an override.
	Provider bool `yaml:"provider"`
	// Note says why, for people.
	Note string `yaml:"note"`
}

// Match says which parties an override is about. What is set must all hold.
type Match struct {
	Party string `yaml:"party"` // the key: iana:9999, net:192.0.2.0/24, platform:pages.example
	// Suffix marks every name at or under it as customers of a shared
	// platform, which then gets the notice instead of the registrar.
	Suffix string `yaml:"suffix"`
	ASN    uint32 `yaml:"asn"`
	CIDR   string `yaml:"cidr"` // holds for addresses inside
	Role   string `yaml:"role"`

	prefix netip.Prefix
}

// OverrideContact is one way to reach a party; exactly one field is set.
type OverrideContact struct {
	Email   string `yaml:"email"`
	Form    string `yaml:"form"`    // a URL that a person fills in
	Webhook string `yaml:"webhook"` // a URL that takes the notice
}

// Overrides is a checked list of overrides.
type Overrides struct{ list []Override }

// LoadOverrides reads the YAML file of overrides. A missing path is no override.
func LoadOverrides(path string) (*Overrides, error) {
	if path == "" {
		return &Overrides{}, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("contacts.overrides: %w", err)
	}
	if info.Size() > maxOverrideFile {
		return nil, fmt.Errorf("contacts.overrides: %s is larger than %d bytes", path, maxOverrideFile)
	}
	data, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("contacts.overrides: %w", err)
	}
	o, err := ParseOverrides(data)
	if err != nil {
		return nil, fmt.Errorf("contacts.overrides: %s: %w", path, err)
	}
	return o, nil
}

// ParseOverrides reads overrides from YAML. An unknown key, a contact that
// cannot be used or a match that matches everything is an error.
func ParseOverrides(data []byte) (*Overrides, error) {
	var file struct {
		Overrides []Override `yaml:"overrides"`
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return &Overrides{}, nil
	}
	if err := unmarshal(data, &file); err != nil {
		return nil, err
	}
	return NewOverrides(file.Overrides)
}

// unmarshal is strict. The YAML library panics on some malformed input; for the
// operator that is a malformed file like any other.
func unmarshal(data []byte, v any) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("malformed YAML: %v", p)
		}
	}()
	return yaml.UnmarshalWithOptions(data, v, yaml.Strict())
}

// NewOverrides checks and normalises a list of overrides.
func NewOverrides(list []Override) (*Overrides, error) {
	checked := slices.Clone(list)
	for i := range checked {
		if err := checked[i].normalise(); err != nil {
			return nil, fmt.Errorf("overrides[%d]: %w", i, err)
		}
	}
	return &Overrides{checked}, nil
}

func (o *Override) normalise() error {
	m := &o.Match
	m.Suffix = strings.ToLower(strings.Trim(m.Suffix, "."))
	if m.Party == "" && m.Suffix == "" && m.ASN == 0 && m.CIDR == "" {
		return fmt.Errorf("match: set at least one of party, suffix, asn, cidr")
	}
	if m.CIDR != "" {
		p, err := netip.ParsePrefix(m.CIDR)
		if err != nil {
			return fmt.Errorf("match.cidr: %w", err)
		}
		m.prefix = p.Masked()
	}
	if m.Role != "" {
		if err := takedown.Role(m.Role).Validate(); err != nil {
			return fmt.Errorf("match.role: %w", err)
		}
	}
	if o.Country != "" {
		code, ok := country.Code(o.Country)
		if !ok {
			return fmt.Errorf("country: %q is not a country", o.Country)
		}
		o.Country = code
	}
	o.Contacts = slices.Clone(o.Contacts)
	for i := range o.Contacts {
		if err := o.Contacts[i].normalise(); err != nil {
			return fmt.Errorf("contacts[%d]: %w", i, err)
		}
	}
	return nil
}

func (c *OverrideContact) normalise() error {
	set := 0
	for _, v := range []string{c.Email, c.Form, c.Webhook} {
		if v != "" {
			set++
		}
	}
	if set != 1 {
		return fmt.Errorf("set exactly one of email, form, webhook")
	}
	if c.Email != "" {
		clean, ok := mailbox.Clean(c.Email)
		if !ok {
			return fmt.Errorf("email: %q is not a mail address", c.Email)
		}
		c.Email = clean
		return nil
	}
	u, err := url.Parse(c.Form + c.Webhook)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return fmt.Errorf("%q is not an http URL", c.Form+c.Webhook)
	}
	return nil
}

func (c OverrideContact) contact(o Override) takedown.Contact {
	kind := mailbox.Override
	if o.Provider {
		kind = mailbox.Provider
	}
	out := takedown.Contact{
		Channel: takedown.ChannelEmail, Address: c.Email, Confidence: kind.Confidence(),
		Sources: []string{string(kind)}, Why: "set by the operator",
	}
	if o.Note != "" {
		out.Why += ": " + o.Note
	}
	switch {
	case c.Form != "":
		out.Channel, out.Address = takedown.ChannelManual, c.Form
	case c.Webhook != "":
		out.Channel, out.Address = takedown.ChannelWebhook, c.Webhook
	}
	return out
}

// platform returns the longest suffix rule that host falls under.
func (o *Overrides) platform(host string) (suffix string, ok bool) {
	if o == nil {
		return "", false
	}
	for _, rule := range o.list {
		if s := rule.Match.Suffix; s != "" && under(host, s) && len(s) > len(suffix) {
			suffix, ok = s, true
		}
	}
	return suffix, ok
}

// under reports whether name is domain or inside it.
func under(name, domain string) bool {
	return name == domain || strings.HasSuffix(name, "."+domain)
}

// matches reports whether the rule is about party p, reached by addrs.
func (m Match) matches(p takedown.Party, addrs []netip.Addr) bool {
	if m.Role != "" && string(p.Role) != m.Role {
		return false
	}
	if m.Party != "" && m.Party != p.Key {
		return false
	}
	if m.Suffix != "" && p.Key != PlatformKey(m.Suffix) {
		return false
	}
	if m.ASN != 0 && m.ASN != p.ASN {
		return false
	}
	if m.CIDR != "" && !slices.ContainsFunc(addrs, m.prefix.Contains) {
		return false
	}
	return true
}

// apply changes p as the overrides say, and returns the contacts to put first.
func (o *Overrides) apply(p *takedown.Party, addrs []netip.Addr) (contacts []takedown.Contact, only bool) {
	if o == nil {
		return nil, false
	}
	for _, rule := range o.list {
		if !rule.Match.matches(*p, addrs) {
			continue
		}
		if rule.Name != "" {
			p.Name = rule.Name
		}
		if rule.Country != "" {
			p.Country, p.CountryConflicts = rule.Country, nil
		}
		for _, c := range rule.Contacts {
			contacts = append(contacts, c.contact(rule))
		}
		only = only || rule.Only
	}
	return contacts, only
}
