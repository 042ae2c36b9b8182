package whois

import (
	"regexp"
	"slices"
	"strings"
)

// A field is one named value of an answer.
type field struct {
	key   string // lower case, single spaces
	value string
	// section is the heading that the field stands under, lower case; empty
	// at the top.
	section string
}

// A block is what stands between empty lines.
type block []field

func (b block) get(keys ...string) string {
	for _, key := range keys {
		for _, f := range b {
			if f.key == key && f.value != "" {
				return f.value
			}
		}
	}
	return ""
}

func (b block) all(key string) []string {
	var values []string
	for _, f := range b {
		if f.key == key && f.value != "" {
			values = append(values, f.value)
		}
	}
	return values
}

// document is an answer cut into blocks, with the comment lines apart, since
// some registries say the most important things in comments.
type document struct {
	blocks   []block
	comments []string
}

var (
	keyValue      = regexp.MustCompile(`^([^:\[\]{}<>"]{1,60}?)[ .\t]*:+(?:[ \t]+|$)(.*)$`)
	bracketed     = regexp.MustCompile(`^(?:[a-z]{1,2}\.\s*)?\[([^\[\]]{2,60})\]\s*(.*)$`)
	tabbed        = regexp.MustCompile(`^([A-Z][A-Za-z ]{2,30})\t+(\S.*)$`)
	spaced        = regexp.MustCompile(`^(Record|Domain) (created|expires|will expire|registered|updated|modified|last updated)(?: on|:)?:?\s+(\d.*)$`)
	hostLike      = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_-]*\.)+[A-Za-z][A-Za-z0-9-]*\.?$`)
	anotherRecord = regexp.MustCompile(`(?i)^domain name:\s+\S`)
	endOfData     = regexp.MustCompile(`(?i)^>>> |^(the )?(data|information) in .*(whois|database)|^terms of use|^notice:|^-- $`)
)

// layout keeps track of headings while lines are read.
type layout struct {
	doc     document
	current block
	section string // heading in force
	indent  int    // of the heading
	open    bool   // the heading's lines may follow without a key
	blank   bool   // the last line was empty
	filled  bool   // something stands under the heading
	lastKey string // for values that go on in the next line
	next    []string
	ended   bool // the record is over
}

// parseBlocks cuts text into blocks.
func parseBlocks(text string) document {
	var l layout
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if len(line) > 2048 {
			line = line[:2048] // a record's lines are short; legal text may be cut
		}
		l.next = lines[i+1:]
		l.line(strings.TrimRight(line, " \t\r"))
	}
	l.flush()
	return l.doc
}

// line takes one line.
func (l *layout) line(line string) {
	text := strings.TrimSpace(line)
	indent := len(line) - len(strings.TrimLeft(line, " \t"))
	if l.ended && !anotherRecord.MatchString(text) {
		return // terms of use, until a registrar's answer follows the registry's
	}
	l.ended = false
	switch {
	case text == "":
		l.blank = true
		if l.section == "" || !l.open {
			l.flush()
		}
		return
	case text[0] == '%' || text[0] == '#':
		l.doc.comments = append(l.doc.comments, strings.TrimSpace(strings.TrimLeft(text, "%#")))
		l.flush()
		l.section, l.open, l.blank = "", false, false
		return
	case endOfData.MatchString(text) && len(l.doc.blocks)+len(l.current) > 0:
		l.ended = true
		l.flush()
		return
	}
	// A heading ends where the indentation returns to it.
	if l.section != "" && indent <= l.indent && (l.blank && l.filled || !l.open || l.indent > 0) {
		l.endSection(text)
	}
	l.blank = false
	if m := spaced.FindStringSubmatch(text); m != nil {
		l.add(strings.ToLower(m[1]+" "+m[2]), m[3], "")
		return
	}
	if m := bracketed.FindStringSubmatch(text); m != nil {
		l.add(normalKey(m[1]), m[2], l.section)
		return
	}
	if m := tabbed.FindStringSubmatch(line); m != nil && l.section == "" {
		l.heading(normalKey(m[1]), indent)
		l.add(normalKey(m[1]), m[2], "")
		return
	}
	if m := keyValue.FindStringSubmatch(text); m != nil && !strings.HasPrefix(m[2], "//") {
		key, value := normalKey(m[1]), strings.TrimSpace(m[2])
		if value == "" {
			l.empty(key, indent)
			return
		}
		l.add(key, value, l.section)
		l.lastKey = key
		return
	}
	l.bare(text, indent)
}

// bare takes a line without a key: a value under a heading, or a heading itself.
func (l *layout) bare(text string, indent int) {
	if l.section != "" && (l.open || indent > l.indent) {
		l.add("", text, l.section)
		return
	}
	if l.lastKey != "" && indent > 8 {
		l.add(l.lastKey, text, l.section) // the value goes on
		return
	}
	if len(text) <= 40 && !strings.ContainsAny(text, "*=-_") {
		l.heading(normalKey(text), indent)
	}
}

// genericKeys say nothing without a heading above them.
var genericKeys = []string{"name", "org", "organization", "organisation", "nserver", "contact", "handle", "id", "company"}

// empty takes a key without a value. It is a heading if what follows is indented,
// has no key or a generic one; else the registry just has nothing to say there.
func (l *layout) empty(key string, indent int) {
	for _, line := range l.next {
		text := strings.TrimSpace(line)
		if text == "" {
			continue
		}
		deeper := len(line)-len(strings.TrimLeft(line, " \t")) > indent
		m := keyValue.FindStringSubmatch(text)
		if deeper || m == nil || slices.Contains(genericKeys, normalKey(m[1])) {
			l.heading(key, indent)
		}
		return
	}
}

func (l *layout) heading(key string, indent int) {
	l.section, l.indent, l.open, l.filled, l.lastKey = key, indent, true, false, ""
}

func (l *layout) endSection(next string) {
	// Below an unindented heading, a list of hosts needs no indentation.
	if l.indent == 0 && l.open && (!l.blank || !l.filled) && hostLike.MatchString(firstWord(next)) {
		return
	}
	l.section, l.open = "", false
}

func (l *layout) add(key, value, section string) {
	l.current = append(l.current, field{key, strings.TrimSpace(value), section})
	l.filled = true
}

func (l *layout) flush() {
	if len(l.current) > 0 {
		l.doc.blocks = append(l.doc.blocks, l.current)
		l.current = nil
	}
	l.lastKey = ""
}

// normalKey lower-cases a name and strips leaders.
func normalKey(s string) string {
	s = strings.ToLower(strings.Trim(s, " .\t:*-"))
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == '\t' || r == '_' }), " ")
}

func firstWord(s string) string {
	if i := strings.IndexAny(s, " \t"); i >= 0 {
		return s[:i]
	}
	return s
}
