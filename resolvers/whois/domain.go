package whois

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"desist/resolvers/country"
	"desist/resolvers/mailbox"
)

// The names under which registries write the fields of a registration, best
// first. They are what normalKey makes of them.
var (
	domainKeys  = []string{"domain name", "domain", "domainname", "complete domain name", "query", "도메인이름", "nom de domaine", "dominio"}
	createdKeys = []string{
		"creation date", "created date", "created on", "created", "registration date", "registration time", "registered on", "registered date", "registered",
		"domain created", "record created", "domain registered", "domain record activated", "domain name commencement date", "first registration date",
		"registration", "domain registration date", "created at", "domreg date", "activated", "reg date", "registered at", "date registered", "create date", "domain create date",
	}
	updatedKeys = []string{
		"updated date", "last updated date", "last updated on", "last updated", "last-updated", "last-update", "last update", "last modified", "last-modified", "modified", "changed",
		"updated", "updated on", "modification date", "record updated", "domain record last updated", "domain updated", "domain modified", "last modified date", "update date", "last-modified-date", "record last updated", "modified date", "domain datelastmodified",
	}
	expiresKeys = []string{
		"registry expiry date", "registrar registration expiration date", "expiry date", "expiration date", "expiration time", "expires on", "expires", "expire date", "expire-date",
		"paid-till", "renewal date", "valid until", "record expires", "record will expire", "domain expires", "domain will expire", "valid-date", "expire", "expires at", "expiry", "validity", "domain expiration date", "renewal", "expiration", "exp date", "registry fee paid until", "free-date",
	}
	registrarKeys = []string{
		"registrar", "registrar name", "sponsoring registrar", "current registrar", "current registar", "authorized agency", "registration service provider", "registrar organization",
		"registrar-name", "registrar id", "registrar handle", "provider", "registered through", "등록대행자", "sponsoring registrar organization", "registrar company", "registered by",
	}
	registrarURLKeys  = []string{"registrar url", "registrar website", "sponsoring registrar url", "registration service url", "referral url", "registrar web", "registrar-url", "registrar www", "registrar info"}
	registrarIDKeys   = []string{"registrar iana id", "sponsoring registrar iana id", "iana id", "registrar ianaid", "registrar-iana-id"}
	abuseEmailKeys    = []string{"registrar abuse contact email", "abuse contact email", "registrar abuse email", "registrar abuse contact", "abuse email", "abuse-email", "abuse-mailbox", "abuse contact", "registrar-abuse-email"}
	abusePhoneKeys    = []string{"registrar abuse contact phone", "abuse contact phone", "registrar abuse phone", "abuse phone", "abuse-phone"}
	registrarMailKeys = []string{"registrar customer service email", "registrar email", "registrar e-mail", "registrar contact information", "registrar contact email"}
	sectionMailKeys   = []string{"abuse-email", "abuse email", "abuse contact", "email", "e-mail", "mail", "email address", ""}
	sectionURLKeys    = []string{"website", "url", "web", "www", "webpage", "site", "web site", "registrar url"}
	sectionNameKeys   = []string{"name", "organization", "organisation", "organization name", "registrar name", "company", "descr", ""}
	referralKeys      = []string{"registrar whois server", "whois server", "sponsoring registrar whois server", "refer", "referralserver", "whois"}
	nameserverKeys    = []string{
		"name server", "nameserver", "nserver", "nameservers", "name servers", "hostname", "host name", "primary server", "secondary server", "ns", "dns servers", "domain servers",
		"primary name server", "secondary name server", "name server 1", "name server 2", "ns 1", "ns 2", "host", "nserver1", "nserver2", "name server hostname", "domain nameservers", "dns",
	}
	statusKeys = []string{"domain status", "status", "state", "registration status", "query status", "domain state", "eppstatus", "epp status", "domainstatus"}
)

// registrarSections are headings whose lines are about the registrar.
var registrarSections = []string{"registrar", "registrar information", "sponsoring registrar", "registrar details", "current registrar", "registrar contact", "registrar data"}

var (
	nameserverSection = regexp.MustCompile(`name ?servers?|domain servers|dns servers|네임서버`)
	numberedServer    = regexp.MustCompile(`^(ns|nserver|name ?server|dns)( name)? ?\d{1,2}$`)
	statusSection     = regexp.MustCompile(`^(registration|domain) status|^status$`)
	contactSection    = regexp.MustCompile(`registrant|holder|owner|admin|tech|billing|contact|person|organisation|organization using|zone|reseller|onsite`)
	anURL             = regexp.MustCompile(`https?://[^\s()<>"]+`)
)

// personKeys begin a block about a person or organisation.
var personKeys = []string{"nic-hdl", "nic-hdl-br", "person", "role", "contact", "personname", "contact name", "organisation", "org", "handle", "contactid", "contact id", "domain registrant", "registrant", "administrative contact", "technical contact", "holder", "organization"}

// registered reads a registration, and reports whether the answer has one.
func (p *parser) registered() bool {
	r := p.record
	var own []field // fields about the domain itself
	var registrarBlocks []block
	named := false
	for i, b := range p.doc.blocks {
		switch first := b[0].key; {
		case i > 0 && slices.Contains(registrarKeys[:4], first) && b.get(domainKeys...) == "" && len(b) > 1:
			registrarBlocks = append(registrarBlocks, b)
			if r.Registrar.Name == "" {
				own = append(own, b...) // the form with an empty line after each field
			}
		case named && slices.Contains(personKeys, first) && b[0].section == "":
			// about somebody
		default:
			own = append(own, b...)
		}
		named = named || b.get(domainKeys...) != ""
	}
	p.names(own)
	r.Statuses = statuses(own)
	r.Created = formatTime(parseTime(date(own, createdKeys)))
	r.Updated = formatTime(parseTime(date(own, updatedKeys)))
	r.Expires = formatTime(parseTime(date(own, expiresKeys)))
	r.Referral = serverName(top(own, referralKeys))
	p.registrar(own, registrarBlocks)
	free := slices.ContainsFunc(r.Statuses, func(s string) bool {
		switch strings.ToLower(s) {
		case "free", "available", "not registered", "no object found":
			return true
		}
		return false
	})
	evidence := len(r.Nameservers) > 0 || r.Registrar.Name != "" || r.Created != "" || r.Expires != "" || named && len(r.Statuses) > 0
	return evidence && !free
}

// top returns the first value of the best key outside of contact sections.
func top(fields []field, keys []string) string {
	for _, key := range keys {
		for _, f := range fields {
			if f.key == key && f.value != "" && !contactSection.MatchString(f.section) {
				return f.value
			}
		}
	}
	return ""
}

// date is top for dates: a value that is none does not hide a later one. What
// only a domain has, an end or a date that names the domain, counts wherever it
// stands.
func date(fields []field, keys []string) string {
	for _, anywhere := range []bool{false, true} {
		for _, key := range keys {
			for _, f := range fields {
				if f.key != key || parseTime(f.value).IsZero() {
					continue
				}
				about := contactSection.MatchString(f.section) || slices.Contains(registrarSections, f.section)
				if !about || anywhere && (strings.HasPrefix(key, "exp") || strings.Contains(key, "domain")) {
					return f.value
				}
			}
		}
	}
	return ""
}

// names collects the name servers: by key, and by heading.
func (p *parser) names(fields []field) {
	r := p.record
	for _, f := range fields {
		byKey := slices.Contains(nameserverKeys, f.key) || numberedServer.MatchString(f.key)
		if !byKey && !(f.key == "" && nameserverSection.MatchString(f.section)) {
			continue
		}
		for host := range strings.FieldsFuncSeq(f.value, func(c rune) bool { return c == ' ' || c == '\t' || c == ',' || c == ';' }) {
			name := strings.ToLower(strings.Trim(host, "."))
			if !hostLike.MatchString(name) {
				break // addresses and notes follow the name
			}
			if f.key == "dns" && name == p.query {
				break // the domain's own name in its IDN form
			}
			if !slices.Contains(r.Nameservers, name) {
				r.Nameservers = append(r.Nameservers, name)
			}
			if !strings.ContainsAny(f.value, ",;") {
				break
			}
		}
	}
}

// statuses collects the states, without the links that explain them.
func statuses(fields []field) []string {
	found := []string{}
	for _, f := range fields {
		if contactSection.MatchString(f.section) || slices.Contains(registrarSections, f.section) {
			continue
		}
		if !slices.Contains(statusKeys, f.key) && !(f.key == "" && statusSection.MatchString(f.section)) {
			continue
		}
		value := anURL.ReplaceAllString(parenthesis.ReplaceAllString(f.value, ""), "")
		for part := range strings.SplitSeq(value, ",") {
			part = strings.TrimSpace(strings.Trim(strings.TrimSpace(part), "-()."))
			if before, _, ok := strings.Cut(part, " until "); ok {
				part = before
			}
			if part != "" && len(part) <= 60 && !slices.Contains(found, part) {
				found = append(found, part)
			}
		}
	}
	return found
}

// registrar reads who the registrar is and how to reach it.
func (p *parser) registrar(own []field, blocks []block) {
	r := p.record
	reg := &r.Registrar
	var section block // what stands under a heading that names the registrar
	for _, f := range own {
		if slices.Contains(registrarSections, f.section) {
			section = append(section, f)
		}
	}
	for _, b := range blocks {
		section = append(section, b...)
	}
	reg.Name = top(own, registrarKeys)
	if len(blocks) > 0 {
		reg.Name = cmp.Or(blocks[0].get("name"), reg.Name)
	}
	reg.Name = cmp.Or(reg.Name, section.get(sectionNameKeys...))
	reg.IANAID = strings.TrimLeft(onlyDigits(cmp.Or(top(own, registrarIDKeys), section.get(registrarIDKeys...))), "0")
	reg.URL = cmp.Or(top(own, registrarURLKeys), section.get(sectionURLKeys...))
	if m := parenthesis.FindString(reg.Name); m != "" && anURL.MatchString(m) {
		reg.URL = cmp.Or(reg.URL, anURL.FindString(m))
		if strings.HasPrefix(m, " ") {
			reg.Name = strings.TrimSpace(strings.Replace(reg.Name, m, "", 1))
		}
	}
	reg.AbusePhone = cmp.Or(top(own, abusePhoneKeys), section.get(abusePhoneKeys...))
	if strings.EqualFold(reg.Name, "none") || strings.EqualFold(reg.Name, "n/a") {
		reg.Name = ""
	}

	abuse := firstMail(append(values(own, abuseEmailKeys), values(section, abuseEmailKeys)...))
	for _, email := range abuse {
		p.candidate(email, "registrar abuse line", mailbox.RegistrarAbuse, "abuse")
	}
	general := firstMail(append(values(own, registrarMailKeys), values(section, sectionMailKeys)...))
	for _, email := range general {
		p.candidate(email, "registrar block", mailbox.Registrar, "registrar")
	}
	if all := slices.Concat(abuse, general); len(all) > 0 {
		reg.AbuseEmail = all[0]
	}
	if code, ok := country.Code(cmp.Or(top(own, []string{"registrar country"}), section.get("country", "country code", "country-code"))); ok {
		r.Country = code
	}
}

// values returns those of the keys, best key first.
func values(fields []field, keys []string) []string {
	var found []string
	for _, key := range keys {
		for _, f := range fields {
			if f.key == key && f.value != "" && !contactSection.MatchString(f.section) {
				found = append(found, f.value)
			}
		}
	}
	return found
}

// firstMail returns the addresses in texts that could be written to.
func firstMail(texts []string) []string {
	var found []string
	for _, t := range texts {
		for _, email := range mailbox.FindAll(t) {
			if !mailbox.Junk(email) && !slices.Contains(found, email) {
				found = append(found, email)
			}
		}
	}
	return found
}

func onlyDigits(s string) string {
	s = strings.TrimSpace(s)
	if strings.Trim(s, "0123456789") != "" || len(s) > 10 {
		return ""
	}
	return s
}

// serverName takes a host out of a referral, which may be a URL or have a port.
func serverName(s string) string {
	s = strings.TrimSpace(s)
	if _, rest, ok := strings.Cut(s, "://"); ok {
		s = rest
	}
	s, _, _ = strings.Cut(s, "/")
	s = strings.ToLower(firstWord(s))
	host, _, _ := strings.Cut(s, ":")
	if !hostLike.MatchString(host) {
		return ""
	}
	return s
}
