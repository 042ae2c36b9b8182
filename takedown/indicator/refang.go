package indicator

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// How people keep a link from being clicked. Only blanks of one line are
// absorbed, so that a mark never joins two lines.
var (
	dotMark = regexp.MustCompile(`(?i)[ \t]*[\[({<]{1,2}[ \t]*(?:\.|dot)[ \t]*[\])}>]{1,2}[ \t]*|[ \t]+dot[ \t]+|\\\.`)
	// halfDot is a mark with one bracket lost: evil[.com, evil.]com.
	halfDot = regexp.MustCompile(`([\p{L}\p{N}])(?:\[\.|\.\])`)
	// boxedLabel is a label in brackets after a dot: evil.[com].
	boxedLabel = regexp.MustCompile(`\.\[([\p{L}\p{N}-]{1,63})\]`)
	atMark     = regexp.MustCompile(`(?i)[ \t]*[\[({<][ \t]*(?:@|at)[ \t]*[\])}>][ \t]*`)
	// wideDot is an ideographic, full-width or half-width full stop (UTS 46
	// section 4 maps them to a dot) between ASCII letters or digits; elsewhere
	// it ends a sentence.
	wideDot = regexp.MustCompile(`([0-9A-Za-z])[。．｡]([0-9A-Za-z])`)
)

// slashMark undoes [:] before a port and [/] in front of a path.
var slashMark = strings.NewReplacer("[:]", ":", "(:)", ":", "{:}", ":", "[/]", "/", "(/)", "/", "[://]", "://", "(://)", "://", "{://}", "://")

// The separator between scheme and host, as in :// [:]// [://] :[//] :\\
// and :\/\/.
const schemeEnd = `[\])}>]?[ \t]*[\[({<]?:[\])}>]?[ \t]*[\[({<]?(?://|\\\\|\\/\\/)[\])}>]?[ \t]{0,8}`

var (
	anyScheme   = regexp.MustCompile(`(?i)^[\[({<]?([\p{L}*_#][\p{L}\p{N}*_#+-]{0,30}(?:[\[(]s[\])])?)` + schemeEnd)
	shortScheme = regexp.MustCompile(`(?i)^(https?|ftp):`)
	webScheme   = regexp.MustCompile(`(?i)(?:h[tx*_z#]{2,3}p(?:s|[\[(]s[\])])?|hxxxs?|meows?|f[tx*_]p)` + schemeEnd)
	realScheme  = regexp.MustCompile(`(?i)^(?:https?|ftp)://$`)
)

// unboxed drops the brackets around a scheme or its s, as in http[s].
var unboxed = strings.NewReplacer("[", "", "]", "", "(", "", ")", "", "{", "", "}", "", "<", "", ">", "", " ", "", "\t", "")

// masked maps the letters that stand for t.
var masked = strings.NewReplacer("x", "t", "*", "t", "_", "t", "z", "t", "#", "t")

// schemeName returns http, https or ftp for any of the usual ways to write
// them, and s itself for anything else.
func schemeName(s string) string {
	lower := strings.ToLower(unboxed.Replace(s))
	switch lower {
	case "meow", "hxxx":
		return "http"
	case "meows", "hxxxs":
		return "https"
	}
	// Three masks for two letters occur as often as the right number.
	switch strings.Replace(masked.Replace(lower), "ttt", "tt", 1) {
	case "http":
		return "http"
	case "https":
		return "https"
	case "ftp":
		return "ftp"
	}
	return lower
}

// cutScheme splits a URL after its scheme and slashes, however they are written.
func cutScheme(s string) (candidateURL, bool) {
	if i := strings.IndexAny(s, ":"); i < 0 || i > 64 {
		return candidateURL{}, false
	}
	if m := anyScheme.FindStringSubmatchIndex(s); m != nil {
		return candidateURL{
			scheme:   schemeName(s[m[2]:m[3]]),
			rest:     s[m[1]:],
			defanged: !realScheme.MatchString(strings.TrimSpace(s[:m[1]])),
		}, true
	}
	// A browser also takes http:example.com and http:/example.com.
	if m := shortScheme.FindStringSubmatchIndex(s); m != nil {
		return candidateURL{scheme: schemeName(s[m[2]:m[3]]), rest: s[m[1]:]}, true
	}
	return candidateURL{}, false
}

// splitAuthority splits before the path, query or fragment. A backslash is a
// slash to a browser, unless it escapes a dot.
func splitAuthority(s string) (authority, tail string) {
	for i := range len(s) {
		switch s[i] {
		case '/', '?', '#':
			return s[:i], s[i:]
		case '\\':
			if i+1 >= len(s) || s[i+1] != '.' {
				return s[:i], s[i:]
			}
		}
	}
	return s, ""
}

// refangHost undoes the marks in a host, with or without port, and says whether
// there were any. The brackets of an IPv6 literal stay.
func refangHost(s string) (string, bool) {
	if !strings.ContainsAny(s, `[({<\ `+"\t") {
		return s, false
	}
	out := refangDots(slashMark.Replace(s))
	out = atMark.ReplaceAllString(out, "@")
	return out, out != s
}

func refangDots(s string) string {
	if strings.ContainsAny(s, `[({<\`) || strings.Contains(strings.ToLower(s), "dot") {
		s = dotMark.ReplaceAllString(s, ".")
	}
	if !strings.Contains(s, "[") && !strings.Contains(s, "]") {
		return s
	}
	s = halfDot.ReplaceAllString(s, "$1.")
	return boxedLabel.ReplaceAllString(s, ".$1")
}

// pairs are the brackets and quotation marks that surround a quoted indicator.
var pairs = map[rune]rune{
	')': '(', ']': '[', '}': '{', '>': '<', '"': '"', '\'': '\'', '`': '`',
	'”': '“', '’': '‘', '»': '«', '“': '„',
}

const openers = "([{<\"'`“‘«„"

// trim takes off what surrounds an indicator in a sentence or a table: blanks,
// commas, semicolons, quotation marks, and brackets that are not part of it.
func trim(s string) string {
	const layers = 32 // more than anybody means
	for range layers {
		before := s
		s = strings.TrimFunc(s, func(r rune) bool {
			return unicode.IsSpace(r) || r == ',' || r == ';' || r == '\ufeff' || r == '\u200b'
		})
		if s == "" {
			return s
		}
		first, firstLen := utf8.DecodeRuneInString(s)
		last, lastLen := utf8.DecodeLastRuneInString(s)
		open, isCloser := pairs[last]
		switch {
		case isCloser && first == open && len(s) > firstLen && !isIPLiteral(s):
			s = s[firstLen : len(s)-lastLen]
		case isCloser && !isBalanced(s, open, last):
			s = s[:len(s)-lastLen]
		case strings.ContainsRune(openers, first) && !hasCloser(s, first):
			s = s[firstLen:]
		}
		if s == before {
			break
		}
	}
	return s
}

// isIPLiteral reports whether the square brackets around s are those of an IPv6
// address.
func isIPLiteral(s string) bool {
	return s[0] == '[' && strings.Count(s, ":") > 1 && !strings.Contains(s, "//")
}

// isBalanced reports whether the closing mark at the end of s has its opening
// mark in s.
func isBalanced(s string, open, closing rune) bool {
	if open == closing {
		return strings.Count(s, string(open))%2 == 0
	}
	return strings.Count(s, string(open)) >= strings.Count(s, string(closing))
}

func hasCloser(s string, open rune) bool {
	rest := s[utf8.RuneLen(open):]
	for closing, o := range pairs {
		if o == open && strings.ContainsRune(rest, closing) {
			return true
		}
	}
	return false
}
