package feeds

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"desist/takedown"
)

// maxRecordLines is how many lines one quoted record may span.
const maxRecordLines = 100

// readCSV reads records with a header that names the columns, in any order and
// under any of their usual names; without a header the first column holds the
// indicators. A header may stand in a comment, as URLhaus has it. base is what
// all rows have in common.
func (f *feed) readCSV(base entry) error {
	in := lines{in: f.in}
	var cols columns
	var delimiter rune
	for {
		l, err := in.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		text := strings.TrimSpace(l.text)
		if comment, ok := strings.CutPrefix(text, "#"); ok && l.err == nil {
			if fields, d := header(comment); cols == nil && fields != nil {
				cols, delimiter = fields, d
			}
			continue
		}
		if text == "" && l.err == nil {
			continue
		}
		if cols == nil && l.err == nil {
			if fields, d := header(text); fields != nil {
				cols, delimiter = fields, d
				continue
			}
			cols, delimiter = columns{"indicator": 0}, sniffDelimiter(text)
		}
		e := base
		e.line, e.raw = l.number, l.text
		record, err := in.record(l, delimiter)
		if err != nil {
			err = f.fail(e, err)
		} else {
			err = f.csvRecord(e, cols, record)
		}
		if err != nil {
			return err
		}
	}
}

// record parses the record that begins with first, joining lines while a
// quotation mark is open. If it stays open, the lines after the first are read
// again as records of their own.
func (l *lines) record(first line, delimiter rune) ([]string, error) {
	if first.err != nil {
		return nil, first.err
	}
	text := first.text
	var ahead []line
	for isOpen(text) {
		next, err := l.next()
		if err != nil || next.err != nil || len(ahead) == maxRecordLines || len(text)+len(next.text) > maxLine {
			if err == nil {
				ahead = append(ahead, next)
			}
			l.pending = append(ahead, l.pending...)
			return nil, errors.New("a quotation mark is not closed; close or remove it")
		}
		ahead = append(ahead, next)
		text += "\n" + next.text
	}
	r := csv.NewReader(strings.NewReader(text))
	r.Comma, r.LazyQuotes, r.TrimLeadingSpace, r.FieldsPerRecord = delimiter, true, delimiter != '\t', -1
	record, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("it is not a CSV record (%w); check its quotation marks", err)
	}
	return record, nil
}

func isOpen(text string) bool { return strings.Count(text, `"`)%2 == 1 }

func sniffDelimiter(text string) rune {
	best, most := ',', 0
	for _, d := range []rune{',', ';', '\t', '|'} {
		if n := strings.Count(text, string(d)); n > most {
			best, most = d, n
		}
	}
	return best
}

// columns maps our name of a column to its index.
type columns map[string]int

// columnNames lists, for each thing a row can tell, what feeds call the column,
// best first.
var columnNames = []struct {
	field string
	names []string
}{
	{"indicator", []string{"indicator", "ioc_value", "ioc", "observable", "value"}},
	{"url", []string{"url", "uri", "link_url", "phishing_url"}},
	{"domain", []string{"domain", "hostname", "host", "fqdn", "domain_name"}},
	{"ip", []string{"ip", "ip_address", "ipaddress", "dst_ip", "ip_dst", "src_ip", "address"}},
	{"kind", []string{"ioc_type", "indicator_type", "type"}},
	{"class", []string{"class", "classification", "threat_type", "threat", "category", "type"}},
	{"tags", []string{"tags", "tag", "labels"}},
	{"seen", []string{"seen_at", "first_seen", "first_seen_utc", "firstseen", "dateadded", "date_added", "submission_time", "timestamp", "date", "last_seen"}},
	{"confidence", []string{"confidence"}},
	{"percent", []string{"confidence_level"}},
	{"tlp", []string{"tlp"}},
	{"description", []string{"description", "comment", "comments", "notes", "malware_printable"}},
	{"target", []string{"target"}},
	{"references", []string{"references", "reference", "urlhaus_link", "phish_detail_url", "source_url"}},
	{"id", []string{"external_id", "phish_id", "ioc_id", "id", "uuid"}},
}

// header reads the names of columns; it returns nil unless one of them holds
// indicators.
func header(text string) (columns, rune) {
	delimiter := sniffDelimiter(text)
	r := csv.NewReader(strings.NewReader(text))
	r.Comma, r.LazyQuotes, r.TrimLeadingSpace = delimiter, true, true
	fields, err := r.Read()
	if err != nil {
		return nil, 0
	}
	at := map[string]int{}
	for i, name := range fields {
		name = strings.ReplaceAll(normal(name), " ", "_")
		if _, twice := at[name]; !twice {
			at[name] = i
		}
	}
	cols := columns{}
	for _, c := range columnNames {
		for _, name := range c.names {
			if i, ok := at[name]; ok {
				cols[c.field] = i
				break
			}
		}
	}
	for _, field := range []string{"indicator", "url", "domain", "ip"} {
		if _, ok := cols[field]; ok {
			return cols, delimiter
		}
	}
	return nil, 0
}

// get returns a field of the record, empty where the record has none.
func (c columns) get(record []string, field string) string {
	i, ok := c[field]
	if !ok || i >= len(record) || isNothing(record[i]) {
		return ""
	}
	return strings.TrimSpace(record[i])
}

func (f *feed) csvRecord(e entry, cols columns, record []string) error {
	get := func(field string) string { return cols.get(record, field) }
	if isFileKind(get("kind")) {
		return f.skip(e, notNetwork)
	}
	msg := &e.message
	for _, field := range []string{"indicator", "url", "domain", "ip"} {
		if msg.Indicator = get(field); msg.Indicator != "" {
			break
		}
	}
	if msg.Indicator == "" {
		return f.fail(e, errors.New("the record has no indicator; fill the column indicator, url, domain or ip"))
	}
	var err error
	if msg.SeenAt, err = parseTime(get("seen")); err != nil {
		return f.fail(e, err)
	}
	if msg.Confidence, err = confidence(get("confidence"), get("percent")); err != nil {
		return f.fail(e, err)
	}
	if msg.Class == "" {
		// The exact word of ours, else whatever the feed calls it.
		if c := takedown.Class(strings.ToLower(get("class"))); c.Validate() == nil {
			msg.Class = c
		}
		e.hints = []string{get("class"), get("tags")}
	}
	msg.TLP = tlp("tlp:" + strings.TrimPrefix(strings.ToLower(get("tlp")), "tlp:"))
	msg.Description = describe(get("description"), get("target"), get("tags"))
	msg.ExternalID = get("id")
	for _, ref := range strings.FieldsFunc(get("references"), func(r rune) bool { return strings.ContainsRune(" \t\n|", r) }) {
		msg.References = append(msg.References, strings.TrimRight(ref, ",;"))
	}
	return f.accept(e)
}

// describe puts what the feed tells about a row into one line.
func describe(description, target, tags string) string {
	var parts []string
	if description != "" {
		parts = append(parts, description)
	}
	if target != "" {
		parts = append(parts, "target: "+target)
	}
	if tags != "" {
		parts = append(parts, "tags: "+tags)
	}
	return strings.Join(parts, "; ")
}

// confidence reads a share from 0 to 1, or a percentage, which is certain to be
// one only if the column says so or the number is above 1.
func confidence(share, percent string) (float64, error) {
	text := share
	if text == "" {
		text = percent
	}
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseFloat(strings.Replace(strings.TrimSuffix(text, "%"), ",", ".", 1), 64)
	if share == "" || n > 1 || strings.HasSuffix(text, "%") {
		n /= 100
	}
	if err != nil || !(n >= 0 && n <= 1) {
		return 0, fmt.Errorf("confidence %q is not a number from 0 to 1 or from 0 to 100; correct or empty it", shorten(text))
	}
	return n, nil
}

// notNetwork is the reason for skipping hashes, file names and the like.
const notNetwork = "not a network indicator"

// isFileKind reports whether a feed's own type of indicator is about something
// other than hosts.
func isFileKind(kind string) bool {
	for word := range strings.FieldsSeq(normal(kind)) {
		switch word {
		case "hash", "md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3", "ssdeep", "tlsh", "imphash", "filename", "file", "mutex", "regkey", "yara", "email", "envelope", "body", "cve", "btc":
			return true
		}
	}
	return false
}
