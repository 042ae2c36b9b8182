package feeds

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"desist/takedown"
)

// maxDocument is the size limit of a JSON document, in bytes.
const maxDocument = 64 << 20

// document reads the whole feed as JSON and returns its top-level values: one,
// or several where objects follow one another.
func (f *feed) document() ([]json.RawMessage, error) {
	raw, err := io.ReadAll(io.LimitReader(f.in, maxDocument+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxDocument {
		return nil, takedown.Permanent(fmt.Errorf("the document is larger than %d bytes; split it", maxDocument))
	}
	var values []json.RawMessage
	for dec := json.NewDecoder(bytes.NewReader(raw)); ; {
		var value json.RawMessage
		err := dec.Decode(&value)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, takedown.Permanent(fmt.Errorf("it is not JSON: %w (line %d); mend the document", err, lineOf(raw, err, dec.InputOffset())))
		}
		values = append(values, value)
	}
	if len(values) == 0 {
		return nil, takedown.Permanent(errors.New("it is empty; give a JSON document"))
	}
	return values, nil
}

// lineOf returns the line of a syntax error. The decoder counts from the
// beginning of the stream.
func lineOf(raw []byte, err error, fallback int64) int {
	offset := fallback
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		offset = syntax.Offset
	}
	offset = max(0, min(offset, int64(len(raw))))
	return 1 + bytes.Count(raw[:offset], []byte("\n"))
}

// elements returns the values of an array, or value itself if it is none.
func elements(value json.RawMessage) ([]json.RawMessage, bool) {
	var list []json.RawMessage
	if len(value) > 0 && value[0] == '[' && json.Unmarshal(value, &list) == nil {
		return list, true
	}
	return []json.RawMessage{value}, false
}

// each calls do for every object of a document, with its path: [3] in an array,
// empty for a single object.
func (f *feed) each(do func(where string, value json.RawMessage) error) error {
	values, err := f.document()
	if err != nil {
		return err
	}
	for i, value := range values {
		prefix := ""
		if len(values) > 1 {
			prefix = index("", i)
		}
		list, isList := elements(value)
		for k, element := range list {
			where := prefix
			if isList {
				where = index(prefix, k)
			}
			if err := do(where, element); err != nil {
				return err
			}
		}
	}
	return nil
}

// rooted returns the path of a row; "$" is the document itself.
func rooted(where string) string {
	if where == "" {
		return "$"
	}
	return where
}

// unreadable reports a value that is not what the format promises: the end of
// the feed if it is the document, a bad row if it is an element.
func (f *feed) unreadable(where, what string, err error) error {
	if where == "" {
		return takedown.Permanent(fmt.Errorf("the document is not a %s: %w", what, plain(err)))
	}
	return f.fail(entry{where: where}, fmt.Errorf("it is not a %s: %w", what, plain(err)))
}

// plain says a type error in the words of the document instead of Go's.
func plain(err error) error {
	var wrongType *json.UnmarshalTypeError
	if !errors.As(err, &wrongType) {
		return err
	}
	if wrongType.Field == "" {
		return fmt.Errorf("it is a JSON %s", wrongType.Value)
	}
	return fmt.Errorf("the field %s is a JSON %s", wrongType.Field, wrongType.Value)
}

func index(prefix string, i int) string { return prefix + "[" + strconv.Itoa(i) + "]" }

// join puts a dot between the parts of a path.
func join(prefix, rest string) string {
	if prefix == "" {
		return rest
	}
	return prefix + "." + rest
}

// readJSON takes messages of our own form: one, an array, an object with an
// array named indicators or submissions, or one after another.
func (f *feed) readJSON() error {
	return f.each(func(where string, value json.RawMessage) error {
		var wrapper struct {
			Indicator   json.RawMessage   `json:"indicator"`
			Indicators  []json.RawMessage `json:"indicators"`
			Submissions []json.RawMessage `json:"submissions"`
		}
		if json.Unmarshal(value, &wrapper) == nil && wrapper.Indicator == nil {
			name, list := "indicators", wrapper.Indicators
			if list == nil {
				name, list = "submissions", wrapper.Submissions
			}
			for i, element := range list {
				if err := f.jsonMessage(entry{where: index(join(where, name), i)}, element); err != nil {
					return err
				}
			}
			if list != nil {
				return nil
			}
		}
		return f.jsonMessage(entry{where: rooted(where)}, value)
	})
}

// readJSONL takes one message a line.
func (f *feed) readJSONL() error {
	in := lines{in: f.in}
	for {
		l, err := in.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		e := entry{line: l.number, raw: l.text}
		switch {
		case l.err != nil:
			err = f.fail(e, l.err)
		case strings.TrimSpace(l.text) != "":
			err = f.jsonMessage(e, json.RawMessage(l.text))
		}
		if err != nil {
			return err
		}
	}
}

func (f *feed) jsonMessage(e entry, value json.RawMessage) error {
	e.raw = string(value[:min(len(value), 300)])
	if strings.HasPrefix(strings.TrimSpace(e.raw), `"`) {
		if err := json.Unmarshal(value, &e.message.Indicator); err != nil {
			return f.fail(e, fmt.Errorf("it is not a JSON string: %w", err))
		}
		return f.accept(e)
	}
	if err := json.Unmarshal(value, &e.message); err != nil {
		return f.fail(e, fmt.Errorf("it is not a submission: %w; give an object with indicator and class", plain(err)))
	}
	if e.message.Indicator == "" {
		return f.fail(e, errors.New(`the field "indicator" is missing or empty; give a domain, a URL or an IP address`))
	}
	return f.accept(e)
}

// A scalar is a JSON string, number, boolean or null as text. Feeds are not
// consistent about which they use.
type scalar string

func (s *scalar) UnmarshalJSON(raw []byte) error {
	switch raw[0] {
	case '"':
		return json.Unmarshal(raw, (*string)(s))
	case '{', '[':
		return fmt.Errorf("%.20s is not a single value", raw)
	case 'n':
		*s = ""
	default:
		*s = scalar(raw)
	}
	return nil
}

func (s scalar) isTrue() bool  { return s == "true" || s == "1" || s == "True" }
func (s scalar) isFalse() bool { return s == "false" || s == "0" || s == "False" }

// A words value is a list of strings, a string with commas, or null.
type words []string

func (w *words) UnmarshalJSON(raw []byte) error {
	if raw[0] == '[' {
		var list []scalar
		if err := json.Unmarshal(raw, &list); err != nil {
			return err
		}
		for _, s := range list {
			if !isNothing(string(s)) {
				*w = append(*w, string(s))
			}
		}
		return nil
	}
	var s scalar
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	for part := range strings.SplitSeq(string(s), ",") {
		if !isNothing(part) {
			*w = append(*w, strings.TrimSpace(part))
		}
	}
	return nil
}
