package indicator

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/nlnwa/whatwg-url/url"

	"desist/takedown"
)

// A candidateURL is a URL taken apart far enough to refang it.
type candidateURL struct {
	scheme   string // http, https or ftp; else as written, to be refused
	rest     string // what follows the slashes
	defanged bool   // the scheme was written so that it is not a link
}

// parseURL canonicalises by the WHATWG URL Standard, which also normalises
// decimal, hexadecimal and octal IPv4 hosts.
func parseURL(c candidateURL) (takedown.Indicator, error) {
	switch c.scheme {
	case "http", "https", "ftp":
	default:
		return takedown.Indicator{}, fmt.Errorf("the scheme %s is not http, https or ftp; give one of these", quote(c.scheme))
	}
	head, tail := splitAuthority(strings.TrimLeft(c.rest, " \t\r\n/\\"))
	host, changed := refangHost(head)
	if c.defanged || changed {
		// Whoever defangs the host defangs the file names too; in a URL that is
		// otherwise live, "[.]" is taken to be meant.
		tail = refangDots(tail)
	}
	u, err := url.Parse(c.scheme + "://" + host + tail)
	if err != nil {
		return takedown.Indicator{}, fmt.Errorf("it is not a URL that a browser would open (%s); check host and port", reason(err))
	}
	ind := takedown.Indicator{Kind: takedown.KindURL}
	hostname := strings.Trim(u.Hostname(), "[]")
	if a, err := netip.ParseAddr(hostname); err == nil {
		ind.Host = a.Unmap().String()
	} else {
		n, err := parseName(hostname)
		if err != nil {
			return takedown.Indicator{}, err
		}
		if n.host != hostname {
			u.SetHostname(n.host)
			if u.Hostname() != n.host {
				return takedown.Indicator{}, errors.New("its host has no canonical form; check the spelling")
			}
		}
		ind.Host, ind.Registrable, ind.Platform = n.host, n.registrable, n.platform
	}
	ind.Value = u.Href(false)
	if len(ind.Value) > MaxLength {
		return takedown.Indicator{}, fmt.Errorf("its canonical form is %d bytes long and the limit is %d; shorten the query", len(ind.Value), MaxLength)
	}
	return ind, nil
}

// reason takes from a parser's error what is wrong, without the URL, which the
// caller quotes, and without control characters.
func reason(err error) string {
	msg := strings.TrimPrefix(err.Error(), "Error: ")
	if i := strings.Index(msg, ". Url: "); i >= 0 {
		msg = msg[:i]
	}
	return strings.Trim(quote(msg), `"`)
}
