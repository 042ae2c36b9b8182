package stats

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// z95 is the standard normal quantile of a two-sided 95 % interval.
const z95 = 1.959963984540054

// tolerance absorbs the rounding of a product of many fractions, so that a
// survival of one half is found to be one.
const tolerance = 1e-12

// A Span is one target's time under observation.
type Span struct {
	// Duration is the time to the event, or to the last look if it did not
	// happen. Negative counts as zero.
	Duration time.Duration
	// Observed is true when the event happened, false when it is censored.
	Observed bool
}

// A Point is one step of the curve.
type Point struct {
	At time.Duration
	// AtRisk counts the spans that last at least At; Gone the events at At,
	// Censored those that end there without one.
	AtRisk, Gone, Censored int
	// Survival is the share still up after At; Low and High are its 95 % band.
	Survival, Low, High float64
}

// A Curve is a Kaplan–Meier estimate.
type Curve struct {
	N        int // spans
	Observed int // of which the event happened
	Points   []Point
}

// KaplanMeier estimates the share of targets that are still up after each time.
// Where a span ends by event and another by censoring at the same time, the
// censored one counts as at risk for the event, as is usual.
func KaplanMeier(spans []Span) Curve {
	sorted := slices.Clone(spans)
	for i := range sorted {
		sorted[i].Duration = max(sorted[i].Duration, 0)
	}
	slices.SortFunc(sorted, func(a, b Span) int { return cmp.Compare(a.Duration, b.Duration) })

	curve := Curve{N: len(sorted)}
	survival, greenwood, high := 1.0, 0.0, 1.0
	for i := 0; i < len(sorted); {
		p := Point{At: sorted[i].Duration, AtRisk: len(sorted) - i}
		for ; i < len(sorted) && sorted[i].Duration == p.At; i++ {
			if sorted[i].Observed {
				p.Gone++
			} else {
				p.Censored++
			}
		}
		curve.Observed += p.Gone
		if p.Gone > 0 {
			n, d := float64(p.AtRisk), float64(p.Gone)
			survival *= (n - d) / n
			if n > d {
				greenwood += d / (n * (n - d))
			}
		}
		p.Survival = survival
		p.Low, p.High = band(survival, greenwood)
		if p.Survival == 0 {
			// The formula has no value where everything is gone; the last upper
			// limit stands.
			p.High = high
		}
		// The limits may rise by a trifle late in the curve; a share that is
		// still up cannot.
		if k := len(curve.Points); k > 0 {
			p.Low, p.High = min(p.Low, curve.Points[k-1].Low), min(p.High, curve.Points[k-1].High)
		}
		high = p.High
		curve.Points = append(curve.Points, p)
	}
	return curve
}

// band is the log-log 95 % interval: S^exp(±z·σ/ln S), with σ² Greenwood's sum.
func band(survival, greenwood float64) (low, high float64) {
	switch {
	case survival >= 1:
		return 1, 1
	case survival <= 0:
		return 0, 0
	}
	theta := z95 * math.Sqrt(greenwood) / math.Log(survival) // negative
	return math.Pow(survival, math.Exp(-theta)), math.Pow(survival, math.Exp(theta))
}

// at returns the step that holds at d.
func (c Curve) at(d time.Duration) Point {
	i, exact := slices.BinarySearchFunc(c.Points, d, func(p Point, d time.Duration) int { return cmp.Compare(p.At, d) })
	if exact {
		i++
	}
	if i == 0 {
		return Point{Survival: 1, Low: 1, High: 1}
	}
	return c.Points[i-1]
}

// An Estimate is a value with its 95 % interval; a nil limit is not reached by
// the data.
type Estimate struct {
	Value     *time.Duration
	Low, High *time.Duration
}

// Median is the time by which half of the targets are gone.
func (c Curve) Median() Estimate { return c.Quantile(0.5) }

// Quantile is the time by which the share q, between 0 and 1, of the targets is
// gone: the first step at which survival is at most 1-q. Its interval is where
// the band crosses the same line.
func (c Curve) Quantile(q float64) Estimate {
	if math.IsNaN(q) || q <= 0 || q >= 1 {
		return Estimate{}
	}
	cross := func(value func(Point) float64) *time.Duration {
		for _, p := range c.Points {
			if value(p) <= 1-q+tolerance {
				return &p.At
			}
		}
		return nil
	}
	return Estimate{
		Value: cross(func(p Point) float64 { return p.Survival }),
		Low:   cross(func(p Point) float64 { return p.Low }),
		High:  cross(func(p Point) float64 { return p.High }),
	}
}

// A Share is the part of the targets that is gone, with its 95 % interval.
type Share struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// GoneWithin is the share gone by d. ok is false where nobody was watched for
// that long, so that the data cannot say.
func (c Curve) GoneWithin(d time.Duration) (share Share, ok bool) {
	if len(c.Points) == 0 {
		return Share{}, false
	}
	last := c.Points[len(c.Points)-1]
	if d > last.At && last.Survival > 0 {
		return Share{}, false
	}
	p := c.at(d)
	return Share{Value: 1 - p.Survival, Low: 1 - p.High, High: 1 - p.Low}, true
}
