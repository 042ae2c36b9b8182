package cli

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"desist/web/api"

	"desist/internal/stats"
)

type statsCmd struct {
	By      stats.By `placeholder:"WHAT" help:"Group by provider, asn, country, class or role."`
	From    moment   `placeholder:"TIME" help:"Only cases submitted at or after this time: 2026-03-01, 2026-03-01T12:00:00Z, or how long ago, such as 30d."`
	To      moment   `placeholder:"TIME" help:"Only cases submitted before this time."`
	Minimum int      `default:"10" help:"Groups with fewer cases are pooled as \"other\": a median of three says nothing and names somebody."`
	JSON    bool     `name:"json" xor:"format" help:"Print JSON."`
	CSV     bool     `name:"csv" xor:"format" help:"Print CSV, a line for each group and clock."`
}

func (*statsCmd) Help() string {
	return `Cases that are still open count as open, with the time they have lasted so far (Kaplan and Meier), so that a provider that leaves the hard cases lying does not look quick. Refused cases are left out. A dash is a figure that the data do not reach.

The clocks: notice is from submission to the first notice accepted, answer to the first answer, gone_seen to the first round that saw the target gone, gone to its confirmation; removal is from the first notice to the target seen gone.

Examples:

  desist stats --by provider --from 30d
  desist stats --by country --from 2026-01-01 --to 2026-04-01 --csv > quarter.csv
`
}

func (c *statsCmd) Run(ctx context.Context, p *Program) error {
	return p.withRecord(ctx, func(r *record) error {
		now := r.clock.Now()
		from, to := c.From.or(now, time.Unix(0, 0)), c.To.or(now, now.Add(time.Second))
		if !from.Before(to) {
			return usage("--from %s is not before --to %s", when(from), when(to))
		}
		lives, err := r.store.Lives(ctx, from, to)
		if err != nil {
			return err
		}
		s := stats.Summarise(api.Rows(lives), stats.Options{By: c.By, Now: now, Minimum: c.Minimum})
		switch {
		case c.JSON:
			return written(s.WriteJSON(p.Out))
		case c.CSV:
			return written(s.WriteCSV(p.Out))
		}
		out := p.printer()
		printStats(out, s)
		return out.flush()
	})
}

func printStats(out *printer, s stats.Summary) {
	all := s.All
	out.printf("%s at %s: %d gone, %d open\n", plural(all.Cases, "case", "cases"), when(s.At), all.Gone, all.Open)

	t := table{head: []string{"CLOCK", "STARTED", "STOPPED", "MEDIAN", "95 % INTERVAL", "P90", "24 H", "72 H", "7 D"}}
	for _, c := range stats.Clocks() {
		t.rows = append(t.rows, append([]string{string(c)}, figureCells(all.Clocks[c])...))
	}
	out.printf("\n")
	out.table(t)
	if s.By == stats.ByNothing {
		return
	}
	out.title("Removal, from the first notice to the target seen gone, by " + string(s.By))
	t = table{head: []string{"GROUP", "CASES", "STARTED", "STOPPED", "MEDIAN", "95 % INTERVAL", "P90", "24 H", "72 H", "7 D"}, flex: []int{0}}
	for _, g := range s.Groups {
		name := g.Key
		if g.Name != "" && g.Name != g.Key {
			name += " " + g.Name
		}
		if g.Pooled > 0 {
			name = fmt.Sprintf("other (%d groups below %d cases)", g.Pooled, s.Minimum)
		}
		t.rows = append(t.rows, append([]string{name, strconv.Itoa(g.Cases)}, figureCells(g.Clocks[stats.ClockRemoval])...))
	}
	out.table(t)
}

func figureCells(f stats.Figure) []string {
	cells := []string{strconv.Itoa(f.N), strconv.Itoa(f.Observed), seconds(f.MedianS)}
	interval := "-"
	if f.MedianLowS != nil || f.MedianHighS != nil {
		interval = seconds(f.MedianLowS) + " to " + seconds(f.MedianHighS)
	}
	cells = append(cells, interval, seconds(f.P90S))
	for _, share := range []*stats.Share{f.Within24h, f.Within72h, f.Within7d} {
		if share == nil {
			cells = append(cells, "-")
			continue
		}
		cells = append(cells, fmt.Sprintf("%.0f %%", share.Value*100))
	}
	return cells
}

func seconds(v *float64) string {
	if v == nil {
		return "-"
	}
	return lasting(time.Duration(*v * float64(time.Second)))
}
