package cli

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"

	"desist/takedown"
)

// plainWidth is the width of running text where no terminal says another.
const plainWidth = 100

// safe makes text from outside fit for a terminal: no control characters, which
// could move the cursor or forge lines, and none that turn the direction of
// writing.
func safe(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029':
			return utf8.RuneError
		}
		return r
	}, takedown.CleanText(s))
}

// A printer writes text for people.
type printer struct {
	w     *bufio.Writer
	width int
	tty   bool
	color bool
}

func (p *Program) printer() *printer {
	out := &printer{w: bufio.NewWriter(p.Out), width: plainWidth}
	if width, ok := terminal(p.Out); ok {
		out.tty = true
		out.width = max(width, 40)
		// https://no-color.org: any value that is not empty.
		out.color = p.getenv("NO_COLOR") == "" && p.getenv("TERM") != "dumb"
	}
	return out
}

// terminal returns the width of w if it is a terminal.
func terminal(w io.Writer) (int, bool) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width <= 0 {
		width = 80
	}
	return width, true
}

func (o *printer) flush() error { return written(o.w.Flush()) }

// The colours.
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
)

func (o *printer) paint(code, s string) string {
	if !o.color || code == "" || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// stateColor returns the colour of a state of a case or a leg, or of an outcome
// or a verdict.
func stateColor(state string) string {
	switch state {
	case "removed", "gone", "accepted", "notified":
		return green
	case "held", "unknown", "manual", "waiting", "deferred", "disputed", "drafted", "unclear":
		return yellow
	case "refused", "expired", "unreachable", "rejected", "exhausted", "not_malicious", "withdrawn":
		return red
	case "active", "up":
		return cyan
	}
	return ""
}

// printf writes as it is; its arguments must be safe. A failure shows in flush.
func (o *printer) printf(format string, args ...any) { _, _ = fmt.Fprintf(o.w, format, args...) }

// title begins a section.
func (o *printer) title(s string) {
	o.printf("\n")
	o.textAs(bold, "", "", s)
}

// text writes words from anywhere after a lead, wrapped to the width and
// indented below the lead.
func (o *printer) text(lead, s string) { o.textAs("", lead, lead, s) }

// textAs is text with a colour, and with another lead on the lines that follow
// the first; only its length counts where it is not made of tree lines.
func (o *printer) textAs(color, lead, next, s string) {
	indent := treeOnly(next)
	room := max(o.width-utf8.RuneCountInString(lead), 20)
	for i, line := range wrap(safe(s), room) {
		if i > 0 {
			lead = indent
		}
		if line == "" {
			lead = strings.TrimRight(lead, " ")
		}
		o.printf("%s%s\n", lead, o.paint(color, line))
	}
}

// treeOnly replaces everything but the trunks of a tree by spaces.
func treeOnly(lead string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '│':
			return r
		case '├':
			return '│'
		}
		return ' '
	}, lead)
}

// field writes a named value, and nothing if there is none.
func (o *printer) field(name, value string) {
	if value != "" {
		o.text(fmt.Sprintf("  %-13s ", name), value)
	}
}

// wrap breaks text into lines of at most width runes, at spaces where there are
// any.
func wrap(s string, width int) []string {
	var lines []string
	var line strings.Builder
	n := 0
	for word := range strings.FieldsSeq(s) {
		w := utf8.RuneCountInString(word)
		if n > 0 && n+1+w > width {
			lines = append(lines, line.String())
			line.Reset()
			n = 0
		}
		for n == 0 && w > width { // a word that no line holds
			cut := runeIndex(word, width)
			lines = append(lines, word[:cut])
			word, w = word[cut:], w-width
		}
		if n > 0 {
			line.WriteByte(' ')
			n++
		}
		line.WriteString(word)
		n += w
	}
	return append(lines, line.String())
}

// runeIndex returns where the n-th rune of s begins.
func runeIndex(s string, n int) int {
	for i := range s {
		if n == 0 {
			return i
		}
		n--
	}
	return len(s)
}

// clip shortens s to n runes.
func clip(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	if n < 1 {
		return ""
	}
	return s[:runeIndex(s, n-1)] + "…"
}

// A table lines up columns. The widest column named by flex gives way when the
// terminal is too narrow; where the output is no terminal nothing is cut.
type table struct {
	head []string
	rows [][]string
	// flex lists the columns that may be cut, the first to give way first.
	flex []int
	// paint returns the colour of a cell.
	paint func(row, col int) string
}

const columnGap = 2

func (o *printer) table(t table) {
	widths := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(safe(cell)))
		}
	}
	if o.tty {
		over := columnGap*(len(widths)-1) - o.width
		for _, w := range widths {
			over += w
		}
		for _, i := range t.flex {
			if give := min(over, widths[i]-8); give > 0 {
				widths[i] -= give
				over -= give
			}
		}
	}
	line := func(cells []string, color func(col int) string) {
		var b strings.Builder
		for i, cell := range cells {
			cell = clip(safe(cell), widths[i])
			pad := widths[i] - utf8.RuneCountInString(cell) + columnGap
			b.WriteString(o.paint(color(i), cell))
			if i < len(cells)-1 {
				b.WriteString(strings.Repeat(" ", pad))
			}
		}
		o.printf("%s\n", strings.TrimRight(b.String(), " "))
	}
	line(t.head, func(int) string { return bold })
	for n, row := range t.rows {
		line(row, func(col int) string {
			if t.paint == nil {
				return ""
			}
			return t.paint(n, col)
		})
	}
}

// when writes a time for people; times of the record are UTC.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// lasting writes a duration in its two largest units.
func lasting(d time.Duration) string {
	if d < 0 {
		return "-" + lasting(-d)
	}
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd%02dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
