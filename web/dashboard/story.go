package dashboard

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"desist/internal/postgres"
	"desist/takedown"
	"desist/web/api"
)

type casePage struct {
	frame
	Case        *takedown.Case
	Clocks      []clock
	Legs        []leg
	Others      []takedown.Party // known, but nobody is told there
	Submissions []takedown.Submission
	Resolution  *postgres.Resolved // the newest
	Replies     []takedown.Reply
	Rounds      []rounds // newest first
	MoreRounds  bool
	Timeline    []entry

	names *strings.Replacer
}

// A clock is one of the times that are measured.
type clock struct {
	Label string
	At    time.Time
	After string // since the clock before it that has happened
}

type leg struct {
	*takedown.Leg
	Notices []sent
}

type sent struct {
	takedown.Notice
	Deliveries []takedown.Delivery
}

// An entry is one event in words.
type entry struct {
	At     time.Time
	What   string
	Tone   string
	Actor  string
	Fields []field
}

type field struct{ Name, Value string }

// rounds are checks in a row that saw the same. The check is the last of them.
type rounds struct {
	takedown.Check
	N     int
	Since time.Time
}

// shownRounds is how many runs of checks a page lists.
const shownRounds = 25

// Text shows words from outside, with the target's names defanged wherever
// they stand.
func (p casePage) Text(v any) string { return p.names.Replace(text(v)) }

// A partyView is a party with the page that it stands on.
type partyView struct {
	Page  casePage
	Party takedown.Party
}

// A contactView is a contact with the page that it stands on.
type contactView struct {
	Page    casePage
	Contact takedown.Contact
}

// Party is what the template "party" takes.
func (p casePage) Party(party takedown.Party) partyView { return partyView{p, party} }

// Contact is what the template "contact" takes.
func (p casePage) Contact(c takedown.Contact) contactView { return contactView{p, c} }

func (d *dashboard) story(w http.ResponseWriter, r *http.Request) {
	id, err := api.ParseReference(r.PathValue("ref"))
	if err != nil {
		d.fault(w, r, http.StatusNotFound, "There is no such case: a reference looks like "+takedown.Reference(42)+".")
		return
	}
	s, err := d.Record.Story(r.Context(), id)
	if err != nil {
		d.failed(w, r, err)
		return
	}
	p := newCasePage(s)
	p.frame = d.frame(r, s.Case.Reference(), "cases")
	p.Live = true
	d.show(w, r, http.StatusOK, "case", p)
}

func newCasePage(s *postgres.Story) casePage {
	c := s.Case
	p := casePage{Case: c, Clocks: clocks(c), Submissions: s.Submissions, Replies: s.Replies, names: defanger(c.Indicator)}
	deliveries := map[int64][]takedown.Delivery{}
	for _, dl := range s.Deliveries {
		deliveries[dl.NoticeID] = append(deliveries[dl.NoticeID], dl)
	}
	notices := map[int64][]sent{}
	for _, n := range s.Notices {
		notices[n.LegID] = append(notices[n.LegID], sent{n, deliveries[n.ID]})
	}
	told := map[string]bool{}
	for _, l := range c.Legs {
		p.Legs = append(p.Legs, leg{l, notices[l.ID]})
		told[string(l.Party.Role)+" "+l.Party.Key] = true
	}
	for _, party := range c.Parties {
		if !told[string(party.Role)+" "+party.Key] {
			p.Others = append(p.Others, party)
		}
	}
	if n := len(s.Resolutions); n > 0 {
		p.Resolution = &s.Resolutions[n-1]
	}
	p.Rounds = runs(s.Checks)
	if len(p.Rounds) > shownRounds {
		p.Rounds, p.MoreRounds = p.Rounds[:shownRounds], true
	}
	for _, e := range s.Events {
		p.Timeline = append(p.Timeline, entry{e.At, happened(e.Kind), eventTone(e.Kind), e.Actor, dataFields(e.Data)})
	}
	slices.Reverse(p.Timeline)
	return p
}

// runs puts checks that saw the same together, newest first.
func runs(checks []takedown.Check) []rounds {
	var out []rounds
	for _, c := range slices.Backward(checks) {
		if n := len(out); n > 0 && out[n-1].Verdict == c.Verdict && out[n-1].Layer == c.Layer && out[n-1].Detail == c.Detail {
			out[n-1].N++
			out[n-1].Since = c.At
			continue
		}
		out = append(out, rounds{c, 1, c.At})
	}
	return out
}

// defanger replaces the names of the target wherever they stand, longest first.
func defanger(i takedown.Indicator) *strings.Replacer {
	names := []string{i.Value, i.Host, i.Registrable}
	slices.SortFunc(names, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, name := range slices.Compact(names) {
		if name != "" {
			pairs = append(pairs, name, takedown.Defang(name))
		}
	}
	return strings.NewReplacer(append(pairs, "http://", "hxxp://", "https://", "hxxps://")...)
}

func clocks(c *takedown.Case) []clock {
	out := []clock{
		{Label: "submitted", At: c.SubmittedAt},
		{Label: "first told", At: c.NotifiedAt},
		{Label: "first answer", At: c.AnsweredAt},
		{Label: "first seen gone", At: c.GoneSeenAt},
		{Label: "confirmed gone", At: c.GoneAt},
	}
	for i := range out[1:] {
		if t := out[i+1].At; !t.IsZero() && !t.Before(c.SubmittedAt) {
			out[i+1].After = "after " + lasting(t.Sub(c.SubmittedAt))
		}
	}
	return out
}

// dataFields reads the data of an event for people. What is no object is shown
// as it is.
func dataFields(data json.RawMessage) []field {
	if len(data) == 0 {
		return nil
	}
	var m map[string]any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber() // as written: an id has no exponent
	if err := d.Decode(&m); err != nil {
		return []field{{"data", string(data)}}
	}
	var out []field
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if v := plain(m[name]); v != "" {
			out = append(out, field{words(name), v})
		}
	}
	return out
}

func plain(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case []any:
		parts := make([]string, len(v))
		for i, p := range v {
			parts[i] = plain(p)
		}
		return strings.Join(parts, ", ")
	case map[string]any:
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, k+" "+plain(v[k]))
		}
		return strings.Join(parts, ", ")
	}
	return fmt.Sprint(v)
}
