package rdap

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"desist/resolvers/country"
)

// A card is what is needed of a jCard (RFC 7095), the vcardArray of an entity.
type card struct {
	name   string // fn, else org
	org    string
	kind   string
	emails []string // preferred first (RFC 6350 section 5.3)
	urls   []string // contact-uri (RFC 8605 section 2.1) and http urls
	// country is ISO 3166-1 alpha-2; countryFrom says which part stated it.
	country     string
	countryFrom string
}

// property is one element of a jCard: name, parameters, type, values.
type property struct {
	name   string
	params map[string]any
	values []any
}

// readCard reads a vcardArray. What is malformed is left out; a property that
// cannot be read does not take the others with it.
func readCard(v any) card {
	var c card
	array, _ := v.([]any)
	if len(array) < 2 {
		return c
	}
	properties, _ := array[1].([]any)
	type preferred struct {
		email string
		pref  int
	}
	var emails []preferred
	for _, raw := range properties {
		p, ok := readProperty(raw)
		if !ok {
			continue
		}
		switch p.name {
		case "fn":
			c.name = cmp.Or(c.name, p.text())
		case "org":
			c.org = cmp.Or(c.org, p.text())
		case "kind":
			c.kind = cmp.Or(c.kind, strings.ToLower(p.text()))
		case "email":
			for _, value := range p.values {
				if s, ok := value.(string); ok {
					for one := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == ',' || r == ';' || r == ' ' }) {
						emails = append(emails, preferred{one, p.pref()})
					}
				}
			}
		case "contact-uri", "url":
			if s := p.text(); strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://") {
				c.urls = append(c.urls, s)
			}
		case "adr":
			if c.country == "" {
				c.country, c.countryFrom = p.country()
			}
		}
	}
	slices.SortStableFunc(emails, func(a, b preferred) int { return cmp.Compare(a.pref, b.pref) })
	for _, e := range emails {
		if !slices.Contains(c.emails, e.email) {
			c.emails = append(c.emails, e.email)
		}
	}
	c.name = cmp.Or(c.name, c.org)
	return c
}

func readProperty(raw any) (property, bool) {
	parts, _ := raw.([]any)
	if len(parts) < 4 {
		return property{}, false
	}
	name, ok := parts[0].(string)
	if !ok {
		return property{}, false
	}
	params, _ := parts[1].(map[string]any) // an array here (seen) means none
	return property{strings.ToLower(name), params, parts[3:]}, true
}

// text returns the first value, the first component of a structured one.
func (p property) text() string {
	v := p.values[0]
	for {
		list, ok := v.([]any)
		if !ok || len(list) == 0 {
			break
		}
		v = list[0]
	}
	s, _ := v.(string)
	return strings.TrimSpace(s)
}

// pref is 1 for the most preferred to 100, and 101 when it is not stated.
func (p property) pref() int {
	switch v := p.param("pref").(type) {
	case string:
		if n, err := strconv.Atoi(v); err == nil && n >= 1 && n <= 100 {
			return n
		}
	case float64:
		if v >= 1 && v <= 100 {
			return int(v)
		}
	}
	return 101
}

func (p property) param(name string) any {
	for k, v := range p.params {
		if strings.EqualFold(k, name) {
			return v
		}
	}
	return nil
}

// country reads the country of an address: the cc parameter (RFC 8605 section
// 3.1), the seventh component (RFC 6350 section 6.3.1; the others, of which the
// street may itself be an array, say nothing about it), or the end of the label
// parameter, where some registries put the whole address.
func (p property) country() (code, from string) {
	if cc, ok := p.param("cc").(string); ok {
		if code, ok := country.Code(cc); ok {
			return code, "jcard cc"
		}
	}
	if components, ok := p.values[0].([]any); ok && len(components) >= 7 {
		if s, ok := components[6].(string); ok {
			if code, ok := country.Code(s); ok {
				return code, "jcard address"
			}
		}
	}
	if label, ok := p.param("label").(string); ok {
		if code, ok := country.FromAddress(label); ok {
			return code, "jcard label"
		}
	}
	return "", ""
}
