package dashboard

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"desist/internal/postgres"
	"desist/internal/stats"
	"desist/takedown"
	"desist/web/api"
)

type overviewPage struct {
	frame
	At                             time.Time
	Overview                       postgres.Overview
	Total                          int
	Stages, States, Mails, Replies []Bar
	Removal                        removal
	Latest                         []postgres.Row
}

// A list is rows with the time that their ages count from.
type list struct {
	Now  time.Time
	Rows []postgres.Row
}

// List is what the template "rows" takes.
func (p overviewPage) List() list { return list{p.Now, p.Latest} }

// List is what the template "rows" takes.
func (p casesPage) List() list { return list{p.Now, p.Rows} }

// A removal is the time to removal in words and as a drawing.
type removal struct {
	N, Gone int
	Median  string // empty where the data do not reach one
	Between string // its interval
	Shares  []share
	Chart   *Chart
}

type share struct {
	Label string
	Value *stats.Share
}

func (d *dashboard) overview(w http.ResponseWriter, r *http.Request) {
	g, err := d.Glance(r.Context())
	if err != nil {
		d.failed(w, r, err)
		return
	}
	latest, err := api.ListPage(r.Context(), d.Record, d.Now(), postgres.Filter{Limit: 20})
	if err != nil {
		d.failed(w, r, err)
		return
	}
	p := overviewPage{frame: d.frame(r, "Overview", "overview"), At: g.At, Overview: g.Overview, Removal: removalOf(g.Removal), Latest: latest.Items}
	p.Live = true
	for _, n := range g.Overview.Cases {
		p.Total += n
	}
	p.Stages = stages(g.Overview, p.Total)
	for _, s := range takedown.CaseStates() {
		if n := g.Overview.Cases[string(s)]; n > 0 {
			p.States = append(p.States, Bar{Label: words(s), Tone: tone(s), N: n, Href: "/cases?state=" + url.QueryEscape(string(s))})
		}
	}
	p.States = scale(p.States, 0)
	p.Mails = counted(g.Overview.Deliveries, "accepted", "drafted", "deferred", "rejected", "unknown", "open")
	p.Replies = counted(g.Overview.Replies, "human", "autoreply", "bounce", "delayed", "delivered", "feedback")
	d.show(w, r, http.StatusOK, "overview", p)
}

// stages are how far the cases ever got.
func stages(o postgres.Overview, total int) []Bar {
	screened := Bar{Label: "screened", Tone: "busy", N: total - o.Cases[string(takedown.CaseSubmitted)]}
	if refused, held := o.Cases[string(takedown.CaseRefused)], o.Cases[string(takedown.CaseHeld)]; refused+held > 0 {
		screened.Note = fmt.Sprintf("%d refused, %d held", refused, held)
	}
	return scale([]Bar{
		{Label: "submitted", Tone: "busy", N: total},
		screened,
		{Label: "resolved", Tone: "busy", N: o.Resolved},
		{Label: "told", Tone: "busy", N: o.Told},
		{Label: "gone", Tone: "good", N: o.Gone, Note: relapses(o.Relapses)},
	}, total)
}

func relapses(n int) string {
	switch n {
	case 0:
		return ""
	case 1:
		return "1 came back"
	}
	return strconv.Itoa(n) + " came back"
}

// counted makes bars of what was counted, in the order given, what is not
// named there after it.
func counted(counts map[string]int, order ...string) []Bar {
	var bars []Bar
	known := map[string]bool{}
	for _, key := range order {
		known[key] = true
		if n := counts[key]; n > 0 {
			bars = append(bars, Bar{Label: words(key), Tone: tone(key), N: n})
		}
	}
	other := 0
	for key, n := range counts {
		if !known[key] {
			other += n
		}
	}
	if other > 0 {
		bars = append(bars, Bar{Label: "other", Tone: "calm", N: other})
	}
	return scale(bars, 0)
}

func removalOf(c stats.Curve) removal {
	f := stats.FigureOf(c)
	out := removal{N: f.N, Gone: f.Observed, Chart: drawCurve(c), Shares: []share{{"24 hours", f.Within24h}, {"3 days", f.Within72h}, {"7 days", f.Within7d}}}
	m := c.Median()
	if m.Value == nil {
		return out
	}
	out.Median = lasting(*m.Value)
	switch {
	case m.Low != nil && m.High != nil:
		out.Between = lasting(*m.Low) + " to " + lasting(*m.High)
	case m.Low != nil:
		out.Between = "at least " + lasting(*m.Low)
	}
	return out
}

type casesPage struct {
	frame
	Query   api.CaseQuery
	Fault   string
	States  []takedown.CaseState
	Classes []takedown.Class
	Rows    []postgres.Row
	Next    string // the query of the next page
}

func (d *dashboard) cases(w http.ResponseWriter, r *http.Request) {
	v := r.URL.Query()
	p := casesPage{
		frame: d.frame(r, "Cases", "cases"), States: takedown.CaseStates(), Classes: takedown.Classes(),
		Query: api.CaseQuery{State: v.Get("state"), Class: v.Get("class"), Party: v.Get("party"), Age: v.Get("age"), Cursor: v.Get("cursor"), Limit: 50},
	}
	f, err := p.Query.Filter()
	if err != nil {
		p.Fault = err.Error()
		d.show(w, r, http.StatusUnprocessableEntity, "cases", p)
		return
	}
	page, err := api.ListPage(r.Context(), d.Record, d.Now(), f)
	if err != nil {
		d.failed(w, r, err)
		return
	}
	p.Rows = page.Items
	if page.Next != "" {
		v.Set("cursor", page.Next)
		p.Next = v.Encode()
	}
	p.Live = p.Query.Cursor == ""
	d.show(w, r, http.StatusOK, "cases", p)
}
