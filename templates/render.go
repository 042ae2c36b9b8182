package templates

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"desist/takedown"
)

// A layout is the order of blocks in one language: what a desk needs in the
// first minute stands first.
type layout []struct {
	heading string   // name of the heading block, or ""
	blocks  []string // in order; only the first may be missing from the output
}

var (
	noticeLayout = layout{
		{"", []string{"opening"}},
		{"overview", []string{"overview", "location", "domain", "addresses", "times"}},
		{"request", []string{"request"}},
		{"explanation", []string{"explanation", "facts", "earlier"}},
		{"basis", []string{"basis"}},
		{"good_faith", []string{"good_faith", "sender"}},
		{"answer", []string{"answer"}},
		{"data", []string{"data"}},
		{"annexes", []string{"annexes", "notice_data"}},
	}
	withdrawalLayout = layout{
		{"", []string{"opening"}},
		{"", []string{"overview", "location", "domain", "addresses"}},
		{"", []string{"earlier"}},
		{"", []string{"sender"}},
		{"", []string{"answer"}},
		{"", []string{"data"}},
		{"", []string{"notice_data"}},
	}
	// withdrawalElements is what a withdrawal must say, whatever the regime:
	// which notice it takes back, and who does so.
	withdrawalElements = []element{
		{ID: "location", Required: "withdrawal, what it concerns", Block: "location"},
		{ID: "submitter", Required: "withdrawal, who withdraws", Block: "sender"},
		{ID: "audit", Required: "withdrawal, which notice", Block: "notice_data"},
	}
	// separate lists the blocks that start a paragraph of their own.
	separate = map[string]bool{"facts": true, "earlier": true, "sender": true, "notice_data": true}

	reference = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,31}$`)
)

// page collects the text and remembers where each block stands.
type page struct {
	lines  []string
	places map[string]place
}

type place struct {
	line  int
	quote string
}

// Render writes the notice. It fails with takedown.KindDenied when there is no
// notice of this kind or a required element has nothing to say, and with
// takedown.KindPermanent when the request is malformed.
func (l *Library) Render(req takedown.NoticeRequest) (takedown.Draft, error) {
	if err := validate(&req); err != nil {
		return takedown.Draft{}, takedown.Permanent(fmt.Errorf("render notice %s: %w", clean(req.Reference, 32), err))
	}
	sel := l.Select(req.Party.Country, req.Role, req.Class, req.Party.GTLD, req.Now)
	if sel.Denied != "" {
		return takedown.Draft{}, takedown.Denied(fmt.Errorf("render notice %s: there is no notice to a %s about %s (pack %s): %s", req.Reference, req.Role, req.Class, sel.Pack, sel.Denied))
	}
	draft, err := l.render(&req, sel)
	if err != nil {
		return takedown.Draft{}, takedown.Denied(fmt.Errorf("render notice %s with pack %s: %w", req.Reference, sel.Pack, err))
	}
	return draft, nil
}

// validate reports a request that no pack could serve.
func validate(req *takedown.NoticeRequest) error {
	err := errors.Join(req.Kind.Validate(), req.Role.Validate(), req.Class.Validate(), req.Indicator.Kind.Validate())
	switch {
	case err != nil:
		return err
	case !reference.MatchString(req.Reference):
		return fmt.Errorf("reference %q is not ASCII letters, digits and hyphens", clean(req.Reference, 40))
	case req.Indicator.Value == "":
		return errors.New("the indicator is empty")
	case req.Now.IsZero():
		return errors.New("the time of writing (Now) is not set")
	case req.Kind == takedown.NoticeReminder && len(req.Earlier) == 0:
		return errors.New("a reminder needs the notice that it recalls (Earlier is empty)")
	}
	return nil
}

// scope refuses a name holder's notice where no name is to blame.
func scope(req *takedown.NoticeRequest) error {
	if req.Role != takedown.RoleRegistrar && req.Role != takedown.RoleRegistry {
		return nil
	}
	if req.Indicator.Registrable == "" {
		return fmt.Errorf("%s is an address, which has no %s; write to the network", req.Indicator.Defang(), req.Role)
	}
	if req.Indicator.Platform != "" {
		return fmt.Errorf("%s sits on the shared platform %s, whose name must not be suspended for one customer; write to the platform", req.Indicator.Defang(), takedown.Defang(req.Indicator.Platform))
	}
	return nil
}

func (l *Library) render(req *takedown.NoticeRequest, sel Selection) (takedown.Draft, error) {
	p := l.packs[sel.Pack]
	if err := scope(req); err != nil {
		return takedown.Draft{}, err
	}
	for _, field := range p.SenderRequires {
		if get := senderFields[field]; get == nil || clean(get(req.Sender), 300) == "" {
			return takedown.Draft{}, fmt.Errorf("sender.%s is empty, but the notice must name it; set sender.%s in the configuration", field, field)
		}
	}
	draft := takedown.Draft{
		Pack: p.ID, CheckedOn: p.CheckedOn, Grade: p.Grade.String(), Regime: sel.Regime,
		Warnings: slices.Clone(sel.Warnings),
	}
	if len(req.Party.CountryConflicts) > 0 {
		draft.Warnings = append(draft.Warnings, "sources disagree on the recipient's country: "+clean(strings.Join(req.Party.CountryConflicts, "; "), 300))
	}
	draft.Languages, draft.Warnings = l.chooseLanguages(p, req, draft.Warnings)
	if len(draft.Languages) == 0 {
		return draft, fmt.Errorf("there is no wording in any language of the pack (%s)", strings.Join(p.Languages.Send, ", "))
	}
	draft.PackVersion = p.versions[strings.Join(draft.Languages, "+")]

	base, warnings := newView(req, p)
	draft.Warnings = append(draft.Warnings, warnings...)
	base.Basis, base.PackVersion = sel.Regime, draft.PackVersion
	base.Prevails = p.Languages.Prevails
	if !slices.Contains(draft.Languages, base.Prevails) {
		base.Prevails = draft.Languages[0]
	}

	required := p.elements(req.Role, req.Class)
	plan := noticeLayout
	if req.Kind == takedown.NoticeWithdrawal {
		required, plan = withdrawalElements, withdrawalLayout
	}
	var lines []string
	for i, code := range draft.Languages {
		v := base
		v.Lang, v.First = code, i == 0
		pg := &page{lines: lines, places: map[string]place{}}
		if i > 0 {
			pg.lines = append(pg.lines, "", strings.Repeat("-", 72), "")
		}
		if err := l.renderLanguage(pg, &v, plan, len(draft.Languages) > 1); err != nil {
			return draft, err
		}
		lines = pg.lines
		if i == 0 {
			draft.Subject = subject(l.languages[code], &v)
		}
		for _, e := range required {
			at, ok := pg.places[e.Block]
			if !ok {
				return draft, fmt.Errorf("element %s (%s) has no place: block %s has nothing to say in language %s%s", e.ID, e.Required, e.Block, code, missing(e.Block))
			}
			if code == base.Prevails {
				draft.Elements = append(draft.Elements, takedown.Element{ID: e.ID, Required: e.Required, Block: e.Block, Line: at.line, Quote: at.quote})
			}
		}
	}
	draft.Text = strings.Join(lines, "\n") + "\n"
	return draft, nil
}

// missing says which input feeds a block that stayed empty.
func missing(block string) string {
	switch block {
	case "times":
		return "; give FirstSeenAt or CheckedAt"
	case "domain":
		return "; the indicator has no registrable domain"
	}
	return ""
}

// chooseLanguages returns the languages of the message in order. The fall-back
// pack speaks the languages of the recipient's country where a pack knows them.
func (l *Library) chooseLanguages(p *pack, req *takedown.NoticeRequest, warnings []string) (codes, warned []string) {
	if asked := req.Language; asked != "" {
		if l.languages[asked] != nil {
			return []string{asked}, warnings
		}
		warnings = append(warnings, fmt.Sprintf("there is no wording in language %q, which was asked for", clean(asked, 20)))
	}
	from := p
	if local := l.byCountry[canonicalCountry(req.Party.Country)]; p.ID == FallbackID && local != nil {
		from = local
	}
	for _, code := range from.Languages.Send {
		if l.languages[code] == nil {
			warnings = append(warnings, fmt.Sprintf("pack %s would be sent in language %s, but there is no wording for it", from.ID, code))
		}
	}
	return l.available(from), warnings
}

func (l *Library) renderLanguage(pg *page, v *view, plan layout, several bool) error {
	lang := l.languages[v.Lang]
	var err error
	if v.ClassName, err = lang.execute("class."+v.Class, v); err != nil {
		return err
	}
	if v.Place, err = lang.execute("place."+v.Role, v); err != nil {
		return err
	}
	v.BasisShort = ""
	if lead := bases[v.Basis].lead; lead != "" {
		in, err := v.citable(lead)
		if err != nil {
			return err
		}
		v.BasisShort = in.Short[v.Lang]
	}
	if several {
		if err := pg.add(lang, v, "banner", false); err != nil {
			return err
		}
		if err := pg.add(lang, v, "prevails", false); err != nil {
			return err
		}
		pg.lines = append(pg.lines, "")
	}
	for i, section := range plan {
		if i > 0 {
			pg.blank()
		}
		if section.heading != "" {
			if err := pg.add(lang, v, "heading."+section.heading, false); err != nil {
				return err
			}
			pg.blank()
		}
		for _, block := range section.blocks {
			if err := pg.add(lang, v, block, separate[block]); err != nil {
				return err
			}
		}
	}
	for len(pg.lines) > 0 && pg.lines[len(pg.lines)-1] == "" {
		pg.lines = pg.lines[:len(pg.lines)-1]
	}
	return nil
}

// variant finds the template of a block: the most specific one there is.
func (lang *language) variant(block string, v *view) string {
	var names []string
	switch block {
	case "opening":
		names = []string{"opening." + v.Kind}
	case "request":
		names = []string{"request." + v.Role + "." + v.Class, "request." + v.Role}
	case "explanation":
		names = []string{"explanation." + v.Class}
	case "basis":
		names = []string{"basis." + v.Basis}
	default:
		names = []string{block + "." + v.Kind, block}
	}
	for _, name := range names {
		if lang.blocks.Lookup(name) != nil {
			return name
		}
	}
	return names[len(names)-1]
}

func (lang *language) execute(name string, v *view) (string, error) {
	t := lang.blocks.Lookup(name)
	if t == nil {
		return "", fmt.Errorf("language %s has no block %q", lang.Code, name)
	}
	var b strings.Builder
	if err := t.Execute(&b, v); err != nil {
		return "", fmt.Errorf("language %s, block %s: %w", lang.Code, name, err)
	}
	return b.String(), nil
}

// add renders one block, wraps it and remembers its place.
func (pg *page) add(lang *language, v *view, block string, apart bool) error {
	text, err := lang.execute(lang.variant(block, v), v)
	if err != nil {
		return err
	}
	text = strings.TrimSpace(text)
	if text == "" {
		return nil
	}
	if apart {
		pg.blank()
	}
	start := len(pg.lines)
	for paragraph := range strings.SplitSeq(text, "\n") {
		if strings.TrimSpace(paragraph) == "" {
			pg.blank()
			continue
		}
		pg.lines = wrap(pg.lines, paragraph)
	}
	if start < len(pg.lines) {
		pg.places[block] = place{line: start + 1, quote: quote(pg.lines[start])}
	}
	return nil
}

// blank starts a new paragraph.
func (pg *page) blank() {
	if n := len(pg.lines); n > 0 && pg.lines[n-1] != "" {
		pg.lines = append(pg.lines, "")
	}
}

// quote is the beginning of what stands at a place.
func quote(line string) string {
	line = strings.TrimSpace(line)
	return line[:runeOffset(line, min(60, utf8.RuneCountInString(line)))]
}

// subjectLimit bounds the subject in characters, all of them ASCII.
const subjectLimit = 120

// subject renders the subject line; the reference stands first so that it
// survives every cut.
func subject(lang *language, v *view) string {
	text, err := lang.execute("subject", v)
	if err != nil {
		text = v.ClassName // Lint reports a language without a subject
	}
	s := "[" + v.Reference + "] " + ascii(clean(text, 200))
	if len(s) > subjectLimit {
		s = s[:subjectLimit-3] + "..."
	}
	return s
}
