package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"desist/inbox"
	"desist/resolvers/rdap"
	"desist/resolvers/whois"
	"desist/takedown"
	"desist/takedown/indicator"
)

type inspectCmd struct {
	Indicators inspectIndicatorsCmd `cmd:"" help:"Canonical form of each line of standard input."`
	Text       inspectTextCmd       `cmd:"" help:"The indicators in a text."`
	RDAP       inspectRDAPCmd       `cmd:"" name:"rdap" help:"What an RDAP document says."`
	WHOIS      inspectWHOISCmd      `cmd:"" name:"whois" help:"What a WHOIS answer says."`
	Mail       inspectMailCmd       `cmd:"" help:"What kind of mail came back."`
}

// newEncoder writes compact JSON, a value a line, as it is: no HTML escapes.
func newEncoder(w io.Writer) *json.Encoder {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e
}

type inspectIndicatorsCmd struct{}

func (*inspectIndicatorsCmd) Help() string {
	return `Reads one candidate a line and prints one JSON object a line, in step.

Example:

  echo 'hxxps://login[.]example[.]com/x' | desist inspect indicators
`
}

// maxLine is the longest line that is kept; of a longer one the rest is
// dropped, and the answer says so.
const maxLine = 16 << 20

func (*inspectIndicatorsCmd) Run(p *Program) error {
	in := bufio.NewReaderSize(p.In, 64<<10)
	out := bufio.NewWriter(p.Out)
	enc := newEncoder(out)
	for {
		line, dropped, err := readLine(in)
		if err != nil && !errors.Is(err, io.EOF) {
			return errors.Join(fileError(fmt.Errorf("read standard input: %w", err)), written(out.Flush()))
		}
		if err != nil && line == "" {
			return written(out.Flush())
		}
		answer := indicator.Inspect(line)
		if dropped > 0 {
			answer = indicator.Inspection{Input: line, Error: fmt.Sprintf("the line is %d bytes long and the limit is %d; give one indicator a line", len(line)+dropped, indicator.MaxLength)}
		}
		if err := enc.Encode(answer); err != nil {
			return written(err)
		}
		if in.Buffered() == 0 { // whoever writes to us may wait for the answer
			if err := out.Flush(); err != nil {
				return written(err)
			}
		}
	}
}

// readLine returns the next line without its end, and how many bytes of it were
// dropped. The error is io.EOF on the last line if it has no end.
func readLine(in *bufio.Reader) (line string, dropped int, err error) {
	var b strings.Builder
	for {
		part, err := in.ReadSlice('\n')
		end := err == nil
		if end {
			part = part[:len(part)-1]
		}
		keep := min(len(part), maxLine-b.Len())
		b.Write(part[:keep])
		dropped += len(part) - keep
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		return strings.TrimSuffix(b.String(), "\r"), dropped, err
	}
}

type inspectTextCmd struct {
	File string `arg:"" help:"File, or - for standard input."`
}

func (*inspectTextCmd) Help() string {
	return `Prints the domains, URLs, addresses and e-mail addresses of a text, refanged, sorted, without repeats.

Example:

  desist inspect text report.txt
`
}

func (c *inspectTextCmd) Run(p *Program) error {
	data, err := p.readFile(c.File, maxInput)
	if err != nil {
		return err
	}
	return written(newEncoder(p.Out).Encode(indicator.Extract(string(data))))
}

type inspectRDAPCmd struct {
	Query string `required:"" placeholder:"Q" help:"What was asked: a domain or an address."`
	File  string `arg:"" help:"File with the document, or - for standard input."`
}

func (*inspectRDAPCmd) Help() string {
	return `Example:

  desist inspect rdap --query 192.0.2.1 answer.json
`
}

func (c *inspectRDAPCmd) Run(p *Program) error {
	data, err := p.readFile(c.File, maxInput)
	if err != nil {
		return err
	}
	r, err := rdap.Parse(c.Query, data)
	if err != nil {
		return takedown.Permanent(fmt.Errorf("%s: %w", c.File, err))
	}
	r.CIDRs, r.Statuses, r.Nameservers, r.Contacts = orEmpty(r.CIDRs), orEmpty(r.Statuses), orEmpty(r.Nameservers), orEmpty(r.Contacts)
	return written(newEncoder(p.Out).Encode(r))
}

type inspectWHOISCmd struct {
	Server string `required:"" placeholder:"S" help:"Who answered."`
	Query  string `required:"" placeholder:"Q" help:"What was asked: a domain or an address."`
	File   string `arg:"" help:"File with the answer, or - for standard input."`
}

func (*inspectWHOISCmd) Help() string {
	return `Example:

  desist inspect whois --server whois.nic.example --query example.com answer.txt
`
}

func (c *inspectWHOISCmd) Run(p *Program) error {
	data, err := p.readFile(c.File, maxInput)
	if err != nil {
		return err
	}
	r := whois.Parse(c.Server, c.Query, data)
	r.Statuses, r.Nameservers, r.Contacts = orEmpty(r.Statuses), orEmpty(r.Nameservers), orEmpty(r.Contacts)
	return written(newEncoder(p.Out).Encode(r))
}

type inspectMailCmd struct {
	Files []string `arg:"" name:"file" help:"Files with one mail each, or - for standard input."`
}

func (*inspectMailCmd) Help() string {
	return `Prints a JSON object a line: whether the mail is a bounce, a delay, a receipt, an automatic answer, a feedback report or a person's answer, and what it says of each recipient. A file that cannot be read does not keep the others from it.

Example:

  desist inspect mail new/*
`
}

func (c *inspectMailCmd) Run(p *Program) error {
	out := bufio.NewWriter(p.Out)
	enc := newEncoder(out)
	var failed []error
	for _, file := range c.Files {
		raw, err := p.readFile(file, maxInput)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		r := inbox.Inspect(file, raw)
		r.Recipients = orEmpty(r.Recipients)
		if err := enc.Encode(r); err != nil {
			return written(err)
		}
	}
	return errors.Join(append(failed, written(out.Flush()))...)
}
