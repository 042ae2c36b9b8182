package whois

import (
	"regexp"
	"strings"
	"time"
)

// dateLayouts are the forms that registries write. Where day and month could be
// exchanged, the form with a dot or hyphen has the day first, the one with a
// slash the month, unless that is impossible.
var dateLayouts = []string{
	time.RFC3339Nano,
	"2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05-07", "2006-01-02T15:04:05",
	"2006-01-02 15:04:05-07:00", "2006-01-02 15:04:05-07", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 MST", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02",
	"2006.01.02 15:04:05", "2006.01.02",
	"2006/01/02 15:04:05", "2006/01/02",
	"20060102 15:04:05", "20060102",
	"02-Jan-2006 15:04:05 MST", "02-Jan-2006 15:04:05", "02-Jan-2006", "2-Jan-2006", "02 Jan 2006", "2 January 2006", "January 2 2006", "Jan 2 2006", "2006-Jan-02", "2006-Jan-02.",
	"Mon Jan 2 15:04:05 MST 2006", "Mon Jan 2 15:04:05 2006", "Mon, 2 Jan 2006 15:04:05 MST", "Mon Jan 2 2006",
	"02.01.2006 15:04:05", "2.1.2006 15:04:05", "02.01.2006", "2.1.2006",
	"02-01-2006 15:04:05", "02-01-2006",
	"01/02/2006", "02/01/2006 15:04:05", "02/01/2006",
}

var (
	zoneNote    = regexp.MustCompile(`\(?(?:UTC|GMT)([+-])(\d{1,2})(?::(\d\d))?\)?\s*$`)
	parenthesis = regexp.MustCompile(`\s*\([^)]*\)`)
	spacedDots  = regexp.MustCompile(`^(\d{4})\.\s*(\d{1,2})\.\s*(\d{1,2})\.?$`)
)

// japan is the zone that Japanese registries write as (JST).
var japan = time.FixedZone("JST", 9*60*60)

// parseTime reads a date as registries write it; the zero time if it is none.
// A time without a zone counts as UTC.
func parseTime(s string) time.Time {
	s = strings.TrimSpace(s)
	zone := time.UTC
	if strings.Contains(s, "(JST)") {
		zone = japan
	}
	if m := zoneNote.FindStringSubmatch(s); m != nil {
		if d, err := time.ParseDuration(m[1] + m[2] + "h" + minutes(m[3])); err == nil {
			zone = time.FixedZone("", int(d/time.Second))
		}
		s = s[:len(s)-len(m[0])]
	}
	s = strings.TrimSpace(parenthesis.ReplaceAllString(s, ""))
	s, _, _ = strings.Cut(s, "#")
	s = strings.Join(strings.Fields(strings.ReplaceAll(s, ",", " ")), " ")
	if m := spacedDots.FindStringSubmatch(s); m != nil {
		s = m[1] + "." + pad(m[2]) + "." + pad(m[3])
	}
	// A date may be followed by who did it.
	for candidate := s; candidate != ""; {
		for _, layout := range dateLayouts {
			if t, err := time.ParseInLocation(layout, candidate, zone); err == nil {
				return normalZone(t)
			}
		}
		i := strings.LastIndexByte(candidate, ' ')
		if i < 0 {
			break
		}
		candidate = candidate[:i]
	}
	return time.Time{}
}

// normalZone keeps a stated offset and brings the rest to UTC.
func normalZone(t time.Time) time.Time {
	if _, offset := t.Zone(); offset == 0 {
		return t.UTC()
	}
	return t
}

func minutes(s string) string {
	if s == "" {
		return "0m"
	}
	return s + "m"
}

func pad(s string) string {
	if len(s) == 1 {
		return "0" + s
	}
	return s
}
