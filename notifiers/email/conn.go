package email

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"strconv"
	"sync"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"desist/takedown"
)

// maxReadPerMail bounds what a server may say in one dialogue, in bytes; the
// reply reader has no limit of its own.
const maxReadPerMail = 64 << 10

// endpoint is a server to connect to.
type endpoint struct {
	host        string // for the certificate and the record
	address     string // host:port
	implicitTLS bool
}

// conn is one SMTP connection after EHLO, TLS and AUTH.
type conn struct {
	smtp     *smtp.Client
	wire     *wire
	host     string
	tlsState string // such as "TLS 1.3 TLS_AES_128_GCM_SHA256", empty in clear
	maxSize  int    // the server's SIZE limit (RFC 1870), 0 when it states none
	lastUsed time.Time
}

// connect opens a connection. go-mail honours the context only while it dials
// and leaves the connection open when a later step fails, so both are done
// here.
func (n *Notifier) connect(ctx context.Context, to *endpoint) (*conn, error) {
	verify := n.cfg.TLS == TLSRequire || n.cfg.Username != ""
	tlsConfig := &tls.Config{}
	if n.cfg.TLSConfig != nil {
		tlsConfig = n.cfg.TLSConfig.Clone()
	}
	tlsConfig.ServerName = to.host
	tlsConfig.MinVersion = max(tlsConfig.MinVersion, tls.VersionTLS12)
	if !verify {
		tlsConfig.InsecureSkipVerify = true // opportunistic, RFC 7435
	}

	var w *wire
	release := func() bool { return true }
	options := []gomail.Option{
		gomail.WithHELO(n.cfg.Hello),
		gomail.WithTimeout(n.cfg.Timeout),
		gomail.WithTLSConfig(tlsConfig),
		gomail.WithTLSPolicy(n.policy(to)),
		gomail.WithoutSMTPUTF8(),
		gomail.WithDialContextFunc(func(dialing context.Context, _, _ string) (net.Conn, error) {
			raw, err := n.cfg.Dial(dialing, "tcp", to.address)
			if err != nil {
				return nil, err
			}
			w = &wire{Conn: raw, left: maxReadPerMail}
			// Not the context of the call: go-mail cancels that on return.
			release = context.AfterFunc(ctx, w.abort)
			if to.implicitTLS {
				return tls.Client(w, tlsConfig), nil
			}
			return w, nil
		}),
	}
	if n.cfg.Username != "" {
		options = append(options, gomail.WithUsername(n.cfg.Username), gomail.WithPassword(n.cfg.Password),
			gomail.WithOpportunisticSMTPAuth(mechanisms(to)...))
	}
	// A client for each connection, because go-mail's changes while it dials.
	client, err := gomail.NewClient(to.host, options...)
	if err != nil {
		return nil, fmt.Errorf("smtp client for %s: %w", to.address, err)
	}
	session, err := client.DialToSMTPClientWithContext(ctx)
	released := release()
	if err == nil && !released {
		err = ctx.Err()
	}
	if err != nil {
		if w != nil {
			_ = w.Close()
		}
		return nil, fmt.Errorf("connect to %s: %w", to.address, err)
	}
	c := &conn{smtp: session, wire: w, host: to.host, maxSize: sizeLimit(session)}
	if state, err := session.GetTLSConnectionState(); err == nil {
		c.tlsState = tls.VersionName(state.Version) + " " + tls.CipherSuiteName(state.CipherSuite)
	}
	return c, nil
}

func (n *Notifier) policy(to *endpoint) gomail.TLSPolicy {
	switch {
	case n.cfg.TLS == TLSNone || to.implicitTLS:
		return gomail.NoTLS
	case n.cfg.TLS == TLSRequire:
		return gomail.TLSMandatory
	}
	return gomail.TLSOpportunistic
}

// mechanisms lists the ways to log in that we take, best first. The plain ones
// refuse by themselves to work without TLS, except on this machine.
func mechanisms(to *endpoint) []gomail.SMTPAuthType {
	if isLoopback(to.host) {
		return []gomail.SMTPAuthType{gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthPlainNoEnc, gomail.SMTPAuthLoginNoEnc}
	}
	return []gomail.SMTPAuthType{gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin}
}

func sizeLimit(session *smtp.Client) int {
	_, parameter := session.Extension("SIZE")
	limit, err := strconv.Atoi(parameter)
	if err != nil {
		return 0
	}
	return limit
}

// attend makes the end of ctx end the dialogue. The returned function stops
// that and reports whether the connection is still good.
func (c *conn) attend(ctx context.Context) (release func() bool) {
	c.wire.renew()
	return context.AfterFunc(ctx, c.wire.abort)
}

// deliver holds the dialogue for one notice: MAIL, one RCPT, DATA.
func (c *conn) deliver(notice takedown.Notice) result {
	if size := len(notice.Sealed); c.maxSize > 0 && size > c.maxSize {
		return result{
			outcome: takedown.OutcomeRejected, keep: true,
			text: fmt.Sprintf("not sent: the notice has %d bytes and %s takes %d", size, c.host, c.maxSize),
		}
	}
	if err := c.smtp.Mail("<" + notice.EnvelopeFrom + ">"); err != nil {
		return resultOf(phaseSender, err)
	}
	if err := c.smtp.Rcpt("<" + notice.Recipient + ">"); err != nil {
		return resultOf(phaseRecipient, err)
	}
	data, err := c.smtp.Data()
	if err != nil {
		return resultOf(phaseData, err)
	}
	// The writer doubles leading dots and changes nothing else, because the
	// sealed bytes end every line, and themselves, with CRLF.
	if _, err := data.Write(notice.Sealed); err != nil {
		return resultOf(phaseData, err)
	}
	if err := data.Close(); err != nil {
		return resultOf(phaseDot, err)
	}
	response := ""
	if closer, ok := data.(*smtp.DataCloser); ok {
		response = closer.ServerResponse()
	}
	return resultOf(phaseDot, &textproto.Error{Code: 250, Msg: response})
}

func (c *conn) close() { _ = c.wire.Close() }

// quit says goodbye to an idle connection (RFC 5321 section 4.1.1.10). It must
// not be used in the middle of a dialogue: writing a command after a broken
// DATA would write the final dot first.
func (c *conn) quit() error {
	_ = c.wire.SetDeadline(time.Now().Add(time.Second))
	_ = c.smtp.Text.PrintfLine("QUIT")
	return c.wire.Close()
}

// wire is the network connection under an SMTP session. It bounds what the
// server may say, and once aborted stays so, whatever deadlines are set on it
// afterwards.
type wire struct {
	net.Conn
	mu      sync.Mutex
	aborted bool
	left    int
}

var errTooMuch = errors.New("the server said more than a dialogue needs")

func (w *wire) Read(p []byte) (int, error) {
	w.mu.Lock()
	left := w.left
	w.mu.Unlock()
	if left <= 0 {
		return 0, errTooMuch
	}
	n, err := w.Conn.Read(p[:min(len(p), left)])
	w.mu.Lock()
	w.left -= n
	w.mu.Unlock()
	return n, err
}

func (w *wire) SetDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.aborted {
		return nil
	}
	return w.Conn.SetDeadline(t)
}

func (w *wire) abort() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.aborted = true
	_ = w.Conn.SetDeadline(time.Unix(1, 0))
}

// renew prepares for the next mail: the time is bounded by its context.
func (w *wire) renew() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left = maxReadPerMail
	_ = w.Conn.SetDeadline(time.Time{})
}

// idleConns are the open connections that nobody uses, newest last.
type idleConns struct {
	mu    sync.Mutex
	conns []*conn
}

// take returns the connection that was used last, or nil. Those unused since
// before oldest are closed.
func (i *idleConns) take(oldest time.Time) *conn {
	i.mu.Lock()
	defer i.mu.Unlock()
	for len(i.conns) > 0 && i.conns[0].lastUsed.Before(oldest) {
		i.conns[0].close()
		i.conns = i.conns[1:]
	}
	if len(i.conns) == 0 {
		return nil
	}
	last := i.conns[len(i.conns)-1]
	i.conns = i.conns[:len(i.conns)-1]
	return last
}

func (i *idleConns) put(c *conn) {
	c.lastUsed = time.Now()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.conns = append(i.conns, c)
}

func (i *idleConns) close() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	var errs []error
	for _, c := range i.conns {
		errs = append(errs, c.quit())
	}
	i.conns = nil
	return errors.Join(errs...)
}
