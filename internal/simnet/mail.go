package simnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

const maxMailBytes = 25 << 20

// A Mail is one accepted message.
type Mail struct {
	At        time.Time `json:"at"` // the world's time
	From      string    `json:"from"`
	Recipient string    `json:"recipient"`
	Desk      string    `json:"desk"` // empty: nobody's mailbox
	MessageID string    `json:"message_id"`
	Subject   string    `json:"subject"`
	// Case refers to desk and target: the same for every notice about them.
	Case    string   `json:"case"`
	Targets []string `json:"targets"`
	// Found says how the targets were found: xarf, text or none.
	Found string `json:"found"`
	Raw   []byte `json:"raw,omitempty"`
}

// startSMTP opens the relay, which is also the mail exchanger of every domain.
func (n *Net) startSMTP(ctx context.Context) error {
	ln, err := n.listen(ctx, 0)
	if err != nil {
		return fmt.Errorf("simnet: smtp: %w", err)
	}
	n.mtaAddr = ln.Addr().String()
	n.smtp = smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &mailSession{n: n, conn: c.Conn()}, nil
	}))
	n.smtp.Domain = "mail.simnet.example"
	n.smtp.MaxMessageBytes = maxMailBytes
	n.smtp.MaxRecipients = 100
	n.smtp.ReadTimeout = 2 * time.Minute
	n.smtp.WriteTimeout = time.Minute
	n.smtp.EnableDSN = true
	n.smtp.EnableSMTPUTF8 = true
	n.smtp.ErrorLog = quietLog{}
	conns := &connSet{Listener: ln, open: map[net.Conn]bool{}}
	served := make(chan struct{})
	n.onClose(func() error {
		err := ln.Close()
		<-served // from here on no connection is added
		conns.closeAll()
		return errors.Join(err, ignoreClosed(n.smtp.Shutdown(context.Background())))
	})
	n.spawn(func() {
		defer close(served)
		if err := n.smtp.Serve(conns); err != nil && n.ctx.Err() == nil {
			n.log.Error("server ended", "server", "smtp", "error", err)
		}
	})
	return nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// quietLog drops what go-smtp says about clients that hang up.
type quietLog struct{}

func (quietLog) Printf(string, ...any) {}
func (quietLog) Println(...any)        {}

// mailSession is one SMTP dialogue.
type mailSession struct {
	n    *Net
	conn net.Conn
	from string
	to   []string
	drop bool
}

func (s *mailSession) Reset()        { s.from, s.to, s.drop = "", s.to[:0], false }
func (s *mailSession) Logout() error { return nil }

func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	return nil
}

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	if s.n.cfg.SMTPSink {
		s.to = append(s.to, to)
		return nil
	}
	mode := s.n.rcptMode(strings.ToLower(to), s.from)
	if mode == "drop" {
		s.drop = true
		mode = ""
	}
	if err := smtpError(mode); err != nil {
		return err
	}
	s.to = append(s.to, to)
	return nil
}

// smtpError is the reply of each way to misbehave at RCPT (RFC 5321, RFC 3463).
func smtpError(mode string) error {
	switch mode {
	case "nouser":
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "No such user here"}
	case "quota":
		return &smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 2, 2}, Message: "Mailbox over quota"}
	case "greylist":
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "Greylisted, please try again later"}
	case "unavailable":
		return &smtp.SMTPError{Code: 421, EnhancedCode: smtp.EnhancedCode{4, 3, 2}, Message: "Service not available, closing transmission channel"}
	}
	return nil
}

func (s *mailSession) Data(r io.Reader) error {
	if s.n.cfg.SMTPSink {
		size, err := io.Copy(io.Discard, r)
		if err != nil {
			return err
		}
		s.n.mu.Lock()
		s.n.stats.Mails += len(s.to)
		s.n.stats.MailBytes += size
		s.n.mu.Unlock()
		return nil
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(r); err != nil {
		return err // an over-size mail must not be taken as a whole one
	}
	for _, to := range s.to {
		s.n.receive(s.from, to, body.Bytes())
	}
	if s.drop {
		// The message is taken, the sender never learns it: an unknown outcome.
		if err := s.conn.Close(); err != nil {
			return fmt.Errorf("drop connection: %w", err)
		}
		return io.EOF
	}
	return nil
}

// quotaAttempts is how often a mailbox that is full now and then stays full.
const quotaAttempts = 3

// rcptMode decides how a mailbox answers at RCPT. Greylisting and "unavailable"
// hit the first attempt of a sender only; a full mailbox is emptied some time,
// unless the desk's is always full.
func (n *Net) rcptMode(to, from string) string {
	mode := n.faults.smtp(to)
	n.mu.Lock()
	defer n.mu.Unlock()
	d := n.deskOf(to)
	if mode == "" && d != nil {
		if n.idx.mailboxes[to] == nil && strings.HasSuffix(to, "@"+d.domain) {
			mode = "nouser" // the domain is theirs, the mailbox does not exist
		} else {
			mode = d.behaviour.SMTP.pickOrNone(draw(n.world.Seed, "rcpt", to, from))
		}
	}
	limit := 0
	switch {
	case mode == "greylist" || mode == "unavailable":
		limit = 1
	case mode == "quota" && d != nil && d.behaviour.SMTP["quota"] > 0 && d.behaviour.SMTP["quota"] < 1:
		limit = quotaAttempts
	}
	if limit > 0 {
		key := to + "\x00" + from
		if n.attempts[key] >= limit {
			mode = ""
		}
		n.attempts[key]++
	}
	if d != nil {
		switch mode {
		case "", "drop":
		case "nouser":
			d.counts.Rejected++
		default:
			d.counts.Deferred++
		}
	}
	return mode
}

// deskOf finds who reads a mailbox: its owner, else whoever has the domain.
// Net.mu is held.
func (n *Net) deskOf(to string) *desk {
	if d := n.idx.mailboxes[to]; d != nil {
		return d
	}
	if ds := n.idx.byDomain[to[strings.LastIndexByte(to, '@')+1:]]; len(ds) > 0 {
		return ds[0]
	}
	return nil
}

// connSet knows the open connections of a listener: go-smtp can wait for its
// connections or close them, but not both.
type connSet struct {
	net.Listener
	mu   sync.Mutex
	open map[net.Conn]bool
}

// Accept implements net.Listener.
func (l *connSet) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[c] = true
	return &setConn{Conn: c, set: l}, nil
}

func (l *connSet) closeAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.open {
		_ = c.Close() // the peer may have been first
	}
}

type setConn struct {
	net.Conn
	set *connSet
}

// Close implements net.Conn.
func (c *setConn) Close() error {
	c.set.mu.Lock()
	delete(c.set.open, c.Conn)
	c.set.mu.Unlock()
	return c.Conn.Close()
}
