package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/charset"

	"desist/takedown"
)

// Bounds of the analysis, far beyond any honest page.
const (
	maxTokens = 50_000
	maxText   = 16 << 10 // bytes of visible text kept
	maxShape  = 64 << 10
	maxTitle  = 300
)

// A Page is what is left of a document after analysis.
type Page struct {
	Title string
	// Fingerprint is a hash of the page's shape: title without numbers, the
	// sequence of tags with repetitions folded, where its forms send what
	// fields. Texts, scripts, styles, tokens and counters do not change it.
	Fingerprint string
	Suspended   bool // the provider says that it took the page away
	Parked      bool // the name is parked or for sale
	Challenge   bool // a gate stands before the page
	Default     bool // nothing is here: an empty listing, page or new server
	Password    bool // a field asks for a secret
}

// Analyse reads a document of any size and quality. A document that is not
// HTML has only a fingerprint.
func Analyse(contentType string, body []byte) Page {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil || media == "" {
		media, _, _ = mime.ParseMediaType(http.DetectContentType(body))
	}
	switch media {
	case "text/html", "application/xhtml+xml", "text/plain":
	default:
		// Malware changes with every download; its kind does not.
		magic := body[:min(len(body), 4)]
		return Page{Fingerprint: fingerprint("raw", media, string(magic))}
	}
	var d document
	d.read(decode(contentType, body))
	return d.page()
}

// decode turns the body into UTF-8 by the encoding that the header or the page
// itself names (WHATWG Encoding). What is valid UTF-8 already stays as it is,
// whatever it calls itself; the end may be cut within a character.
func decode(contentType string, body []byte) []byte {
	whole := body
	for range utf8.UTFMax - 1 {
		if len(whole) == 0 || utf8.Valid(whole) {
			return body
		}
		whole = whole[:len(whole)-1]
	}
	encoding, _, _ := charset.DetermineEncoding(body[:min(len(body), 1024)], contentType)
	decoded, err := encoding.NewDecoder().Bytes(body)
	if err != nil {
		return body
	}
	return decoded
}

// document gathers what the tokens of a page show.
type document struct {
	title    strings.Builder
	text     strings.Builder
	shape    strings.Builder
	sources  strings.Builder // src, href and action, for marks of parking services
	last     string
	inTitle  bool
	skip     string // element whose text is not visible
	fields   int
	password bool
	links    int
	media    int
	listing  int // links in a directory listing that are not its own controls
	refresh  bool
	scripted bool
}

func (d *document) read(body []byte) {
	z := html.NewTokenizer(bytes.NewReader(body))
	for range maxTokens {
		switch z.Next() {
		case html.ErrorToken:
			return // the end; the tokenizer has no other error for bytes in memory
		case html.TextToken:
			d.readText(string(z.Text()))
		case html.StartTagToken, html.SelfClosingTagToken:
			d.open(z)
		case html.EndTagToken:
			name, _ := z.TagName()
			if string(name) == d.skip {
				d.skip = ""
			}
			if string(name) == "title" {
				d.inTitle = false
			}
		}
	}
}

func (d *document) readText(text string) {
	switch {
	case d.skip != "":
	case d.inTitle:
		if d.title.Len() < maxTitle {
			d.title.WriteString(text)
		}
	case d.text.Len() < maxText:
		d.text.WriteString(text)
		d.text.WriteByte(' ')
	}
}

func (d *document) open(z *html.Tokenizer) {
	raw, more := z.TagName()
	name := string(raw)
	attrs := map[string]string{}
	for more {
		var k, v []byte
		k, v, more = z.TagAttr()
		if len(attrs) < 32 && len(v) < 4096 {
			attrs[string(k)] = string(v)
		}
	}
	for _, key := range []string{"src", "href", "action"} {
		if v := attrs[key]; v != "" && d.sources.Len() < maxShape {
			d.sources.WriteString(strings.ToLower(v))
			d.sources.WriteByte(' ')
		}
	}
	switch name {
	case "title":
		d.inTitle = d.title.Len() == 0
	case "script", "style", "noscript", "template":
		d.skip = name
		d.scripted = d.scripted || name == "script"
		return // their number changes with every tracker
	case "meta":
		d.refresh = d.refresh || strings.EqualFold(attrs["http-equiv"], "refresh")
		return
	case "link", "br", "wbr":
		return
	case "a":
		d.links++
		if href := attrs["href"]; href != "" && href != "/" && href != "../" && !strings.HasPrefix(href, "?") {
			d.listing++
		}
	case "img", "iframe", "frame", "object", "embed", "video", "canvas", "svg":
		d.media++
	case "form":
		d.mark("form:" + strings.ToUpper(attrs["method"]) + ":" + formTarget(attrs["action"]))
		return
	case "input", "select", "textarea", "button":
		kind := strings.ToLower(attrs["type"])
		if kind != "hidden" && kind != "submit" && name != "button" {
			d.fields++
		}
		d.password = d.password || kind == "password"
		if kind == "hidden" {
			return // tokens
		}
		d.mark(name + ":" + kind + ":" + digits(attrs["name"]))
		return
	}
	d.mark(name)
}

// mark appends to the shape, folding repetitions, so that one more row in a
// table is not another page.
func (d *document) mark(m string) {
	if m == d.last || d.shape.Len() > maxShape {
		return
	}
	d.last = m
	d.shape.WriteString(m)
	d.shape.WriteByte('\n')
}

// formTarget is where a form sends its fields, without what changes from visit
// to visit.
func formTarget(action string) string {
	u, err := url.Parse(strings.TrimSpace(action))
	if err != nil {
		return "?"
	}
	return strings.ToLower(u.Host) + digits(u.Path)
}

// digits folds every run of digits into one 0.
func digits(s string) string {
	var b strings.Builder
	inRun := false
	for _, r := range s {
		if unicode.IsDigit(r) {
			if !inRun {
				b.WriteByte('0')
			}
			inRun = true
			continue
		}
		inRun = false
		b.WriteRune(r)
	}
	return b.String()
}

// page draws the conclusions.
func (d *document) page() Page {
	title := fold(d.title.String())
	text := fold(d.text.String())
	sources := d.sources.String()
	p := Page{
		Title:       strings.Join(strings.Fields(strings.ToValidUTF8(d.title.String(), "\uFFFD")), " "),
		Fingerprint: fingerprint("page", digits(title), d.shape.String()),
		Password:    d.password,
	}
	said := title + " \n " + text
	asks := d.password || d.fields > 0
	length := utf8.RuneCountInString(text)

	// Honest and dishonest forms have captchas too; a gate has little else.
	p.Challenge = !d.password && (length < 1500 && containsAny(said, challengeSigns) ||
		length < 400 && containsAny(sources, challengeSources))

	// A page that asks for anything is no suspension page: "your account has been
	// suspended, sign in" is what phishing says. So is a long page.
	short := length < 2500
	p.Suspended = !asks && short && (containsAny(said, suspendedSite) ||
		length < 700 && containsAny(said, suspendedAccount) && !containsAny(said, possessives))
	p.Parked = !d.password && (containsAny(said, parkingSigns) || containsAny(sources, parkingSources))

	bare := len(strings.TrimSpace(text)) == 0 && d.media == 0 && !asks && !d.scripted && !d.refresh
	listing := strings.HasPrefix(title, "index of /") && d.listing == 0
	p.Default = bare || listing || !asks && containsAny(said, defaultSigns)
	return p
}

// verdict says what the page, served with a status, means for the target.
func (p Page) verdict(status int, baseline string, challenged bool) (takedown.Verdict, string) {
	switch {
	case baseline != "" && p.Fingerprint == baseline:
		// Whatever the status says: some kits send 404 with the page.
		return takedown.VerdictUp, fmt.Sprintf("the page is the one first seen (status %d)", status)
	case challenged || p.Challenge:
		return takedown.VerdictUnclear, fmt.Sprintf("a challenge stands before the page (status %d)", status)
	case p.Suspended:
		return takedown.VerdictGone, fmt.Sprintf("the provider shows a suspension page (status %d)", status)
	case status == http.StatusNotFound, status == http.StatusGone, status == http.StatusUnavailableForLegalReasons:
		if p.Password {
			return takedown.VerdictUnclear, fmt.Sprintf("status %d, but the page asks for a password", status)
		}
		return takedown.VerdictGone, fmt.Sprintf("status %d %s", status, http.StatusText(status))
	case status < 200 || status > 299:
		return takedown.VerdictUnclear, fmt.Sprintf("status %d %s does not tell whether the page is there", status, http.StatusText(status))
	case p.Parked:
		return takedown.VerdictGone, "the name is parked"
	case p.Default && baseline != "":
		return takedown.VerdictGone, "the page first seen has made room for an empty one"
	case p.Default:
		// Kits show this to visitors they distrust, and we never saw another.
		return takedown.VerdictUnclear, "the page is empty, and we never saw it otherwise"
	case baseline != "":
		return takedown.VerdictUp, "serves a page other than the one first seen, without a sign of removal"
	}
	return takedown.VerdictUp, fmt.Sprintf("serves a page (status %d)", status)
}

func fingerprint(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		_, _ = fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// fold makes text comparable: valid, lower case, plain apostrophes, one blank
// between words.
func fold(s string) string {
	s = strings.ToLower(strings.ToValidUTF8(s, " "))
	s = strings.ReplaceAll(s, "\u2019", "'")
	return strings.Join(strings.Fields(s), " ")
}

func containsAny(s string, signs []string) bool {
	for _, sign := range signs {
		if strings.Contains(s, sign) {
			return true
		}
	}
	return false
}
