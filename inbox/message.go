package inbox

import (
	"bytes"
	"fmt"
	"mime"
	"net/textproto"
	"regexp"
	"strings"

	"github.com/jhillyerd/enmime/v2"

	"desist/takedown"
)

// The limits of what is looked at. A mail beyond them is read as plain text.
const (
	maxParsed  = 2 << 20 // bytes of a mail that are parsed
	maxParts   = 500     // lines that could be MIME delimiters
	maxNesting = 20      // multipart headers
	maxText    = 256 << 10
	maxHeader  = 256 << 10
)

// fields is a header whose names are in canonical form.
type fields = textproto.MIMEHeader

// message is a mail taken apart.
type message struct {
	header fields
	text   string // the words for people, without the returned mail
	// status holds the blocks of message/delivery-status parts, feedback the
	// fields of message/feedback-report parts.
	status   []fields
	feedback []fields
	original fields // the header of the returned mail, or nil
}

// parse takes raw apart. It never fails; what cannot be parsed is text.
func parse(raw []byte) *message {
	raw = normalise(raw)
	m := &message{}
	head, body, _ := bytes.Cut(raw, []byte("\n\n"))
	m.header = parseFields(head)
	root, err := parseMIME(raw)
	if err != nil {
		m.addText(string(body))
	} else {
		for _, part := range root.DepthMatchAll(func(p *enmime.Part) bool { return p.FirstChild == nil }) {
			m.addPart(part)
		}
	}
	m.splitReturned()
	return m
}

// normalise makes line ends LF, drops NUL, an mbox "From " line and everything
// beyond the limit.
func normalise(raw []byte) []byte {
	raw = raw[:min(len(raw), maxParsed)]
	raw = bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n"))
	raw = bytes.ReplaceAll(raw, []byte("\r"), []byte("\n"))
	raw = bytes.ReplaceAll(raw, []byte{0}, nil)
	raw = bytes.TrimLeft(raw, "\n")
	if bytes.HasPrefix(raw, []byte("From ")) {
		_, raw, _ = bytes.Cut(raw, []byte("\n"))
	}
	return raw
}

// parseMIME parses within the limits. A panic of the parser on hostile bytes is
// an error like any other.
func parseMIME(raw []byte) (root *enmime.Part, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the MIME parser failed: %v", r)
		}
	}()
	if end := bytes.Index(raw, []byte("\n\n")); end > maxHeader || end < 0 && len(raw) > maxHeader {
		return nil, fmt.Errorf("the header is longer than %d bytes", maxHeader)
	}
	if n := bytes.Count(raw, []byte("\n--")); n > maxParts {
		return nil, fmt.Errorf("%d lines look like MIME delimiters", n)
	}
	if n := bytes.Count(bytes.ToLower(raw), []byte("multipart/")); n > maxNesting {
		return nil, fmt.Errorf("%d multipart headers", n)
	}
	parser := enmime.NewParser(enmime.SkipMalformedParts(true), enmime.DisableCharacterDetection(true),
		enmime.MaxStoredPartErrors(10), enmime.SetReadPartErrorPolicy(enmime.AllowCorruptTextPartErrorPolicy))
	return parser.ReadParts(bytes.NewReader(raw))
}

func (m *message) addPart(p *enmime.Part) {
	content := p.Content[:min(len(p.Content), maxText)]
	switch kind := strings.ToLower(p.ContentType); {
	case strings.HasPrefix(kind, "message/") && strings.HasSuffix(kind, "delivery-status"):
		m.addStatus(content)
	case kind == "message/feedback-report":
		m.feedback = append(m.feedback, parseFields(content))
	case kind == "message/rfc822", kind == "message/global", kind == "message/global-headers",
		strings.HasPrefix(kind, "text/rfc822-header"):
		if m.original == nil {
			head, _, _ := bytes.Cut(normalise(content), []byte("\n\n"))
			m.original = parseFields(head)
		}
	case kind == "text/html":
		if strings.TrimSpace(m.text) == "" {
			m.addText(untag(string(content)))
		}
	case strings.HasPrefix(kind, "text/"), strings.HasPrefix(kind, "multipart/"), kind == "":
		m.addText(string(content))
	}
}

// addStatus reads the blocks of fields of RFC 3464 section 2.1. The fields of
// the first, about the mail as a whole, are of no use here unless it names a
// recipient too.
func (m *message) addStatus(content []byte) {
	for block := range bytes.SplitSeq(normalise(content), []byte("\n\n")) {
		if f := parseFields(bytes.Trim(block, "\n")); f.Get("Final-Recipient") != "" || f.Get("Original-Recipient") != "" || f.Get("Status") != "" {
			m.status = append(m.status, f)
		}
	}
}

func (m *message) addText(s string) {
	if len(m.text)+len(s) <= maxText {
		m.text += takedown.CleanText(strings.ReplaceAll(s, "\r\n", "\n")) + "\n"
	}
}

// returned matches the line after which old mail systems put the mail that they
// give back, or its first header fields.
var returned = regexp.MustCompile(`(?mi)^[ \t]*(-{2,}[^\n]*(original message|copy of (the|your) message|below this line|unsent message|returned message|message header|message follows|headers? follow)[^\n]*|(return-path|received): [^\n]*(<|from |by )[^\n]*)$`)

// splitReturned cuts the returned mail off the text and keeps its header.
func (m *message) splitReturned() {
	at := returned.FindStringIndex(m.text)
	if at == nil {
		return
	}
	rest := m.text[at[0]:]
	m.text = m.text[:at[0]]
	if strings.HasPrefix(strings.TrimSpace(rest), "-") {
		_, rest, _ = strings.Cut(rest, "\n")
	}
	if m.original == nil {
		head, _, _ := strings.Cut(strings.TrimLeft(rest, "\n \t"), "\n\n")
		m.original = parseFields([]byte(head))
	}
}

// parseFields reads header fields and passes over whatever is none.
func parseFields(head []byte) fields {
	f := fields{}
	name, value := "", []byte(nil)
	store := func() {
		if name != "" {
			f[name] = append(f[name], string(value))
		}
		name, value = "", nil
	}
	head = head[:min(len(head), maxHeader)]
	for line := range strings.SplitSeq(takedown.CleanText(string(head)), "\n") {
		if strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") {
			value = append(append(value, ' '), strings.TrimSpace(line)...)
			continue
		}
		store()
		key, rest, found := strings.Cut(line, ":")
		if found && key != "" && !strings.ContainsAny(key, " \t") {
			name, value = textproto.CanonicalMIMEHeaderKey(key), []byte(strings.TrimSpace(rest))
		}
	}
	store()
	return f
}

// decoded returns a header value with its encoded words (RFC 2047) decoded.
func decoded(value string) string {
	if s, err := new(mime.WordDecoder).DecodeHeader(value); err == nil {
		value = s
	}
	return takedown.CleanText(value)
}

var tag = regexp.MustCompile(`(?s)<(style|script).*?</(style|script)>|<[^>@]*>`)

// untag makes readable text of HTML, no more.
func untag(html string) string {
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&", "&nbsp;", " ", "&quot;", `"`).
		Replace(tag.ReplaceAllString(html, "\n"))
}
