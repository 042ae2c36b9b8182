package simnet

import (
	"bytes"
	"fmt"
	"mime"
	"mime/multipart"
	"net/mail"
	"net/textproto"
	"strings"
	"time"
)

// The kinds of answer that desks write.
const (
	kindAck          = "ack"
	kindResolved     = "resolved"
	kindNotOurs      = "not_ours"
	kindNeedEvidence = "need_evidence"
	kindReveal       = "reveal"
	kindBounce       = "bounce"
	kindSpoof        = "spoofed_bounce"
)

// An Answer is one message of a desk to the sender of a notice.
type Answer struct {
	At     time.Time `json:"at"` // the world's time
	Kind   string    `json:"kind"`
	Desk   string    `json:"desk"`
	From   string    `json:"from"` // the envelope sender, empty for automatic ones
	To     string    `json:"to"`   // the envelope recipient
	Target string    `json:"target,omitempty"`
	Ticket string    `json:"ticket,omitempty"`
	Raw    []byte    `json:"raw,omitempty"`
}

// replyTo is the notice that is being answered.
type replyTo struct {
	desk *desk
	from string // envelope sender of the notice
	to   string // mailbox that got it
	msg  notice
}

// answer writes one answer and hands it to the outbox. It locks Net.mu.
func (n *Net) answer(r replyTo, kind, ticket, target string) {
	automatic := kind == kindAck
	recipient := r.person()
	if automatic {
		recipient = r.from // RFC 3834 section 4: to the Return-Path, never elsewhere
	}
	if recipient == "" {
		return // a null sender wants no answer
	}
	n.mu.RLock()
	text, subject := n.answerText(r, kind, ticket, target)
	n.mu.RUnlock()
	mailbox := r.to
	var b bytes.Buffer
	h := func(key, value string) { fmt.Fprintf(&b, "%s: %s\r\n", key, value) }
	if ticket != "" {
		subject = "[AbuseID:" + ticket + "] " + subject
	}
	h("From", mime.QEncoding.Encode("utf-8", r.desk.org+" Abuse")+" <"+mailbox+">")
	h("To", "<"+recipient+">")
	h("Subject", mime.QEncoding.Encode("utf-8", subject))
	h("Date", n.clock.Now().UTC().Format(time.RFC1123Z))
	h("Message-ID", n.messageID(r, kind+target))
	r.threading(h)
	if automatic {
		h("Auto-Submitted", "auto-replied")
		h("Precedence", "bulk")
	}
	h("MIME-Version", "1.0")
	h("Content-Type", "text/plain; charset=utf-8")
	h("Content-Transfer-Encoding", "8bit")
	b.WriteString("\r\n")
	b.WriteString(strings.ReplaceAll(text, "\n", "\r\n"))
	sender := mailbox
	if automatic {
		sender = ""
	}
	n.send(r.desk, Answer{Kind: kind, From: sender, To: recipient, Target: target, Ticket: ticket, Raw: b.Bytes()})
}

// person is where people answer to: Reply-To, else From, else the envelope.
func (r replyTo) person() string {
	for _, key := range []string{"Reply-To", "From"} {
		if list, err := r.msg.header.AddressList(key); err == nil && len(list) > 0 {
			return list[0].Address
		}
	}
	return r.from
}

// threading writes In-Reply-To and References (RFC 5322 section 3.6.4).
func (r replyTo) threading(h func(key, value string)) {
	if id := r.msg.header.Get("Message-Id"); id != "" {
		h("In-Reply-To", id)
		references := strings.TrimSpace(r.msg.header.Get("References") + " " + id)
		h("References", references)
	}
}

func (n *Net) messageID(r replyTo, salt string) string {
	d := draw(n.world.Seed, "message-id", r.desk.name, r.msg.header.Get("Message-Id"), salt)
	return fmt.Sprintf("<%016x%08x@%s>", d.Uint64(), d.Uint32(), r.desk.domain)
}

func (n *Net) answerText(r replyTo, kind, ticket, target string) (text, subject string) {
	subject = "Re: " + r.msg.subject
	quoted := "\n\n> " + strings.ReplaceAll(r.msg.subject, "\n", " ") + "\n"
	switch kind {
	case kindAck:
		text = "Thank you for your report. This is an automatic confirmation that we received it.\n"
		if ticket != "" {
			text += "Your ticket number is " + ticket + ". Please quote it in the subject of further messages.\n"
		}
		text += "\n" + r.desk.org + " Abuse Team\n"
	case kindResolved:
		text = "Hello,\n\nwe have looked into your report about " + defang(target) + ". The content has been removed and the service was suspended.\n\nKind regards\n" + r.desk.org + " Abuse Team" + quoted
	case kindNotOurs:
		text = "Hello,\n\n" + defang(target) + " is not hosted on our network and we are not responsible for it. Please contact the responsible provider.\n\n" + r.desk.org + quoted
	case kindNeedEvidence:
		text = "Hello,\n\nwe could not reproduce the problem. Please send us more evidence, such as the full URL, a screenshot with a time stamp, or the mail headers.\n\n" + r.desk.org + quoted
	case kindReveal:
		text = n.revealText(r.desk, target)
	}
	return text, subject
}

// revealText has the shape in which reverse proxies answer: what was accepted,
// who hosts it, and whom to write to.
func (n *Net) revealText(d *desk, target string) string {
	s := n.idx.sites[target]
	contact := s.network.Desk.Abuse
	if contact == "" {
		contact = "none on record"
	}
	dashes := func(title string) string { return title + "\n" + strings.Repeat("-", len(title)) + "\n" }
	return d.org + " received your report.\n\n" +
		"Accepted URL(s) on " + s.Host + ":\n" + defang(s.Indicator()) + "\n\n" +
		dashes("Hosting Provider:") + asName(s.network) + ", " + s.network.Country + "\n\n" +
		dashes("Abuse Contact:") + contact + "\n\n" +
		"We have notified our customer of your report.\nWe have forwarded your report on to the responsible hosting provider.\n\n" +
		"We operate a reverse proxy and do not host the content.\n\n" + d.org + " Trust & Safety\n"
}

// defang makes an indicator unclickable.
func defang(s string) string {
	scheme, rest, isURL := strings.Cut(s, "://")
	if !isURL {
		return strings.ReplaceAll(s, ".", "[.]")
	}
	host, path, _ := strings.Cut(rest, "/")
	return strings.Replace(scheme, "http", "hxxp", 1) + "://" + strings.ReplaceAll(host, ".", "[.]") + "/" + path
}

// bounce writes a delivery status notification (RFC 3464) to the envelope
// sender, from nobody. A forged one claims a message that was never sent.
func (n *Net) bounce(d *desk, from, to string, msg notice, forged bool) {
	kind, recipient, id := kindBounce, from, msg.header.Get("Message-Id")
	r := replyTo{desk: d, from: from, to: to, msg: msg}
	if forged {
		kind, id = kindSpoof, "<forged-"+fmt.Sprint(draw(n.world.Seed, "forged", to, from).Uint32())+"@attacker.example>"
		recipient = r.person()
	}
	if recipient == "" {
		return
	}
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	if err := w.SetBoundary(fmt.Sprintf("sim-%016x", draw(n.world.Seed, "boundary", d.name, id).Uint64())); err != nil {
		n.log.Error("bounce boundary", "error", err)
		return
	}
	part := func(contentType, text string) {
		p, err := w.CreatePart(textproto.MIMEHeader{"Content-Type": {contentType}})
		if err == nil {
			_, err = p.Write([]byte(strings.ReplaceAll(text, "\n", "\r\n")))
		}
		if err != nil {
			n.log.Error("bounce part", "error", err) // a buffer does not fail
		}
	}
	part("text/plain; charset=us-ascii", "Your message could not be delivered to\n\n  <"+to+">\n\nThe remote server said: 550 5.1.1 No such user here\n")
	part("message/delivery-status", "Reporting-MTA: dns; mail."+d.domain+"\nArrival-Date: "+n.clock.Now().UTC().Format(time.RFC1123Z)+
		"\n\nFinal-Recipient: rfc822; "+to+"\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 No such user here\n")
	part("text/rfc822-headers", originalHeaders(msg.header, id))
	if err := w.Close(); err != nil {
		n.log.Error("bounce end", "error", err)
		return
	}
	var b bytes.Buffer
	h := func(key, value string) { fmt.Fprintf(&b, "%s: %s\r\n", key, value) }
	h("From", "Mail Delivery System <MAILER-DAEMON@"+d.domain+">")
	h("To", "<"+recipient+">")
	h("Subject", "Undelivered Mail Returned to Sender")
	h("Date", n.clock.Now().UTC().Format(time.RFC1123Z))
	h("Message-ID", n.messageID(r, kind))
	h("Auto-Submitted", "auto-replied")
	h("MIME-Version", "1.0")
	h("Content-Type", `multipart/report; report-type=delivery-status; boundary="`+w.Boundary()+`"`)
	b.WriteString("\r\n")
	b.Write(body.Bytes())
	n.send(d, Answer{Kind: kind, To: recipient, Raw: b.Bytes()})
}

func originalHeaders(h mail.Header, id string) string {
	var b strings.Builder
	for _, key := range []string{"From", "To", "Subject", "Date"} {
		if v := h.Get(key); v != "" {
			fmt.Fprintf(&b, "%s: %s\n", key, v)
		}
	}
	fmt.Fprintf(&b, "Message-ID: %s\n", id)
	return b.String()
}

// send records an answer and queues it. It locks Net.mu.
func (n *Net) send(d *desk, a Answer) {
	a.At, a.Desk = n.clock.Now(), d.name
	n.mu.Lock()
	n.answers.add(a)
	n.stats.Answers++
	d.counts.Answered++
	n.mu.Unlock()
	n.outbox.add(a)
}
