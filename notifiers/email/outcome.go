package email

import (
	"errors"
	"fmt"
	"net/textproto"
	"regexp"
	"strings"

	"desist/takedown"
)

// maxReply bounds what is kept of a reply, in bytes.
const maxReply = 4 << 10

// phase is how far a dialogue came.
type phase int

const (
	phaseSender    phase = iota // MAIL
	phaseRecipient              // RCPT
	phaseData                   // DATA and the content, before the final dot
	phaseDot                    // the final dot is, perhaps, on its way
)

// result is the outcome of one dialogue.
type result struct {
	outcome    takedown.Outcome
	code       int
	enhanced   string
	text       string
	host       string
	tls        string
	badAddress bool
	// keep says that the connection can take the next mail as it is, open that a
	// transaction has to be reset first, and stale that the server had given the
	// connection up before anything was said.
	keep  bool
	open  bool
	stale bool
}

// resultOf reads the outcome from the phase and the error that ended it; nil is
// success.
func resultOf(at phase, err error) result {
	var reply *textproto.Error
	if !errors.As(err, &reply) || reply.Code < 200 || reply.Code > 599 {
		r := transportFailure(at.String(), err)
		if at == phaseDot {
			r.outcome = takedown.OutcomeUnknown
		}
		r.stale = at == phaseSender
		return r
	}
	r := replied(reply.Code, reply.Msg)
	switch {
	case reply.Code/100 == 2 && at == phaseDot:
		r.outcome = takedown.OutcomeAccepted
	case reply.Code/100 == 5:
		r.outcome = takedown.OutcomeRejected
		r.badAddress = at != phaseSender && isBadAddress(r.code, r.enhanced, r.text)
	case reply.Code/100 == 4:
		r.outcome = takedown.OutcomeDeferred
		r.stale = at == phaseSender && reply.Code == 421
	default: // a success where none was due: the server does not speak SMTP
		r.outcome = takedown.OutcomeDeferred
		return r
	}
	if reply.Code != 421 { // 421 announces the end of the connection
		r.open = at == phaseRecipient || at == phaseData
		r.keep = !r.open
	}
	return r
}

func (p phase) String() string {
	return [...]string{"MAIL", "RCPT", "DATA", "after the final dot"}[p]
}

// transportFailure is the result when nothing was said about the notice. An
// error reply to the greeting, to TLS or to credentials is one too: it is about
// us, not about the recipient.
func transportFailure(doing string, err error) result {
	r := result{outcome: takedown.OutcomeDeferred}
	var reply *textproto.Error
	if errors.As(err, &reply) {
		said := replied(reply.Code, reply.Msg)
		r.code, r.enhanced, r.text = said.code, said.enhanced, said.text
		return r
	}
	r.text = clip(fmt.Sprintf("%s: %v", doing, err))
	return r
}

var enhancedCode = regexp.MustCompile(`(?m)^[245]\.\d{1,3}\.\d{1,3}\b`)

// replied rebuilds the reply lines as the server wrote them (RFC 5321 section
// 4.2.1) and reads the enhanced status code (RFC 2034).
func replied(code int, message string) result {
	lines := strings.Split(message, "\n")
	for i, line := range lines {
		separator := "-"
		if i == len(lines)-1 {
			separator = " "
		}
		lines[i] = fmt.Sprintf("%d%s%s", code, separator, line)
	}
	return result{code: code, enhanced: enhancedCode.FindString(message), text: clip(strings.Join(lines, "\n"))}
}

func clip(s string) string {
	if len(s) > maxReply {
		s = s[:maxReply]
	}
	return takedown.CleanText(s)
}

// noSuchMailbox matches the words of servers that give no enhanced code, or
// only the general 5.0.0.
var noSuchMailbox = regexp.MustCompile(`(?i)no such (user|mailbox|recipient|person|address)|(user|recipient|mailbox|address|account) (is )?(unknown|not found|does not exist|doesn't exist|not exist)|unknown (user|recipient|mailbox|local part)|invalid (recipient|mailbox)|does not exist here`)

// isBadAddress says whether a refusal means that the mailbox does not exist and
// never will: RFC 3463 section 3.2 codes 5.1.1 to 5.1.3 and 5.1.6, RFC 7505
// 5.1.10 and reply code 556. Everything else with a 5 (policy, spam, size, full
// mailbox) is about this mail or this moment.
func isBadAddress(code int, enhanced, text string) bool {
	switch enhanced {
	case "5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10":
		return true
	case "", "5.0.0", "5.1.0":
		return code == 556 || noSuchMailbox.MatchString(text)
	}
	return code == 556
}
