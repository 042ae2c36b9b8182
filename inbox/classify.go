package inbox

import (
	"crypto/sha256"
	"net/mail"
	"regexp"
	"slices"
	"strings"

	"desist/takedown"
)

// Verifier proves that an address or a Message-ID is one that we made.
type Verifier interface {
	VerifyToken(address string) (legID int64, seq int, ok bool)
	VerifyMessageID(id string) (caseID, legID int64, seq int, ok bool)
}

// maxExcerpt bounds the words that are shown for a reply, in bytes.
const maxExcerpt = 2000

// Classify reads a mail that came back. It never fails. LegID and Seq are
// set when at least one proof holds, CaseID when the Message-ID does and no
// token contradicts it; only Authentic says that both hold and agree.
// ReceivedAt is left to the caller.
func Classify(raw []byte, v Verifier) takedown.Reply {
	m := parse(raw)
	report := m.report()
	r := takedown.Reply{
		Class:   report.Class,
		From:    clip(addressOf(m.header.Get("From")), 320),
		Subject: clip(decoded(m.header.Get("Subject")), 500),
		Ticket:  report.Ticket,
		Excerpt: clip(excerpt(m.text), maxExcerpt),
		Raw:     raw,
		SHA256:  sha256.Sum256(raw),
	}
	for i, recipient := range report.Recipients {
		if i == 0 || recipient.Permanent && !r.Permanent {
			r.Reason, r.Permanent, r.Recipient = string(recipient.Reason), recipient.Permanent, recipient.Address
		}
	}
	if r.Class == takedown.ReplyHuman {
		r.Reason = string(answerOf(r.Excerpt))
	}
	m.prove(v, &r)
	return r
}

// prove looks for the two proofs, and for a pair of the same notice.
func (m *message) prove(v Verifier, r *takedown.Reply) {
	type notice struct {
		leg int64
		seq int
	}
	tokens := map[notice]bool{}
	for _, name := range []string{"Delivered-To", "X-Original-To", "Envelope-To", "To", "Cc"} {
		for _, value := range m.header[name] {
			for _, address := range mailbox.FindAllString(value, 20) {
				if leg, seq, ok := v.VerifyToken(address); ok {
					tokens[notice{leg, seq}] = true
					r.LegID, r.Seq = leg, seq
				}
			}
		}
	}
	for _, id := range m.ourIDs() {
		caseID, leg, seq, ok := v.VerifyMessageID(id)
		if !ok {
			continue
		}
		if tokens[notice{leg, seq}] {
			r.CaseID, r.LegID, r.Seq, r.Authentic = caseID, leg, seq, true
			return
		}
		if r.CaseID == 0 && len(tokens) == 0 {
			r.CaseID, r.LegID, r.Seq = caseID, leg, seq
		}
	}
}

var messageID = regexp.MustCompile(`<[^<>\s]{3,250}>`)

// ourIDs lists the Message-IDs that the mail refers to, likeliest first.
func (m *message) ourIDs() []string {
	var ids []string
	add := func(values []string) {
		for _, value := range values {
			ids = append(ids, messageID.FindAllString(value, 50)...)
		}
	}
	add(m.original["Message-Id"])
	add(m.header["In-Reply-To"])
	add(m.header["References"])
	for _, f := range m.feedback {
		add(f["Original-Message-Id"])
	}
	return ids
}

// originalID is the Message-ID of the mail that this one is about.
func (m *message) originalID() string {
	for _, id := range m.ourIDs() {
		return strings.Trim(id, "<>")
	}
	return ""
}

// class decides what kind of mail it is.
func (m *message) class(recipients []Recipient) takedown.ReplyClass {
	if len(m.feedback) > 0 || strings.Contains(strings.ToLower(m.header.Get("Content-Type")), "feedback-report") {
		return takedown.ReplyFeedback
	}
	if len(m.status) > 0 {
		return statusClass(m.status)
	}
	subject := decoded(m.header.Get("Subject"))
	if m.isAutoReply(subject) && !m.fromDaemon() {
		return takedown.ReplyAuto
	}
	failed := m.header.Get("X-Failed-Recipients") != ""
	if failed || m.fromDaemon() && (bounceWords.MatchString(subject) || bounceWords.MatchString(m.text) || len(recipients) > 0) ||
		m.returnPath() == "<>" && bounceWords.MatchString(subject+"\n"+m.text) {
		if !failed && delayWords.MatchString(subject+"\n"+m.text) && !finalWords.MatchString(m.text) {
			return takedown.ReplyDelayed
		}
		return takedown.ReplyBounce
	}
	if m.isAutoReply(subject) {
		return takedown.ReplyAuto
	}
	if bounceSubject.MatchString(subject) && len(recipients) > 0 {
		return takedown.ReplyBounce
	}
	return takedown.ReplyHuman
}

// statusClass follows the Action field, RFC 3464 section 2.3.3. One failure
// makes the whole a bounce.
func statusClass(blocks []fields) takedown.ReplyClass {
	class := takedown.ReplyBounce
	for i, f := range blocks {
		action, _, _ := strings.Cut(strings.ToLower(f.Get("Action")), " ")
		var this takedown.ReplyClass
		switch action {
		case "delayed":
			this = takedown.ReplyDelayed
		case "delivered", "relayed", "expanded":
			this = takedown.ReplyDelivered
		case "":
			switch {
			case strings.HasPrefix(f.Get("Status"), "2"):
				this = takedown.ReplyDelivered
			default:
				this = takedown.ReplyBounce
			}
		default:
			return takedown.ReplyBounce
		}
		if i == 0 || this == takedown.ReplyBounce || class == takedown.ReplyDelivered {
			class = this
		}
	}
	return class
}

var (
	daemon        = regexp.MustCompile(`(?i)mailer-?daemon|postmaster|mail delivery (sub)?system|mdaemon|mail administrator|delivery subsystem|bounce`)
	bounceSubject = regexp.MustCompile(`(?i)undeliver|failure notice|returned (mail|to sender)|delivery (status|fail|report|has failed|problem)|mail (delivery|failure|system error)|could not (be )?deliver|delivery of .* failed|not deliver|returning message|unzustellbar|rejected mail`)
	bounceWords   = regexp.MustCompile(bounceSubject.String() + `|(was|were|been|be) (not |un)?deliver|permanent (fatal )?error|(following|these|this) (address|recipient)|user unknown|did not reach|unable to deliver|couldn.t be delivered|transcript of session`)
	delayWords    = regexp.MustCompile(`(?i)delay|warning: (could not|message)|will (be )?(retr|keep trying|continue)|still being retried|do not need to resend|not yet been delivered|temporar`)
	finalWords    = regexp.MustCompile(`(?i)permanent|giv(en|ing) up|could not be delivered to one or more|message (was )?(bounced|removed|expired)`)
	autoSubject   = regexp.MustCompile(`(?i)^\W*(auto(matic|mated)?[ :-]*(reply|response|answer|acknowledg)|out of (the )?office|vacation|abwesen|automatische (antwort|abwesen)|réponse automatique|respuesta automática|risposta automatica|away from)`)
	autoHeaders   = []string{"X-Autoreply", "X-Autorespond", "X-Auto-Response-Suppress", "X-Autoresponder", "Auto-Submitted"}
)

// isAutoReply follows RFC 3834 section 5, then what senders did before it. A
// mail that only asks others not to answer automatically
// (X-Auto-Response-Suppress) is not one by that alone, unless its subject is.
func (m *message) isAutoReply(subject string) bool {
	for _, name := range autoHeaders {
		value := strings.ToLower(m.header.Get(name))
		if value != "" && value != "no" && name != "X-Auto-Response-Suppress" {
			return true
		}
	}
	precedence := strings.ToLower(m.header.Get("Precedence"))
	return precedence == "auto_reply" || strings.Contains(strings.ToUpper(m.header.Get("X-Apple-Action")), "VACATION") ||
		autoSubject.MatchString(subject)
}

func (m *message) fromDaemon() bool { return daemon.MatchString(decoded(m.header.Get("From"))) }

func (m *message) returnPath() string { return strings.TrimSpace(m.header.Get("Return-Path")) }

// tickets are the forms in which desks quote their own reference.
var tickets = []*regexp.Regexp{
	regexp.MustCompile(`\b(AbuseID:[0-9A-Za-z]{4,20}(?::[0-9A-Za-z]{1,10})*)`),
	regexp.MustCompile(`\[(#[0-9A-Za-z][0-9A-Za-z._-]{1,40})\]`),
	regexp.MustCompile(`\[([A-Za-z][0-9A-Za-z ._-]{0,30} ?#[0-9A-Za-z._-]{2,40})\]`),
	regexp.MustCompile(`(?i)\b(?:ticket|case|incident|request|reference|report|abuse)[ -]?(?:id|no\.?|nr\.?|number|ref(?:erence)?|nummer)?[ ]?(?::|#|is:?)[ ]?#?([0-9A-Za-z][0-9A-Za-z._-]*[0-9][0-9A-Za-z._-]*)`),
	regexp.MustCompile(`\((#[0-9]{3,20})\)`),
	regexp.MustCompile(`(?:^|\s)(#[0-9]{4,20})\b`),
}

// ticket finds the reference, in the subject first, then in the first words.
func (m *message) ticket() string {
	for _, where := range []string{decoded(m.header.Get("Subject")), clip(excerpt(m.text), maxExcerpt)} {
		for _, form := range tickets {
			if found := form.FindStringSubmatch(where); found != nil {
				return strings.TrimRight(found[1], ".-_")
			}
		}
	}
	return ""
}

// excerpt is what the writer wrote, without what they quote.
func excerpt(text string) string {
	lines := slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool {
		return strings.HasPrefix(strings.TrimSpace(line), ">")
	})
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

func addressOf(value string) string {
	if a, err := mail.ParseAddress(value); err == nil {
		return a.Address
	}
	if found := mailbox.FindString(value); found != "" {
		return found
	}
	return strings.TrimSpace(value)
}

func clip(s string, limit int) string {
	return takedown.CleanText(s[:min(len(s), limit)])
}
