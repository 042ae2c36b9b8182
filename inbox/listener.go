package inbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"

	"desist/takedown"
)

// Sink stores replies. Store returns nil only when the reply would survive a
// crash; then the sending side is told 250 and forgets the mail.
type Sink interface {
	Store(ctx context.Context, reply takedown.Reply) error
}

// The defaults of Config.
const (
	DefaultMaxBytes = 10 << 20
	DefaultTimeout  = 5 * time.Minute // RFC 5321 section 4.5.3.2.7
	maxConnections  = 100
	storeTimeout    = time.Minute
)

// Config says how mail is received.
type Config struct {
	// Address is host:port, unix:/path or an absolute path. The peer chooses
	// the protocol by its first word: LHLO is LMTP, EHLO or HELO is SMTP.
	Address string
	// Domain is our name in the greeting.
	Domain   string
	Sink     Sink
	Verifier Verifier
	// MaxBytes bounds a mail; a larger one is refused whole.
	MaxBytes int64
	// Timeout bounds each read and write.
	Timeout time.Duration
	Logger  *slog.Logger
	Now     func() time.Time
}

// Listener receives mail until it is closed.
type Listener struct {
	cfg      Config
	listener net.Listener
	lmtp     *protocol
	smtp     *protocol
	ctx      context.Context // ends with Close, so that a slow store does too
	cancel   context.CancelFunc
	slots    chan struct{}
	wg       sync.WaitGroup
	mu       sync.Mutex
	fresh    map[net.Conn]bool // connections whose protocol is not known yet
	closed   bool
	deposits sync.WaitGroup
}

// Listen opens the address and starts to receive.
func Listen(cfg Config) (*Listener, error) {
	if cfg.Sink == nil || cfg.Verifier == nil {
		return nil, takedown.Permanent(errors.New("inbox: a sink and a verifier are needed"))
	}
	if cfg.Domain == "" {
		cfg.Domain = "localhost"
	}
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = DefaultMaxBytes
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	network, address := "tcp", cfg.Address
	if path, ok := strings.CutPrefix(address, "unix:"); ok || strings.HasPrefix(address, "/") {
		network, address = "unix", path
	}
	opened, err := open(network, address)
	if err != nil {
		return nil, takedown.Permanent(fmt.Errorf("inbox.lmtp %q: %w", cfg.Address, err))
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &Listener{
		cfg: cfg, listener: opened, ctx: ctx, cancel: cancel,
		slots: make(chan struct{}, maxConnections), fresh: map[net.Conn]bool{},
	}
	l.lmtp, l.smtp = l.newProtocol(true), l.newProtocol(false)
	l.wg.Go(l.accept)
	return l, nil
}

// open listens. A socket that a crashed process left behind is removed; one
// that answers belongs to a living process and is an error.
func open(network, address string) (net.Listener, error) {
	if network == "unix" {
		if c, err := net.DialTimeout(network, address, time.Second); err == nil {
			_ = c.Close()
			return nil, errors.New("another process listens there")
		}
		if info, err := os.Lstat(address); err == nil && info.Mode().Type() == os.ModeSocket {
			if err := os.Remove(address); err != nil {
				return nil, err
			}
		}
	}
	return net.Listen(network, address)
}

// Addr returns where the listener listens.
func (l *Listener) Addr() net.Addr { return l.listener.Addr() }

// Close stops receiving. Dialogues are cut; a mail whose 250 was not sent stays
// with its sender.
func (l *Listener) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	for c := range l.fresh {
		_ = c.Close()
	}
	l.mu.Unlock()
	l.cancel()
	err := l.listener.Close()
	err = errors.Join(err, l.lmtp.close(), l.smtp.close())
	l.wg.Wait()
	l.deposits.Wait()
	return err
}

// deposit stores one mail for one recipient. The envelope is kept in the header
// fields that a final delivery adds (RFC 5321 section 4.4), because the proof
// that the mail answers ours stands in the recipient's address.
func (l *Listener) deposit(from, to string, body []byte) error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return tryAgain()
	}
	l.deposits.Add(1)
	l.mu.Unlock()
	defer l.deposits.Done()
	raw := append(fmt.Appendf(nil, "Return-Path: <%s>\r\nDelivered-To: %s\r\n", from, to), body...)
	reply := Classify(raw, l.cfg.Verifier)
	reply.ReceivedAt = l.cfg.Now()
	ctx, cancel := context.WithTimeout(l.ctx, storeTimeout)
	defer cancel()
	if err := l.cfg.Sink.Store(ctx, reply); err != nil {
		l.cfg.Logger.ErrorContext(ctx, "reply not stored", "from", from, "to", to, "error", err)
		return tryAgain()
	}
	return nil
}

func tryAgain() error {
	return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "Cannot store the mail now, try again"}
}

// newSession is called for each EHLO or LHLO.
func (l *Listener) newSession(*smtp.Conn) (smtp.Session, error) { return &session{listener: l}, nil }

// session is one dialogue.
type session struct {
	listener *Listener
	from     string
	to       []string
}

func (s *session) Reset()        { s.from, s.to = "", nil }
func (s *session) Logout() error { return nil }

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = append(s.to, to)
	return nil
}

// Data stores the mail once for each recipient; SMTP has one answer for all, so
// one failure is everybody's, and storing again must be harmless.
func (s *session) Data(r io.Reader) error {
	body, err := io.ReadAll(r)
	if err != nil {
		return err // over-size or broken: not to be stored in part
	}
	for _, to := range s.to {
		if err := s.listener.deposit(s.from, to, body); err != nil {
			return err
		}
	}
	return nil
}

// LMTPData answers for each recipient (RFC 2033 section 4.2).
func (s *session) LMTPData(r io.Reader, status smtp.StatusCollector) error {
	body, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	for _, to := range s.to {
		status.SetStatus(to, s.listener.deposit(s.from, to, body))
	}
	return nil
}
