package cli

import (
	"context"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"time"

	"desist/feeds"
	"desist/internal/app"
	"desist/pipeline"
	"desist/takedown"
)

type submitCmd struct {
	Indicators []string       `arg:"" optional:"" name:"indicator" help:"Domains, URLs and addresses, defanged or not; - reads a list from standard input."`
	File       string         `type:"path" placeholder:"FILE" help:"Read a list from a file."`
	Class      takedown.Class `placeholder:"CLASS" help:"What they are accused of, where the list does not say: phishing, malware, c2, compromised, spam, attack, fraudshop."`
	Source     string         `placeholder:"NAME" help:"Who reports. Default: cli: and the name of the user."`
	Seen       moment         `placeholder:"TIME" help:"When it was seen, where the list does not say: 2026-03-01T12:00:00Z, or how long ago, such as 2h. Default: now."`
	Evidence   []string       `type:"path" sep:"none" placeholder:"FILE" help:"File that supports the report, at most 5 MiB; can be repeated. Programs are kept as a hash alone."`
	Format     feeds.Format   `default:"auto" placeholder:"FORMAT" help:"Of the list: auto, text, csv, json, jsonl, misp, stix, urlhaus, threatfox, phishtank, openphish."`
	JSON       bool           `name:"json" help:"Print one JSON document with every row and the counts."`
}

func (*submitCmd) Help() string {
	return `Prints a line for each row: accepted with its new case; duplicate with the case that it was attached to, or that knows it already; refused with the place and the reason. Rows that are none of our business, such as file hashes, are counted as skipped. What was accepted survives a crash.

The exit code is 0 if at least one row was accepted or a duplicate, even if others were refused: the summary says how many. It is 1 if every row was refused.

Examples:

  desist submit --class phishing 'hxxps://login[.]example[.]com/verify' --evidence shot.png
  desist submit --file urls.csv --source partner-feed
  curl -s "$FEED" | desist submit --class malware --json -
`
}

func (c *submitCmd) Validate() error {
	stdin := slices.Contains(c.Indicators, "-")
	switch {
	case len(c.Indicators) == 0 && c.File == "":
		return usage("give indicators, --file FILE, or - for standard input")
	case len(c.Indicators) > 0 && c.File != "":
		return usage("give either indicators or --file, not both")
	case stdin && len(c.Indicators) > 1:
		return usage("- stands for standard input and must be the only argument")
	case !stdin && c.File == "" && c.Class == "":
		return usage("--class is missing; give one of phishing, malware, c2, compromised, spam, attack, fraudshop")
	case len(c.Evidence) > pipeline.MaxEvidence:
		return usage("--evidence: %d files are more than %d", len(c.Evidence), pipeline.MaxEvidence)
	}
	return nil
}

// What became of a row.
const (
	statusAccepted  = "accepted"
	statusDuplicate = "duplicate"
	statusRefused   = "refused"
	statusSkipped   = "skipped"
)

type submitRowJSON struct {
	Place     string         `json:"place"`
	Status    string         `json:"status"`
	Case      string         `json:"case,omitempty"`
	Indicator string         `json:"indicator,omitempty"`
	Class     takedown.Class `json:"class,omitempty"`
	Raw       string         `json:"raw,omitempty"`
	Note      string         `json:"note,omitempty"` // how a duplicate was known: attached, or stored before
	Reason    string         `json:"reason,omitempty"`
}

type submitJSON struct {
	Rows   []submitRowJSON `json:"rows"`
	Counts submitCounts    `json:"counts"`
	// Error says why the rest of the list was not taken.
	Error string `json:"error,omitempty"`
}

type submitCounts struct {
	Accepted  int `json:"accepted"`
	Duplicate int `json:"duplicate"`
	Refused   int `json:"refused"`
	Skipped   int `json:"skipped"`
}

func (c *submitCmd) Run(ctx context.Context, p *Program) error {
	evidence, err := c.evidence(p)
	if err != nil {
		return err
	}
	return p.withRecord(ctx, func(r *record) error {
		now := r.clock.Now()
		intake, err := app.NewIntake(r.store, r.clock, r.cfg, r.log)
		if err != nil {
			return err
		}
		s := &submission{
			ctx: ctx, intake: intake, source: c.Source, evidence: evidence,
			batch: batchSize(evidence), out: p.printer(), bar: p.progress("submitting"), asJSON: c.JSON, result: submitJSON{Rows: []submitRowJSON{}},
		}
		if s.source == "" {
			s.source = p.actor()
		}
		opts := feeds.Options{Format: c.Format, DefaultClass: c.Class, SeenAt: c.Seen.or(now, time.Time{})}
		rows, done, err := c.rows(p, s, opts)
		if err != nil {
			return err
		}
		defer done()
		err = s.run(rows)
		s.bar.clear()
		if c.JSON {
			if err != nil {
				s.result.Error = err.Error()
			}
			if werr := p.printJSON(s.result); werr != nil {
				return werr
			}
		} else {
			n := s.result.Counts
			s.out.printf("%d accepted, %s, %d refused, %d skipped\n", n.Accepted, plural(n.Duplicate, "duplicate", "duplicates"), n.Refused, n.Skipped)
			if werr := s.out.flush(); werr != nil {
				return werr
			}
		}
		if err == nil && s.result.Counts.Refused > 0 && s.result.Counts.Accepted+s.result.Counts.Duplicate == 0 {
			err = takedown.Permanent(fmt.Errorf("nothing was accepted: every row was refused"))
		}
		return err
	})
}

// rows opens what is to be submitted.
func (c *submitCmd) rows(p *Program, s *submission, opts feeds.Options) (rows iter.Seq2[feeds.Row, error], done func(), err error) {
	if c.File == "" && c.Indicators[0] != "-" {
		return argumentRows(c.Indicators, opts), func() {}, nil
	}
	name := c.File
	if name == "" {
		name = "-"
	}
	in, err := p.open(name)
	if err != nil {
		return nil, nil, err
	}
	if f, ok := in.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			s.total = info.Size()
		}
	}
	opts.Name = name
	return feeds.Read(countingReader{in, &s.read}, opts), func() { _ = in.Close() }, nil // nothing was written
}

type countingReader struct {
	r io.Reader
	n *int64
}

func (c countingReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	*c.n += int64(n)
	return n, err
}

// argumentRows makes a row of each argument. The intake reads and checks them.
func argumentRows(args []string, opts feeds.Options) iter.Seq2[feeds.Row, error] {
	return func(yield func(feeds.Row, error) bool) {
		for i, arg := range args {
			m := takedown.IndicatorMessage{Indicator: arg, Class: opts.DefaultClass}
			if !opts.SeenAt.IsZero() {
				m.SeenAt = &opts.SeenAt
			}
			if !yield(feeds.Row{Where: fmt.Sprintf("argument %d", i+1), Raw: arg, Message: m}, nil) {
				return
			}
		}
	}
}

// A submission is a list under way to the intake, a batch at a time.
type submission struct {
	ctx      context.Context
	intake   *pipeline.Intake
	source   string
	evidence []takedown.Evidence
	batch    int

	out         *printer
	bar         *progress
	asJSON      bool
	read, total int64 // bytes of the list
	result      submitJSON
	waiting     []feeds.Row
}

func (s *submission) run(rows iter.Seq2[feeds.Row, error]) error {
	for row, err := range rows {
		if err != nil {
			if ferr := s.flush(); ferr != nil {
				return ferr
			}
			return fileError(err)
		}
		s.waiting = append(s.waiting, row)
		if len(s.waiting) >= s.batch {
			if err := s.flush(); err != nil {
				return err
			}
		}
	}
	return s.flush()
}

// flush submits the rows that wait and reports on each, in order.
func (s *submission) flush() error {
	var offers []pipeline.Offer
	for _, row := range s.waiting {
		if row.Err == nil {
			row.Message.Evidence = slices.Concat(row.Message.Evidence, s.evidence)
			offers = append(offers, pipeline.Offer{Message: row.Message, Source: s.source})
		}
	}
	receipts, err := s.intake.Submit(s.ctx, offers)
	if err != nil {
		return err
	}
	for _, row := range s.waiting {
		if row.Err != nil {
			s.refuse(row, row.Err)
			continue
		}
		r := receipts[0]
		receipts = receipts[1:]
		if r.Err != nil {
			s.refuse(row, r.Err)
			continue
		}
		s.accept(row, r)
	}
	s.waiting = s.waiting[:0]
	if !s.asJSON {
		if err := s.out.flush(); err != nil {
			return err
		}
	}
	n := s.result.Counts
	s.bar.show(s.read, s.total, fmt.Sprintf("%d accepted, %d duplicates, %d refused", n.Accepted, n.Duplicate, n.Refused))
	return nil
}

func (s *submission) accept(row feeds.Row, r pipeline.Receipt) {
	j := submitRowJSON{
		Place: row.Place(), Status: statusAccepted, Case: takedown.Reference(r.CaseID), Indicator: r.Indicator.Value, Class: row.Message.Class, Raw: row.Raw,
	}
	if r.New {
		s.result.Counts.Accepted++
	} else {
		s.result.Counts.Duplicate++
		j.Status, j.Note = statusDuplicate, "attached"
		if r.Duplicate {
			j.Note = "stored before"
		}
	}
	if r.Refusal != "" {
		j.Reason = "policy refuses it: " + r.Refusal
	}
	if s.asJSON {
		s.result.Rows = append(s.result.Rows, j)
		return
	}
	s.bar.clear()
	note, color := "", green
	if j.Note != "" {
		note, color = " ("+j.Note+")", yellow
	}
	if j.Reason != "" {
		note += ", but " + safe(j.Reason)
		color = red
	}
	s.out.printf("%s %s %s %s%s\n", s.out.paint(color, j.Status), j.Case, j.Class, safe(r.Indicator.Defang()), note)
}

func (s *submission) refuse(row feeds.Row, reason error) {
	status := statusRefused
	if row.Skipped {
		status = statusSkipped
		s.result.Counts.Skipped++
	} else {
		s.result.Counts.Refused++
	}
	if s.asJSON {
		s.result.Rows = append(s.result.Rows, submitRowJSON{Place: row.Place(), Status: status, Raw: row.Raw, Reason: reason.Error()})
		return
	}
	if row.Skipped {
		return
	}
	s.bar.clear()
	s.out.printf("%s %s: %s\n", s.out.paint(red, status), row.Place(), safe(reason.Error()))
}
