package inbox_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"desist/inbox"
	"desist/takedown"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// store is a sink in memory.
type store struct {
	mu      sync.Mutex
	replies []takedown.Reply
	err     error
}

func (s *store) Store(_ context.Context, r takedown.Reply) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.replies = append(s.replies, r)
	return nil
}

var arrived = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func listen(t *testing.T, address string, sink inbox.Sink) *inbox.Listener {
	t.Helper()
	l, err := inbox.Listen(inbox.Config{
		Address: address, Domain: "sender.example", Sink: sink, Verifier: verifier{}, MaxBytes: 100_000,
		Timeout: time.Minute, Now: func() time.Time { return arrived },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return l
}

// send hands a mail over in the way of proto.
func send(t *testing.T, l *inbox.Listener, proto, to, body string) error {
	t.Helper()
	c, err := net.Dial(l.Addr().Network(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	client := smtp.NewClient(c)
	if proto == "lmtp" {
		client = smtp.NewClientLMTP(c)
	}
	defer client.Close()
	if err := client.Mail("", nil); err != nil {
		return err
	}
	if err := client.Rcpt(to, nil); err != nil {
		return err
	}
	w, err := client.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write([]byte(body)); err != nil {
		return err
	}
	return w.Close()
}

const bounceMail = "From: MAILER-DAEMON@mx.example\r\nTo: x@sender.example\r\nSubject: Undelivered Mail Returned to Sender\r\n" +
	"MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nNot delivered.\r\n" +
	"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\nFinal-Recipient: rfc822; abuse@desk.example\r\n" +
	"Action: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 <abuse@desk.example>: user unknown\r\n\r\n" +
	"--b\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: <ours-7-42-2@sender.example>\r\nSubject: s\r\n\r\nbody\r\n--b--\r\n"

func TestListener(t *testing.T) {
	for _, proto := range []string{"smtp", "lmtp"} {
		for _, address := range []string{"127.0.0.1:0", "unix:" + filepath.Join(t.TempDir(), proto+".sock")} {
			t.Run(proto+" "+address[:4], func(t *testing.T) {
				sink := &store{}
				l := listen(t, address, sink)
				if err := send(t, l, proto, "bounce+42-2@sender.example", bounceMail); err != nil {
					t.Fatal(err)
				}
				if len(sink.replies) != 1 {
					t.Fatalf("%d replies stored, want 1", len(sink.replies))
				}
				got := sink.replies[0]
				raw := "Return-Path: <>\r\nDelivered-To: bounce+42-2@sender.example\r\n" + bounceMail
				if string(got.Raw) != raw {
					t.Errorf("raw is %q", got.Raw)
				}
				got.Raw, got.SHA256, got.Excerpt = nil, takedown.Hash{}, ""
				want := takedown.Reply{
					CaseID: 7, LegID: 42, Seq: 2, ReceivedAt: arrived, Class: takedown.ReplyBounce, From: "MAILER-DAEMON@mx.example",
					Subject: "Undelivered Mail Returned to Sender", Authentic: true, Reason: "no_such_user", Permanent: true, Recipient: "abuse@desk.example",
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("reply (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestListenerRefuses(t *testing.T) {
	for _, proto := range []string{"smtp", "lmtp"} {
		t.Run(proto, func(t *testing.T) {
			sink := &store{err: errors.New("the disk is full")}
			l := listen(t, "127.0.0.1:0", sink)
			var said *smtp.SMTPError
			if err := send(t, l, proto, "a@sender.example", bounceMail); !smtpCode(err, &said) || said.Code != 451 {
				t.Errorf("a mail that cannot be stored was answered %v, want 451", err)
			}
			sink.err = nil
			if err := send(t, l, proto, "a@sender.example", strings.Repeat("too much\r\n", 20_000)); !smtpCode(err, &said) || said.Code != 552 {
				t.Errorf("a mail that is too large was answered %v, want 552", err)
			}
			if len(sink.replies) != 0 {
				t.Errorf("%d replies were stored, want none", len(sink.replies))
			}
		})
	}
}

// smtpCode finds the server's answer in the error of either protocol.
func smtpCode(err error, said **smtp.SMTPError) bool {
	var perRecipient smtp.LMTPDataError
	if errors.As(err, &perRecipient) {
		for _, e := range perRecipient {
			*said = e
			return true
		}
	}
	return errors.As(err, said)
}

func TestListenerCloseCutsDialogues(t *testing.T) {
	l := listen(t, "127.0.0.1:0", &store{})
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	greeting := make([]byte, 100)
	if n, err := c.Read(greeting); err != nil || !strings.HasPrefix(string(greeting[:n]), "220 sender.example") {
		t.Fatalf("greeting %q, %v", greeting[:n], err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(greeting); err == nil {
		t.Error("the connection is still open")
	}
}

func TestListenTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "inbox.sock")
	listen(t, path, &store{})
	if _, err := inbox.Listen(inbox.Config{Address: path, Sink: &store{}, Verifier: verifier{}}); err == nil {
		t.Error("the second listener took the socket of the first")
	}
}

// verifier knows tokens of the form x+LEG-SEQ and Message-IDs of the form
// ours-CASE-LEG-SEQ, all at sender.example.
type verifier struct{}

func (verifier) VerifyToken(address string) (legID int64, seq int, ok bool) {
	_, rest, _ := strings.Cut(strings.ToLower(address), "+")
	n, err := fmt.Sscanf(rest, "%d-%d@sender.example", &legID, &seq)
	return legID, seq, err == nil && n == 2
}

func (verifier) VerifyMessageID(id string) (caseID, legID int64, seq int, ok bool) {
	n, err := fmt.Sscanf(strings.Trim(id, "<>"), "ours-%d-%d-%d@sender.example", &caseID, &legID, &seq)
	return caseID, legID, seq, err == nil && n == 3
}
