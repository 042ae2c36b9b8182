package feeds

import (
	"errors"
	"io"
	"strings"

	"desist/takedown"
	"desist/takedown/indicator"
)

// readText takes each line as one indicator, or else as a sentence with
// indicators in it. Empty lines and lines that begin with "#" do not count.
// implied is the class of every row, empty if the format implies none.
func (f *feed) readText(implied takedown.Class) error {
	in := lines{in: f.in}
	for {
		l, err := in.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := f.textLine(l, implied); err != nil {
			return err
		}
	}
}

func (f *feed) textLine(l line, implied takedown.Class) error {
	e := entry{line: l.number, raw: l.text, message: takedown.IndicatorMessage{Class: implied}}
	if l.err != nil {
		return f.fail(e, l.err)
	}
	text := strings.TrimSpace(l.text)
	if text == "" || text[0] == '#' {
		return nil
	}
	_, err := indicator.Parse(text)
	if err == nil {
		e.message.Indicator = text
		return f.accept(e)
	}
	found := indicator.Extract(text)
	values := append(uncovered(found), found.URLs...)
	if len(values) == 0 {
		if strings.ContainsAny(text, " \t") {
			err = errors.New("no indicator found; give a domain, a URL or an IP address on each line")
		}
		return f.fail(e, err)
	}
	for _, value := range values {
		e.message.Indicator = value
		if err := f.accept(e); err != nil {
			return err
		}
	}
	return nil
}

// uncovered returns the names and addresses of a sentence that are
// indicators themselves: not the host of a URL or of an e-mail address in the same
// sentence, and not what stands in the path of a URL, where archive.zip is a
// file and a domain may be a victim's.
func uncovered(found indicator.Extraction) []string {
	covered := map[string]bool{}
	var paths strings.Builder
	for _, u := range found.URLs {
		if ind, err := indicator.Parse(u); err == nil {
			covered[ind.Host] = true
		}
		_, rest, _ := strings.Cut(u, "://")
		if i := strings.IndexAny(rest, "/?#"); i >= 0 {
			paths.WriteString(strings.ToLower(rest[i:]))
		}
	}
	for _, m := range found.Emails {
		covered[m[strings.LastIndexByte(m, '@')+1:]] = true
	}
	var values []string
	for _, value := range append(found.Domains, found.IPs...) {
		ind, err := indicator.Parse(value)
		if err == nil && covered[ind.Host] || covered[value] || strings.Contains(paths.String(), value) {
			continue
		}
		values = append(values, value)
	}
	return values
}
