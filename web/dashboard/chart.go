package dashboard

import (
	"fmt"
	"math"
	"strings"
	"time"

	"desist/internal/stats"
)

// A Bar is one line of a bar chart.
type Bar struct {
	Label string
	Tone  string
	N     int
	// Width is 0 to 100.
	Width float64
	Href  string // where it leads; empty: nowhere
	Note  string
}

// scale sets the widths: the longest bar, or whole if that is more, fills the
// line.
func scale(bars []Bar, whole int) []Bar {
	for _, b := range bars {
		whole = max(whole, b.N)
	}
	for i := range bars {
		if whole > 0 {
			bars[i].Width = math.Round(float64(bars[i].N)/float64(whole)*1000) / 10
		}
	}
	return bars
}

// The drawing is measured in units of its own and fills the width it gets.
const (
	chartWidth, chartHeight                     = 520, 240
	marginLeft, marginRight, marginTop, marginX = 44, 10, 10, 42
)

// A Chart is a survival curve as the parts of a drawing.
type Chart struct {
	Width, Height            int
	Left, Right, Top, Bottom int
	Line, Band               string // paths
	XTicks, YTicks           []Tick
	// Median is where the curve crosses one half; nil where it does not.
	Median *Tick
	Told   string // what the drawing shows, in words
}

// A Tick is a place on an axis.
type Tick struct {
	At    float64
	Label string
}

// drawCurve returns nil where there is nothing to draw.
func drawCurve(c stats.Curve) *Chart {
	if len(c.Points) == 0 || c.Points[len(c.Points)-1].At <= 0 {
		return nil
	}
	ch := &Chart{
		Width: chartWidth, Height: chartHeight, Left: marginLeft, Right: chartWidth - marginRight, Top: marginTop, Bottom: chartHeight - marginX,
	}
	end := c.Points[len(c.Points)-1].At
	x := func(d time.Duration) float64 {
		return round(float64(ch.Left) + float64(d)/float64(end)*float64(ch.Right-ch.Left))
	}
	y := func(share float64) float64 { return round(float64(ch.Bottom) - share*float64(ch.Bottom-ch.Top)) }

	points := thin(c.Points, x)
	var line, high, low strings.Builder
	fmt.Fprintf(&line, "M%g %g", x(0), y(1))
	fmt.Fprintf(&high, "M%g %g", x(0), y(1))
	lowY := y(1)
	for _, p := range points {
		fmt.Fprintf(&line, "H%gV%g", x(p.At), y(p.Survival))
		fmt.Fprintf(&high, "H%gV%g", x(p.At), y(p.High))
	}
	for i := len(points) - 1; i >= 0; i-- {
		p := points[i]
		fmt.Fprintf(&low, "L%g %gV%g", x(p.At), y(p.Low), y(lowBefore(points, i)))
	}
	fmt.Fprintf(&low, "L%g %gZ", x(0), lowY)
	ch.Line, ch.Band = line.String(), high.String()+low.String()

	for _, share := range []float64{0, 0.25, 0.5, 0.75, 1} {
		ch.YTicks = append(ch.YTicks, Tick{y(share), fmt.Sprintf("%.0f %%", share*100)})
	}
	step := tickStep(end)
	for d := time.Duration(0); d <= end; d += step {
		ch.XTicks = append(ch.XTicks, Tick{x(d), axisTime(d)})
	}
	ch.Told = fmt.Sprintf("Share of targets still up after the first notice, over %s: %d of %d are gone.", lasting(end), c.Observed, c.N)
	if m := c.Median(); m.Value != nil {
		ch.Median = &Tick{x(*m.Value), lasting(*m.Value)}
		ch.Told += fmt.Sprintf(" Half are gone after %s.", lasting(*m.Value))
	}
	return ch
}

func lowBefore(points []stats.Point, i int) float64 {
	if i == 0 {
		return 1
	}
	return points[i-1].Low
}

func round(v float64) float64 { return math.Round(v*10) / 10 }

// thin leaves out steps that fall on the same place, so that the drawing of a
// million cases is no larger than that of a thousand.
func thin(points []stats.Point, x func(time.Duration) float64) []stats.Point {
	var out []stats.Point
	for _, p := range points {
		if n := len(out); n > 0 && x(p.At)-x(out[n-1].At) < 1 {
			at := out[n-1].At
			out[n-1] = p
			out[n-1].At = at
			continue
		}
		out = append(out, p)
	}
	return out
}

// tickStep returns the smallest usual step that gives at most six.
func tickStep(end time.Duration) time.Duration {
	const day = 24 * time.Hour
	for _, step := range []time.Duration{
		time.Second, 5 * time.Second, 15 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute,
		30 * time.Minute, time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, day, 2 * day, 3 * day, 7 * day, 14 * day,
		30 * day, 60 * day, 90 * day, 180 * day, 365 * day,
	} {
		if end/step <= 6 {
			return step
		}
	}
	return end / 6
}

func axisTime(d time.Duration) string {
	if d == 0 {
		return "0"
	}
	return lasting(d)
}
