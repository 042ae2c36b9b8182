package inbox

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

// maxRecipientsPerMail bounds RCPT; a bounce has one.
const maxRecipientsPerMail = 50

// maxLine bounds a line in bytes. RFC 5321 section 4.5.3.1.6 says 1000; real
// bounces that carry HTML do not keep to it, and refusing them helps nobody.
const maxLine = 128 << 10

// protocol is a server for either SMTP or LMTP that is fed with connections
// whose first line was read already.
type protocol struct {
	server *smtp.Server
	feed   *feed
	done   chan struct{}
}

func (l *Listener) newProtocol(lmtp bool) *protocol {
	s := smtp.NewServer(smtp.BackendFunc(l.newSession))
	s.LMTP = lmtp
	s.Domain = l.cfg.Domain
	s.MaxMessageBytes = l.cfg.MaxBytes
	s.MaxLineLength = maxLine
	s.MaxRecipients = maxRecipientsPerMail
	s.ReadTimeout, s.WriteTimeout = l.cfg.Timeout, l.cfg.Timeout
	s.ErrorLog = serverLog{l.cfg.Logger}
	p := &protocol{server: s, feed: newFeed(l.listener.Addr()), done: make(chan struct{})}
	go func() {
		defer close(p.done)
		_ = s.Serve(p.feed) // ends when the feed is closed
	}()
	return p
}

// close cuts the dialogues and waits for the server. The feed is closed too,
// because the server does not know it before Serve has begun.
func (p *protocol) close() error {
	err := p.server.Close()
	_ = p.feed.Close()
	<-p.done
	return err
}

// accept hands each connection to the protocol that its peer speaks.
func (l *Listener) accept() {
	for {
		select {
		case l.slots <- struct{}{}:
		case <-l.ctx.Done():
			return
		}
		c, err := l.listener.Accept()
		if err != nil {
			<-l.slots
			if l.ctx.Err() != nil {
				return
			}
			l.cfg.Logger.Error("inbox cannot accept", "error", err)
			select { // out of file descriptors, most likely
			case <-time.After(time.Second):
			case <-l.ctx.Done():
				return
			}
			continue
		}
		counted := &countedConn{Conn: c, release: sync.OnceFunc(func() { <-l.slots })}
		l.wg.Go(func() { l.greet(counted) })
	}
}

// greet says hello and reads the first line, which tells LMTP from SMTP: both
// are greeted the same way.
func (l *Listener) greet(c net.Conn) {
	if !l.remember(c) {
		_ = c.Close()
		return
	}
	_ = c.SetDeadline(time.Now().Add(l.cfg.Timeout))
	line, err := firstLine(c, l.cfg.Domain)
	if !l.forget(c) || err != nil {
		_ = c.Close()
		return
	}
	_ = c.SetDeadline(time.Time{})
	p := l.smtp
	if strings.HasPrefix(strings.ToUpper(string(line)), "LHLO") {
		p = l.lmtp
	}
	p.feed.offer(&greetedConn{Conn: c, pending: line})
}

func firstLine(c net.Conn, domain string) ([]byte, error) {
	if _, err := fmt.Fprintf(c, "220 %s ESMTP and LMTP ready\r\n", domain); err != nil {
		return nil, err
	}
	line := make([]byte, 0, 512)
	for !bytes.HasSuffix(line, []byte("\n")) {
		if len(line) == cap(line) {
			return nil, fmt.Errorf("the first line is longer than %d bytes", cap(line))
		}
		// A peer must wait for the greeting and the answer to its first command
		// (RFC 5321 section 4.3.1), so whatever came belongs to one line; more is
		// passed on unread.
		n, err := c.Read(line[len(line):cap(line)])
		if err != nil {
			return nil, err
		}
		line = line[:len(line)+n]
		if bytes.IndexByte(line, '\n') >= 0 {
			break
		}
	}
	return line, nil
}

func (l *Listener) remember(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.fresh[c] = true
	}
	return !l.closed
}

func (l *Listener) forget(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.fresh, c)
	return !l.closed
}

// greetedConn gives the first line back to the server and swallows the server's
// own greeting.
type greetedConn struct {
	net.Conn
	pending []byte
	greeted bool
}

func (c *greetedConn) Read(p []byte) (int, error) {
	if len(c.pending) > 0 {
		n := copy(p, c.pending)
		c.pending = c.pending[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

func (c *greetedConn) Write(p []byte) (int, error) {
	if !c.greeted {
		c.greeted = true
		if end := bytes.IndexByte(p, '\n'); end >= 0 && end+1 < len(p) {
			n, err := c.Conn.Write(p[end+1:])
			return n + end + 1, err
		}
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// countedConn frees its slot when it is closed.
type countedConn struct {
	net.Conn
	release func()
}

func (c *countedConn) Close() error {
	c.release()
	return c.Conn.Close()
}

// feed is a net.Listener whose connections were accepted elsewhere.
type feed struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
	addr   net.Addr
}

func newFeed(addr net.Addr) *feed {
	return &feed{conns: make(chan net.Conn), closed: make(chan struct{}), addr: addr}
}

func (f *feed) offer(c net.Conn) {
	select {
	case f.conns <- c:
	case <-f.closed:
		_ = c.Close()
	}
}

// Accept implements net.Listener.
func (f *feed) Accept() (net.Conn, error) {
	select {
	case c := <-f.conns:
		return c, nil
	case <-f.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (f *feed) Close() error {
	f.once.Do(func() { close(f.closed) })
	return nil
}

// Addr implements net.Listener.
func (f *feed) Addr() net.Addr { return f.addr }

// serverLog passes what the server reports to our log.
type serverLog struct{ logger *slog.Logger }

func (s serverLog) Printf(format string, v ...any) {
	s.logger.Warn("the mail server inside reports", "text", fmt.Sprintf(format, v...))
}

func (s serverLog) Println(v ...any) {
	s.logger.Warn("the mail server inside reports", "text", strings.TrimSpace(fmt.Sprintln(v...)))
}
