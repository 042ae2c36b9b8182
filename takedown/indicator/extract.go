package indicator

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/publicsuffix"
)

// An Extraction is what a text contains: refanged, sorted, without repeats.
// Schemes and hosts are in lower case, otherwise values stand as written; Parse
// makes them canonical. The slices are never nil.
type Extraction struct {
	Domains []string `json:"domains"`
	URLs    []string `json:"urls"`
	IPs     []string `json:"ips"`
	Emails  []string `json:"emails"`
}

// Extract finds the indicators in running text. The host of a URL or of an
// e-mail address counts as a domain or address of its own, and so does a name in
// the path of a URL. A name needs a top-level domain that exists, or one that
// RFC 2606 sets aside for documentation.
func Extract(text string) Extraction {
	text = strings.ToValidUTF8(text, " ")
	text = refangDots(slashMark.Replace(text))
	if strings.ContainsAny(text, "。．｡") {
		// Twice, because neighbouring one-letter labels share a letter.
		text = wideDot.ReplaceAllString(wideDot.ReplaceAllString(text, "$1.$2"), "$1.$2")
	}
	if strings.ContainsAny(text, "[({<") {
		text = atMark.ReplaceAllString(text, "@")
	}

	s := scanner{text: text}
	s.urls()
	s.ip6()
	s.emails()
	s.names()
	return Extraction{
		Domains: sorted(s.found.Domains), URLs: sorted(s.found.URLs),
		IPs: sorted(s.found.IPs), Emails: sorted(s.found.Emails),
	}
}

func sorted(list []string) []string {
	slices.Sort(list)
	return append([]string{}, slices.Compact(list)...)
}

// A scanner goes over a text once for each kind of indicator. Every step is
// bounded by the longest possible indicator, so that the whole is linear.
type scanner struct {
	text  string
	found Extraction
	taken []span // parts of the text in which names are no longer looked for
}

type span struct{ start, end int }

func (s *scanner) take(start, end int) { s.taken = append(s.taken, span{start, end}) }

// urls finds URLs with a scheme.
func (s *scanner) urls() {
	if !strings.Contains(s.text, ":") {
		return
	}
	matches := webScheme.FindAllStringIndex(s.text, -1)
	end := 0
	for i, m := range matches {
		if m[0] < end || isWordBefore(s.text, m[0]) {
			continue
		}
		name, _, _ := strings.Cut(s.text[m[0]:m[1]], ":")
		limit := len(s.text)
		for _, next := range matches[i+1 : min(i+2, len(matches))] {
			if strings.ContainsRune(",;|", rune(s.text[next[0]-1])) {
				limit = next[0] - 1
			}
		}
		end = max(end, s.url(schemeName(name), m[1], limit))
	}
}

// url reads one URL whose authority begins at start, and returns where it ends.
func (s *scanner) url(scheme string, start, limit int) int {
	const longestAuthority = 512
	auth := s.text[start:min(limit, start+longestAuthority)]
	if i := strings.IndexFunc(auth, endsAuthority); i >= 0 {
		auth = auth[:i]
	}
	userinfo := auth[:strings.LastIndexByte(auth, '@')+1]
	host, port := cutHost(auth[len(userinfo):])
	if !s.addHost(host) {
		return start
	}
	end := start + len(userinfo) + len(host) + len(port)
	s.take(start, end)
	tail := s.text[end:limit]
	if tail == "" || !strings.ContainsRune("/?#", rune(tail[0])) {
		tail = ""
	}
	if i := strings.IndexFunc(tail, endsURL); i >= 0 {
		tail = tail[:i]
	}
	if len(tail) <= MaxLength {
		tail = trimTail(cutUnopened(tail))
		s.found.URLs = append(s.found.URLs, scheme+"://"+userinfo+strings.ToLower(host)+port+tail)
	}
	return end + len(tail)
}

// addHost records the host of a URL and reports whether it can be one.
func (s *scanner) addHost(host string) bool {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		return s.addAddress(strings.TrimSuffix(inner, "]"))
	}
	if s.addAddress(host) {
		return true
	}
	if isNumeric(strings.ToLower(host[strings.LastIndexByte(host, '.')+1:])) {
		// Decimal, hexadecimal and octal forms are addresses to a browser.
		ind, err := Parse("http://" + host + "/")
		return err == nil && s.addAddress(ind.Host)
	}
	if !isName(host, "_") {
		return false
	}
	s.found.Domains = append(s.found.Domains, strings.ToLower(host))
	return true
}

// addAddress records an IP address as it is written, without zone.
func (s *scanner) addAddress(text string) bool {
	text, _, _ = strings.Cut(text, "%")
	a, err := netip.ParseAddr(text)
	if err != nil {
		return false
	}
	if a.Is4In6() {
		text = a.Unmap().String()
	}
	s.found.IPs = append(s.found.IPs, strings.ToLower(text))
	return true
}

// ip6 finds IPv6 addresses outside URLs, with or without zone or prefix length.
func (s *scanner) ip6() {
	const longest = 48 // eight groups, or six and an IPv4 address, and some dots
	for start := 0; start < len(s.text); {
		if !isIP6Byte(s.text[start]) {
			start++
			continue
		}
		end, colons := start, 0
		for end < len(s.text) && isIP6Byte(s.text[end]) {
			if s.text[end] == ':' {
				colons++
			}
			end++
		}
		token := strings.TrimRight(s.text[start:end], ".")
		if strings.HasSuffix(token, ":") && !strings.HasSuffix(token, "::") {
			token = token[:len(token)-1]
		}
		// A digit tells an address from Namespace::member.
		if colons >= 2 && len(token) <= longest && strings.ContainsAny(token, "0123456789") &&
			!isWordBefore(s.text, start) && !isWordAt(s.text, end) && s.addAddress(token) {
			s.take(start, end)
		}
		start = end
	}
}

func isIP6Byte(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' || c == ':' || c == '.'
}

// An e-mail address has a sign, or the word "at" between a word and a name.
var at = regexp.MustCompile(`@|(?i:[ \t]+at[ \t]+)`)

// emails finds e-mail addresses outside the credentials of URLs.
func (s *scanner) emails() {
	const longestLocal = 64 // RFC 5321 section 4.5.3.1.1
	slices.SortFunc(s.taken, func(a, b span) int { return a.start - b.start })
	urls := s.taken
	for _, m := range at.FindAllStringIndex(s.text, -1) {
		start := m[0]
		for start > 0 {
			r, size := utf8.DecodeLastRuneInString(s.text[:start])
			if !isLocalRune(r) || m[0]-start > longestLocal {
				break
			}
			start -= size
		}
		start += len(s.text[start:m[0]]) - len(strings.TrimLeft(s.text[start:m[0]], "."))
		local := s.text[start:m[0]]
		isSign := s.text[m[0]] == '@'
		if local == "" || len(local) > longestLocal || strings.Contains(local, "..") || strings.HasSuffix(local, ".") ||
			within(urls, m[0]) || !isSign && isName(local, "") {
			continue
		}
		chain, _ := cutChain(s.text[m[1]:])
		_, err := netip.ParseAddr(chain)
		isAddress := err == nil
		host := chain
		if !isAddress {
			host = longestName(chain)
		}
		if host == "" || isAddress && !isSign {
			continue
		}
		if isSign {
			s.take(start, m[0])
		}
		s.found.Emails = append(s.found.Emails, strings.ToLower(local+"@"+host))
	}
}

// names finds host names and IPv4 addresses.
func (s *scanner) names() {
	slices.SortFunc(s.taken, func(a, b span) int { return a.start - b.start })
	for i := 0; i < len(s.text); {
		chain, end := cutChain(s.text[i:])
		if end == 0 {
			_, size := utf8.DecodeRuneInString(s.text[i:])
			i += size
			continue
		}
		start := i
		i += end
		if within(s.taken, start) || i < len(s.text) && s.text[i] == '@' {
			continue
		}
		if strings.Trim(chain, "0123456789.-") == "" {
			for part := range strings.SplitSeq(chain, "-") { // 192.0.2.1-192.0.2.9
				s.addAddress(part)
			}
			continue
		}
		if host := longestName(chain); host != "" {
			s.found.Domains = append(s.found.Domains, strings.ToLower(host))
		}
	}
}

// cutChain returns the longest run of valid labels joined by single dots at the
// beginning of text, and where to look on: end is 0 if no label begins there.
func cutChain(text string) (chain string, end int) {
	for {
		size, isWhole := labelLen(text[end:])
		if size == 0 {
			return chain, end
		}
		chain = strings.TrimRight(text[:end+size], "-")
		end += size
		if !isWhole || end+1 >= len(text) || text[end] != '.' || !isWordAt(text, end+1) {
			return chain, end
		}
		end++
	}
}

// labelLen returns the length of the label at the beginning of text with any
// hyphens after it; isWhole is false if there are any.
func labelLen(text string) (size int, isWhole bool) {
	if !isWordAt(text, 0) {
		return 0, false
	}
	for i, r := range text {
		if r != '-' && !isWordRune(r) {
			return i, text[i-1] != '-'
		}
	}
	return len(text), text[len(text)-1] != '-'
}

// longestName returns the longest beginning of a chain of labels that is a host
// name: a file name's extension or the next sentence may follow it.
func longestName(chain string) string {
	const longestChain = 512
	if len(chain) > longestChain {
		return ""
	}
	for strings.Contains(chain, ".") {
		if isName(chain, "") {
			return chain
		}
		chain = chain[:strings.LastIndexByte(chain, '.')]
	}
	return ""
}

// isName reports whether s is a host name that somebody can own. Labels may
// hold the extra characters besides letters, digits and hyphens.
func isName(s, extra string) bool {
	if len(s) > 253 || !strings.Contains(s, ".") {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63*utf8.UTFMax || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, r := range label {
			if !isWordRune(r) && r != '-' && !strings.ContainsRune(extra, r) {
				return false
			}
		}
	}
	last := s[strings.LastIndexByte(s, '.')+1:]
	tld, err := uts46.ToASCII(last)
	if err != nil || !isListed(tld) && !isDocumentation(tld) {
		return false
	}
	lower := strings.ToLower(s)
	suffix, icann := publicsuffix.PublicSuffix(lower)
	return suffix != lower || !icann
}

func isDocumentation(tld string) bool {
	return tld == "example" || tld == "test" || tld == "invalid" // RFC 2606 section 2
}

func within(spans []span, pos int) bool {
	i, found := slices.BinarySearchFunc(spans, pos, func(s span, pos int) int { return s.start - pos })
	return found || i > 0 && pos < spans[i-1].end
}

// isWordRune reports whether r may stand in a label: letters, digits, and the
// marks that many scripts write their vowels with.
func isWordRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
}

func isWordAt(text string, i int) bool {
	r, _ := utf8.DecodeRuneInString(text[i:])
	return unicode.IsLetter(r) || unicode.IsDigit(r)
}

func isWordBefore(text string, i int) bool {
	r, _ := utf8.DecodeLastRuneInString(text[:i])
	return unicode.IsLetter(r) || unicode.IsDigit(r)
}

// isLocalRune accepts what occurs in local parts, and the asterisks of masked
// addresses, but not the characters that mostly stand between things
// (RFC 5321 section 4.1.2 allows more).
func isLocalRune(r rune) bool {
	return isWordRune(r) || strings.ContainsRune("._%+*$~^-", r)
}

// endsAuthority reports whether r ends host, port and credentials of a URL.
func endsAuthority(r rune) bool {
	return endsURL(r) || strings.ContainsRune(`/?#\,;()`, r)
}

// endsURL reports whether r cannot stand in a URL in running text.
func endsURL(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune("\"<>`|“”„«»…", r)
}

// cutHost splits an authority without credentials into host and port, and drops
// what belongs to neither.
func cutHost(s string) (host, port string) {
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']') + 1
		return s[:end], leadingPort(s[end:])
	}
	end := strings.IndexFunc(s, func(r rune) bool { return !isWordRune(r) && !strings.ContainsRune("._-", r) })
	if end < 0 {
		end = len(s)
	}
	host = strings.TrimRight(s[:end], ".-_")
	return host, leadingPort(s[len(host):])
}

// leadingPort returns the colon and digits at the beginning of s, if any.
func leadingPort(s string) string {
	if !strings.HasPrefix(s, ":") {
		return ""
	}
	digits := strings.TrimLeft(s[1:], "0123456789")
	if port := s[:len(s)-len(digits)]; port != ":" && isPort(port) {
		return port
	}
	return ""
}

// cutUnopened ends a URL at a closing bracket that it did not open, as in
// (https://a.example/x) and [text](https://a.example/x).
func cutUnopened(s string) string {
	var round, square, curly int
	for i, r := range s {
		switch r {
		case '(':
			round++
		case '[':
			square++
		case '{':
			curly++
		case ')':
			round--
		case ']':
			square--
		case '}':
			curly--
		}
		if min(round, square, curly) < 0 {
			return s[:i]
		}
	}
	return s
}

// trimTail takes the punctuation of the sentence off the end of a URL.
func trimTail(s string) string {
	return strings.TrimRight(s, ".,;:!?'’|")
}
