package inbox

import (
	"regexp"
	"strings"

	"desist/takedown"
)

// maxRecipients bounds how many recipients one mail may report on.
const maxRecipients = 100

// Recipient is what a mail says of one address.
type Recipient struct {
	Address string `json:"address"`
	Status  string `json:"status"` // RFC 3463
	Reply   string `json:"reply"`  // SMTP code
	Reason  Reason `json:"reason"`
	// Permanent means that the address is dead and not to be used again.
	Permanent bool `json:"permanent"`
}

// Report is what "desist inspect mail" prints of one mail.
type Report struct {
	File              string              `json:"file"`
	Class             takedown.ReplyClass `json:"class"`
	Recipients        []Recipient         `json:"recipients"`
	OriginalMessageID string              `json:"original_message_id"`
	Ticket            string              `json:"ticket"`
}

// Inspect reads a mail without proving where it came from.
func Inspect(file string, raw []byte) Report {
	report := parse(raw).report()
	report.File = file
	return report
}

func (m *message) report() Report {
	found := m.recipients()
	report := Report{Class: m.class(found), Recipients: []Recipient{}, OriginalMessageID: m.originalID()}
	switch report.Class {
	case takedown.ReplyBounce, takedown.ReplyDelayed, takedown.ReplyDelivered:
		for _, r := range found {
			if report.Class == takedown.ReplyDelayed && r.Reason == ReasonOther {
				r.Reason = ReasonExpired // what is tried again was not refused
			}
			report.Recipients = append(report.Recipients, r)
		}
	case takedown.ReplyHuman, takedown.ReplyAuto:
		report.Ticket = m.ticket()
	case takedown.ReplyFeedback:
		for _, f := range m.feedback {
			for _, value := range f["Original-Rcpt-To"] {
				report.Recipients = append(report.Recipients, Recipient{Address: mailbox.FindString(value), Reason: ReasonOther})
			}
		}
	}
	return report
}

// recipients lists whom the mail reports on: from delivery-status fields if it
// has them, else from the header that Exim adds, else from the text.
func (m *message) recipients() []Recipient {
	var all []Recipient
	for _, f := range m.status {
		all = append(all, m.fromStatus(f))
	}
	if len(all) == 0 {
		all = m.fromText()
	}
	return all[:min(len(all), maxRecipients)]
}

// fromStatus reads one block of fields, RFC 3464 section 2.3. The text is asked
// for what the fields do not say.
func (m *message) fromStatus(f fields) Recipient {
	address := mailbox.FindString(f.Get("Final-Recipient"))
	if address == "" {
		address = mailbox.FindString(f.Get("Original-Recipient"))
	}
	if address == "" {
		address = strings.TrimSpace(f.Get("Final-Recipient")[strings.IndexByte(f.Get("Final-Recipient"), ';')+1:])
	}
	diagnostic := f.Get("Diagnostic-Code")
	if len(diagnostic) < 30 {
		diagnostic += "\n" + m.wordsAbout(address)
	}
	stated := statusCode.FindString(f.Get("Status"))
	return judge(address, stated, diagnostic)
}

var (
	mailbox    = regexp.MustCompile(`[0-9A-Za-z.!#$%&'*+/=?^_{|}~-]{1,64}@(?:[0-9A-Za-z-]{1,63}\.)*[0-9A-Za-z-]{1,63}`)
	statusCode = regexp.MustCompile(`\b[245]\.\d{1,3}\.\d{1,3}\b`)
	bracketed  = regexp.MustCompile(`[(#\s]([245]\.\d{1,3}\.\d{1,3})\b`)
	replyCode  = regexp.MustCompile(`(?:^|[^0-9.])([45][0-5]\d)(?:[ -]|$)`)
	// listed is a line that names a failed recipient and nothing else.
	listed = regexp.MustCompile(`(?mi)^[ \t>*]*(?:(?:failed |final |original )?(?:recipient|to|address|rcpt to|user)s?(?: address)?\s*:\s*)?<?(?:mailto:|smtp:|rfc822;)?\s*(` + mailbox.String() + `)>?(?:\s*[:;(,-][^\n]*|\s+on [^\n]*|\.{3}[^\n]*)?[ \t]*$`)
)

// fromText finds recipients the way people do: the addresses that stand on
// their own line before the returned mail. What follows each, up to the next,
// is what was said of it.
func (m *message) fromText() []Recipient {
	type place struct{ address, words string }
	var places []place
	seen := map[string]bool{}
	if failed := m.header["X-Failed-Recipients"]; len(failed) > 0 {
		for _, address := range mailbox.FindAllString(strings.Join(failed, ","), maxRecipients) {
			if !seen[strings.ToLower(address)] {
				seen[strings.ToLower(address)] = true
				places = append(places, place{address, m.wordsAbout(address)})
			}
		}
	} else {
		for _, at := range listed.FindAllStringSubmatchIndex(m.text, maxRecipients) {
			address := m.text[at[2]:at[3]]
			if key := strings.ToLower(address); !seen[key] && !m.isOurs(address) {
				seen[key] = true
				places = append(places, place{address, m.wordsAbout(address)})
			}
		}
	}
	if len(places) == 0 {
		for _, address := range mailbox.FindAllString(m.text, 10) {
			if !m.isOurs(address) {
				places = append(places, place{address, m.text})
				break
			}
		}
	}
	if len(places) == 0 && m.original != nil {
		if address := mailbox.FindString(m.original.Get("To")); address != "" {
			places = append(places, place{address, m.text})
		}
	}
	all := make([]Recipient, 0, len(places))
	for _, p := range places {
		all = append(all, judge(p.address, "", p.words))
	}
	return all
}

// isOurs tells the parties of the bounce itself from the failed recipients.
func (m *message) isOurs(address string) bool {
	for _, name := range []string{"From", "To", "Delivered-To", "X-Original-To", "Reply-To"} {
		if strings.Contains(strings.ToLower(m.header.Get(name)), strings.ToLower(address)) {
			return true
		}
	}
	return false
}

// wordsAbout returns the text from the first line that names address up to the
// line that names another recipient, or the whole text.
func (m *message) wordsAbout(address string) string {
	if address == "" {
		return m.text
	}
	lower := strings.ToLower(m.text)
	from := strings.Index(lower, strings.ToLower(address))
	if from < 0 || len(lower) != len(m.text) {
		return m.text
	}
	rest := m.text[from:]
	for _, at := range listed.FindAllStringSubmatchIndex(rest, maxRecipients) {
		if at[0] > 0 && !strings.EqualFold(rest[at[2]:at[3]], address) {
			rest = rest[:at[0]]
			break
		}
	}
	if len(strings.TrimSpace(rest)) <= len(address)+5 {
		return m.text
	}
	return rest
}

// judge gives the reason for one recipient. The codes in the diagnostic text are
// the remote server's own and are believed before the general stated status
// (X.0.0) of the server that writes the report.
func judge(address, stated, diagnostic string) Recipient {
	r := Recipient{Address: clip(address, 320), Status: stated}
	if found := replyCode.FindStringSubmatch(diagnostic); found != nil {
		r.Reply = found[1]
	}
	if found := bracketed.FindStringSubmatch(" " + diagnostic); found != nil && (stated == "" || strings.HasSuffix(stated, ".0.0")) {
		r.Status = found[1]
	}
	// The address itself may contain telling words, such as userunknown@.
	words := mailbox.ReplaceAllString(diagnostic, "<>")
	r.Reason = reasonOf(r.Status, r.Reply, words)
	r.Permanent = r.Reason.Permanent() && !strings.HasPrefix(r.Status, "4")
	return r
}
