package indicator

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// A name is a canonical host name.
type name struct {
	host        string
	registrable string
	platform    string
}

// uts46 maps as browsers do: non-transitional, hyphens in the third and fourth
// place allowed. The STD 3 rules are applied by checkLabels, which knows where
// underscores are tolerable.
var uts46 = idna.New(
	idna.MapForLookup(),
	idna.Transitional(false),
	idna.StrictDomainName(false),
	idna.CheckHyphens(false),
	idna.BidiRule(),
)

// specialUse are the top-level names that are not in the root zone but that
// standards give a meaning: RFC 2606, RFC 6761, RFC 6762, RFC 7686, RFC 9476,
// and internal, reserved by ICANN in 2024.
var specialUse = []string{"alt", "arpa", "example", "internal", "invalid", "local", "localhost", "onion", "test"}

// parseName canonicalises a host name and finds who sold it.
func parseName(s string) (name, error) {
	host, err := toASCII(s)
	if err != nil {
		return name{}, err
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	if isNumeric(last) {
		return name{}, errors.New("it looks like an IPv4 address but is not one; write four decimal numbers from 0 to 255 without leading zeros")
	}
	suffix, platform := suffixes(host)
	if !isListed(last) && !slices.Contains(specialUse, last) {
		return name{}, fmt.Errorf("%s is not a top-level domain; check the spelling", quote(last))
	}
	if host == suffix {
		return name{}, fmt.Errorf("%s is a public suffix, not somebody's domain; give the full name", quote(host))
	}
	left := strings.TrimSuffix(host, "."+suffix)
	registrable := left[strings.LastIndexByte(left, '.')+1:] + "." + suffix
	if strings.Contains(registrable, "_") {
		return name{}, fmt.Errorf("%s cannot be registered because of the underscore; check the spelling", quote(registrable))
	}
	return name{host: host, registrable: registrable, platform: platform}, nil
}

// isListed reports whether the ICANN section of the list knows the lower-case
// A-label as a top-level domain. It asks with a name below it, because some
// (*.ck) are listed only with a wildcard.
func isListed(tld string) bool {
	_, icann := publicsuffix.PublicSuffix("x." + tld)
	return icann
}

// suffixes returns the public suffix by the ICANN section of the list, and the
// private suffix if host stands under one. A host that is itself a private
// suffix belongs to the platform, not to a customer of it.
func suffixes(host string) (icann, private string) {
	suffix, managed := publicsuffix.PublicSuffix(host)
	if managed || !strings.Contains(suffix, ".") {
		return suffix, ""
	}
	if suffix != host {
		private = suffix
	}
	for !managed && strings.Contains(suffix, ".") {
		_, parent, _ := strings.Cut(suffix, ".")
		suffix, managed = publicsuffix.PublicSuffix(parent)
	}
	return suffix, private
}

// toASCII returns the lower-case A-label form without a trailing dot.
func toASCII(s string) (string, error) {
	host := strings.ToLower(s)
	if !isPlainASCII(host) {
		mapped, err := uts46.ToASCII(s)
		if err == nil {
			// A label may map to something that is not itself valid.
			if again, err2 := uts46.ToASCII(mapped); err2 != nil || again != mapped {
				err = errors.New("its A-label form is not stable")
			}
		}
		if err != nil {
			return "", fmt.Errorf("%s is not a valid host name (%v); check the spelling", quote(s), strings.TrimPrefix(err.Error(), "idna: "))
		}
		host = mapped
	}
	host = strings.TrimSuffix(host, ".") // RFC 1034 section 3.1: the root label
	return host, checkLabels(host)
}

func isPlainASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return !strings.Contains(s, "xn--")
}

// checkLabels applies the lengths of RFC 1035 section 2.3.4 and the letters,
// digits and hyphens of RFC 1123 section 2.1, with underscores added (RFC 8552
// names and sloppy subdomains resolve all the same).
func checkLabels(host string) error {
	if host == "" {
		return errors.New("the host name is empty; give a domain, a URL or an IP address")
	}
	if len(host) > 253 {
		return fmt.Errorf("the host name is %d bytes long and the limit is 253; check the spelling", len(host))
	}
	for label := range strings.SplitSeq(host, ".") {
		switch {
		case label == "":
			return errors.New("the host name has an empty label (two dots in a row, or one in front); remove the extra dot")
		case len(label) > 63:
			return fmt.Errorf("the label %s is %d bytes long and the limit is 63; check the spelling", quote(label), len(label))
		case label[0] == '-' || label[len(label)-1] == '-':
			return fmt.Errorf("the label %s begins or ends with a hyphen; check the spelling", quote(label))
		}
		for _, r := range label {
			if !isLabelByte(r) {
				return fmt.Errorf("the host name contains %s, which no host name can; remove it", quote(string(r)))
			}
		}
	}
	return nil
}

func isLabelByte(r rune) bool {
	return 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-' || r == '_'
}

// isNumeric reports whether a host ending in this label is an IPv4 address to a
// browser (WHATWG URL section 3.5, "ends in a number").
func isNumeric(label string) bool {
	if hex, ok := strings.CutPrefix(label, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return label != "" && strings.Trim(label, "0123456789") == ""
}
