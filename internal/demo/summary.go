package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"desist/internal/postgres"
	"desist/internal/stats"
)

// Summary is what the demo says at its end. Times of the simulated world are in
// hours (h), those of this one in seconds (s).
type Summary struct {
	Indicators   int                  `json:"indicators"` // rows of the feed
	Submissions  int                  `json:"submissions"`
	Refused      int                  `json:"refused"` // rows that the front door refused
	Cases        map[string]int       `json:"cases"`   // by state
	Told         int                  `json:"told"`
	Gone         int                  `json:"gone"`
	Relapses     int                  `json:"relapses"`
	Notices      int                  `json:"notices"`
	Deliveries   map[string]int       `json:"deliveries"` // by outcome
	Replies      map[string]int       `json:"replies"`    // by class
	Checks       int                  `json:"checks"`
	Events       int                  `json:"events"`
	Removal      stats.Figure         `json:"removal"` // first notice accepted → first seen gone
	FirstNoticeS float64              `json:"first_notice_s"`
	WallS        float64              `json:"wall_s"`
	SimulatedH   float64              `json:"simulated_h"`
	Speed        float64              `json:"speed"`
	Audit        postgres.AuditResult `json:"audit"`
	Dashboard    string               `json:"dashboard"`
	Data         string               `json:"data"`
}

func (s *Summary) fill(o postgres.Overview) {
	s.Submissions, s.Refused, s.Cases, s.Told, s.Gone, s.Relapses = o.Submissions, o.DeadLetters, o.Cases, o.Told, o.Gone, o.Relapses
	s.Notices, s.Deliveries, s.Replies, s.Checks, s.Events = o.Notices, o.Deliveries, o.Replies, o.Checks, o.Events
}

func (s *Summary) write(w io.Writer, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(s)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n%d rows in the feed: %d submissions accepted, %d refused.\n", s.Indicators, s.Submissions, s.Refused)
	fmt.Fprintf(&b, "Cases: %s. %d parties' notices sealed, mail %s.\n", counts(s.Cases), s.Notices, counts(s.Deliveries))
	if len(s.Replies) > 0 {
		fmt.Fprintf(&b, "Heard back: %s.\n", counts(s.Replies))
	}
	fmt.Fprintf(&b, "Removal, from the first accepted notice to first seen gone (looked at every %v or so): %s.\n", checkEvery, removal(s.Removal))
	fmt.Fprintf(&b, "First notice after %.1f s; %.0f simulated hours in %.0f s.\n", s.FirstNoticeS, s.SimulatedH, s.WallS)
	if len(s.Audit.Breaks) == 0 {
		fmt.Fprintf(&b, "Record: %d events of %d cases verified.\n", s.Audit.Events, s.Audit.Cases)
	}
	fmt.Fprintf(&b, "\nLook around: desist --data %s case list\n", s.Data)
	_, err := io.WriteString(w, b.String())
	return err
}

func counts(m map[string]int) string {
	if len(m) == 0 {
		return "none"
	}
	keys := slices.Collect(maps.Keys(m))
	slices.SortFunc(keys, func(a, b string) int {
		if m[a] != m[b] {
			return m[b] - m[a]
		}
		return strings.Compare(a, b)
	})
	parts := make([]string, len(keys))
	for i, k := range keys {
		parts[i] = fmt.Sprintf("%d %s", m[k], strings.ReplaceAll(k, "_", " "))
	}
	return strings.Join(parts, ", ")
}

func removal(f stats.Figure) string {
	if f.MedianS == nil {
		return fmt.Sprintf("no median yet (%d of %d gone)", f.Observed, f.N)
	}
	text := fmt.Sprintf("median %s", hours(*f.MedianS))
	if f.MedianLowS != nil && f.MedianHighS != nil {
		text += fmt.Sprintf(" (95 %% interval %s to %s)", hours(*f.MedianLowS), hours(*f.MedianHighS))
	}
	return text + fmt.Sprintf(", %d of %d gone", f.Observed, f.N)
}

func hours(s float64) string { return fmt.Sprintf("%.1f h", s/3600) }
