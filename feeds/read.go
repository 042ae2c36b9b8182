package feeds

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"desist/takedown"
	"desist/takedown/indicator"
)

// Format names a feed format.
type Format string

// The formats. Auto decides by content, and only where two formats look the
// same by the file's name.
const (
	Auto      Format = "auto"
	Text      Format = "text"
	CSV       Format = "csv"
	JSON      Format = "json"
	JSONL     Format = "jsonl"
	MISP      Format = "misp"
	STIX      Format = "stix"
	URLhaus   Format = "urlhaus"
	ThreatFox Format = "threatfox"
	PhishTank Format = "phishtank"
	OpenPhish Format = "openphish"
)

// Formats lists every format, Auto first.
func Formats() []Format {
	return []Format{Auto, Text, CSV, JSON, JSONL, MISP, STIX, URLhaus, ThreatFox, PhishTank, OpenPhish}
}

// Validate reports an unknown format and names the known ones.
func (f Format) Validate() error {
	var names []string
	for _, known := range Formats() {
		if f == known {
			return nil
		}
		names = append(names, string(known))
	}
	return fmt.Errorf("format %q is not one of %s", string(f), strings.Join(names, ", "))
}

// Options say how to read a feed. The zero value detects the format.
type Options struct {
	Format Format // empty means Auto
	// DefaultClass is for rows of which the feed does not say what they are
	// accused of; empty makes these rows errors.
	DefaultClass takedown.Class
	// SeenAt is for rows without a time of their own; zero leaves them without.
	SeenAt time.Time
	// Name is the name of the file, for messages and as a hint to Auto.
	Name string
}

// A Row is one entry of a feed.
type Row struct {
	Line  int    // first line of the entry, from 1; 0 in JSON documents
	Where string // path in a JSON document, such as Event.Attribute[3]; empty in line formats
	Raw   string // the entry as it stands in the feed, shortened

	// Indicator is canonical; Message.Indicator stands as in the feed. Both are
	// empty when Err is set.
	Indicator takedown.Indicator
	Message   takedown.IndicatorMessage

	// Err says why the row cannot be used and what to do.
	Err error
	// Skipped means that nothing is wrong with the row, but that it is not for
	// this service; Err has the reason.
	Skipped bool
}

// Place returns where in the feed the row stands, for people.
func (r Row) Place() string {
	if r.Where != "" {
		return r.Where
	}
	return fmt.Sprintf("line %d", r.Line)
}

// errStop ends reading because the consumer has had enough.
var errStop = errors.New("feeds: stopped")

// Read returns the rows of a feed in the order in which they stand. A non-nil
// error comes at most once, last, with an empty row, when the rest of the feed
// cannot be read. The sequence can be consumed once.
func Read(r io.Reader, opts Options) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		f := feed{
			in:   bufio.NewReaderSize(r, maxLine),
			opts: opts,
			emit: func(row Row) error {
				if !yield(row, nil) {
					return errStop
				}
				return nil
			},
		}
		if err := f.read(); err != nil && !errors.Is(err, errStop) {
			yield(Row{}, fmt.Errorf("feeds: read %s as %s: %w", f.name(), f.opts.Format, err))
		}
	}
}

// A feed is one input being read.
type feed struct {
	in   *bufio.Reader
	opts Options
	emit func(Row) error // returns errStop when the consumer stops
}

func (f *feed) name() string {
	if f.opts.Name == "" {
		return "input"
	}
	return f.opts.Name
}

func (f *feed) read() error {
	if f.opts.Format == "" {
		f.opts.Format = Auto
	}
	if err := f.opts.Format.Validate(); err != nil {
		return takedown.Permanent(err)
	}
	if f.opts.DefaultClass != "" {
		if err := f.opts.DefaultClass.Validate(); err != nil {
			return takedown.Permanent(err)
		}
	}
	if err := f.skipBOM(); err != nil {
		return err
	}
	if f.opts.Format == Auto {
		format, err := f.detect()
		if err != nil {
			return err
		}
		f.opts.Format = format
	}
	switch f.opts.Format {
	case CSV, URLhaus:
		return f.readCSV(entry{})
	case JSONL:
		return f.readJSONL()
	case JSON:
		return f.readJSON()
	case MISP:
		return f.readMISP()
	case STIX:
		return f.readSTIX()
	case ThreatFox:
		return f.readThreatFox()
	case PhishTank:
		return f.readPhishTank()
	case OpenPhish:
		return f.readText(takedown.ClassPhishing)
	default:
		return f.readText("")
	}
}

// An entry is what a format knows of one row before it is checked.
type entry struct {
	line    int
	where   string
	raw     string
	message takedown.IndicatorMessage
	// hints are the feed's own words for the kind of abuse, best first; they
	// count when message.Class is empty.
	hints []string
}

func (e entry) row() Row { return Row{Line: e.line, Where: e.where, Raw: shorten(e.raw)} }

// skip reports a row that is not for this service.
func (f *feed) skip(e entry, reason string) error {
	row := e.row()
	row.Err, row.Skipped = errors.New(reason), true
	return f.emit(row)
}

// fail reports a row that cannot be used.
func (f *feed) fail(e entry, err error) error {
	row := e.row()
	row.Err = takedown.Permanent(err)
	return f.emit(row)
}

// accept checks an entry and emits it as a row, usable or not.
func (f *feed) accept(e entry) error {
	if e.raw == "" {
		e.raw = e.message.Indicator
	}
	ind, err := indicator.Parse(e.message.Indicator)
	if err != nil {
		return f.fail(e, err)
	}
	msg := e.message
	if msg.Class == "" {
		msg.Class = classOf(e.hints...)
	}
	if msg.Class == "" {
		msg.Class = f.opts.DefaultClass
	}
	if msg.Class == "" {
		return f.fail(e, fmt.Errorf("the feed does not say what %s is accused of; give --class with one of %s", ind.Defang(), classNames()))
	}
	if err := msg.Class.Validate(); err != nil {
		return f.fail(e, err)
	}
	if msg.Confidence < 0 || msg.Confidence > 1 {
		return f.fail(e, fmt.Errorf("confidence %v is not from 0 to 1; correct it", msg.Confidence))
	}
	if msg.SeenAt == nil && !f.opts.SeenAt.IsZero() {
		seen := f.opts.SeenAt
		msg.SeenAt = &seen
	}
	row := e.row()
	row.Indicator, row.Message = ind, msg
	return f.emit(row)
}

func shorten(s string) string {
	const limit = 200
	s = strings.ToValidUTF8(s[:min(len(s), limit)], "")
	return strings.TrimSpace(s)
}
