package cli

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// A progress shows how far a long command is, on a terminal only.
type progress struct {
	w     io.Writer // nil shows nothing
	label string
	width int
	last  time.Time
	shown bool
}

func (p *Program) progress(label string) *progress {
	width, ok := terminal(p.Err)
	if !ok || p.getenv("TERM") == "dumb" {
		return &progress{}
	}
	return &progress{w: p.Err, label: label, width: width}
}

// show draws the bar, at most ten times a second. A total of zero is unknown.
func (b *progress) show(done, total int64, note string) {
	if b.w == nil || time.Since(b.last) < 100*time.Millisecond {
		return
	}
	b.last, b.shown = time.Now(), true
	bar := ""
	if total > 0 {
		const cells = 24
		share := min(float64(done)/float64(total), 1)
		full := int(share * cells)
		bar = fmt.Sprintf(" [%s%s] %3.0f%%", strings.Repeat("#", full), strings.Repeat("-", cells-full), share*100)
	}
	_, _ = fmt.Fprintf(b.w, "\r\x1b[K%s", clip(b.label+bar+" "+note, b.width-1))
}

// clear takes the bar away, so that a line can be printed in its place.
func (b *progress) clear() {
	if b.shown {
		_, _ = fmt.Fprint(b.w, "\r\x1b[K")
		b.shown, b.last = false, time.Time{}
	}
}
