package stats_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"desist/internal/stats"
	"desist/takedown"
)

const week = 7 * 24 * time.Hour

// weeks reads "6 6+ 7": weeks to the event, + for censored.
func weeks(t *testing.T, s string) []stats.Span {
	t.Helper()
	var spans []stats.Span
	for _, f := range strings.Fields(s) {
		n, censored := strings.CutSuffix(f, "+")
		var w int
		if _, err := fmt.Sscan(n, &w); err != nil {
			t.Fatal(err)
		}
		spans = append(spans, stats.Span{Duration: time.Duration(w) * week, Observed: !censored})
	}
	return spans
}

// The remission times of Freireich et al. (1963), the example of most textbooks
// on survival.
const (
	treated = "6 6 6 6+ 7 9+ 10 10+ 11+ 13 16 17+ 19+ 20+ 22 23 25+ 32+ 32+ 34+ 35+"
	placebo = "1 1 2 2 3 4 4 5 5 8 8 8 8 11 11 12 12 15 17 22 23"
)

func TestKaplanMeierTextbook(t *testing.T) {
	c := stats.KaplanMeier(weeks(t, treated))
	if c.N != 21 || c.Observed != 9 {
		t.Errorf("n %d, observed %d; want 21 and 9", c.N, c.Observed)
	}
	want := []struct {
		week, atRisk, gone  int
		survival, low, high float64
	}{
		{6, 21, 3, 0.8571, 0.6197, 0.9516},
		{7, 17, 1, 0.8067, 0.5631, 0.9228},
		{10, 15, 1, 0.7529, 0.5032, 0.8894},
		{13, 12, 1, 0.6902, 0.4316, 0.8491},
		{16, 11, 1, 0.6275, 0.3675, 0.8049},
		{22, 7, 1, 0.5378, 0.2678, 0.7468},
		{23, 6, 1, 0.4482, 0.1881, 0.6801},
	}
	var steps []stats.Point
	for _, p := range c.Points {
		if p.Gone > 0 {
			steps = append(steps, p)
		}
	}
	if len(steps) != len(want) {
		t.Fatalf("%d steps, want %d", len(steps), len(want))
	}
	near := func(a, b float64) bool { return math.Abs(a-b) < 0.00006 }
	for i, w := range want {
		p := steps[i]
		if p.At != time.Duration(w.week)*week || p.AtRisk != w.atRisk || p.Gone != w.gone ||
			!near(p.Survival, w.survival) || !near(p.Low, w.low) || !near(p.High, w.high) {
			t.Errorf("step %d: %+v, want %+v", i, p, w)
		}
	}
}

func inWeeks(d *time.Duration) int {
	if d == nil {
		return -1
	}
	return int(*d / week)
}

func TestMedian(t *testing.T) {
	for _, tt := range []struct {
		name, spans      string
		value, low, high int // weeks; -1 for none
	}{
		{"treated", treated, 23, 13, -1},
		{"placebo", placebo, 8, 4, 11},
		{"nobody", "", -1, -1, -1},
		{"all censored", "1+ 2+ 3+", -1, -1, -1},
		{"one", "4", 4, 4, -1},
		{"exactly half", "1 2 3+ 4+", 2, 1, -1},
		{"at once", "0 0 0", 0, 0, -1},
	} {
		m := stats.KaplanMeier(weeks(t, tt.spans)).Median()
		if inWeeks(m.Value) != tt.value || inWeeks(m.Low) != tt.low || inWeeks(m.High) != tt.high {
			t.Errorf("%s: median %d (%d to %d) weeks, want %d (%d to %d)", tt.name, inWeeks(m.Value), inWeeks(m.Low), inWeeks(m.High), tt.value, tt.low, tt.high)
		}
	}
}

func TestQuantileBounds(t *testing.T) {
	c := stats.KaplanMeier(weeks(t, placebo))
	for _, q := range []float64{0, 1, -1, 2, math.NaN()} {
		if e := c.Quantile(q); e.Value != nil {
			t.Errorf("quantile %v has a value", q)
		}
	}
	if got := inWeeks(c.Quantile(0.9).Value); got != 17 {
		t.Errorf("nine of ten gone by week %d, want 17", got)
	}
}

func TestGoneWithin(t *testing.T) {
	c := stats.KaplanMeier(weeks(t, treated))
	if s, ok := c.GoneWithin(10 * week); !ok || math.Abs(s.Value-0.2471) > 0.0001 || s.Low > s.Value || s.High < s.Value {
		t.Errorf("within ten weeks: %+v, %v", s, ok)
	}
	if s, ok := c.GoneWithin(week); !ok || s.Value != 0 {
		t.Errorf("within a week: %+v, %v", s, ok)
	}
	if _, ok := c.GoneWithin(36 * week); ok {
		t.Error("the data say something of a time that nobody was watched for")
	}
	// Where everything is gone, it is gone at any later time as well.
	if s, ok := stats.KaplanMeier(weeks(t, placebo)).GoneWithin(100 * week); !ok || s.Value != 1 {
		t.Errorf("all gone: %+v, %v", s, ok)
	}
	if _, ok := stats.KaplanMeier(nil).GoneWithin(week); ok {
		t.Error("no data give a share")
	}
}

func TestKaplanMeierInvariants(t *testing.T) {
	span := rapid.Custom(func(t *rapid.T) stats.Span {
		return stats.Span{Duration: time.Duration(rapid.IntRange(-2, 40).Draw(t, "hours")) * time.Hour, Observed: rapid.Bool().Draw(t, "observed")}
	})
	rapid.Check(t, func(t *rapid.T) {
		spans := rapid.SliceOfN(span, 0, 60).Draw(t, "spans")
		c := stats.KaplanMeier(spans)
		last := stats.Point{At: -1, Survival: 1, Low: 1, High: 1, AtRisk: len(spans)}
		seen, events, censored := 0, 0, 0
		for _, p := range c.Points {
			if p.At <= last.At || p.Survival > last.Survival || p.Low > last.Low || p.High > last.High || p.AtRisk > last.AtRisk {
				t.Fatalf("not monotone: %+v after %+v", p, last)
			}
			if math.IsNaN(p.Low) || p.Low < 0 || p.Low > p.Survival+1e-9 || p.High < p.Survival-1e-9 || p.High > 1 {
				t.Fatalf("band %v to %v around %v", p.Low, p.High, p.Survival)
			}
			if p.AtRisk != len(spans)-seen || p.Gone+p.Censored == 0 {
				t.Fatalf("at risk %d after %d of %d", p.AtRisk, seen, len(spans))
			}
			seen += p.Gone + p.Censored
			events += p.Gone
			censored += p.Censored
			last = p
		}
		if events != c.Observed || events+censored != len(spans) {
			t.Fatalf("%d events and %d censored of %d", events, censored, len(spans))
		}
		m := c.Median()
		if events == 0 && (m.Value != nil || m.Low != nil) {
			t.Fatal("a median without an event")
		}
		if m.Value != nil && (m.Low == nil || *m.Low > *m.Value || m.High != nil && *m.High < *m.Value) {
			t.Fatalf("median %v outside its interval", *m.Value)
		}
		if censored == 0 {
			// Without censoring the estimate is the plain share.
			at := time.Duration(rapid.IntRange(0, 40).Draw(t, "at")) * time.Hour
			longer := 0
			for _, s := range spans {
				if s.Duration > at {
					longer++
				}
			}
			if s, ok := c.GoneWithin(at); ok && math.Abs(1-s.Value-float64(longer)/float64(len(spans))) > 1e-9 {
				t.Fatalf("share %v, want 1 - %d/%d", s.Value, longer, len(spans))
			}
		}
	})
}

var now = time.Date(2026, 3, 31, 0, 0, 0, 0, time.UTC)

// row is a case submitted at the start of the month; times are hours after
// that, -1 for never.
func row(id int64, provider string, notified, answered, gone int) stats.Row {
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	at := func(h int) time.Time {
		if h < 0 {
			return time.Time{}
		}
		return start.Add(time.Duration(h) * time.Hour)
	}
	r := stats.Row{
		CaseID: id, Provider: provider, Name: "Provider " + provider, Class: takedown.ClassPhishing, Role: takedown.RoleHost, ASN: 64496, Country: "xx",
		SubmittedAt: start, NotifiedAt: at(notified), AnsweredAt: at(answered), GoneSeenAt: at(gone),
	}
	if gone >= 0 {
		r.GoneAt = at(gone + 1)
	}
	return r
}

func hours(s *float64) float64 {
	if s == nil {
		return -1
	}
	return *s / 3600
}

func TestSummarise(t *testing.T) {
	var rows []stats.Row
	for i := range int64(10) {
		rows = append(rows,
			row(i, "net:quick", 1, 2, 5+int(i)),      // seen gone 4 to 13 hours after the notice
			row(100+i, "net:slow", 1, -1, 50+int(i)), // 49 to 58 hours
			row(200+i, "net:deaf", 1, -1, -1),        // never
		)
	}
	rows = append(rows,
		row(0, "net:quick", 3, 1, 5), // the same case, a second desk of the same provider
		row(300, "net:tiny", 1, -1, 7), row(301, "net:small", 1, -1, 8),
		row(302, "", -1, -1, 3), // nobody was told
	)
	s := stats.Summarise(rows, stats.Options{By: stats.ByProvider, Now: now})

	type line struct {
		Key                       string
		Cases, Gone, Open, Pooled int
		Median, Notice            float64
		N                         int
	}
	var got []line
	for _, g := range append([]stats.Group{s.All}, s.Groups...) {
		removal := g.Clocks[stats.ClockRemoval]
		got = append(got, line{g.Key, g.Cases, g.Gone, g.Open, g.Pooled, hours(removal.MedianS), hours(g.Clocks[stats.ClockNotice].MedianS), removal.N})
	}
	want := []line{
		{"all", 33, 23, 10, 0, 52, 1, 32}, // the 16th event of 32 spans
		{"net:quick", 10, 10, 0, 0, 8, 1, 10},
		{"net:slow", 10, 10, 0, 0, 53, 1, 10},
		{"net:deaf", 10, 0, 10, 0, -1, 1, 10},
		{"other", 3, 3, 0, 3, 6, 1, 2},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
	quick := s.Groups[0]
	if quick.Name != "Provider net:quick" || hours(quick.Clocks[stats.ClockAnswer].MedianS) != 2 || quick.Clocks[stats.ClockRemoval].Within24h.Value != 1 {
		t.Errorf("quick: %+v", quick)
	}
	deaf := s.Groups[2].Clocks[stats.ClockRemoval]
	if deaf.Observed != 0 || deaf.Within7d == nil || deaf.Within7d.Value != 0 || deaf.Within30d != nil {
		t.Errorf("deaf: %+v; want nothing gone in 7 days, and 30 days unknown", deaf)
	}
}

func TestSummariseEdges(t *testing.T) {
	empty := stats.Summarise(nil, stats.Options{By: stats.ByClass, Now: now})
	if empty.All.Cases != 0 || len(empty.Groups) != 0 {
		t.Errorf("no rows: %+v", empty)
	}
	goneFirst := row(1, "net:a", 9, -1, 4)
	withdrawn := row(2, "net:a", 1, -1, -1)
	withdrawn.ClosedAt = withdrawn.SubmittedAt.Add(11 * time.Hour)
	s := stats.Summarise([]stats.Row{goneFirst, withdrawn}, stats.Options{Now: now})
	removal := s.All.Clocks[stats.ClockRemoval]
	if removal.N != 1 || removal.Observed != 0 || removal.Within24h != nil {
		t.Errorf("removal: %+v; want one case, censored after ten hours", removal)
	}
	if s.All.Open != 0 || s.All.Gone != 1 {
		t.Errorf("open %d, gone %d; want 0 and 1", s.All.Open, s.All.Gone)
	}
}

func TestGroupings(t *testing.T) {
	rows := []stats.Row{row(1, "net:a", 1, 1, 1), {CaseID: 2, SubmittedAt: now.Add(-time.Hour)}}
	for by, want := range map[stats.By][]string{
		stats.ByProvider: {"net:a", "unknown"}, stats.ByASN: {"AS64496", "unknown"}, stats.ByCountry: {"XX", "unknown"},
		stats.ByClass: {"phishing", "unknown"}, stats.ByRole: {"host", "unknown"}, stats.ByNothing: nil,
	} {
		var got []string
		for _, g := range stats.Summarise(rows, stats.Options{By: by, Now: now, Minimum: 1}).Groups {
			got = append(got, g.Key)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("by %q (-want +got):\n%s", by, diff)
		}
		if err := by.Validate(); err != nil {
			t.Error(err)
		}
	}
	if err := stats.By("colour").Validate(); err == nil {
		t.Error("an unknown grouping was accepted")
	}
}

func TestWriters(t *testing.T) {
	rows := []stats.Row{row(1, "net:a", 1, 2, 5), row(2, "net:a", 1, 2, -1)}
	rows[0].Name, rows[1].Name = "=cmd()", "=cmd()"
	s := stats.Summarise(rows, stats.Options{By: stats.ByProvider, Now: now, Minimum: 1})

	var buf bytes.Buffer
	if err := s.WriteJSON(&buf); err != nil {
		t.Fatal(err)
	}
	var shape struct {
		By     string
		All    struct{ Clocks map[string]map[string]any }
		Groups []struct{ Key string }
	}
	if err := json.Unmarshal(buf.Bytes(), &shape); err != nil {
		t.Fatal(err)
	}
	removal := shape.All.Clocks["removal"]
	if shape.By != "provider" || len(shape.Groups) != 1 || removal["median_s"] != 4.0*3600 || removal["p90_s"] != nil || removal["n"] != 2.0 {
		t.Errorf("JSON: %s", buf.String())
	}

	buf.Reset()
	if err := s.WriteCSV(&buf); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(&buf).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) != 1+2*len(stats.Clocks()) {
		t.Fatalf("%d lines", len(lines))
	}
	want := []string{"provider", "net:a", "'=cmd()", "2", "1", "1", "removal", "2", "1", "14400", "14400", "", "14400", "", "", "0.5000", "0.5000", "0.5000", ""}
	if diff := cmp.Diff(want, lines[len(lines)-1]); diff != "" {
		t.Errorf("CSV line (-want +got):\n%s", diff)
	}
}

// The summary does not depend on the order of the rows.
func TestSummariseOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) stats.Row {
			return row(rapid.Int64Range(1, 20).Draw(t, "case"), rapid.SampledFrom([]string{"a", "b", ""}).Draw(t, "provider"),
				rapid.IntRange(-1, 10).Draw(t, "notified"), rapid.IntRange(-1, 10).Draw(t, "answered"), 7)
		}), 0, 30).Draw(t, "rows")
		opts := stats.Options{By: stats.ByProvider, Now: now, Minimum: 3}
		a, b := stats.Summarise(rows, opts), stats.Summarise(rapid.Permutation(rows).Draw(t, "order"), opts)
		if diff := cmp.Diff(a, b); diff != "" {
			t.Fatal(diff)
		}
	})
}

func BenchmarkSummarise(b *testing.B) {
	rows := make([]stats.Row, 100_000)
	for i := range rows {
		gone := i % 600
		if gone%3 == 0 {
			gone = -1
		}
		rows[i] = row(int64(i), fmt.Sprintf("net:%d", i%200), 1, 2, gone)
	}
	for b.Loop() {
		stats.Summarise(rows, stats.Options{By: stats.ByProvider, Now: now})
	}
}
