package inbox

import (
	"regexp"
	"strings"
)

// An Answer is what a person's mail says, as far as it uses one of the answers
// that our notices offer.
type Answer string

// The answers.
const (
	AnswerResolved      Answer = "resolved"
	AnswerInformed      Answer = "customer_notified"
	AnswerNotOurs       Answer = "not_ours"
	AnswerFalsePositive Answer = "false_positive"
	AnswerNeedEvidence  Answer = "need_evidence"
	AnswerRefused       Answer = "refused"
)

// answers holds the words of the notices in English and German and the forms
// next to them. The first that stands in the text counts; objections come
// before everything, because a wrong "resolved" costs a check and a missed
// objection costs trust.
var answers = []struct {
	answer Answer
	words  *regexp.Regexp
}{
	{AnswerFalsePositive, regexp.MustCompile(`(?i)\b(false[ -]positive|fehlalarm|not malicious|is legitimate|we (dispute|contest|object)|wir widersprechen)\b`)},
	{AnswerRefused, regexp.MustCompile(`(?i)\b(refused|abgelehnt|we (will|do) not (act|take action)|no violation)\b`)},
	{AnswerNotOurs, regexp.MustCompile(`(?i)\b(not (our|on our|hosted by us|in our)( \w+)?( resource| network| customer| system)?|nicht zuständig|wrong (role|party|recipient))\b`)},
	{AnswerNeedEvidence, regexp.MustCompile(`(?i)\b(need (more |further )?evidence|more evidence|weitere nachweise|please (provide|send) (more |further )?(evidence|logs|headers|screenshots?))\b`)},
	{AnswerInformed, regexp.MustCompile(`(?i)\b(customer (has been |was )?(notified|informed)|kund(e|in) informiert|(notified|informed|forwarded (this|it|your report)?( \w+)? to) (our|the) customer)\b`)},
	{AnswerResolved, regexp.MustCompile(`(?i)\b(resolved|erledigt|(has|have) been (removed|suspended|disabled|taken down|terminated|cleaned)|is now (offline|down|suspended))\b`)},
}

// answerOf finds an answer in what the writer wrote, without what they quote.
func answerOf(text string) Answer {
	text = strings.Join(strings.Fields(text), " ")
	for _, a := range answers {
		if a.words.MatchString(text) {
			return a.answer
		}
	}
	return ""
}
