package notifiertest

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// Behaviour is how the fake relay treats mail to a recipient. The recipient's
// local part names it; any other is accepted.
type Behaviour string

// The behaviours of the fake relay.
const (
	Accept       Behaviour = "accept"
	Multiline    Behaviour = "multiline"     // accepts with a reply of two lines
	NoSuchUser   Behaviour = "nosuchuser"    // 550 5.1.1 to RCPT
	Policy       Behaviour = "policy"        // 550 5.7.1 to RCPT
	Spam         Behaviour = "spam"          // 554 5.7.1 after the final dot
	Greylist     Behaviour = "greylist"      // 451 4.7.1 to RCPT
	Busy         Behaviour = "busy"          // 452 4.3.1 after the final dot
	Shutdown     Behaviour = "shutdown"      // 421 4.3.2 to RCPT
	Hang         Behaviour = "hang"          // never answers RCPT
	HangAfterDot Behaviour = "hang-after"    // takes the mail, never answers
	DropAtRcpt   Behaviour = "drop-rcpt"     // closes the connection at RCPT
	DropAfterDot Behaviour = "drop-after"    // takes the mail, closes the connection
	CloseIdle    Behaviour = "accept-closed" // accepts, then breaks the connection at its next mail
)

// Mail is what the relay was handed, as it came over the wire.
type Mail struct {
	From string
	To   string
	Data []byte
}

// Relay is an SMTP server on loopback that misbehaves on demand.
type Relay struct {
	// Addr is host:port.
	Addr string

	ctx   context.Context
	mu    sync.Mutex
	mails []Mail
	conns int
	// reached receives the behaviour of each dialogue that begins to hang.
	reached chan Behaviour
}

// NewRelay starts a relay that stops with the test. It does not offer TLS.
func NewRelay(t testing.TB) *Relay {
	t.Helper()
	return newRelay(t, nil)
}

// NewTLSRelay starts a relay that offers STARTTLS with config.
func NewTLSRelay(t testing.TB, config *tls.Config) *Relay {
	t.Helper()
	return newRelay(t, config)
}

func newRelay(t testing.TB, config *tls.Config) *Relay {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &Relay{Addr: listener.Addr().String(), ctx: ctx, reached: make(chan Behaviour, 64)}
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		r.mu.Lock()
		r.conns++
		r.mu.Unlock()
		return &session{relay: r, conn: c}, nil
	}))
	server.Domain = "relay.example"
	server.TLSConfig = config
	server.MaxMessageBytes = 1 << 20
	server.ReadTimeout = time.Minute
	server.WriteTimeout = time.Minute
	server.ErrorLog = discard{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		stop()
		_ = server.Close()
		_ = listener.Close() // Close misses a listener that Serve has not yet seen
		<-done
	})
	return r
}

// Mails returns what was taken, in order.
func (r *Relay) Mails() []Mail {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.mails)
}

// Connections returns how many connections were opened.
func (r *Relay) Connections() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.conns
}

// Reached is signalled when a dialogue begins to hang.
func (r *Relay) Reached() <-chan Behaviour { return r.reached }

func (r *Relay) hang(b Behaviour) error {
	r.reached <- b
	<-r.ctx.Done()
	return errors.New("the relay stopped")
}

type session struct {
	relay *Relay
	conn  *smtp.Conn
	mail  Mail
	how   Behaviour
	// closing is set once the connection is to break at the next MAIL.
	closing bool
}

func (s *session) Reset()        { s.mail, s.how = Mail{}, "" }
func (s *session) Logout() error { return nil }

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if s.closing {
		return s.drop()
	}
	s.mail.From = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.mail.To = to
	s.how = behaviourOf(to)
	switch s.how {
	case NoSuchUser:
		return reply(550, smtp.EnhancedCode{5, 1, 1}, "No such user here")
	case Policy:
		return reply(550, smtp.EnhancedCode{5, 7, 1}, "Refused by policy\nSee https://relay.example/why")
	case Greylist:
		return reply(451, smtp.EnhancedCode{4, 7, 1}, "Greylisted, come back later")
	case Shutdown:
		return reply(421, smtp.EnhancedCode{4, 3, 2}, "Shutting down")
	case Hang:
		return s.relay.hang(Hang)
	case DropAtRcpt:
		return s.drop()
	}
	return nil
}

func (s *session) Data(body io.Reader) error {
	data, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	switch s.how {
	case Spam:
		return reply(554, smtp.EnhancedCode{5, 7, 1}, "Looks like spam")
	case Busy:
		return reply(452, smtp.EnhancedCode{4, 3, 1}, "Insufficient storage")
	}
	s.mail.Data = data
	s.relay.mu.Lock()
	s.relay.mails = append(s.relay.mails, s.mail)
	s.relay.mu.Unlock()
	switch s.how {
	case HangAfterDot:
		return s.relay.hang(HangAfterDot)
	case DropAfterDot:
		return s.drop()
	case Multiline:
		return reply(250, smtp.EnhancedCode{2, 6, 0}, "Taken\nqueued as 4XyZ12")
	case CloseIdle:
		s.closing = true
		return reply(250, smtp.EnhancedCode{2, 0, 0}, "queued as LAST")
	}
	return reply(250, smtp.EnhancedCode{2, 0, 0}, "queued as 4XyZ11")
}

// behaviourOf reads the behaviour from the local part.
func behaviourOf(to string) Behaviour {
	local, _, _ := strings.Cut(to, "@")
	return Behaviour(local)
}

func (s *session) drop() error {
	_ = s.conn.Close()
	return errors.New("dropped")
}

func reply(code int, enhanced smtp.EnhancedCode, text string) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: enhanced, Message: text}
}

type discard struct{}

func (discard) Printf(string, ...any) {}
func (discard) Println(...any)        {}
