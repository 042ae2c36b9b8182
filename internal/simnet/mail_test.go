package simnet

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/mail"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

const reporter = "bounce+abc123@desist.example"

// xarfNotice is a notice with a machine-readable part. The words name nothing.
func xarfNotice(to, id, key, value string) string {
	report := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, `{"xarf_version":"4.2.0","%s":%q}`, key, value))
	return crlf(`From: Desist <notices@desist.example>
To: <` + to + `>
Reply-To: <answers@desist.example>
Subject: Notice about phishing
Message-ID: <` + id + `@desist.example>
Date: Mon, 05 Jan 2026 08:00:00 +0000
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="b"

--b
Content-Type: text/plain; charset=utf-8

Dear Sir or Madam, please see the attachment.
--b
Content-Type: application/json; name="xarf.json"
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename="xarf.json"

` + report + `
--b--
`)
}

// textNotice names its target in words only, defanged.
func textNotice(to, id, target string) string {
	return crlf("From: <notices@desist.example>\nTo: <" + to + ">\nSubject: Notice\nMessage-ID: <" + id + "@desist.example>\n\nPlease remove " + defang(target) + ", thank you.\n")
}

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

// submit sends one mail and returns the server's verdict.
func (w world) submit(t *testing.T, to, msg string) error {
	t.Helper()
	c, err := smtp.Dial(w.SMTPAddr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	return c.SendMail(reporter, []string{to}, strings.NewReader(msg))
}

func (w world) mustSubmit(t *testing.T, to, msg string) {
	t.Helper()
	if err := w.submit(t, to, msg); err != nil {
		t.Fatalf("to %s: %v", to, err)
	}
}

// kinds lists the answers so far.
func (w world) kinds() []string {
	var out []string
	for _, a := range w.Answers(100) {
		out = append(out, a.Kind)
	}
	return out
}

func TestNoticeTakesTheSiteDown(t *testing.T) {
	const host = "sim-phish-0001-amber.com"
	w := startTiny(t)
	w.mustSubmit(t, "abuse@sim-prompt.de", xarfNotice("abuse@sim-prompt.de", "n1", "url", "http://"+host+"/signin/"))
	if m := w.Mails(1); len(m) != 1 || m[0].Found != "xarf" || m[0].Desk != "prompt-host" || !slices.Equal(m[0].Targets, []string{host}) {
		t.Fatalf("mail %+v", m)
	}
	w.advance(59 * time.Minute)
	if !w.up(t, host) {
		t.Fatal("down before its time")
	}
	w.advance(time.Minute)
	if w.up(t, host) {
		t.Fatal("still up an hour after the notice")
	}
	if code, _ := get(t, w.client(), "http://"+host+"/signin/", "test"); code != 404 {
		t.Errorf("code %d", code)
	}
	if got := w.kinds(); !slices.Equal(got, []string{"ack", "resolved"}) {
		t.Fatalf("answers %q", got)
	}
	answers := w.Answers(2)
	ack, err := mail.ReadMessage(bytes.NewReader(answers[0].Raw))
	if err != nil {
		t.Fatal(err)
	}
	ticket := answers[0].Ticket
	if answers[0].From != "" || answers[0].To != reporter || ack.Header.Get("Auto-Submitted") != "auto-replied" ||
		ack.Header.Get("In-Reply-To") != "<n1@desist.example>" || !strings.Contains(ack.Header.Get("Subject"), "[AbuseID:"+ticket+"]") || ticket == "" {
		t.Errorf("acknowledgement %+v\n%s", answers[0], answers[0].Raw)
	}
	if answers[1].From != "abuse@sim-prompt.de" || answers[1].To != "answers@desist.example" || answers[1].Ticket != ticket {
		t.Errorf("answer of a person %+v", answers[1])
	}
}

func TestNoticeInWords(t *testing.T) {
	w := startTiny(t)
	w.mustSubmit(t, "abuse@sim-suspend.nl", textNotice("abuse@sim-suspend.nl", "n2", "http://sim-phish-0002-birch.nl/x"))
	w.advance(2 * time.Hour)
	code, body := get(t, w.client(), "http://sim-phish-0002-birch.nl/", "test")
	if code != 200 || !strings.Contains(body, "suspended") {
		t.Fatalf("%d %s", code, body)
	}
}

func TestRegistrarHoldsTheName(t *testing.T) {
	const host = "sim-phish-0008-heron.com"
	w := startTiny(t)
	w.mustSubmit(t, "abuse@sim-namewell.com", xarfNotice("abuse@sim-namewell.com", "n3", "domain", host))
	w.advance(6 * time.Hour)
	if s, _ := w.Site(host); s.Up || s.Hold != "client hold" || s.Serves != stateLive {
		t.Fatalf("%+v", s)
	}
	if in := ask(t, w, "udp", host, 1); in.Rcode != 3 {
		t.Errorf("still in the zone: %v", in)
	}
}

func TestRegistrableNameMeansItsSite(t *testing.T) {
	w := startTiny(t)
	w.mustSubmit(t, "abuse@sim-undns.net", xarfNotice("abuse@sim-undns.net", "n4", "domain", "sim-shop-0005-ember.de"))
	w.advance(12 * time.Hour)
	if in := ask(t, w, "udp", "www.sim-shop-0005-ember.de", 1); in.Rcode != 3 {
		t.Errorf("the name still has an address: %v", in)
	}
}

func TestRelapse(t *testing.T) {
	const host = "sim-malware-0003-cedar.com"
	w := startTiny(t)
	notice := xarfNotice("abuse@sim-relapse.com", "n5", "url", "http://"+host+"/files/invoice.bin")
	w.mustSubmit(t, "abuse@sim-relapse.com", notice)
	w.advance(time.Hour)
	if code, _ := get(t, w.client(), "http://"+host+"/files/invoice.bin", "test"); code != 410 {
		t.Fatalf("code %d", code)
	}
	w.advance(24 * time.Hour)
	if !w.up(t, host) {
		t.Fatal("did not come back")
	}
	w.mustSubmit(t, "abuse@sim-relapse.com", notice)
	w.advance(time.Hour)
	if w.up(t, host) {
		t.Fatal("a second notice had no effect")
	}
	w.advance(48 * time.Hour)
	if w.up(t, host) || w.Stats().Relapses != 1 {
		t.Fatalf("came back again, %d relapses", w.Stats().Relapses)
	}
}

func TestHop(t *testing.T) {
	const host = "sim-phish-0022-violet.com"
	w := startTiny(t)
	w.mustSubmit(t, "abuse@sim-hop.com", xarfNotice("abuse@sim-hop.com", "h", "domain", host))
	w.advance(time.Hour)
	if w.up(t, host) {
		t.Fatal("the first host did not act")
	}
	w.advance(24 * time.Hour)
	s, _ := w.Site(host)
	if !s.Up || s.Network == "hop-host" {
		t.Fatalf("did not move: %+v", s)
	}
	in := ask(t, w, "udp", host, 1)
	if len(in.Answer) != 1 || strings.HasPrefix(values(in.Answer)[0], "192.0.2.16") {
		t.Errorf("still at the old address: %v", in.Answer)
	}
	if code, _ := get(t, w.client(), "http://"+host+"/", "x"); code != 200 {
		t.Errorf("code %d at the new host", code)
	}
}

func TestCDNRevealsTheHost(t *testing.T) {
	const host = "www.sim-phish-0006-fjord.com"
	w := startTiny(t)
	w.mustSubmit(t, "abuse@sim-front.com", xarfNotice("abuse@sim-front.com", "n6", "domain", host))
	w.advance(4 * time.Hour)
	if got := w.kinds(); !slices.Equal(got, []string{"ack", "reveal"}) {
		t.Fatalf("answers %q", got)
	}
	text := string(w.Answers(1)[0].Raw)
	for _, want := range []string{"Accepted URL(s) on " + host + ":", "Hosting Provider:\r\n-----------------\r\nPROMPT-HOST-AS, DE", "Abuse Contact:\r\n--------------\r\nabuse@sim-prompt.de"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if !w.up(t, host) {
		t.Error("a CDN took the origin down")
	}
	w.mustSubmit(t, "abuse@sim-prompt.de", xarfNotice("abuse@sim-prompt.de", "n7", "domain", host))
	w.advance(time.Hour)
	if w.up(t, host) {
		t.Error("the host did not act")
	}
}

func TestPlatformReadsMailOfUnknownAddresses(t *testing.T) {
	const host = "sim-phish-0007-glade.github.io"
	w := startTiny(t)
	w.mustSubmit(t, "takedowns@provider.example", xarfNotice("takedowns@provider.example", "n8", "domain", host))
	w.advance(time.Hour)
	if w.up(t, host) {
		t.Fatal("the platform did not act")
	}
}

func TestWrongDeskSaysSo(t *testing.T) {
	w := startTiny(t)
	w.mustSubmit(t, "abuse@sim-undns.net", xarfNotice("abuse@sim-undns.net", "n9", "domain", "sim-phish-0001-amber.com"))
	w.advance(48 * time.Hour)
	if got := w.kinds(); !slices.Equal(got, []string{"not_ours"}) || !w.up(t, "sim-phish-0001-amber.com") {
		t.Fatalf("answers %q", got)
	}
	if w.Stats().Desks["undns-host"].Misrouted != 1 {
		t.Errorf("%+v", w.Stats().Desks["undns-host"])
	}
}

func TestUpstreamAndNaturalDeath(t *testing.T) {
	const host = "sim-phish-0008-heron.com"
	w := startTiny(t)
	w.mustSubmit(t, "abuse@sim-transit.net", xarfNotice("abuse@sim-transit.net", "n10", "domain", host))
	w.advance(6 * time.Hour)
	if s, _ := w.Site(host); s.Serves != stateRefused {
		t.Errorf("upstream: %+v", s)
	}
	w.advance(94 * time.Hour)
	if s, _ := w.Site("sim-phish-0017-quartz.com"); s.Up || w.Stats().NaturalDeaths != 1 {
		t.Errorf("natural death: %+v", s)
	}
}

func TestDesksThatTalk(t *testing.T) {
	for _, test := range []struct {
		mailbox, host string
		notices       int
		answers       []string
		up            bool
	}{
		{"abuse@sim-deny.com", "sim-phish-0015-olive.com", 1, []string{"not_ours"}, true},
		{"abuse@sim-ask.com", "sim-phish-0016-pearl.com", 1, []string{"need_evidence"}, true},
		{"abuse@sim-ask.com", "sim-phish-0016-pearl.com", 2, []string{"need_evidence"}, false},
		{"abuse@sim-filter.com", "sim-phish-0014-north.com", 1, nil, true},
		{"abuse@sim-ignore.com", "sim-phish-0008-heron.com", 1, nil, true},
		{"abuse@sim-bounce.com", "sim-phish-0013-maple.com", 1, []string{"bounce"}, true},
	} {
		t.Run(test.mailbox+fmt.Sprint(test.notices), func(t *testing.T) {
			w := startTiny(t)
			for i := range test.notices {
				w.mustSubmit(t, test.mailbox, xarfNotice(test.mailbox, fmt.Sprint("t", i), "domain", test.host))
				w.advance(2 * time.Hour)
			}
			if got := w.kinds(); !slices.Equal(got, test.answers) || w.up(t, test.host) != test.up {
				t.Fatalf("answers %q, up %v", got, w.up(t, test.host))
			}
		})
	}
}

func TestBounceIsADeliveryStatusNotification(t *testing.T) {
	w := startTiny(t)
	w.mustSubmit(t, "abuse@sim-bounce.com", xarfNotice("abuse@sim-bounce.com", "dsn", "domain", "sim-phish-0013-maple.com"))
	w.advance(time.Hour)
	a := w.Answers(1)[0]
	if a.From != "" || a.To != reporter {
		t.Errorf("envelope %q to %q", a.From, a.To)
	}
	for _, want := range []string{"report-type=delivery-status", "Final-Recipient: rfc822; abuse@sim-bounce.com\r\n", "Action: failed\r\nStatus: 5.1.1\r\n", "Message-ID: <dsn@desist.example>"} {
		if !strings.Contains(string(a.Raw), want) {
			t.Errorf("no %q in\n%s", want, a.Raw)
		}
	}
}

func TestSMTPReplies(t *testing.T) {
	for _, test := range []struct {
		mailbox string
		code    int
		retry   bool // a second attempt is accepted
	}{
		{"abuse@sim-nouser.com", 550, false},
		{"sales@sim-prompt.de", 550, false},
		{"abuse@sim-formonly.nl", 550, false},
		{"abuse@sim-full.com", 452, false},
		{"abuse@sim-greylist.net", 451, true},
		{"abuse@sim-busy.net", 421, true},
	} {
		t.Run(test.mailbox, func(t *testing.T) {
			w := startTiny(t)
			msg := textNotice(test.mailbox, "s", "sim-phish-0001-amber.com")
			err := w.submit(t, test.mailbox, msg)
			var reply *smtp.SMTPError
			if !errors.As(err, &reply) || reply.Code != test.code {
				t.Fatalf("first attempt: %v, want %d", err, test.code)
			}
			if err := w.submit(t, test.mailbox, msg); (err == nil) != test.retry {
				t.Fatalf("second attempt: %v", err)
			}
		})
	}
}

func TestSMTPDropsAfterData(t *testing.T) {
	w := startTiny(t)
	err := w.submit(t, "abuse@sim-drop.com", textNotice("abuse@sim-drop.com", "d", "sim-phish-0012-larch.com"))
	var reply *smtp.SMTPError
	if err == nil || errors.As(err, &reply) {
		t.Fatalf("the sender learned the outcome: %v", err)
	}
	if len(w.Mails(1)) != 1 {
		t.Fatal("the mail was not taken")
	}
}

func TestSMTPFaultAndSink(t *testing.T) {
	w := startTiny(t)
	if err := w.Fault(Faults{SMTP: &SMTPFault{Recipient: "sim-prompt.de", Mode: "quota"}}); err != nil {
		t.Fatal(err)
	}
	if err := w.submit(t, "abuse@sim-prompt.de", "Subject: x\r\n\r\nx\r\n"); err == nil {
		t.Fatal("accepted in spite of the fault")
	}
	sink := startTiny(t, func(c *Config) { c.SMTPSink = true })
	sink.mustSubmit(t, "abuse@sim-nouser.com", "Subject: x\r\n\r\nx\r\n")
	if s := sink.Stats(); s.Mails != 1 || s.MailBytes == 0 || len(sink.Mails(1)) != 0 {
		t.Fatalf("sink %+v", s)
	}
}

// inbox is the product's side: it takes answers by SMTP or LMTP.
type inbox struct{ got chan string }

func (b inbox) NewSession(*smtp.Conn) (smtp.Session, error) { return &inboxSession{inbox: b}, nil }

type inboxSession struct {
	inbox
	from, to string
}

func (s *inboxSession) Reset()        {}
func (s *inboxSession) Logout() error { return nil }
func (s *inboxSession) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	return nil
}

func (s *inboxSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	return nil
}

func (s *inboxSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.got <- "<" + s.from + "> <" + s.to + ">\n" + string(b)
	return nil
}

func TestAnswersReachTheInbox(t *testing.T) {
	for _, test := range []struct {
		prefix string
		lmtp   bool
	}{{"", false}, {"", true}, {"lmtp://", true}, {"smtp://", false}} {
		t.Run(fmt.Sprint(test), func(t *testing.T) {
			box := inbox{got: make(chan string, 10)}
			srv := smtp.NewServer(box)
			srv.LMTP, srv.Domain, srv.ErrorLog = test.lmtp, "inbox.example", quietLog{}
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			served := make(chan error, 1)
			go func() { served <- srv.Serve(ln) }()
			defer func() {
				if err := srv.Close(); err != nil {
					t.Error(err)
				}
				<-served
			}()
			w := startTiny(t)
			w.SetReplyTo(test.prefix + ln.Addr().String())
			w.mustSubmit(t, "abuse@sim-prompt.de", xarfNotice("abuse@sim-prompt.de", "r", "domain", "sim-phish-0001-amber.com"))
			w.advance(time.Hour)
			for _, want := range []string{"<> <" + reporter + ">", "<abuse@sim-prompt.de> <answers@desist.example>"} {
				select {
				case got := <-box.got:
					if !strings.HasPrefix(got, want) {
						t.Errorf("got %s\nwant %s", got, want)
					}
				case <-time.After(10 * time.Second):
					t.Fatal("no answer arrived")
				}
			}
		})
	}
}

func FuzzReadNotice(f *testing.F) {
	f.Add([]byte(xarfNotice("a@b.example", "x", "url", "http://sim-a.com/")))
	f.Add([]byte(textNotice("a@b.example", "x", "http://sim-a.com/")))
	f.Add([]byte("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b--"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		n := readNotice(raw, func(host string) string { return host })
		if n.found == "xarf" && len(n.targets) == 0 {
			t.Fatal("found nothing by xarf")
		}
	})
}
