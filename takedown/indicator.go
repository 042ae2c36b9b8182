package takedown

import (
	"fmt"
	"net/netip"
	"strings"
)

// Kind says what an indicator is.
type Kind string

// The four kinds of indicator.
const (
	KindDomain Kind = "domain"
	KindURL    Kind = "url"
	KindIPv4   Kind = "ipv4"
	KindIPv6   Kind = "ipv6"
)

// Validate reports an unknown kind.
func (k Kind) Validate() error {
	switch k {
	case KindDomain, KindURL, KindIPv4, KindIPv6:
		return nil
	}
	return fmt.Errorf("indicator kind %q is not one of domain, url, ipv4, ipv6", string(k))
}

// An Indicator is a canonical domain, URL or IP address. Package
// takedown/indicator makes them from what people type; nothing else should.
type Indicator struct {
	Kind Kind `json:"kind"`
	// Value is the canonical form: a lower-case A-label domain without a
	// trailing dot, a WHATWG-serialised URL, or an address as netip prints it.
	Value string `json:"value"`
	// Host is the domain or address that the indicator lives on.
	Host string `json:"host"`
	// Registrable is the domain that a registrar sold (ICANN suffix plus one
	// label); empty for addresses.
	Registrable string `json:"registrable,omitempty"`
	// Platform is the private public suffix that the host sits under, such as
	// github.io; empty when there is none. A platform's own name must never be
	// suspended for the sake of one customer.
	Platform string `json:"platform,omitempty"`
}

// Addr returns the address if the indicator's host is one.
func (i Indicator) Addr() (netip.Addr, bool) {
	a, err := netip.ParseAddr(i.Host)
	return a, err == nil
}

// Defang returns the value in a form that mail clients do not turn into a link
// (hxxp, [.]), for text that people read.
func (i Indicator) Defang() string { return Defang(i.Value) }

// Defang makes every dot of the host part of s, and its scheme, harmless.
func Defang(s string) string {
	scheme, rest, isURL := strings.Cut(s, "://")
	if !isURL {
		return strings.ReplaceAll(s, ".", "[.]")
	}
	scheme = strings.Replace(scheme, "http", "hxxp", 1)
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	return scheme + "://" + strings.ReplaceAll(rest[:end], ".", "[.]") + rest[end:]
}

// Class says what the indicator is accused of. It decides wording, ladder,
// evidence and whether a person must look first.
type Class string

// The seven classes. Copyright, trade marks and illegal speech are outside the
// scope of the service.
const (
	ClassPhishing    Class = "phishing"
	ClassMalware     Class = "malware"
	ClassC2          Class = "c2"
	ClassCompromised Class = "compromised"
	ClassSpam        Class = "spam"
	ClassAttack      Class = "attack"
	ClassFraudshop   Class = "fraudshop"
)

// Classes lists every class in the order in which people read them.
func Classes() []Class {
	return []Class{ClassPhishing, ClassMalware, ClassC2, ClassCompromised, ClassSpam, ClassAttack, ClassFraudshop}
}

// Validate reports an unknown class and names the known ones.
func (c Class) Validate() error {
	for _, known := range Classes() {
		if c == known {
			return nil
		}
	}
	return fmt.Errorf("class %q is not one of phishing, malware, c2, compromised, spam, attack, fraudshop", string(c))
}
