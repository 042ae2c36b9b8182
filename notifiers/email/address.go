package email

import (
	"fmt"
	"strings"

	"golang.org/x/net/idna"

	"desist/takedown"
)

// The limits of RFC 5321 section 4.5.3.1 and RFC 3696 erratum 1690, in octets.
const (
	maxLocalPart = 64
	maxAddress   = 254
)

// atextSpecials are the non-alphanumeric characters of a dot-atom, RFC 5322
// section 3.2.3.
const atextSpecials = "!#$%&'*+-/=?^_`{|}~."

// asciiAddress returns a mailbox that every mail server understands: a dot-atom
// local part and a domain in A-labels (RFC 5890). A non-ASCII local part needs
// SMTPUTF8 (RFC 6531) on every hop, so it is refused; so are quoted local parts
// and address literals, which no abuse desk uses.
func asciiAddress(address string) (string, error) {
	at := strings.LastIndexByte(address, '@')
	if at < 1 {
		return "", takedown.Permanent(fmt.Errorf("mail address %q is not of the form local@domain", address))
	}
	local := address[:at]
	if !isDotAtom(local) {
		return "", takedown.Permanent(fmt.Errorf("mail address %q: the part before @ is not a plain ASCII name; correct the contact", address))
	}
	domain, err := asciiDomain(address[at+1:])
	if err != nil {
		return "", fmt.Errorf("mail address %q: %w", address, err)
	}
	if len(local) > maxLocalPart || len(local)+1+len(domain) > maxAddress {
		return "", takedown.Permanent(fmt.Errorf("mail address %q is longer than %d octets before @ or %d in all", address, maxLocalPart, maxAddress))
	}
	return local + "@" + domain, nil
}

func isDotAtom(s string) bool {
	if s == "" || s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..") {
		return false
	}
	for i := range len(s) {
		c := s[i]
		alphanumeric := '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !alphanumeric && strings.IndexByte(atextSpecials, c) < 0 {
			return false
		}
	}
	return true
}

// asciiDomain returns the A-label form of a domain in lower case.
func asciiDomain(domain string) (string, error) {
	ascii, err := idna.Lookup.ToASCII(domain)
	if err != nil {
		return "", takedown.Permanent(fmt.Errorf("mail domain %q: %w", domain, err))
	}
	if ascii == "" || strings.HasPrefix(ascii, ".") || strings.HasSuffix(ascii, ".") || strings.Contains(ascii, "..") {
		return "", takedown.Permanent(fmt.Errorf("mail domain %q is not a domain name", domain))
	}
	return ascii, nil
}
