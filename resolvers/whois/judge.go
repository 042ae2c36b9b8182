package whois

import (
	"regexp"
	"strconv"
	"strings"
)

// The sentences of answers that are no record. They are looked at only when an
// answer holds none, because the terms of use below a record speak of limits
// and availability too. Their order is the order of judgement.
var (
	throttledWords = regexp.MustCompile(`(?i)(quota|limit|number of (queries|requests|lookups)).{0,60}(exceed|reached|used up)|exceed(ed|s|ing)?.{0,60}(quota|limit|allowed|maximum|number of|rate)|too (many|fast)|rate[- ]limit(ed|ing)|query rate|queries per|slow down|(blacklist|blocked|banned).{0,60}(quer|ip|address|abus)|ip.{0,40}(blacklist|blocked|banned)|please (wait|try again (in|after))|try again in \d|access control limit|temporarily (denied|blocked)`)
	unavailable    = regexp.MustCompile(`(?i)(temporar\w+|currently|service|server|system|database).{0,20}(unavailable|not available|busy|down|overload)|maintenance|internal (server )?error|time[d]?[- ]?out|unable to (process|query|connect)|try again later|service is not available|connection (refused|reset|limit)|interval is too short`)
	notFoundWords  = regexp.MustCompile(`(?i)\bno (match|entries|data|record|object|domain|information|such|results?)\w*\b.{0,60}|not (be )?found|nothing found|(does|do) ?n[o']t exist|not exist|not (been )?registered|\bno found|not in (the )?(database|registry)|(is|are|status:?|state:?)\s*(still )?(free|available|unregistered|not registered)\b|available for (registration|purchase)|unassigned|no matching|unknown domain|not delegated|is undefined|not allocated|object_not_found|domain (is )?unknown|no se encuentra|nicht gefunden|nincs talalat|no existe`)
	reservedWords  = regexp.MustCompile(`(?i)\breserved\b|registry[- ]reserved|not available for (\w+ ){0,3}registration|(cannot|can not|may not|can't) be registered|(is )?(blocked|prohibited|forbidden|restricted)\b.{0,40}(registr|name|domain)|status:?\s*(prohibited|forbidden|blocked|reserved|invalid)|premium name|policy.{0,40}(reserved|not permitted)|excluded from registration|dpml`)
	rightsReserved = regexp.MustCompile(`(?i)(all )?rights?,? (are )?reserved`)
	waitSeconds    = regexp.MustCompile(`(?i)(?:in|after|wait|for|:)\s+(?:another\s+|about\s+)?(\d{1,6})\s*(s|sec|second|m|min|minute|h|hour)s?\b`)
	oneUnit        = regexp.MustCompile(`(?i)(?:per|in|after|an?)\s+(minute|hour|day)\b`)
)

// judge says what an answer without a record is, and how long to wait if it says
// that we ask too often: 60 seconds where it gives no time.
func judge(text string) (outcome Outcome, retryAfterS int) {
	if strings.TrimSpace(text) == "" {
		return Unavailable, 0
	}
	text = rightsReserved.ReplaceAllString(text, "")
	head := withoutTerms(text)
	first := firstLines(head, 2)
	missing, throttled := notFoundWords.FindStringIndex(first), throttledWords.FindStringIndex(first)
	switch {
	case missing != nil && (throttled == nil || missing[0] < throttled[0]):
		return NotFound, 0 // what comes first is the answer, the rest are terms
	case throttledWords.MatchString(head):
		return Throttled, wait(head)
	case notFoundWords.MatchString(head):
		return NotFound, 0
	case reservedWords.MatchString(head):
		return Reserved, 0
	case unavailable.MatchString(head):
		return Unavailable, 0
	case notFoundWords.MatchString(text):
		return NotFound, 0
	case throttledWords.MatchString(text):
		return Throttled, wait(text)
	}
	return Unavailable, 0
}

func wait(text string) int {
	if m := waitSeconds.FindStringSubmatch(text); m != nil {
		n, err := strconv.Atoi(m[1])
		if err == nil {
			return min(n*unitSeconds(m[2]), 86400)
		}
	}
	if m := oneUnit.FindStringSubmatch(text); m != nil {
		return unitSeconds(m[1])
	}
	return 60
}

func unitSeconds(unit string) int {
	switch strings.ToLower(unit[:1]) {
	case "m":
		return 60
	case "h":
		return 3600
	case "d":
		return 86400
	}
	return 1
}

// withoutTerms drops the paragraphs of terms and notices: long prose says what
// would happen, short lines say what happened.
func withoutTerms(text string) string {
	var kept []string
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		lines := strings.Split(strings.TrimSpace(paragraph), "\n")
		for i, line := range lines {
			line = strings.TrimSpace(line)
			long := len(line) > 60 && i+1 < len(lines) && len(strings.TrimSpace(lines[i+1])) > 60
			if len(line) > 200 || long {
				break // the rest of the paragraph is prose
			}
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

func firstLines(text string, n int) string {
	lines := strings.SplitN(text, "\n", n+1)
	return strings.Join(lines[:min(n, len(lines))], "\n")
}
