package stats

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// WriteJSON writes the summary as one indented JSON object.
func (s Summary) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(s); err != nil {
		return fmt.Errorf("stats: write JSON: %w", err)
	}
	return nil
}

// WriteCSV writes one line for each group and clock, the whole first. An empty
// field is a figure that the data do not reach. Times are in seconds.
func (s Summary) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	lines := [][]string{{
		"by", "key", "name", "cases", "gone", "open", "clock", "n", "observed", "median_s", "median_low_s", "median_high_s", "p25_s", "p75_s", "p90_s",
		"within_24h", "within_72h", "within_7d", "within_30d",
	}}
	for _, g := range append([]Group{s.All}, s.Groups...) {
		for _, c := range Clocks() {
			f := g.Clocks[c]
			line := []string{
				string(s.By), cell(g.Key), cell(g.Name), strconv.Itoa(g.Cases), strconv.Itoa(g.Gone), strconv.Itoa(g.Open),
				string(c), strconv.Itoa(f.N), strconv.Itoa(f.Observed),
			}
			for _, v := range []*float64{f.MedianS, f.MedianLowS, f.MedianHighS, f.P25S, f.P75S, f.P90S} {
				line = append(line, number(v, 0))
			}
			for _, share := range []*Share{f.Within24h, f.Within72h, f.Within7d, f.Within30d} {
				if share == nil {
					line = append(line, "")
					continue
				}
				line = append(line, number(&share.Value, 4))
			}
			lines = append(lines, line)
		}
	}
	if err := out.WriteAll(lines); err != nil {
		return fmt.Errorf("stats: write CSV: %w", err)
	}
	return nil
}

func number(v *float64, digits int) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'f', digits, 64)
}

// cell keeps a name from outside from being run as a formula by a spreadsheet.
func cell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}
