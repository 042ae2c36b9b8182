package dashboard

import (
	"fmt"
	"html/template"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"desist/takedown"
)

func funcs() template.FuncMap {
	return template.FuncMap{
		"when": when, "iso": iso, "ago": ago, "lasting": lasting, "text": text, "defang": defang, "tone": tone, "words": words,
		"percent": func(share float64) string { return fmt.Sprintf("%.0f %%", share*100) },
		"join":    func(list []string) string { return text(strings.Join(list, ", ")) },
	}
}

// text makes words from outside fit to be shown: no control characters, none
// that turn the direction of writing, and none that take no room, which can
// make one name look like another. html/template does the rest.
func text(v any) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == '\r':
			return -1
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r), r == '\u2028', r == '\u2029', r == '\u200b', r == '\ufeff':
			return utf8.RuneError
		}
		return r
	}, takedown.CleanText(fmt.Sprint(v)))
}

func defang(v any) string { return takedown.Defang(text(v)) }

// when writes a time for people; times of the record are UTC.
func when(t time.Time) string {
	if t.IsZero() {
		return "—"
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

func iso(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// ago says how long before now a time was, or how long after.
func ago(now, t time.Time) string {
	switch d := now.Sub(t); {
	case t.IsZero():
		return "—"
	case d < 0:
		return "in " + lasting(-d)
	case d < time.Second:
		return "just now"
	default:
		return lasting(d) + " ago"
	}
}

// lasting writes a duration in its two largest units.
func lasting(d time.Duration) string {
	const day = 24 * time.Hour
	two := func(big time.Duration, bigName string, small time.Duration, smallName string) string {
		n, rest := d/big, d%big/small
		if rest == 0 {
			return fmt.Sprintf("%d %s", n, bigName)
		}
		return fmt.Sprintf("%d %s %d %s", n, bigName, rest, smallName)
	}
	switch {
	case d < 0:
		return "−" + lasting(-d)
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return two(time.Minute, "min", time.Second, "s")
	case d < day:
		return two(time.Hour, "h", time.Minute, "min")
	}
	return two(day, "d", time.Hour, "h")
}

// tone is the colour of a state, an outcome, a verdict or a class of reply. It
// never stands alone: the word is always beside it.
func tone(v any) string {
	switch fmt.Sprint(v) {
	case "removed", "gone", "accepted", "notified", "human", "delivered":
		return "good"
	case "held", "unknown", "manual", "waiting", "deferred", "delayed", "disputed", "drafted", "unclear", "autoreply", "feedback", "open", "sending":
		return "care"
	case "refused", "expired", "unreachable", "rejected", "exhausted", "bounce":
		return "bad"
	case "active", "up", "submitted", "screened", "resolved", "planned", "composed":
		return "busy"
	}
	return "calm" // withdrawn, not_malicious, closed
}

// words are what people read for names in the record.
func words(v any) string {
	switch s := fmt.Sprint(v); s {
	case "not_malicious":
		return "not malicious"
	case "autoreply":
		return "automatic"
	case "human":
		return "by a person"
	case "open":
		return "under way"
	case "c2":
		return "command and control"
	case "isp", "cdn", "csirt":
		return strings.ToUpper(s)
	default:
		return strings.ReplaceAll(s, "_", " ")
	}
}

// happened says in words what an event is.
func happened(k takedown.EventKind) string {
	switch k {
	case takedown.EventSubmitted:
		return "Submitted"
	case takedown.EventAttached:
		return "Reported again"
	case takedown.EventScreened:
		return "Policy allows it"
	case takedown.EventHeld:
		return "Held for a person"
	case takedown.EventRefused:
		return "Refused by policy"
	case takedown.EventApproved:
		return "Approved"
	case takedown.EventResolved:
		return "Responsible parties found"
	case takedown.EventStageFailed:
		return "A stage failed"
	case takedown.EventPlanned:
		return "Planned whom to tell"
	case takedown.EventNoticeSealed:
		return "Notice sealed"
	case takedown.EventNoticeDrafted:
		return "Notice kept as a draft"
	case takedown.EventDeliveryStarted:
		return "Handing over"
	case takedown.EventAccepted:
		return "Accepted by the next hop"
	case takedown.EventDeferred:
		return "Deferred by the other side"
	case takedown.EventRejected:
		return "Rejected by the other side"
	case takedown.EventUnknown:
		return "Outcome unknown"
	case takedown.EventReply:
		return "Reply received"
	case takedown.EventChecked:
		return "The target changed"
	case takedown.EventGoneSeen:
		return "First seen gone"
	case takedown.EventRemoved:
		return "Confirmed gone"
	case takedown.EventRelapsed:
		return "Back again"
	case takedown.EventWatchEnded:
		return "Watch ended"
	case takedown.EventExpired:
		return "Ladder ran out, still there"
	case takedown.EventWithdrawn:
		return "Withdrawn"
	case takedown.EventNotMalicious:
		return "Found not malicious"
	case takedown.EventNote:
		return "Note"
	case takedown.EventDeadLetter:
		return "Given up; see the dead letters"
	}
	// leg.planned, and kinds that are newer than this page.
	what, how, _ := strings.Cut(string(k), ".")
	if what == "leg" {
		what = "party"
	}
	return strings.ToUpper(what[:min(1, len(what))]) + what[min(1, len(what)):] + " " + words(how)
}

// eventTone is the colour of an event in the timeline.
func eventTone(k takedown.EventKind) string {
	switch k {
	case takedown.EventAccepted, takedown.EventGoneSeen, takedown.EventRemoved, takedown.EventApproved:
		return "good"
	case takedown.EventHeld, takedown.EventDeferred, takedown.EventUnknown, takedown.EventLegHeld, takedown.EventLegManual, takedown.EventLegDisputed, takedown.EventReply:
		return "care"
	case takedown.EventRefused, takedown.EventRejected, takedown.EventRelapsed, takedown.EventExpired, takedown.EventStageFailed,
		takedown.EventDeadLetter, takedown.EventLegUnreachable, takedown.EventLegExhausted:
		return "bad"
	}
	return "busy"
}
