package templates

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"desist/takedown"
)

// FallbackID names the pack that is used when no other fits.
const FallbackID = "xx"

// pack is one file of jurisdictions/, after inheritance.
type pack struct {
	ID        string   `yaml:"id"`
	Name      string   `yaml:"name"`
	Inherits  string   `yaml:"inherits"`
	GTLD      bool     `yaml:"gtld"` // serves registrars and registries under an ICANN contract
	Countries []string `yaml:"countries"`
	Grade     grade    `yaml:"grade"`
	ValidFrom string   `yaml:"valid_from"`
	ValidTo   string   `yaml:"valid_to"`
	CheckedOn string   `yaml:"checked_on"`
	// ReviewedBy is the lawyer who signed the pack off; empty means nobody.
	ReviewedBy     string       `yaml:"reviewed_by"`
	Languages      languages    `yaml:"languages"`
	Authority      office       `yaml:"authority"`
	CSIRT          office       `yaml:"csirt"`
	SenderRequires []string     `yaml:"sender_requires"`
	Instruments    []instrument `yaml:"instruments"`
	Elements       []element    `yaml:"elements"`
	Notices        []cell       `yaml:"notices"`
	Denied         []denial     `yaml:"denied"`
	TimeFacts      []timeFact   `yaml:"time_facts"`

	file     string
	source   []byte
	from, to time.Time
	checked  time.Time
	versions map[string]string // by joined language codes
}

// grade says what may be printed, from A (as it stands) over B (sections only
// after a local check) to C (no national law at all).
type grade struct {
	Regime  string `yaml:"regime"`
	Offence string `yaml:"offence"`
}

func (g grade) String() string { return g.Regime + "/" + g.Offence }

type languages struct {
	Send     []string `yaml:"send"` // in the order of the message
	Prevails string   `yaml:"prevails"`
}

// office is an authority or a CSIRT: where a case may be escalated to.
type office struct {
	Name   string `yaml:"name"`
	Note   string `yaml:"note"`
	URL    string `yaml:"url"`
	Mark   string `yaml:"mark"`
	Source string `yaml:"source"`
}

// instrument is a provision with its locked citation per language.
type instrument struct {
	ID        string            `yaml:"id"`
	Kind      string            `yaml:"kind"` // regime or offence
	Title     map[string]string `yaml:"title"`
	Cite      map[string]string `yaml:"cite"`
	Short     map[string]string `yaml:"short"`
	URL       string            `yaml:"url"`
	Roles     []takedown.Role   `yaml:"roles"`
	Classes   []takedown.Class  `yaml:"classes"`
	Mark      string            `yaml:"mark"`   // V verified, GK general knowledge, unsure
	Source    string            `yaml:"source"` // of the mark
	Printable bool              `yaml:"printable"`
}

type element struct {
	ID       string           `yaml:"id"`
	Required string           `yaml:"required"`
	Roles    []takedown.Role  `yaml:"roles"`
	Classes  []takedown.Class `yaml:"classes"`
	Block    string           `yaml:"block"`
}

// cell says on which basis a role is told of a class.
type cell struct {
	Roles   []takedown.Role  `yaml:"roles"`
	Classes []takedown.Class `yaml:"classes"`
	Basis   string           `yaml:"basis"`
}

// denial is the decision that there is no notice of this kind.
type denial struct {
	Roles   []takedown.Role  `yaml:"roles"`
	Classes []takedown.Class `yaml:"classes"`
	Reason  string           `yaml:"reason"`
}

// timeFact records a time limit that somebody might want to print. None may
// be: no statute gives a private notifier a number of hours.
type timeFact struct {
	Text      string `yaml:"text"`
	Mark      string `yaml:"mark"`
	Source    string `yaml:"source"`
	Printable bool   `yaml:"printable"`
}

// bases lists the legal bases that the wording knows, the instruments that
// each needs, and the elements that each must prove. The table stands in code
// so that a pack cannot drop what the provision requires.
var bases = map[string]struct {
	lead        string // the instrument that the subject names
	instruments []string
	elements    []string
}{
	// Article 16(2)(a) to (d) of Regulation (EU) 2022/2065.
	"dsa16": {"dsa16", []string{"dsa16", "dsa16-answer", "dsa17"}, []string{"explanation", "location", "submitter", "bona_fide"}},
	// Section 3.18.2 RAA: "actionable evidence".
	"raa3182": {"raa3182", []string{"raa3182"}, []string{"domain", "location", "time", "explanation", "action", "submitter", "bona_fide"}},
	// Section 169(4) TKG: knowledge of a disturbance from a user's system.
	"tkg169":       {"tkg169", []string{"tkg169"}, []string{"location", "time", "explanation", "submitter", "bona_fide"}},
	"registration": {"", nil, []string{"location", "time", "explanation", "action", "submitter", "bona_fide"}},
	"aup":          {"", nil, []string{"location", "time", "explanation", "action", "submitter", "bona_fide"}},
	"csirt":        {"", nil, []string{"location", "time", "explanation", "submitter", "bona_fide"}},
}

// proofs names the block that alone can prove an element.
var proofs = map[string]string{
	"explanation": "explanation", "location": "location", "submitter": "sender", "bona_fide": "good_faith",
	"time": "times", "domain": "domain", "action": "request",
}

// senderFields maps the names that sender_requires may use.
var senderFields = map[string]func(takedown.Sender) string{
	"legal_name":   func(s takedown.Sender) string { return s.LegalName },
	"organisation": func(s takedown.Sender) string { return s.Organisation },
	"address":      func(s takedown.Sender) string { return s.Address },
	"email":        func(s takedown.Sender) string { return s.Email },
	"telephone":    func(s takedown.Sender) string { return s.Telephone },
	"capacity":     func(s takedown.Sender) string { return s.Capacity },
	"country":      func(s takedown.Sender) string { return s.Country },
}

// matches reports whether an empty or explicit list holds the value.
func matches[T comparable](list []T, v T) bool { return len(list) == 0 || slices.Contains(list, v) }

// allowed reports why an instrument must not be printed in a notice of p, or
// nil. Only what was verified is printed; sections of criminal law of grade B
// need a lawyer's review first, and grade C prints none.
func (p *pack) allowed(in *instrument) error {
	g := p.Grade.Regime
	if in.Kind == "offence" {
		g = p.Grade.Offence
	}
	switch {
	case !in.Printable:
		return fmt.Errorf("instrument %s of pack %s is marked as not printable", in.ID, p.ID)
	case in.Mark != "V":
		return fmt.Errorf("instrument %s of pack %s is not verified (mark %s)", in.ID, p.ID, in.Mark)
	case g == "C":
		return fmt.Errorf("pack %s has grade C for its %s: nothing may be cited", p.ID, in.Kind)
	case in.Kind == "offence" && g == "B" && p.ReviewedBy == "":
		return fmt.Errorf("instrument %s of pack %s needs a lawyer's review before it is cited", in.ID, p.ID)
	}
	return nil
}

func (p *pack) instrument(id string) *instrument {
	for i := range p.Instruments {
		if p.Instruments[i].ID == id {
			return &p.Instruments[i]
		}
	}
	return nil
}

// basis returns the basis for a role and class, or "" when the pack has none.
func (p *pack) basis(role takedown.Role, class takedown.Class) string {
	for _, c := range p.Notices {
		if slices.Contains(c.Roles, role) && matches(c.Classes, class) {
			return c.Basis
		}
	}
	return ""
}

// denied returns why there is no such notice, or "".
func (p *pack) denied(role takedown.Role, class takedown.Class) string {
	for _, d := range p.Denied {
		if slices.Contains(d.Roles, role) && matches(d.Classes, class) {
			return d.Reason
		}
	}
	return ""
}

// elements lists what a notice to role about class must contain.
func (p *pack) elements(role takedown.Role, class takedown.Class) []element {
	var list []element
	for _, e := range p.Elements {
		if matches(e.Roles, role) && matches(e.Classes, class) {
			list = append(list, e)
		}
	}
	return list
}

// current reports why the pack may not be used at now, or "".
func (p *pack) current(now time.Time, staleAfter time.Duration) string {
	switch {
	case now.Before(p.from):
		return fmt.Sprintf("pack %s is valid from %s", p.ID, p.ValidFrom)
	case !p.to.IsZero() && now.After(p.to.AddDate(0, 0, 1)):
		return fmt.Sprintf("pack %s was valid until %s", p.ID, p.ValidTo)
	case now.After(p.checked.Add(staleAfter)):
		return fmt.Sprintf("pack %s is stale: it was last checked on %s", p.ID, p.CheckedOn)
	}
	return ""
}

// parsePack reads one file strictly: an unknown key is an error with its line.
func parsePack(file string, source []byte) (*pack, *Fault) {
	p := &pack{file: file, source: source}
	if err := yaml.UnmarshalWithOptions(source, p, yaml.Strict()); err != nil {
		line, message := 1, err.Error()
		var y yaml.Error
		if errors.As(err, &y) {
			message = y.GetMessage()
			if t := y.GetToken(); t != nil && t.Position != nil {
				line = t.Position.Line
			}
		}
		return nil, &Fault{File: file, Line: line, Message: message}
	}
	return p, nil
}

// inherit fills what p leaves open from its parent. Entries with an id
// override the parent's entry of that id; p's cells and denials come first.
func (p *pack) inherit(parent *pack) {
	fill := func(dst *string, src string) {
		if *dst == "" {
			*dst = src
		}
	}
	fill(&p.Grade.Regime, parent.Grade.Regime)
	fill(&p.Grade.Offence, parent.Grade.Offence)
	fill(&p.ValidFrom, parent.ValidFrom)
	fill(&p.ValidTo, parent.ValidTo)
	fill(&p.CheckedOn, parent.CheckedOn)
	fill(&p.Languages.Prevails, parent.Languages.Prevails)
	if len(p.Languages.Send) == 0 {
		p.Languages.Send = parent.Languages.Send
	}
	if p.Authority.Name == "" {
		p.Authority = parent.Authority
	}
	if p.CSIRT.Name == "" {
		p.CSIRT = parent.CSIRT
	}
	for _, f := range parent.SenderRequires {
		if !slices.Contains(p.SenderRequires, f) {
			p.SenderRequires = append(p.SenderRequires, f)
		}
	}
	for _, in := range parent.Instruments {
		if p.instrument(in.ID) == nil {
			p.Instruments = append(p.Instruments, in)
		}
	}
	p.Elements = append(slices.Clone(p.Elements), parent.Elements...)
	p.Notices = append(slices.Clone(p.Notices), parent.Notices...)
	p.Denied = append(slices.Clone(p.Denied), parent.Denied...)
	p.TimeFacts = append(slices.Clone(p.TimeFacts), parent.TimeFacts...)
}

// lineOf returns the 1-based line of the first line of source that begins with
// text (after white space and a list dash), or 1.
func lineOf(source []byte, text string) int {
	return max(findLine(source, text), 1)
}

// findLine is lineOf that returns 0 when there is no such line.
func findLine(source []byte, text string) int {
	n := 0
	for line := range strings.Lines(string(source)) {
		n++
		if strings.HasPrefix(strings.TrimLeft(line, " -"), text) {
			return n
		}
	}
	return 0
}
