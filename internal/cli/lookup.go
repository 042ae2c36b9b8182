package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"desist/internal/app"
	"desist/takedown"
	"desist/takedown/indicator"
	"desist/templates"
)

type lookupCmd struct {
	Indicators []string       `arg:"" name:"indicator" help:"Domains, URLs and addresses, defanged or not."`
	Class      takedown.Class `default:"phishing" placeholder:"CLASS" help:"What it would be accused of; decides the law. Default: phishing."`
	Raw        string         `type:"path" placeholder:"DIR" help:"Write every answer, as it came, into this folder."`
	JSON       bool           `name:"json" help:"Print a JSON object a line, one for each indicator."`
}

func (*lookupCmd) Help() string {
	return `Asks the sources of the configuration (DNS, RDAP, WHOIS, ...), and shows each party with its contacts, how far they can be trusted, who said so, and which pack of law a notice would rest on. It also shows what could not be learned. Needs no database.

Examples:

  desist lookup login.example.com
  desist lookup 'hxxps://login[.]example[.]com/x' 192.0.2.7 --json
  desist lookup example.com --raw ./answers
`
}

// lookupJSON is one line of the output.
type lookupJSON struct {
	Input     string              `json:"input"`
	Indicator *takedown.Indicator `json:"indicator,omitempty"`
	Absent    bool                `json:"absent"`
	Parties   []lookupPartyJSON   `json:"parties"`
	Findings  []findingJSON       `json:"findings"`
	Gaps      []takedown.Gap      `json:"gaps"`
	Error     string              `json:"error,omitempty"`
}

type lookupPartyJSON struct {
	takedown.Party
	Pack templates.Selection `json:"pack"`
}

type findingJSON struct {
	takedown.Finding
	RawSHA256 string `json:"raw_sha256,omitempty"`
}

type found struct {
	input     string
	indicator takedown.Indicator
	takedown.Resolution
	err error
}

func (c *lookupCmd) Run(ctx context.Context, p *Program) error {
	cfg, err := p.config()
	if err != nil {
		return err
	}
	log := p.logger(cfg, true)
	lib, err := app.NewLibrary(cfg, log)
	if err != nil {
		return err
	}
	now := clock(cfg)
	resolver, done, err := app.NewResolver(cfg, now, log)
	if err != nil {
		return err
	}
	defer done()

	bar := p.progress("looking up")
	results := make([]found, len(c.Indicators))
	finished := make(chan int)
	var g errgroup.Group
	g.SetLimit(8)
	go func() {
		for i, arg := range c.Indicators {
			g.Go(func() error {
				results[i] = lookup(ctx, resolver, arg, cfg.Resolve.Timeout)
				finished <- i
				return nil
			})
		}
	}()
	for n := range c.Indicators {
		i := <-finished
		if len(c.Indicators) > 1 {
			bar.show(int64(n+1), int64(len(c.Indicators)), safe(c.Indicators[i]))
		}
	}
	bar.clear()

	pick := func(party takedown.Party) templates.Selection {
		return lib.Select(party.Country, party.Role, c.Class, party.GTLD, now.Now())
	}
	var failed []error
	out := p.printer()
	for i, r := range results {
		if r.err != nil {
			failed = append(failed, r.err)
		}
		if c.Raw != "" {
			if err := writeRaw(c.Raw, r.Findings); err != nil {
				return err
			}
		}
		if c.JSON {
			if err := newEncoder(out.w).Encode(r.json(pick)); err != nil {
				return written(err)
			}
			continue
		}
		if r.indicator.Value == "" {
			continue
		}
		if i > 0 {
			out.printf("\n")
		}
		printFound(out, r, pick)
	}
	return errors.Join(append(failed, out.flush())...)
}

func (r found) json(pick func(takedown.Party) templates.Selection) lookupJSON {
	j := lookupJSON{Input: r.input, Absent: r.Absent, Parties: []lookupPartyJSON{}, Findings: []findingJSON{}, Gaps: orEmpty(r.Gaps)}
	if r.indicator.Value != "" {
		j.Indicator = &r.indicator
	}
	if r.err != nil {
		j.Error = r.err.Error()
	}
	for _, party := range r.Parties {
		party.Contacts = orEmpty(party.Contacts)
		j.Parties = append(j.Parties, lookupPartyJSON{party, pick(party)})
	}
	for _, f := range r.Findings {
		j.Findings = append(j.Findings, findingJSON{f, rawName(f.Raw)})
	}
	return j
}

func printFound(out *printer, r found, pick func(takedown.Party) templates.Selection) {
	out.printf("%s  %s\n", out.paint(bold, safe(r.indicator.Defang())), r.indicator.Kind)
	if r.Absent {
		out.text("  ", "The name does not exist.")
	}
	printParties(out, r.Parties, func(lead string, party takedown.Party) {
		s := pick(party)
		if s.Denied != "" {
			out.text(lead+"law: ", fmt.Sprintf("pack %s has no notice for this: %s", s.Pack, s.Denied))
		} else {
			out.text(lead+"law: ", fmt.Sprintf("pack %s, regime %s, grade %s", s.Pack, s.Regime, s.Grade))
		}
		for _, w := range s.Warnings {
			out.textAs(yellow, lead+"     ", lead+"     ", w)
		}
	})
	printFacts(out, r.Findings)
	printGaps(out, r.Gaps)
}

// writeRaw stores each answer once, under its SHA-256.
func writeRaw(dir string, findings []takedown.Finding) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fileError(fmt.Errorf("--raw: %w", err))
	}
	for _, f := range findings {
		if len(f.Raw) == 0 {
			continue
		}
		name := strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
				return r
			}
			return '-'
		}, f.Source) + "-" + rawName(f.Raw)
		if err := os.WriteFile(filepath.Join(dir, name), f.Raw, 0o600); err != nil {
			return fileError(fmt.Errorf("--raw: %w", err))
		}
	}
	return nil
}

func rawName(raw []byte) string {
	if len(raw) == 0 {
		return ""
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// partyResolver finds who is responsible.
type partyResolver interface {
	Resolve(ctx context.Context, i takedown.Indicator) (takedown.Resolution, error)
}

func lookup(ctx context.Context, resolver partyResolver, arg string, timeout time.Duration) found {
	r := found{input: arg}
	if r.indicator, r.err = indicator.Parse(arg); r.err != nil {
		return r
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r.Resolution, r.err = resolver.Resolve(ctx, r.indicator)
	return r
}
