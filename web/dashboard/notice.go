package dashboard

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"desist/takedown"
)

type noticePage struct {
	frame
	Notice   takedown.Notice
	Headers  []field
	Lines    []line
	Parts    []part
	Elements []element
	// Unreadable says why the message could not be taken apart.
	Unreadable string
}

// Reference is that of the case.
func (p noticePage) Reference() string { return takedown.Reference(p.Notice.CaseID) }

// A line is one line of the notice; Marks are the required elements that stand
// there.
type line struct {
	N     int
	Text  string
	Marks []string
}

type element struct {
	takedown.Element
	At int // the line where it was found; 0 if it was not
}

func (d *dashboard) loadNotice(w http.ResponseWriter, r *http.Request) (takedown.Notice, bool) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || id <= 0 {
		d.fault(w, r, http.StatusNotFound, "There is no such notice: its number is a whole number.")
		return takedown.Notice{}, false
	}
	n, err := d.Record.Notice(r.Context(), id)
	if err != nil {
		d.failed(w, r, err)
		return n, false
	}
	return n, true
}

func (d *dashboard) notice(w http.ResponseWriter, r *http.Request) {
	n, ok := d.loadNotice(w, r)
	if !ok {
		return
	}
	p := newNoticePage(n)
	p.frame = d.frame(r, fmt.Sprintf("Notice %d of %s", n.Seq, takedown.Reference(n.CaseID)), "cases")
	d.show(w, r, http.StatusOK, "notice", p)
}

func newNoticePage(n takedown.Notice) noticePage {
	p := noticePage{Notice: n}
	m, err := readMessage(n.Sealed)
	if err != nil {
		p.Unreadable = err.Error()
	}
	p.Headers, p.Parts = m.headers, m.parts
	if m.text != "" {
		for i, s := range strings.Split(strings.TrimRight(m.text, "\n"), "\n") {
			p.Lines = append(p.Lines, line{N: i + 1, Text: s})
		}
	}
	for _, e := range n.Draft.Elements {
		at := place(p.Lines, e)
		if at > 0 {
			p.Lines[at-1].Marks = append(p.Lines[at-1].Marks, e.ID)
		}
		p.Elements = append(p.Elements, element{e, at})
	}
	return p
}

// place finds the line where an element stands: the recorded one if the quote
// is there, or else the first line that has it.
func place(lines []line, e takedown.Element) int {
	quote := strings.TrimSpace(e.Quote)
	if before, _, cut := strings.Cut(quote, "…"); cut {
		quote = strings.TrimSpace(before)
	}
	has := func(n int) bool {
		s := strings.TrimSpace(lines[n-1].Text)
		return strings.Contains(s, quote) || len(s) > 20 && strings.HasPrefix(quote, s)
	}
	if quote == "" {
		if e.Line >= 1 && e.Line <= len(lines) {
			return e.Line
		}
		return 0
	}
	if e.Line >= 1 && e.Line <= len(lines) && has(e.Line) {
		return e.Line
	}
	for n := range lines {
		if has(n + 1) {
			return n + 1
		}
	}
	return 0
}

// message hands out the sealed bytes.
func (d *dashboard) message(w http.ResponseWriter, r *http.Request) {
	n, ok := d.loadNotice(w, r)
	if !ok {
		return
	}
	w.Header().Set("Content-Type", "message/rfc822")
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s-notice-%d.eml"`, takedown.Reference(n.CaseID), n.ID))
	_, _ = w.Write(n.Sealed)
}
