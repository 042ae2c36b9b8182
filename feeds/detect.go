package feeds

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// detect tells the format by the beginning of the feed, without consuming it.
func (f *feed) detect() (Format, error) {
	head, err := f.in.Peek(maxLine)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		return Auto, err
	}
	text := bytes.TrimLeft(head, " \t\r\n")
	if isJSON(text) {
		return detectJSON(text, err != nil), nil
	}
	name := strings.ToLower(f.opts.Name)
	for l := range bytes.Lines(text) {
		line := strings.TrimSpace(string(l))
		comment, isComment := strings.CutPrefix(line, "#")
		cols, _ := header(strings.TrimSpace(comment))
		_, hasURL := cols["url"]
		switch {
		case line == "":
			continue
		case isComment && hasURL && strings.Contains(line, "urlhaus"):
			return URLhaus, nil
		case isComment && cols != nil && strings.ContainsAny(line, ",;\t"):
			return CSV, nil
		case isComment:
			continue
		case strings.Contains(line, "phish_id") && hasURL:
			return PhishTank, nil
		case cols != nil || strings.HasSuffix(name, ".csv"):
			return CSV, nil
		}
		break
	}
	if strings.Contains(name, "openphish") {
		return OpenPhish, nil
	}
	return Text, nil
}

// isJSON tells a JSON document from text such as "[2001:db8::1]" or "{.}".
func isJSON(text []byte) bool {
	if len(text) == 0 || text[0] != '{' && text[0] != '[' {
		return false
	}
	rest := bytes.TrimLeft(text[1:], " \t\r\n")
	if len(rest) == 0 {
		return true
	}
	if text[0] == '{' {
		return rest[0] == '"' || rest[0] == '}'
	}
	return rest[0] == '{' || rest[0] == '"' || rest[0] == ']' && len(bytes.TrimSpace(rest)) == 1
}

// marks are keys that only one format has. They are looked for in the beginning
// of the document, so each format has some that come early.
var marks = []struct {
	format Format
	keys   []string
}{
	{ThreatFox, []string{"query_status", "ioc_type", "ioc_value", "threat_type"}},
	{PhishTank, []string{"phish_id", "phish_detail_url"}},
	{MISP, []string{"Event", "Attribute", "Orgc", "orgc_id", "threat_level_id", "analysis"}},
	{STIX, []string{"spec_version", "pattern_type", "objects", "relationship_type"}},
}

// detectJSON looks at the keys, wherever they stand, of the document's first
// 64 KiB. isWhole says that there is no more.
func detectJSON(text []byte, isWhole bool) Format {
	keys := map[string]bool{}
	dec := json.NewDecoder(bytes.NewReader(text))
	for previous := json.Token(nil); ; {
		token, err := dec.Token()
		if err != nil {
			break
		}
		if s, ok := token.(string); ok {
			// Keys are the strings before a colon; the decoder has just read it.
			offset := dec.InputOffset()
			if rest := bytes.TrimLeft(text[offset:], " \t\r\n"); len(rest) > 0 && rest[0] == ':' {
				keys[s] = true
			}
			if previous == "type" && s == "bundle" {
				return STIX
			}
		}
		previous = token
	}
	if keys["indicator"] {
		return jsonOrLines(text, isWhole)
	}
	for _, m := range marks {
		for _, key := range m.keys {
			if keys[key] {
				return m.format
			}
		}
	}
	return jsonOrLines(text, isWhole)
}

// jsonOrLines returns JSONL if the first line is a whole object and another line
// follows.
func jsonOrLines(text []byte, isWhole bool) Format {
	first, rest, found := bytes.Cut(text, []byte("\n"))
	if text[0] == '{' && found && json.Valid(first) && (len(bytes.TrimSpace(rest)) > 0 || !isWhole) {
		return JSONL
	}
	return JSON
}
