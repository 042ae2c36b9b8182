package indicator

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"desist/takedown"
)

// MaxLength is the longest candidate and the longest canonical value, in bytes.
const MaxLength = 8 << 10

// Parse returns the canonical form of one candidate.
//
// A URL keeps its credentials, port, query and fragment, but loses a comma or
// semicolon at its end. A bare address or name
// with a port, such as 192.0.2.1:8080, loses the port, because an indicator has
// no place for it; give a URL where the port matters. A name with a path but no
// scheme is read as an http URL. Address ranges, e-mail addresses, public
// suffixes and names under a top-level domain that does not exist are refused;
// special-use names (RFC 6761) are not, since whether to act on them is policy.
//
// Every error is permanent. Parsing the Value of a result gives the same result.
func Parse(s string) (takedown.Indicator, error) {
	ind, err := parse(s)
	if err != nil {
		return takedown.Indicator{}, takedown.Permanent(fmt.Errorf("indicator %s: %w", quote(s), err))
	}
	return ind, nil
}

func parse(s string) (takedown.Indicator, error) {
	if len(s) > MaxLength {
		return takedown.Indicator{}, fmt.Errorf("it is %d bytes long and the limit is %d; give one indicator at a time", len(s), MaxLength)
	}
	if err := checkText(s); err != nil {
		return takedown.Indicator{}, err
	}
	ind, err := parseOnce(s)
	if err != nil || ind.Kind != takedown.KindURL {
		return ind, err
	}
	// Resolving dot segments can leave a bracket without its partner, which
	// trimming would then take off; go on until nothing changes.
	const passes = 4
	for range passes {
		next, err := parseOnce(ind.Value)
		if err != nil {
			return takedown.Indicator{}, err
		}
		if next == ind {
			return ind, nil
		}
		ind = next
	}
	return takedown.Indicator{}, errors.New("the URL has no stable canonical form; give it as the browser's address bar shows it")
}

// checkText refuses what can never be part of an indicator.
func checkText(s string) error {
	if !utf8.ValidString(s) {
		return errors.New("it is not valid UTF-8; send it as UTF-8 text")
	}
	for _, r := range s {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
		case r < ' ' || r == 0x7f:
			return fmt.Errorf("it contains the control character %U; remove it", r)
		case unicode.Is(unicode.Bidi_Control, r):
			return fmt.Errorf("it contains the invisible direction control %U; remove it, or percent-encode it where it belongs to the path", r)
		}
	}
	return nil
}

func parseOnce(s string) (takedown.Indicator, error) {
	s = trim(s)
	if s == "" {
		return takedown.Indicator{}, errors.New("it is empty; give a domain, a URL or an IP address")
	}
	if c, ok := cutScheme(s); ok {
		return parseURL(c)
	}
	if rest, ok := strings.CutPrefix(s, "//"); ok {
		return parseURL(candidateURL{scheme: "http", rest: rest})
	}
	head, tail := splitAuthority(s)
	if head == "" {
		return takedown.Indicator{}, errors.New("it begins with a path, not with a host; give a domain, a URL or an IP address")
	}
	bare, changed := refangHost(head)
	if ind, ok, err := parseAddress(bare, tail); ok || err != nil {
		return ind, err
	}
	if strings.Contains(bare, "@") {
		return takedown.Indicator{}, errors.New("it is an e-mail address; give the domain, URL or address to act on")
	}
	if tail != "" {
		return parseURL(candidateURL{scheme: "http", rest: s, defanged: changed})
	}
	host, err := cutPort(bare)
	if err != nil {
		return takedown.Indicator{}, err
	}
	n, err := parseName(host)
	if err != nil {
		return takedown.Indicator{}, err
	}
	return takedown.Indicator{
		Kind: takedown.KindDomain, Value: n.host, Host: n.host,
		Registrable: n.registrable, Platform: n.platform,
	}, nil
}

// parseAddress reads an address with or without brackets and port. tail is what
// follows the host and begins with "/", "?" or "#"; an address followed by a
// path is left to the URL parser (ok is false), a range is an error.
func parseAddress(host, tail string) (ind takedown.Indicator, ok bool, err error) {
	text := host
	if inner, isBracketed := strings.CutPrefix(host, "["); isBracketed {
		inner, after, closed := strings.Cut(inner, "]")
		if !closed || !isPort(after) {
			return ind, false, nil
		}
		text = inner
	} else if strings.Count(host, ":") == 1 {
		addr, port, _ := strings.Cut(host, ":")
		if isPort(":" + port) {
			text = addr
		}
	}
	a, err := netip.ParseAddr(strings.TrimSuffix(text, "."))
	if err != nil {
		return ind, false, nil
	}
	if bits, isRange := strings.CutPrefix(tail, "/"); isRange && bits != "" {
		if n, err := strconv.Atoi(bits); err == nil && n >= 0 && n <= a.BitLen() {
			return ind, false, errors.New("it is an address range; give single addresses")
		}
	}
	if a.Zone() != "" {
		return ind, false, fmt.Errorf("the zone %q means something only on one machine; give the address without it", a.Zone())
	}
	if tail != "" {
		return ind, false, nil
	}
	return addressIndicator(a), true, nil
}

func addressIndicator(a netip.Addr) takedown.Indicator {
	a = a.Unmap() // RFC 4291 section 2.5.5.2: the same host as the IPv4 address
	kind := takedown.KindIPv6
	if a.Is4() {
		kind = takedown.KindIPv4
	}
	return takedown.Indicator{Kind: kind, Value: a.String(), Host: a.String()}
}

// isPort reports whether s is empty, or a colon and a port number.
func isPort(s string) bool {
	if s == "" {
		return true
	}
	digits, ok := strings.CutPrefix(s, ":")
	if !ok {
		return false
	}
	_, err := strconv.ParseUint(digits, 10, 16)
	return err == nil
}

func cutPort(s string) (string, error) {
	host, port, found := strings.Cut(s, ":")
	if !found {
		return s, nil
	}
	if isPort(":" + port) {
		return host, nil
	}
	if strings.Contains(host, ".") {
		return "", fmt.Errorf("%s is not a port number from 0 to 65535; correct or drop it", quote(port))
	}
	return "", fmt.Errorf("%s is neither an address nor a URL with a scheme of http, https or ftp; check the spelling", quote(s))
}

// quote shows s in an error message, safely and briefly.
func quote(s string) string {
	const limit = 100
	if len(s) <= limit {
		return strconv.Quote(s)
	}
	cut := limit
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return strconv.Quote(s[:cut]) + "…"
}
