package templates

import (
	"fmt"
	"slices"
	"strings"

	"desist/takedown"
)

// PackInfo describes a pack in a list.
type PackInfo struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	Inherits   string   `json:"inherits,omitempty"`
	Countries  []string `json:"countries,omitempty"`
	Grade      string   `json:"grade"`
	Regimes    []string `json:"regimes"`
	Languages  []string `json:"languages"`          // that are sent
	Unworded   []string `json:"unworded,omitempty"` // that should be sent but have no wording
	ValidFrom  string   `json:"valid_from"`
	ValidTo    string   `json:"valid_to,omitempty"`
	CheckedOn  string   `json:"checked_on"`
	ReviewedBy string   `json:"reviewed_by,omitempty"` // empty: no lawyer has reviewed it
	Version    string   `json:"version"`
}

// Packs lists every pack by id.
func (l *Library) Packs() []PackInfo {
	list := make([]PackInfo, 0, len(l.ids))
	for _, id := range l.ids {
		p := l.packs[id]
		info := PackInfo{
			ID: p.ID, Name: p.Name, Inherits: p.Inherits, Countries: slices.Clone(p.Countries), Grade: p.Grade.String(),
			Languages: l.available(p), ValidFrom: p.ValidFrom, ValidTo: p.ValidTo, CheckedOn: p.CheckedOn, ReviewedBy: p.ReviewedBy,
			Version: p.versions[strings.Join(l.available(p), "+")],
		}
		for _, code := range p.Languages.Send {
			if !slices.Contains(info.Languages, code) {
				info.Unworded = append(info.Unworded, code)
			}
		}
		for _, c := range p.Notices {
			if !slices.Contains(info.Regimes, c.Basis) {
				info.Regimes = append(info.Regimes, c.Basis)
			}
		}
		list = append(list, info)
	}
	return list
}

// Sheet returns what there is to know about a pack for a reader, or "" when
// there is no pack of that id.
func (l *Library) Sheet(id string) string {
	p := l.packs[id]
	if p == nil {
		return ""
	}
	var b strings.Builder
	row := func(label, format string, args ...any) {
		for _, line := range wrap(nil, label+"\t"+fmt.Sprintf(format, args...)) {
			b.WriteString(line + "\n")
		}
	}
	row("Pack", "%s, %s, version %s", p.ID, p.Name, p.versions[strings.Join(l.available(p), "+")])
	if p.Inherits != "" {
		row("Inherits", "%s", p.Inherits)
	}
	if len(p.Countries) > 0 {
		row("Countries", "%s", strings.Join(p.Countries, " "))
	}
	row("Grade", "%s (regime/offence)", p.Grade)
	validTo := p.ValidTo
	if validTo == "" {
		validTo = "open"
	}
	row("Valid", "%s to %s, checked on %s", p.ValidFrom, validTo, p.CheckedOn)
	reviewed := "not reviewed by a lawyer"
	if p.ReviewedBy != "" {
		reviewed = "by " + p.ReviewedBy
	}
	row("Review", "%s", reviewed)
	for _, code := range p.Languages.Send {
		lang := l.languages[code]
		switch {
		case lang == nil:
			row("Language", "%s: no wording is shipped, not sent", code)
		case lang.ReviewedBy == "":
			row("Language", "%s (%s): wording not reviewed by a lawyer", code, lang.Name)
		default:
			row("Language", "%s (%s): wording reviewed by %s", code, lang.Name, lang.ReviewedBy)
		}
	}
	row("Prevails", "%s", p.Languages.Prevails)
	for _, o := range []struct {
		label string
		office
	}{{"Authority", p.Authority}, {"CSIRT", p.CSIRT}} {
		if o.Name != "" {
			row(o.label, "%s%s%s", o.Name, parenthesis(o.Note), evidence(o.Mark, o.Source))
		}
	}
	row("Sender needs", "%s", strings.Join(p.SenderRequires, ", "))
	b.WriteString("\nNotices\n")
	for _, c := range p.Notices {
		row("  "+c.Basis, "%s: %s", join(c.Roles), classList(c.Classes))
	}
	for _, d := range p.Denied {
		row("  none", "%s: %s; %s", join(d.Roles), classList(d.Classes), d.Reason)
	}
	b.WriteString("\nRequired elements\n")
	for _, e := range p.Elements {
		row("  "+e.ID, "%s (block %s)%s", e.Required, e.Block, forRoles(e.Roles))
	}
	b.WriteString("\nInstruments\n")
	for i := range p.Instruments {
		in := &p.Instruments[i]
		cited := "cited"
		if err := p.allowed(in); err != nil {
			cited = "never cited"
		}
		name := in.Cite["en"]
		for _, c := range in.Cite {
			if name == "" {
				name = c
			}
		}
		row("  "+in.ID, "%s; %s%s; %s", name, cited, evidence(in.Mark, in.Source), in.URL)
	}
	if len(p.TimeFacts) > 0 {
		b.WriteString("\nTime limits (never printed)\n")
		for _, f := range p.TimeFacts {
			for _, line := range wrap(nil, "- "+f.Text+evidence(f.Mark, f.Source)) {
				b.WriteString(line + "\n")
			}
		}
	}
	return b.String()
}

func parenthesis(s string) string {
	if s == "" {
		return ""
	}
	return " (" + s + ")"
}

func evidence(mark, source string) string {
	if mark == "" {
		return ""
	}
	return strings.TrimRight(" ["+mark+" "+source, " ") + "]"
}

func forRoles(roles []takedown.Role) string {
	if len(roles) == 0 {
		return ""
	}
	return " for " + join(roles)
}

func join[T ~string](list []T) string {
	words := make([]string, len(list))
	for i, v := range list {
		words[i] = string(v)
	}
	return strings.Join(words, ", ")
}

func classList(classes []takedown.Class) string {
	if len(classes) == 0 {
		return "every class"
	}
	return join(classes)
}
