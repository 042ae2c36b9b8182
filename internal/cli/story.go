package cli

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"desist/internal/postgres"
	"desist/takedown"
)

// printStory tells the whole story of a case, from submission to closing.
func printStory(out *printer, s *postgres.Story) {
	printHead(out, s.Case)
	printSubmissions(out, s.Submissions)
	printResolution(out, s)
	printLegs(out, s)
	printReplies(out, s.Replies)
	printChecks(out, s.Checks)
	if len(s.Events) > 0 {
		out.title("Events")
		printEvents(out, s.Events)
	}
}

func printHead(out *printer, c *takedown.Case) {
	out.printf("%s  %s  %s\n", out.paint(bold, c.Reference()), c.Class, safe(c.Indicator.Defang()))
	state := string(c.State)
	if c.Reason != "" {
		state += ": " + c.Reason
	}
	out.textAs(stateColor(string(c.State)), "  state         ", "  state         ", state)
	out.field("kind", string(c.Indicator.Kind))
	if c.Indicator.Registrable != "" {
		out.field("registrable", takedown.Defang(c.Indicator.Registrable))
	}
	if c.Indicator.Platform != "" {
		out.field("platform", takedown.Defang(c.Indicator.Platform))
	}
	out.field("first seen", when(c.FirstSeenAt))
	out.field("submitted", when(c.SubmittedAt))
	for _, clock := range []struct {
		name string
		at   time.Time
	}{{"first notice", c.NotifiedAt}, {"first answer", c.AnsweredAt}, {"seen gone", c.GoneSeenAt}, {"confirmed", c.GoneAt}, {"closed", c.ClosedAt}} {
		if !clock.at.IsZero() {
			out.field(clock.name, fmt.Sprintf("%s, %s after submission", when(clock.at), lasting(clock.at.Sub(c.SubmittedAt))))
		}
	}
	if !c.WatchUntil.IsZero() {
		out.field("watched until", when(c.WatchUntil))
	}
	if c.Relapses > 0 {
		out.field("relapses", fmt.Sprint(c.Relapses))
	}
	if t := c.Track; t.Verdict != "" {
		out.field("target", fmt.Sprintf("%s at %s: %s", t.Verdict, when(t.CheckedAt), t.Detail))
	}
	if stage, at, ok := c.NextWork(); ok {
		next := string(stage) + " at once"
		if !at.IsZero() {
			next = string(stage) + " at " + when(at)
		}
		if c.Attempts > 0 {
			next += fmt.Sprintf(", after %s", plural(c.Attempts, "failure", "failures"))
		}
		out.field("next", next)
	}
}

func printSubmissions(out *printer, subs []takedown.Submission) {
	if len(subs) == 0 {
		return
	}
	out.title(fmt.Sprintf("Submissions (%d)", len(subs)))
	for _, s := range subs {
		line := fmt.Sprintf("%s from %s, seen %s", when(s.ReceivedAt), s.Source, when(s.SeenAt))
		if s.Confidence > 0 {
			line += fmt.Sprintf(", confidence %.2f", s.Confidence)
		}
		if s.TLP != "" {
			line += ", " + s.TLP
		}
		out.text("  ", line)
		out.text("    as sent     ", harmless(s.Raw))
		if s.Description != "" {
			out.text("    description ", s.Description)
		}
		for _, ref := range s.References {
			out.text("    reference   ", takedown.Defang(ref))
		}
		for _, e := range s.Evidence {
			out.text("    evidence    ", strings.TrimSpace(fmt.Sprintf("%s %s %s", e.Kind, e.MediaType, size(len(e.Data))))+sha(e.SHA256))
		}
		if s.Reporter.Name != "" || s.Reporter.Email != "" {
			out.text("    reporter    ", strings.TrimSpace(s.Reporter.Name+" "+s.Reporter.Email)+" (never printed in a notice)")
		}
		if s.ExternalID != "" {
			out.text("    their id    ", s.ExternalID)
		}
	}
}

// harmless defangs what somebody sent, unless they did.
func harmless(raw string) string {
	if strings.Contains(raw, "[.]") || strings.Contains(strings.ToLower(raw), "hxxp") {
		return raw
	}
	return takedown.Defang(raw)
}

func size(n int) string {
	if n == 0 {
		return ""
	}
	return plural(n, "byte", "bytes")
}

func sha(hash string) string {
	if hash == "" {
		return ""
	}
	return ", SHA-256 " + hash
}

func printResolution(out *printer, s *postgres.Story) {
	if len(s.Resolutions) == 0 {
		return
	}
	r := s.Resolutions[len(s.Resolutions)-1]
	sources := map[string]bool{}
	for _, f := range r.Findings {
		sources[f.Source] = true
	}
	title := fmt.Sprintf("Who is responsible, found at %s from %s", when(r.At), plural(len(r.Findings), "finding", "findings"))
	if len(sources) > 0 {
		title += " by " + strings.Join(slices.Sorted(maps.Keys(sources)), ", ")
	}
	if n := len(s.Resolutions); n > 1 {
		title += fmt.Sprintf(" (resolved %d times)", n)
	}
	out.title(title)
	if r.Absent {
		out.text("  ", "The name does not exist.")
	}
	printParties(out, r.Parties, nil)
	findings := make([]takedown.Finding, len(r.Findings))
	for i, f := range r.Findings {
		findings[i] = f.Finding
	}
	printFacts(out, findings)
	printGaps(out, r.Gaps)
}

// printFacts lists what the parties were derived from: each fact with who said
// so. Contacts stand with their party.
func printFacts(out *printer, findings []takedown.Finding) {
	type fact struct {
		kind           takedown.Fact
		subject, value string
	}
	sources := map[fact][]string{}
	var order []fact
	for _, f := range findings {
		k := fact{f.Fact, f.Subject, f.Value}
		if f.Fact == takedown.FactContact {
			continue
		}
		if sources[k] == nil {
			order = append(order, k)
		}
		if !slices.Contains(sources[k], f.Source) {
			sources[k] = append(sources[k], f.Source)
		}
	}
	if len(order) == 0 {
		return
	}
	out.printf("  %s\n", out.paint(dim, "What that rests on:"))
	for _, k := range order {
		out.text("  - ", fmt.Sprintf("%s of %s: %s (by %s)", k.kind, k.subject, k.value, strings.Join(sources[k], ", ")))
	}
}

// printParties draws the tree of parties and contacts; more adds lines to a
// party.
func printParties(out *printer, parties []takedown.Party, more func(lead string, p takedown.Party)) {
	if len(parties) == 0 {
		out.text("  ", "Nobody was found.")
	}
	for i, p := range parties {
		branch, trunk := "  ├─ ", "  │  "
		if i == len(parties)-1 {
			branch, trunk = "  └─ ", "     "
		}
		name := fmt.Sprintf("%s: %s", p.Role, orDash(p.Name))
		var facts []string
		if p.ASN != 0 {
			facts = append(facts, fmt.Sprintf("AS%d", p.ASN))
		}
		if p.Country != "" {
			facts = append(facts, p.Country)
		}
		facts = append(facts, p.Key)
		out.textAs(bold, branch, trunk+"  ", name+" ("+strings.Join(facts, ", ")+")")
		if len(p.CountryConflicts) > 0 {
			out.text(trunk+"  other countries: ", strings.Join(p.CountryConflicts, "; "))
		}
		if p.Why != "" {
			out.text(trunk+"  why: ", p.Why)
		}
		if more != nil {
			more(trunk+"  ", p)
		}
		for j, c := range p.Contacts {
			twig := trunk + "├─ "
			if j == len(p.Contacts)-1 {
				twig = trunk + "└─ "
			}
			line := fmt.Sprintf("%s (%s, confidence %.2f, by %s)", c.Address, c.Channel, c.Confidence, orDash(strings.Join(c.Sources, ", ")))
			if c.Why != "" {
				line += ": " + c.Why
			}
			out.text(twig, line)
		}
		if len(p.Contacts) == 0 {
			out.textAs(yellow, trunk+"└─ ", trunk+"   ", "no contact")
		}
	}
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func printGaps(out *printer, gaps []takedown.Gap) {
	if len(gaps) == 0 {
		return
	}
	out.printf("  %s\n", out.paint(dim, "What was not learned:"))
	for _, g := range gaps {
		asked := g.Source
		if g.Server != "" {
			asked += " at " + g.Server
		}
		out.text("  - ", fmt.Sprintf("%s, asked %s: %s", g.Query, asked, g.Reason))
	}
}

func printLegs(out *printer, s *postgres.Story) {
	if len(s.Case.Legs) == 0 {
		return
	}
	out.title("Legs")
	for _, l := range s.Case.Legs {
		state := string(l.State)
		if l.Reason != "" {
			state += ": " + l.Reason
		}
		out.textAs(stateColor(string(l.State)), "  ", "    ", fmt.Sprintf("%s, %s, is %s", l.Party.Role, orDash(l.Party.Name), state))
		if c, ok := l.CurrentContact(); ok {
			out.text("    contact     ", fmt.Sprintf("%s (%s)", c.Address, c.Channel))
		}
		if !l.DueAt.IsZero() {
			out.text("    next step   ", when(l.DueAt))
		}
		if l.Ticket != "" {
			out.text("    ticket      ", l.Ticket)
		}
		if l.Answer != "" {
			out.text("    answer      ", fmt.Sprintf("%s at %s", l.Answer, when(l.AnsweredAt)))
		}
		for _, n := range s.Notices {
			if n.LegID == l.ID {
				printNotice(out, n, s.Deliveries)
			}
		}
	}
}

func printNotice(out *printer, n takedown.Notice, deliveries []takedown.Delivery) {
	d := n.Draft
	out.text(fmt.Sprintf("    notice %-4d ", n.ID), fmt.Sprintf("%s, number %d, sealed %s, to %s", n.Kind, n.Seq, when(n.SealedAt), n.Recipient))
	out.text("      subject   ", d.Subject)
	out.text("      law       ", fmt.Sprintf("pack %s (version %s, checked on %s, grade %s), regime %s, in %s",
		d.Pack, d.PackVersion, d.CheckedOn, d.Grade, d.Regime, strings.Join(d.Languages, " and ")))
	for _, w := range d.Warnings {
		out.textAs(yellow, "      warning   ", "                ", w)
	}
	out.text("      seal      ", fmt.Sprintf("Message-ID %s, SHA-256 %s", n.MessageID, n.SHA256))
	for _, a := range deliveries {
		if a.NoticeID == n.ID {
			printDelivery(out, a)
		}
	}
}

func printDelivery(out *printer, a takedown.Delivery) {
	lead := fmt.Sprintf("      attempt %-2d", a.Attempt)
	if a.FinishedAt.IsZero() {
		out.textAs(yellow, lead, lead, "began "+when(a.StartedAt)+", its outcome is not on record yet")
		return
	}
	line := fmt.Sprintf("%s at %s", a.Outcome, when(a.FinishedAt))
	if a.Host != "" {
		line += " by " + a.Host
	}
	if a.TLS != "" {
		line += " over " + a.TLS
	}
	out.textAs(stateColor(string(a.Outcome)), lead, lead, line)
	for reply := range strings.Lines(a.Reply) {
		out.text("                | ", strings.TrimRight(reply, "\r\n"))
	}
}

func printReplies(out *printer, replies []takedown.Reply) {
	if len(replies) == 0 {
		return
	}
	out.title(fmt.Sprintf("Replies (%d)", len(replies)))
	for _, r := range replies {
		proof := "proves that it answers us"
		if !r.Authentic {
			proof = "does not prove that it answers us"
		}
		out.text("  ", fmt.Sprintf("%s %s from %s, %s", when(r.ReceivedAt), r.Class, r.From, proof))
		if r.Subject != "" {
			out.text("    subject     ", r.Subject)
		}
		if r.Reason != "" {
			reason := r.Reason
			if r.Permanent {
				reason += ", for good"
			}
			if r.Recipient != "" {
				reason = r.Recipient + ": " + reason
			}
			out.text("    reason      ", reason)
		}
		if r.Ticket != "" {
			out.text("    ticket      ", r.Ticket)
		}
		for line := range strings.Lines(r.Excerpt) {
			if line = strings.TrimSpace(line); line != "" {
				out.text("    > ", line)
			}
		}
	}
}

// printChecks prints one line for each run of rounds that saw the same.
func printChecks(out *printer, checks []takedown.Check) {
	if len(checks) == 0 {
		return
	}
	out.title(fmt.Sprintf("Checks (%s)", plural(len(checks), "round", "rounds")))
	for i := 0; i < len(checks); {
		c, j := checks[i], i+1
		for j < len(checks) && checks[j].Verdict == c.Verdict && checks[j].Layer == c.Layer && checks[j].Detail == c.Detail {
			j++
		}
		at := when(c.At)
		if j-i > 1 {
			at = fmt.Sprintf("%s to %s, %d rounds", at, when(checks[j-1].At), j-i)
		}
		what := string(c.Verdict)
		if c.Layer != "" {
			what += " (" + string(c.Layer) + ")"
		}
		if c.Detail != "" {
			what += ": " + c.Detail
		}
		out.textAs(stateColor(string(c.Verdict)), "  ", "    ", at+"  "+what)
		i = j
	}
}

func printEvents(out *printer, events []takedown.Event) {
	for _, e := range events {
		lead := fmt.Sprintf("  %3d  %s  %-21s %-8s ", e.Seq, when(e.At), e.Kind, safe(e.Actor))
		data := eventData(e.Data)
		if len(lead)+len(data) > out.width && data != "" {
			out.printf("%s\n", strings.TrimRight(lead, " "))
			lead = "       "
		}
		out.text(lead, data)
	}
}

// eventData writes the details of an event as key=value, sorted.
func eventData(raw json.RawMessage) string {
	var data map[string]any
	if json.Unmarshal(raw, &data) != nil {
		return string(raw)
	}
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(data)) {
		text, isText := data[key].(string)
		switch {
		case isText && text == "":
			continue
		case isText && (key == "indicator" || key == "raw"):
			text = harmless(text)
		case !isText:
			encoded, err := json.Marshal(data[key])
			if err != nil {
				continue
			}
			text = string(encoded)
		}
		if strings.ContainsAny(text, " \t\n") {
			text = `"` + text + `"`
		}
		parts = append(parts, key+"="+text)
	}
	return strings.Join(parts, " ")
}
