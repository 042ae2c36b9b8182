package demo

import (
	"fmt"
	"io"
	"strings"
	"time"

	"desist/internal/postgres"
	"desist/takedown"
)

// view shows the rehearsal while it runs: a picture on a terminal, a line now
// and then elsewhere.
type view struct {
	out      io.Writer
	terminal bool
	width    func() int
	lines    int       // drawn before, to be drawn over
	said     time.Time // last line on something that is no terminal
}

func (v *view) draw(s Summary, o postgres.Overview, done bool) {
	if !v.terminal {
		if !done && time.Since(v.said) < 5*time.Second {
			return
		}
		v.said = time.Now()
		_, _ = fmt.Fprintf(v.out, "%3.0f s = %4.0f h simulated: %d submissions, %d told, %d gone, %d running; removal %s\n",
			s.WallS, s.SimulatedH, s.Submissions, s.Told, s.Gone, o.Running, removal(s.Removal))
		return
	}
	lines := v.picture(s, o, done)
	var b strings.Builder
	if v.lines > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", v.lines)
	}
	for _, l := range lines {
		b.WriteString("\x1b[2K" + l + "\n")
	}
	b.WriteString("\x1b[J")
	v.lines = len(lines)
	_, _ = io.WriteString(v.out, b.String())
}

func (v *view) picture(s Summary, o postgres.Overview, done bool) []string {
	width := 80
	if v.width != nil {
		width = max(40, v.width())
	}
	cases := 0
	for _, n := range o.Cases {
		cases += n
	}
	state := "running"
	if done {
		state = "done"
	}
	lines := []string{
		clip(fmt.Sprintf("Desist demo  %s  day %.1f of the simulated world  %.0f s  %s", state, s.SimulatedH/24, s.WallS, s.Dashboard), width),
		"",
	}
	closed := 0
	for _, st := range takedown.CaseStates() {
		if st.Closed() {
			closed += o.Cases[string(st)]
		}
	}
	screened := cases - o.Cases[string(takedown.CaseSubmitted)]
	for _, stage := range []struct {
		name string
		n    int
		of   int
	}{
		{"submitted", s.Submissions + s.Refused, s.Indicators},
		{"screened", screened, cases},
		{"resolved", o.Resolved, cases},
		{"told", o.Told, cases},
		{"gone", o.Gone, cases},
		{"closed", closed, cases},
	} {
		lines = append(lines, bar(stage.name, stage.n, stage.of, width))
	}
	return append(lines, "",
		clip("cases    "+counts(o.Cases), width), clip("legs     "+counts(o.Legs), width), clip("mail     "+counts(o.Deliveries), width),
		clip("replies  "+counts(o.Replies), width), clip("removal  "+removal(s.Removal), width))
}

func bar(name string, n, of, width int) string {
	room := max(10, min(50, width-28))
	filled := 0
	if of > 0 {
		filled = min(room, n*room/of)
	}
	return fmt.Sprintf("%-10s %s%s %5d", name, strings.Repeat("█", filled), strings.Repeat("░", room-filled), n)
}

func clip(s string, width int) string {
	if r := []rune(s); len(r) > width-1 {
		return string(r[:width-2]) + "…"
	}
	return s
}
