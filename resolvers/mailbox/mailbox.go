// Package mailbox judges the mail addresses that registries publish: whether one
// is an address at all, whether it is a place-holder, whether it belongs to the
// registry itself, and whether it looks like a desk or like a person. Names of
// desks follow RFC 2142.
//
// It also ranks the candidates that one document offers. The ranking is the
// precedence of the design; see Kind.
package mailbox

import (
	"regexp"
	"strings"

	"golang.org/x/net/idna"
)

// Clean returns the address with its domain as lower-case A-labels, or false if
// s is not a single usable mail address. The local part keeps its case.
func Clean(s string) (string, bool) {
	s = strings.TrimSpace(s)
	if len(s) >= 7 && strings.EqualFold(s[:7], "mailto:") {
		s = s[7:]
	}
	s = strings.Trim(s, " \t<>.,;:'\"()[]")
	at := strings.LastIndexByte(s, '@')
	if at <= 0 || len(s) > 254 {
		return "", false
	}
	local, domain := s[:at], s[at+1:]
	if len(local) > 64 || !localPart.MatchString(local) {
		return "", false
	}
	domain, err := idna.Lookup.ToASCII(strings.ToLower(strings.TrimSuffix(domain, ".")))
	if err != nil || !domainPart.MatchString(domain) {
		return "", false
	}
	return local + "@" + domain, true
}

var (
	// The dot-atom of RFC 5321 section 4.1.2; quoted local parts do not occur
	// in registries, but in attacks.
	localPart  = regexp.MustCompile(`^[A-Za-z0-9!#$%&'*+/=?^_{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_{|}~-]+)*$`)
	domainPart = regexp.MustCompile(`^([a-z0-9_]([a-z0-9-]{0,61}[a-z0-9])?\.)+([a-z][a-z0-9-]*[a-z0-9])$`)
	inText     = regexp.MustCompile(`[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]{1,64}@[\pL\pN.-]{3,253}`)
)

// FindAll returns the clean addresses in a text, in order, without repeats.
func FindAll(text string) []string {
	var found []string
	seen := make(map[string]bool)
	for _, m := range inText.FindAllString(text, -1) {
		if a, ok := Clean(m); ok && !seen[strings.ToLower(a)] {
			seen[strings.ToLower(a)] = true
			found = append(found, a)
		}
	}
	return found
}

// Domain returns the domain of a clean address.
func Domain(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }

func local(address string) string {
	return strings.ToLower(address[:max(strings.LastIndexByte(address, '@'), 0)])
}

// Junk reports an address that stands where one was removed.
func Junk(address string) bool {
	l, d := local(address), strings.ToLower(Domain(address))
	for _, word := range []string{"removed", "redacted", "notdisclosed", "not.disclosed", "not-disclosed", "withheld", "unread", "noreply", "no-reply", "donotreply", "do-not-reply", "devnull", "nobody", "please-query", "gdpr-masked"} {
		if l == word || strings.HasPrefix(l, word+".") || strings.HasPrefix(l, word+"-") || strings.HasPrefix(l, word+"_") {
			return true
		}
	}
	// RFC 2606 and RFC 6761; a registry that shows one of these shows nothing.
	// The names under .example and .test stay: laboratories use them.
	return d == "invalid" || strings.HasSuffix(d, ".invalid") || d == "localhost" || strings.HasSuffix(d, ".localhost") ||
		strings.HasPrefix(d, "redacted") || strings.Contains(d, "removed-by-")
}

// registryDomains are those of the internet registries and of the operators of
// WHOIS services. Their mailboxes appear in answers about other people's
// resources, and they cannot switch anything off.
var registryDomains = []string{
	"iana.org", "icann.org", "internic.net",
	"arin.net", "ripe.net", "apnic.net", "lacnic.net", "afrinic.net",
	"nic.ad.jp", "jprs.jp", "nic.or.kr", "krnic.net", "krnic.or.kr", "kisa.or.kr", "cnnic.cn", "cnnic.net.cn",
	"twnic.net", "twnic.net.tw", "twnic.tw", "irinn.in", "vnnic.vn", "vnnic.net.vn", "idnic.net", "idnic.id", "apjii.or.id", "registro.br", "nic.br", "nic.mx",
	"verisign-grs.com",
}

// Registry reports whether the address belongs to an internet registry.
func Registry(address string) bool {
	d := strings.ToLower(Domain(address))
	for _, r := range registryDomains {
		if d == r || strings.HasSuffix(d, "."+r) {
			return true
		}
	}
	return false
}

// Desk says how much a local part looks like a desk.
type Desk int

// The kinds of desk, from a person to the abuse desk.
const (
	Person Desk = iota
	Role        // a function, such as noc or support
	Abuse       // the abuse desk by its name
)

var (
	abuseWord = regexp.MustCompile(`abus(e|o)|(^|[^a-z])(spam|phish(ing)?|fraud|misuse|takedown)([^a-z]|$)`)
	roleWord  = regexp.MustCompile(`(^|[^a-z])(abuse|admin|cert|compliance|contact|csirt|domains?|hostmaster|info|ip|irt|legal|mail|network|noc|oper(ations|acion)?|postmaster|reg(istry|istrar)?|security|seguridad|soc|support|sysadmin|sistemas|tech(nical)?|trust|helpdesk|dns|registrar|ccops)([^a-z]|$)`)
)

// DeskOf classifies an address by its local part.
func DeskOf(address string) Desk {
	switch l := local(address); {
	case abuseWord.MatchString(l):
		return Abuse
	case roleWord.MatchString(l):
		return Role
	}
	return Person
}
