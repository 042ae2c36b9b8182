package feeds

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

var layouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 MST",
	"2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly,
}

// parseTime reads the times that feeds use; without a zone they are UTC, and a
// number is seconds since 1970. Nothing gives nil.
func parseTime(s string) (*time.Time, error) {
	s = strings.TrimSpace(s)
	if isNothing(s) {
		return nil, nil
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		if n == 0 {
			return nil, nil
		}
		const year9999 = 253402300799
		if n > 0 && n <= year9999 && len(s) >= 9 {
			t := time.Unix(n, 0).UTC()
			return &t, nil
		}
	}
	// A zone other than UTC is only an abbreviation to package time, which would
	// make up an offset of zero for it.
	if zone := s[strings.LastIndexByte(s, ' ')+1:]; zone == "UTC" || zone == "GMT" || !strings.ContainsFunc(zone, func(r rune) bool { return 'A' <= r && r <= 'Y' && r != 'T' }) {
		for _, layout := range layouts {
			if t, err := time.Parse(layout, s); err == nil {
				t = t.UTC()
				return &t, nil
			}
		}
	}
	return nil, fmt.Errorf("%q is not a time; write it as 2006-01-02T15:04:05Z", shorten(s))
}

// isNothing reports whether a feed means no value by s.
func isNothing(s string) bool {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "", "none", "null", "nil", "n/a", "-":
		return true
	}
	return false
}
