package templates

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"sort"
	"strings"
	"text/template/parse"
	"time"

	"desist/takedown"
)

// A Fault is something in a pack or in wording that must not be sent.
type Fault struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Message string `json:"message"`
}

func (f Fault) String() string { return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Message) }

// forbidden finds what wording must not say: threats, claims of a status or of
// a duty with a number, and the vocabulary of copyright notices.
var forbidden = regexp.MustCompile(`(?i)\b(?:dmca|digital millennium|perjury|counter-?notice|copyright\w*|infring\w+|urheberrecht\w*|eidesstattlich\w*|` +
	`prosecut\w+|legal action|lawsuits?|strafanzeige|strafbar\w*|strafverfolg\w*|bußgeld\w*|schadens?ersatz\w*|haftbar|haftung|liab(?:le|ility)|fined|fines|penalt(?:y|ies)|sanctions?|` +
	`trusted flagger|cease and desist|legally (?:obliged|required|bound)|you (?:must|are obliged|are required)|gesetzlich verpflichtet|sie müssen|sind verpflichtet|` +
	`in breach of the|court order|gerichtliche\w*|(?:with)?in \d+|innerhalb von|binnen|(?:one|two|three|twenty-four|forty-eight|seventy-two|\d+)[ -]?(?:h|hrs?|hours?|days?|weeks?|stunden?|tage?n?|wochen?)\b)`)

// threatening finds what outside text must not make a notice say. It is
// narrower than forbidden: a report may well tell of a false fine.
var threatening = regexp.MustCompile(`(?i)§+\s*\d|\b(?:dmca|digital millennium|penalty of perjury|counter-?notice|legal action|will be prosecuted|strafanzeige|` +
	`trusted flagger|cease and desist|legally (?:obliged|required|bound)|you (?:must|are obliged|are required)|gesetzlich verpflichtet|sie müssen|sind verpflichtet|` +
	`(?:within|innerhalb von|binnen) \d+[ -]?(?:h|hrs?|hours?|days?|stunden?|tage?n?)\b)`)

// citation finds a provision that was typed into wording instead of being
// asked for by name.
var citation = regexp.MustCompile(`(?i)§|\b(?:art\.|article|artikel|section|abschnitt|abs\.|directive|richtlinie|regulation|verordnung|convention|übereinkommen|u\.s\.c\.?)\s*\(?(?:eu|ec|eg)?\)?\s*(?:no\.?\s*)?\d|\b(?:stgb|tkg|ddg|tmg|dsa|gdpr|dsgvo|raa|nis2)\b|\b20\d\d/\d{2,4}\b`)

// Lint proves every pack × role × class × language × kind: it renders each,
// and looks at the data and at the wording. The files of fsys stand over the
// shipped ones; nil checks those alone. now decides what is stale.
func Lint(fsys fs.FS, now time.Time) []Fault {
	files, _, err := readTree(fsys)
	if err != nil {
		return []Fault{{".", 1, err.Error()}}
	}
	lib, faults := build(files)
	if lib == nil {
		return faults
	}
	lt := linter{lib: lib, now: now, seen: map[string]bool{}, paragraphs: map[string]string{}}
	for _, id := range lib.ids {
		lt.pack(lib.packs[id])
	}
	for _, lang := range lib.languages {
		lt.wording(lang)
	}
	lt.renders()
	sort.Slice(lt.faults, func(i, j int) bool {
		a, b := lt.faults[i], lt.faults[j]
		if a.File != b.File {
			return a.File < b.File
		}
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		return a.Message < b.Message
	})
	return lt.faults
}

type linter struct {
	lib        *Library
	now        time.Time
	faults     []Fault
	seen       map[string]bool
	paragraphs map[string]string
}

func (lt *linter) add(file string, line int, format string, args ...any) {
	f := Fault{file, line, fmt.Sprintf(format, args...)}
	if key := f.String(); !lt.seen[key] {
		lt.seen[key] = true
		lt.faults = append(lt.faults, f)
	}
}

// at reports a fault where the pack, or else a pack that it inherits from, says
// key.
func (lt *linter) at(p *pack, key, format string, args ...any) {
	file, line := p.file, 1
	for q, n := p, 0; q != nil && n <= len(lt.lib.packs); q, n = lt.lib.packs[q.Inherits], n+1 {
		if found := findLine(q.source, key); found > 0 {
			file, line = q.file, found
			break
		}
	}
	lt.add(file, line, format, args...)
}

// pack checks the data of one pack.
func (lt *linter) pack(p *pack) {
	at := func(key, format string, args ...any) { lt.at(p, key, format, args...) }
	if p.Name == "" {
		at("id:", "name is empty")
	}
	for _, g := range []string{p.Grade.Regime, p.Grade.Offence} {
		if g != "A" && g != "B" && g != "C" {
			at("grade:", "grade %q is not A, B or C", g)
		}
	}
	if !p.to.IsZero() && p.to.Before(p.from) {
		at("valid_to:", "valid_to %s is before valid_from %s", p.ValidTo, p.ValidFrom)
	}
	if p.checked.After(lt.now) {
		at("checked_on:", "checked_on %s is in the future", p.CheckedOn)
	} else if why := p.current(lt.now, lt.lib.staleAfter); why != "" {
		at("checked_on:", "%s", why)
	}
	for _, country := range p.Countries {
		if len(country) != 2 || strings.ToUpper(country) != country {
			at("countries:", "country %q is not an ISO 3166-1 alpha-2 code", country)
		}
	}
	if !slices.Contains(p.Languages.Send, p.Languages.Prevails) {
		at("languages:", "language %q prevails but is not sent", p.Languages.Prevails)
	}
	if len(lt.lib.available(p)) == 0 {
		at("languages:", "there is no wording in any of the languages %s", strings.Join(p.Languages.Send, ", "))
	} else if lt.lib.languages[p.Languages.Prevails] == nil {
		at("languages:", "language %q prevails but has no wording", p.Languages.Prevails)
	}
	for _, f := range p.SenderRequires {
		if senderFields[f] == nil {
			at("sender_requires:", "sender has no field %q", f)
		}
	}
	for _, f := range p.TimeFacts {
		if f.Printable {
			at("text: "+f.Text, "no time limit is given to a private notifier; a time fact cannot be printable")
		}
	}
	for i := range p.Instruments {
		lt.instrument(p, &p.Instruments[i])
	}
	for _, e := range p.Elements {
		lt.scope(p, "elements:", e.Roles, e.Classes)
		if want := proofs[e.ID]; want != "" && e.Block != want {
			at("elements:", "element %q is proved by block %s, not by %q", e.ID, want, e.Block)
		}
	}
	for _, d := range p.Denied {
		lt.scope(p, "denied:", d.Roles, d.Classes)
		if d.Reason == "" {
			at("denied:", "a notice is denied without a reason")
		}
	}
	lt.cells(p)
}

func (lt *linter) instrument(p *pack, in *instrument) {
	at := func(format string, args ...any) { lt.at(p, "id: "+in.ID, format, args...) }
	if in.Kind != "regime" && in.Kind != "offence" {
		at("instrument %s: kind %q is not regime or offence", in.ID, in.Kind)
	}
	if in.Mark != "V" && in.Mark != "GK" && in.Mark != "unsure" {
		at("instrument %s: mark %q is not V, GK or unsure", in.ID, in.Mark)
	}
	if in.URL == "" || in.Source == "" {
		at("instrument %s needs a url and a source", in.ID)
	}
	lt.scope(p, "id: "+in.ID, in.Roles, in.Classes)
	if !in.Printable {
		return
	}
	if err := p.allowed(in); err != nil {
		at("%v", err)
	}
	for code := range in.Cite {
		if short := in.Short[code]; short == "" || ascii(short) != short {
			at("instrument %s: short name %q in language %s is empty or not ASCII (it stands in subjects)", in.ID, short, code)
		}
		if bad := forbidden.FindString(in.Cite[code]); bad != "" {
			at("instrument %s: citation says %q", in.ID, bad)
		}
	}
}

// cells checks that each cell has a basis that proves what it must.
func (lt *linter) cells(p *pack) {
	for _, c := range p.Notices {
		b, ok := bases[c.Basis]
		if !ok {
			lt.at(p, "notices:", "basis %q is not known", c.Basis)
			continue
		}
		for _, id := range b.instruments {
			if p.instrument(id) == nil {
				lt.at(p, "instruments:", "basis %s needs the instrument %s", c.Basis, id)
			}
		}
		lt.scope(p, "notices:", c.Roles, c.Classes)
		for _, role := range c.Roles {
			classes := c.Classes
			if len(classes) == 0 {
				classes = takedown.Classes()
			}
			for _, class := range classes {
				have := p.elements(role, class)
				for _, id := range b.elements {
					if !slices.ContainsFunc(have, func(e element) bool { return e.ID == id }) {
						lt.at(p, "elements:", "element %q, which %s requires of a notice to a %s, is missing", id, c.Basis, role)
					}
				}
			}
		}
	}
}

// scope checks the names of roles and classes.
func (lt *linter) scope(p *pack, key string, roles []takedown.Role, classes []takedown.Class) {
	for _, role := range roles {
		if err := role.Validate(); err != nil {
			lt.at(p, key, "%v", err)
		}
	}
	for _, class := range classes {
		if err := class.Validate(); err != nil {
			lt.at(p, key, "%v", err)
		}
	}
}

// wording checks the literal text of one language.
func (lt *linter) wording(lang *language) {
	for _, t := range lang.blocks.Templates() {
		if t.Tree == nil || t.Root == nil {
			continue
		}
		lt.nodes(t.Tree, t.Root)
	}
}

func (lt *linter) nodes(tree *parse.Tree, node parse.Node) {
	switch n := node.(type) {
	case *parse.ListNode:
		if n != nil {
			for _, child := range n.Nodes {
				lt.nodes(tree, child)
			}
		}
	case *parse.IfNode:
		lt.branch(tree, &n.BranchNode)
	case *parse.RangeNode:
		lt.branch(tree, &n.BranchNode)
	case *parse.WithNode:
		lt.branch(tree, &n.BranchNode)
	case *parse.ActionNode:
		for _, cmd := range n.Pipe.Cmds {
			for _, arg := range cmd.Args {
				if literal, ok := arg.(*parse.StringNode); ok {
					lt.text(tree, literal, literal.Text)
				}
			}
		}
	case *parse.TextNode:
		lt.text(tree, n, string(n.Text))
	}
}

func (lt *linter) branch(tree *parse.Tree, n *parse.BranchNode) {
	lt.nodes(tree, n.List)
	lt.nodes(tree, n.ElseList)
}

// text checks literal text that stands at n.
func (lt *linter) text(tree *parse.Tree, n parse.Node, text string) {
	report := func(at int, format string, args ...any) {
		location, _ := tree.ErrorContext(n)
		line := templateLine(fmt.Errorf("%s", strings.TrimPrefix(location, tree.ParseName)))
		lt.add(tree.ParseName, line+strings.Count(text[:at], "\n"), format, args...)
	}
	if at := forbidden.FindStringIndex(text); at != nil {
		report(at[0], "the wording must not say %q", text[at[0]:at[1]])
	}
	if at := citation.FindStringIndex(text); at != nil {
		report(at[0], "%q is cited outside the pack's data; use {{.Cite}}", text[at[0]:at[1]])
	}
}

// renders tries every pack × role × class × language × kind × kind of
// indicator that the packs promise.
func (lt *linter) renders() {
	fallback := lt.lib.packs[FallbackID]
	for _, role := range takedown.Roles() {
		for _, class := range takedown.Classes() {
			if fallback.basis(role, class) == "" && fallback.denied(role, class) == "" {
				lt.add(fallback.file, lineOf(fallback.source, "notices:"), "the fall-back has neither a notice to a %s about %s nor a reason why not", role, class)
			}
			for _, id := range lt.lib.ids {
				p := lt.lib.packs[id]
				basis := p.basis(role, class)
				if basis == "" || p.denied(role, class) != "" {
					continue
				}
				sel := Selection{Pack: id, Regime: basis, Grade: p.Grade.String()}
				lt.renderCell(p, sel, role, class)
			}
		}
	}
}

func (lt *linter) renderCell(p *pack, sel Selection, role takedown.Role, class takedown.Class) {
	// "" renders every language of the pack. The fall-back, which speaks the
	// languages of any country, has to render in all.
	asked := []string{""}
	for code := range lt.lib.languages {
		if p.ID == FallbackID && !slices.Contains(p.Languages.Send, code) {
			asked = append(asked, code)
		}
	}
	for _, kind := range noticeKinds {
		for _, lang := range asked {
			req := Sample(kind, role, class, lt.now)
			req.Language = lang
			draft, err := lt.lib.render(&req, sel)
			if err != nil {
				file, line := blame(lt.lib, p, err)
				lt.add(file, line, "notice %s to a %s about %s: %v", kind, role, class, err)
				continue
			}
			if bad := lt.says(draft.Subject + "\n\n" + draft.Text); bad != "" {
				lt.add(p.file, 1, "notice %s to a %s about %s says %q", kind, role, class, bad)
			}
		}
	}
}

// says returns what a rendered text must not say. Paragraphs are looked at
// once: most of them stand in many notices.
func (lt *linter) says(text string) string {
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		bad, known := lt.paragraphs[paragraph]
		if !known {
			bad = forbidden.FindString(strings.ReplaceAll(paragraph, "\n", " "))
			lt.paragraphs[paragraph] = bad
		}
		if bad != "" {
			return bad
		}
	}
	return ""
}

// blame finds the file and line that a rendering error comes from: the
// wording if the error names one of its files, else the pack.
func blame(lib *Library, p *pack, err error) (string, int) {
	text := err.Error()
	for _, lang := range lib.languages {
		for _, s := range lang.sources {
			if i := strings.Index(text, s.name+":"); i >= 0 {
				return s.name, templateLine(fmt.Errorf("%s", text[i+len(s.name):]))
			}
		}
	}
	if strings.Contains(text, "element ") {
		return p.file, lineOf(p.source, "elements:")
	}
	return p.file, lineOf(p.source, "notices:")
}

var noticeKinds = []takedown.NoticeKind{
	takedown.NoticeFirst, takedown.NoticeReminder, takedown.NoticeEscalation,
	takedown.NoticeRelapse, takedown.NoticeCorrection, takedown.NoticeWithdrawal,
}

// Sample returns a complete request about documentation names and addresses,
// for the linter and for looking at a pack.
func Sample(kind takedown.NoticeKind, role takedown.Role, class takedown.Class, now time.Time) takedown.NoticeRequest {
	req := takedown.NoticeRequest{
		Kind: kind, Reference: "DSI-000123", ReportID: "0b54a8ac-2c3b-4c1e-9d52-6f2c1f6f7d10",
		Indicator: takedown.Indicator{
			Kind: takedown.KindURL, Value: "https://login.bank.example/verify.php?id=7", Host: "login.bank.example", Registrable: "bank.example",
		},
		Class: class, Role: role,
		Party:     takedown.Party{Role: role, Name: "Example Networks"},
		Recipient: takedown.Contact{Channel: takedown.ChannelEmail, Address: "abuse@provider.example"},
		Sender: takedown.Sender{
			LegalName: "Example Response GmbH", Organisation: "Example Response", Address: "Example Street 1, 12345 Example Town",
			Email: "notices@response.example", Telephone: "+49 000 000000", Capacity: "security provider reporting its own observations",
			Country: "DE", PrivacyURL: "https://response.example/privacy",
		},
		Addresses:   []string{"192.0.2.10", "2001:db8::10"},
		FirstSeenAt: now.Add(-5 * time.Hour), CheckedAt: now.Add(-10 * time.Minute),
		Observation:  "the page answers with status 200 and shows a log-in form",
		Descriptions: []string{"The page copies the log-in of a bank and sends what is typed to another server."},
		References:   []string{"https://reports.example/case/7"},
		Evidence:     []takedown.Evidence{{Kind: "screenshot", MediaType: "image/png", SHA256: strings.Repeat("ab", 32), Data: []byte("png")}},
		VerifyURL:    "https://response.example/verify", AnswerURL: "https://response.example/n/token",
		Now: now,
	}
	if class == takedown.ClassAttack && role != takedown.RoleRegistrar && role != takedown.RoleRegistry {
		req.Indicator = takedown.Indicator{Kind: takedown.KindIPv4, Value: "192.0.2.10", Host: "192.0.2.10"}
		req.Observation = ""
		req.Descriptions = []string{"Repeated log-in attempts by SSH against several of our systems."}
	}
	if kind != takedown.NoticeFirst {
		req.Earlier = []takedown.EarlierNotice{{
			Kind: takedown.NoticeFirst, Recipient: "abuse@provider.example", MessageID: "n1@response.example",
			AcceptedAt: now.Add(-4 * time.Hour), Reply: "250 2.0.0 Ok: queued",
		}}
	}
	return req
}
