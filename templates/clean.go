package templates

import (
	"encoding/base64"
	"net/url"
	"regexp"
	"strings"
	"unicode"

	"desist/takedown"
)

// clean makes outside text fit for one line of ours: no control, format or
// direction characters, no line breaks, single spaces, at most limit runes and
// the mark of a cut.
func clean(s string, limit int) string {
	var b strings.Builder
	b.Grow(min(len(s), 4*limit))
	n, space := 0, false
	for _, r := range s {
		switch {
		case unicode.IsSpace(r):
			space = b.Len() > 0
			continue
		case r == unicode.ReplacementChar || !unicode.IsPrint(r):
			continue
		}
		if n >= limit {
			b.WriteString("…")
			break
		}
		if space {
			b.WriteByte(' ')
			n++
			space = false
		}
		b.WriteRune(r)
		n++
	}
	return b.String()
}

var (
	// hostLike finds names and IPv4 addresses in running text.
	hostLike = regexp.MustCompile(`(?i)(?:[\p{L}\p{N}_-]+\.)+(?:[\p{L}][\p{L}\p{N}-]+|xn--[a-z0-9-]+)|\b\d{1,3}(?:\.\d{1,3}){3}\b`)
	scheme   = regexp.MustCompile(`(?i)\bhttp(s?)://`)
	mailbox  = regexp.MustCompile(`[^\s<>"'(),;:=/?&]+(?:@|%40)[^\s<>"'(),;:=/?&]+`)
)

// defangProse makes every link, name and IPv4 address in outside text
// harmless, and takes mail addresses out, which nobody needs to see there.
func defangProse(s string) string {
	if !strings.ContainsAny(s, ".@:%") {
		return s
	}
	s = mailbox.ReplaceAllString(s, "(mail address removed)")
	s = scheme.ReplaceAllString(s, "hxxp$1://")
	return hostLike.ReplaceAllStringFunc(s, func(m string) string { return strings.ReplaceAll(m, ".", "[.]") })
}

const mask = "***"

// personalKeys are query parameters that carry who was attacked, or a secret.
var personalKeys = map[string]bool{
	"email": true, "e-mail": true, "mail": true, "e": true, "em": true, "user": true, "username": true, "userid": true,
	"login": true, "uid": true, "name": true, "token": true, "access_token": true, "id_token": true, "auth": true,
	"key": true, "apikey": true, "api_key": true, "session": true, "sessionid": true, "sid": true, "phpsessid": true,
	"code": true, "otp": true, "password": true, "passwd": true, "pass": true, "pwd": true, "phone": true, "tel": true,
	"mobile": true, "recipient": true, "rcpt": true, "to": true, "victim": true, "account": true,
}

// maskURL hides personal data in an address: passwords, the values of telling
// parameters, and every mail address, plain or in base64. It reports whether
// it changed anything. The machine-readable report keeps the exact value.
func maskURL(raw string) (string, bool) {
	sch, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return raw, false
	}
	changed := false
	rest, fragment, hasFragment := strings.Cut(rest, "#")
	rest, query, hasQuery := strings.Cut(rest, "?")
	authority, path, hasPath := strings.Cut(rest, "/")
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		authority, changed = mask+authority[i:], true
	}
	part := func(s string) string {
		if isPersonal(s) {
			changed = true
			return mask
		}
		return s
	}
	pairs := func(s string) string {
		list := strings.Split(s, "&")
		for i, pair := range list {
			key, value, has := strings.Cut(pair, "=")
			switch {
			case has && value != "" && personalKeys[strings.ToLower(key)]:
				list[i], changed = key+"="+mask, true
			case has && isPersonal(value):
				list[i], changed = key+"="+mask, true
			default:
				list[i] = part(pair)
			}
		}
		return strings.Join(list, "&")
	}
	var b strings.Builder
	b.WriteString(sch + "://" + authority)
	if hasPath {
		segments := strings.Split(path, "/")
		for i := range segments {
			segments[i] = part(segments[i])
		}
		b.WriteString("/" + strings.Join(segments, "/"))
	}
	if hasQuery {
		b.WriteString("?" + pairs(query))
	}
	if hasFragment {
		b.WriteString("#" + pairs(fragment))
	}
	return b.String(), changed
}

// isPersonal reports whether one part of a URL holds a mail address.
func isPersonal(s string) bool {
	if strings.Contains(s, "%") {
		if u, err := url.PathUnescape(s); err == nil {
			s = u
		}
	}
	if isMailbox(s) {
		return true
	}
	if len(s) < 8 {
		return false
	}
	trimmed := strings.TrimRight(s, "=")
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		if data, err := enc.DecodeString(trimmed); err == nil && isMailbox(string(data)) {
			return true
		}
	}
	return false
}

// isMailbox reports whether s contains something of the form a@b.c.
func isMailbox(s string) bool {
	at := strings.LastIndexByte(s, '@')
	return at > 0 && strings.Contains(s[at:], ".")
}

// target returns the indicator as people read it: masked, defanged, on one
// line.
func target(i takedown.Indicator) (text string, masked bool) {
	value := i.Value
	if i.Kind == takedown.KindURL {
		value, masked = maskURL(value)
	}
	text = takedown.Defang(value)
	if i.Kind == takedown.KindURL && i.Host != "" {
		// A path or query can repeat the whole address.
		text = scheme.ReplaceAllString(strings.ReplaceAll(text, i.Host, takedown.Defang(i.Host)), "hxxp$1://")
	}
	return clean(text, 2100), masked
}

// ascii folds text to printable ASCII for a header field.
func ascii(s string) string {
	var b strings.Builder
	for _, r := range s {
		if to, ok := asciiFold[r]; ok {
			b.WriteString(to)
		} else if r >= ' ' && r <= '~' {
			b.WriteRune(r)
		}
	}
	return b.String()
}

var asciiFold = map[rune]string{
	'ä': "ae", 'ö': "oe", 'ü': "ue", 'Ä': "Ae", 'Ö': "Oe", 'Ü': "Ue", 'ß': "ss", '…': "...", '–': "-", '—': "-", '§': "Par.", '’': "'",
}
