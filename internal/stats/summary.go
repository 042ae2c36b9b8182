package stats

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"desist/takedown"
)

// A Row is one case towards one party, or one case alone where no party is
// known. Zero times have not happened, and times after the end of observation
// have not either. An event before its clock started counts as at its start,
// except that a target gone before the first notice leaves the clock of removal
// altogether.
type Row struct {
	CaseID   int64
	Class    takedown.Class
	Role     takedown.Role
	Provider string // key of the party
	Name     string // name of the party, for people
	ASN      uint32
	Country  string // ISO 3166-1 alpha-2

	SubmittedAt time.Time
	NotifiedAt  time.Time // first notice accepted by the next hop
	AnsweredAt  time.Time // first authentic human answer
	GoneSeenAt  time.Time // first round of the run that saw it gone
	GoneAt      time.Time // confirmed gone
	// ClosedAt ends the observation of a case that closed without being gone,
	// such as one withdrawn.
	ClosedAt time.Time
}

// A Clock names one of the times that are measured.
type Clock string

// The clocks. All start at submission but the last, which starts where the
// recipient could first act.
const (
	ClockNotice   Clock = "notice"    // submitted → first notice accepted
	ClockAnswer   Clock = "answer"    // submitted → first answer
	ClockGoneSeen Clock = "gone_seen" // submitted → first seen gone
	ClockGone     Clock = "gone"      // submitted → confirmed gone
	ClockRemoval  Clock = "removal"   // first notice accepted → first seen gone
)

// Clocks lists the clocks in order.
func Clocks() []Clock {
	return []Clock{ClockNotice, ClockAnswer, ClockGoneSeen, ClockGone, ClockRemoval}
}

// span measures one row. ok is false where the clock never started: a case that
// was gone before anybody was told says nothing of the recipient.
func (c Clock) span(r Row, now time.Time) (Span, bool) {
	start, end := r.SubmittedAt, time.Time{}
	switch c {
	case ClockNotice:
		end = r.NotifiedAt
	case ClockAnswer:
		end = r.AnsweredAt
	case ClockGoneSeen:
		end = r.GoneSeenAt
	case ClockGone:
		end = r.GoneAt
	case ClockRemoval:
		start, end = r.NotifiedAt, r.GoneSeenAt
		if !end.IsZero() && end.Before(start) {
			return Span{}, false
		}
	}
	if start.IsZero() || start.After(now) {
		return Span{}, false
	}
	if !end.IsZero() && !end.After(now) {
		return Span{Duration: end.Sub(start), Observed: true}, true
	}
	// Censored at the last moment at which it could still have happened.
	last := now
	for _, t := range []time.Time{r.ClosedAt, r.GoneAt} {
		if !t.IsZero() && t.Before(last) {
			last = t
		}
	}
	return Span{Duration: last.Sub(start)}, true
}

// By is what a summary is grouped by.
type By string

// The groupings.
const (
	ByNothing  By = ""
	ByProvider By = "provider"
	ByASN      By = "asn"
	ByCountry  By = "country"
	ByClass    By = "class"
	ByRole     By = "role"
)

// Validate reports an unknown grouping.
func (b By) Validate() error {
	switch b {
	case ByNothing, ByProvider, ByASN, ByCountry, ByClass, ByRole:
		return nil
	}
	return fmt.Errorf("grouping %q is not one of provider, asn, country, class, role", string(b))
}

// unknown is the key of rows that lack what they are grouped by.
const unknown = "unknown"

func (b By) key(r Row) (key, name string) {
	switch b {
	case ByProvider:
		key, name = r.Provider, r.Name
	case ByASN:
		if r.ASN != 0 {
			key, name = fmt.Sprintf("AS%d", r.ASN), r.Name
		}
	case ByCountry:
		key = strings.ToUpper(r.Country)
	case ByClass:
		key = string(r.Class)
	case ByRole:
		key = string(r.Role)
	}
	if key == "" {
		key = unknown
	}
	return key, name
}

// Options say how to summarise.
type Options struct {
	By  By
	Now time.Time // the end of observation; required
	// Minimum is the number of cases below which a group is not ranked but
	// pooled under the key "other"; default 10. A median of three says nothing
	// and names somebody.
	Minimum int
}

// A Summary is the figures of all cases and of each group.
type Summary struct {
	By      By        `json:"by"`
	At      time.Time `json:"at"`
	Minimum int       `json:"minimum"`
	All     Group     `json:"all"`
	// Groups are in the order of their median removal, quickest first, those
	// without one after them; "other" is last. Empty without a grouping.
	Groups []Group `json:"groups"`
}

// A Group is the figures of one group of cases.
type Group struct {
	Key  string `json:"key"`
	Name string `json:"name,omitempty"`
	// Cases counts each case once, even if several parties of the group were
	// told of it. Gone counts those confirmed gone, Open those still watched.
	Cases int `json:"cases"`
	Gone  int `json:"gone"`
	Open  int `json:"open"`
	// Pooled counts the groups that were too small to stand alone; set for the
	// key "other" only.
	Pooled int              `json:"pooled,omitempty"`
	Clocks map[Clock]Figure `json:"clocks"`
}

// A Figure is one clock of one group. Times are in seconds. A null is a figure
// that the data do not reach.
type Figure struct {
	N           int      `json:"n"`        // cases whose clock started
	Observed    int      `json:"observed"` // of which it stopped
	MedianS     *float64 `json:"median_s"`
	MedianLowS  *float64 `json:"median_low_s"` // 95 % interval of the median
	MedianHighS *float64 `json:"median_high_s"`
	P25S        *float64 `json:"p25_s"`
	P75S        *float64 `json:"p75_s"`
	P90S        *float64 `json:"p90_s"`
	Within24h   *Share   `json:"within_24h"`
	Within72h   *Share   `json:"within_72h"`
	Within7d    *Share   `json:"within_7d"`
	Within30d   *Share   `json:"within_30d"`
}

// FigureOf reads the figures off a curve.
func FigureOf(c Curve) Figure {
	seconds := func(d *time.Duration) *float64 {
		if d == nil {
			return nil
		}
		s := d.Seconds()
		return &s
	}
	within := func(d time.Duration) *Share {
		if s, ok := c.GoneWithin(d); ok {
			return &s
		}
		return nil
	}
	const day = 24 * time.Hour
	median := c.Median()
	return Figure{
		N: c.N, Observed: c.Observed,
		MedianS: seconds(median.Value), MedianLowS: seconds(median.Low), MedianHighS: seconds(median.High),
		P25S: seconds(c.Quantile(0.25).Value), P75S: seconds(c.Quantile(0.75).Value), P90S: seconds(c.Quantile(0.9).Value),
		Within24h: within(day), Within72h: within(3 * day), Within7d: within(7 * day), Within30d: within(30 * day),
	}
}

// Summarise groups the rows and measures every clock.
func Summarise(rows []Row, opts Options) Summary {
	if opts.Minimum <= 0 {
		opts.Minimum = 10
	}
	s := Summary{By: opts.By, At: opts.Now.UTC(), Minimum: opts.Minimum, Groups: []Group{}}
	s.All = measure("all", "", rows, opts.Now)
	if opts.By == ByNothing {
		return s
	}

	type bucket struct {
		key, name string
		rows      []Row
		cases     map[int64]struct{}
	}
	buckets := map[string]*bucket{}
	for _, r := range rows {
		key, name := opts.By.key(r)
		b := buckets[key]
		if b == nil {
			b = &bucket{key: key, cases: map[int64]struct{}{}}
			buckets[key] = b
		}
		if b.name == "" || name != "" && name < b.name {
			b.name = name // the same whatever the order of the rows
		}
		b.rows = append(b.rows, r)
		b.cases[r.CaseID] = struct{}{}
	}
	var small []Row
	pooled := 0
	for _, b := range buckets {
		if len(b.cases) < opts.Minimum {
			small = append(small, b.rows...)
			pooled++
			continue
		}
		s.Groups = append(s.Groups, measure(b.key, b.name, b.rows, opts.Now))
	}
	slices.SortFunc(s.Groups, func(a, b Group) int {
		x, y := a.Clocks[ClockRemoval].MedianS, b.Clocks[ClockRemoval].MedianS
		switch {
		case x == nil && y != nil:
			return 1
		case x != nil && y == nil:
			return -1
		case x != nil && y != nil && *x != *y:
			return cmp.Compare(*x, *y)
		}
		return cmp.Or(cmp.Compare(b.Cases, a.Cases), cmp.Compare(a.Key, b.Key))
	})
	if pooled > 0 {
		other := measure("other", "", small, opts.Now)
		other.Pooled = pooled
		s.Groups = append(s.Groups, other)
	}
	return s
}

// measure computes a group's figures. Where a case has several rows, the row
// that was told first speaks for it.
func measure(key, name string, rows []Row, now time.Time) Group {
	byCase := make(map[int64]Row, len(rows))
	for _, r := range rows {
		if known, ok := byCase[r.CaseID]; ok {
			r = merge(known, r)
		}
		byCase[r.CaseID] = r
	}
	g := Group{Key: key, Name: name, Cases: len(byCase), Clocks: map[Clock]Figure{}}
	spans := map[Clock][]Span{}
	for _, r := range byCase {
		switch {
		case !r.GoneAt.IsZero() && !r.GoneAt.After(now):
			g.Gone++
		case r.ClosedAt.IsZero() || r.ClosedAt.After(now):
			g.Open++
		}
		for _, c := range Clocks() {
			if span, ok := c.span(r, now); ok {
				spans[c] = append(spans[c], span)
			}
		}
	}
	for _, c := range Clocks() {
		g.Clocks[c] = FigureOf(KaplanMeier(spans[c]))
	}
	return g
}

// merge takes the earliest of each party's times; the rest is of the case and
// the same in both.
func merge(a, b Row) Row {
	a.NotifiedAt = earliest(a.NotifiedAt, b.NotifiedAt)
	a.AnsweredAt = earliest(a.AnsweredAt, b.AnsweredAt)
	return a
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
