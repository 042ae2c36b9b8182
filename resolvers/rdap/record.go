package rdap

import (
	"cmp"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"desist/resolvers/country"
	"desist/resolvers/mailbox"
)

const (
	maxEntityDepth = 8
	maxEntities    = 512
)

// Registrar names the registrar of a domain.
type Registrar struct {
	Name   string `json:"name"`
	IANAID string `json:"iana_id"`
}

// A Record is what one RDAP document says, in the form that `desist inspect
// rdap` prints.
type Record struct {
	Object      string              `json:"object"` // domain, ip network, autnum, entity, nameserver
	Handle      string              `json:"handle"`
	Name        string              `json:"name"`
	CIDRs       []string            `json:"cidrs"`
	Country     string              `json:"country"`
	Registrar   Registrar           `json:"registrar"`
	Statuses    []string            `json:"statuses"`
	Nameservers []string            `json:"nameservers"`
	Contacts    []mailbox.Candidate `json:"contacts"` // best first
	Chosen      string              `json:"chosen"`

	// Org is the registrant organisation of a network.
	Org string `json:"-"`
	// Countries lists every statement of a country with where it stands, the
	// best first.
	Countries []CountryStatement `json:"-"`
	// RegistrarCountries are those about the registrar.
	RegistrarCountries []CountryStatement `json:"-"`
	Registered         time.Time          `json:"-"`
	Expires            time.Time          `json:"-"`
	// Related is the registrar's own RDAP document (RFC 9083 section 4.2).
	Related string `json:"-"`
	// Redacted names what the server withheld (RFC 9537).
	Redacted []string `json:"-"`
	// Forms are contact URLs of abuse entities.
	Forms []string `json:"-"`
}

// A CountryStatement is a country code and the part of the document it is from.
type CountryStatement struct{ Code, From string }

// Parse reads an RDAP document. The query, a domain or an address, says what was
// asked; an answer about something else is still read. It returns an error only
// for what is not an RDAP object.
func Parse(query string, body []byte) (Record, error) {
	o, err := decode(body)
	if err != nil {
		return Record{}, err
	}
	r := Record{
		Object: o.class(), Handle: o.text("handle"), Name: o.text("name"),
		CIDRs: []string{}, Statuses: []string{}, Nameservers: []string{},
	}
	r.Name = cmp.Or(r.Name, strings.ToLower(strings.TrimSuffix(o.text("ldhName"), ".")), o.text("unicodeName"))
	r.Statuses = append(r.Statuses, o.texts("status")...)
	for _, ns := range o.objects("nameservers") {
		if name := strings.ToLower(strings.TrimSuffix(cmp.Or(ns.text("ldhName"), ns.text("unicodeName")), ".")); name != "" {
			r.Nameservers = append(r.Nameservers, name)
		}
	}
	for _, p := range o.cidrs() {
		r.CIDRs = append(r.CIDRs, p.String())
	}
	r.events(o)
	r.links(o, query)
	for _, red := range o.objects("redacted") {
		if name, ok := red["name"].(map[string]any); ok {
			r.Redacted = append(r.Redacted, cmp.Or(object(name).text("description"), object(name).text("type")))
		}
	}
	if code, ok := country.Code(o.text("country")); ok {
		r.Countries = append(r.Countries, CountryStatement{code, "network"})
	}
	w := walker{record: &r}
	w.entities(o, nil, 0)
	w.remarks(o, r.Object)
	if r.Object == "entity" {
		w.entity(o, nil, 0)
	}
	r.Contacts, r.Chosen = mailbox.Rank(w.candidates)
	if len(r.Countries) > 0 {
		r.Country = r.Countries[0].Code
	}
	return r, nil
}

func (r *Record) events(o object) {
	for _, e := range o.objects("events") {
		at, err := time.Parse(time.RFC3339, e.text("eventDate"))
		if err != nil {
			continue
		}
		switch e.text("eventAction") {
		case "registration":
			r.Registered = at
		case "expiration":
			r.Expires = at
		}
	}
}

func (r *Record) links(o object, query string) {
	for _, l := range o.objects("links") {
		href := l.text("href")
		if r.Related == "" && l.text("rel") == "related" && l.text("type") == "application/rdap+json" &&
			strings.Contains(strings.ToLower(href), "/domain/"+strings.ToLower(query)) {
			r.Related = href
		}
	}
}

// walker collects contacts from the tree of entities.
type walker struct {
	record     *Record
	candidates []mailbox.Candidate
	count      int
}

// entities walks the entities of o. The path holds the roles from the top to o:
// an abuse desk is as often inside the registrar or registrant as beside it.
func (w *walker) entities(o object, path []string, depth int) {
	if depth >= maxEntityDepth {
		return
	}
	for _, e := range o.objects("entities") {
		if w.count++; w.count > maxEntities {
			return
		}
		w.entity(e, path, depth)
	}
	// Networks of a domain or entity answer (RFC 9083 section 5.1) are other
	// objects; what they name is not about this one.
}

func (w *walker) entity(e object, path []string, depth int) {
	roles := e.texts("roles")
	for i, role := range roles {
		roles[i] = strings.ToLower(role)
	}
	here := append(slices.Clone(path), strings.Join(roles, "+"))
	c := readCard(e["vcardArray"])
	w.about(e, c, roles, depth)
	w.contacts(e, c, roles, here)
	w.entities(e, here, depth+1)
	w.remarks(e, "entity "+e.text("handle"))
}

// about takes what an entity says of the object itself.
func (w *walker) about(e object, c card, roles []string, depth int) {
	r := w.record
	statement := CountryStatement{c.country, c.countryFrom}
	if c.country == "" {
		if code, ok := country.Code(e.text("country")); ok { // the arin extension
			statement = CountryStatement{code, "entity country"}
		}
	}
	switch {
	case slices.Contains(roles, "registrar") && r.Object == "domain":
		r.Registrar.Name = cmp.Or(r.Registrar.Name, c.name)
		for _, id := range e.objects("publicIds") {
			if strings.Contains(strings.ToLower(id.text("type")), "iana") {
				r.Registrar.IANAID = cmp.Or(r.Registrar.IANAID, strings.TrimLeft(id.text("identifier"), "0"))
			}
		}
		if digits.MatchString(e.text("handle")) && r.Registrar.IANAID == "" && len(e.objects("publicIds")) == 0 {
			// Many gTLD registries put the IANA ID into the handle only.
			r.Registrar.IANAID = strings.TrimLeft(e.text("handle"), "0")
		}
		if statement.Code != "" {
			r.RegistrarCountries = append(r.RegistrarCountries, statement)
		}
	case depth == 0 && slices.Contains(roles, "registrant") && r.Object != "domain":
		r.Org = cmp.Or(r.Org, c.name)
		if statement.Code != "" {
			r.Countries = append(r.Countries, statement)
		}
	case depth == 0 && len(roles) == 0 && c.kind == "org":
		r.Org = cmp.Or(r.Org, c.name)
	case slices.Contains(roles, "abuse") && statement.Code != "" && r.Object != "domain":
		r.Countries = append(r.Countries, CountryStatement{statement.Code, "abuse " + statement.From})
	}
}

var digits = regexp.MustCompile(`^[0-9]{1,6}$`)

func (w *walker) contacts(e object, c card, roles, path []string) {
	abuse := slices.Contains(roles, "abuse")
	isDomain := w.record.Object == "domain"
	underRegistrar := slices.ContainsFunc(path, func(p string) bool { return slices.Contains(strings.Split(p, "+"), "registrar") })
	where := fmt.Sprintf("rdap entity %s, %s", cmp.Or(e.text("handle"), "without handle"), cmp.Or(strings.Trim(strings.Join(path, "/"), "/"), "no role"))
	if abuse {
		for _, u := range c.urls {
			if !slices.Contains(w.record.Forms, u) {
				w.record.Forms = append(w.record.Forms, u)
			}
		}
	}
	named := slices.ContainsFunc(c.emails, func(m string) bool { return mailbox.DeskOf(m) == mailbox.Abuse })
	for _, email := range c.emails {
		candidate := mailbox.Candidate{Email: email, Roles: roles, Source: where, Kind: mailbox.Other}
		switch {
		case abuse:
			candidate.Kind = mailbox.RoleAbuse
			candidate.Ambiguous = len(c.emails) > 1
			if named && mailbox.DeskOf(email) != mailbox.Abuse {
				candidate.Kind = mailbox.Other // the desk is named beside it
			}
		case isDomain && !underRegistrar:
			// The registrant's and its helpers' mail: not ours to write to.
			continue
		case mailbox.DeskOf(email) == mailbox.Abuse:
			candidate.Kind = mailbox.Named
		case isDomain && slices.Contains(roles, "registrar"):
			candidate.Kind = mailbox.Registrar
		}
		w.candidates = append(w.candidates, candidate)
	}
}

// remarks takes mailboxes out of free text that asks for abuse reports. A line
// that names a mailbox for another purpose does not count.
func (w *walker) remarks(o object, where string) {
	if w.record.Object == "domain" {
		return // legal notices, mostly about WHOIS itself
	}
	for _, remark := range o.objects("remarks") {
		for _, line := range remark.texts("description") {
			if !strings.Contains(strings.ToLower(line), "abuse") {
				continue
			}
			for _, email := range mailbox.FindAll(line) {
				w.candidates = append(w.candidates, mailbox.Candidate{Email: email, Source: "rdap remarks of " + where, Kind: mailbox.Remarks})
			}
		}
	}
}

// Covers reports whether the record's network contains a.
func (r Record) Covers(a netip.Addr) bool {
	return slices.ContainsFunc(r.CIDRs, func(c string) bool {
		p, err := netip.ParsePrefix(c)
		return err == nil && p.Contains(a)
	})
}
