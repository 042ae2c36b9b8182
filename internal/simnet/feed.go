package simnet

import (
	"math/rand/v2"
	"strings"
	"time"
)

// A FeedRow is one line of a feed of malicious indicators.
type FeedRow struct {
	Indicator string    `json:"indicator"`
	Class     string    `json:"class"`
	SeenAt    time.Time `json:"seen_at"`
	// Note says what is odd about the row: duplicate, defanged, refused. For
	// those who check; a feed would not say it.
	Note string `json:"note,omitempty"`
}

// FeedOptions shape a feed.
type FeedOptions struct {
	// Seed 0 takes the world's.
	Seed uint64
	// Plain rows are distinct and clean; else the shares below apply.
	Plain bool
	// Duplicates, Defanged and Refused are shares of the rows. Zero: 0.30, 0.15
	// and 0.02. These three are assumptions.
	Duplicates, Defanged, Refused float64
}

// Feed returns n rows: sites of the world in an order drawn from the seed, with
// duplicates, other spellings, and rows that an intake must refuse. There are
// fewer rows when the world has too few sites.
func (n *Net) Feed(rows int, opts FeedOptions) []FeedRow { return n.world.Feed(rows, opts) }

// Feed is [Net.Feed] for a world that does not run.
func (w *World) Feed(rows int, opts FeedOptions) []FeedRow {
	if opts.Seed == 0 {
		opts.Seed = w.Seed
	}
	if opts.Plain {
		opts.Duplicates, opts.Defanged, opts.Refused = 0, 0, 0
	} else {
		opts.Duplicates = orDefault(opts.Duplicates, 0.30)
		opts.Defanged = orDefault(opts.Defanged, 0.15)
		opts.Refused = orDefault(opts.Refused, 0.02)
	}
	var sites []int
	for i := range w.Sites {
		if w.Sites[i].Class != "" {
			sites = append(sites, i)
		}
	}
	r := draw(opts.Seed, "feed")
	r.Shuffle(len(sites), func(i, j int) { sites[i], sites[j] = sites[j], sites[i] })
	var out []FeedRow
	used := 0
	for len(out) < rows {
		x := r.Float64()
		switch {
		case x < opts.Refused:
			out = append(out, refusedRow(w, r))
			continue
		case x < opts.Refused+opts.Duplicates && used > 0:
			row := siteRow(w, &w.Sites[sites[r.IntN(used)]], r, opts.Defanged)
			row.Note = joinNotes("duplicate", row.Note)
			out = append(out, row)
			continue
		case used == len(sites):
			return out
		}
		out = append(out, siteRow(w, &w.Sites[sites[used]], r, opts.Defanged))
		used++
	}
	return out
}

func orDefault(v, otherwise float64) float64 {
	if v > 0 {
		return v
	}
	return otherwise
}

func joinNotes(notes ...string) string {
	return strings.TrimSuffix(strings.Join(notes, " "), " ")
}

func siteRow(w *World, s *Site, r *rand.Rand, defanged float64) FeedRow {
	row := FeedRow{Indicator: s.Indicator(), Class: s.Class, SeenAt: w.Epoch.Add(-time.Duration(r.IntN(6*3600)) * time.Second)}
	if r.Float64() >= defanged {
		return row
	}
	row.Note = "defanged"
	switch r.IntN(3) {
	case 0:
		row.Indicator = defang(row.Indicator)
	case 1:
		row.Indicator = strings.Replace(row.Indicator, ".", "[.]", 1)
	default:
		row.Indicator = " " + strings.ToUpper(row.Indicator[:1]) + row.Indicator[1:]
	}
	return row
}

// refusedRow is something that nobody may take down.
func refusedRow(w *World, r *rand.Rand) FeedRow {
	choices := []string{
		"10.0.0.1", "192.168.1.10", "127.0.0.1", "example.com", "https://www.example.org/login", "localhost",
		"not an indicator", "http://", "169.254.169.254",
	}
	return FeedRow{
		Indicator: choices[r.IntN(len(choices))], Class: "phishing", Note: "refused",
		SeenAt: w.Epoch.Add(-time.Duration(r.IntN(3600)) * time.Second),
	}
}
