package simnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

const (
	outboxCap     = 100_000
	outboxTries   = 5
	outboxTimeout = 10 * time.Second
)

// outbox is the queue of answers on their way to the product.
type outbox struct {
	mu     sync.Mutex
	to     string
	queue  []queued
	signal chan struct{}

	sent, failed, dropped int
}

type queued struct {
	Answer
	tries int
}

func newOutbox(to string) *outbox { return &outbox{to: to, signal: make(chan struct{}, 1)} }

// add queues an answer, unless nobody listens.
func (o *outbox) add(a Answer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.to == "" {
		return
	}
	if len(o.queue) >= outboxCap {
		o.dropped++
		return
	}
	o.queue = append(o.queue, queued{Answer: a})
	o.wake()
}

func (o *outbox) wake() {
	select {
	case o.signal <- struct{}{}:
	default: // a wake-up is already waiting
	}
}

func (o *outbox) take() (queued, string, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.queue) == 0 {
		return queued{}, o.to, false
	}
	first := o.queue[0]
	o.queue = o.queue[1:]
	return first, o.to, true
}

// SetReplyTo changes where answers go (see [Config.ReplyTo]): the product's
// inbox may only be known once it listens.
func (n *Net) SetReplyTo(addr string) {
	n.outbox.mu.Lock()
	n.outbox.to = addr
	n.outbox.mu.Unlock()
	n.outbox.wake()
}

// deliverAnswers sends queued answers one after the other over one connection.
func (n *Net) deliverAnswers(ctx context.Context) {
	var link *mailLink
	defer func() { link.close() }()
	for {
		q, to, ok := n.outbox.take()
		if !ok {
			link.close() // do not hold the product's connection while idle
			link = nil
			select {
			case <-ctx.Done():
				return
			case <-n.outbox.signal:
				continue
			}
		}
		if ctx.Err() != nil {
			return
		}
		err := n.deliverAnswer(ctx, &link, to, q.Answer)
		var refused *smtp.SMTPError
		n.outbox.mu.Lock()
		switch {
		case err == nil:
			n.outbox.sent++
		case q.tries+1 >= outboxTries || errors.As(err, &refused) && refused.Code >= 500:
			n.outbox.failed++
		default:
			q.tries++
			n.outbox.queue = append(n.outbox.queue, q)
		}
		n.outbox.mu.Unlock()
		if err != nil {
			link.close()
			link = nil
			n.log.Debug("answer not delivered", "to", q.To+" at "+to, "try", q.tries, "error", err)
			if !n.pause(100 * time.Millisecond) {
				return
			}
		}
	}
}

func (n *Net) deliverAnswer(ctx context.Context, link **mailLink, to string, a Answer) error {
	if *link != nil && (*link).addr != to {
		(*link).close()
		*link = nil
	}
	if *link == nil {
		l, err := dialLink(ctx, to)
		if err != nil {
			return err
		}
		*link = l
	}
	c := (*link).client
	if err := c.Mail(a.From, nil); err != nil {
		return err
	}
	if err := c.Rcpt(a.To, nil); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := bytes.NewReader(a.Raw).WriteTo(w); err != nil {
		return err
	}
	return w.Close()
}

// A mailLink is a connection to the product's inbox.
type mailLink struct {
	addr   string
	client *smtp.Client
	stop   func() bool
}

func (l *mailLink) close() {
	if l == nil {
		return
	}
	l.stop()
	if err := l.client.Quit(); err != nil {
		_ = l.client.Close() // it is broken anyway
	}
}

// dialLink speaks the protocol that the prefix says, else SMTP, else LMTP.
func dialLink(ctx context.Context, to string) (*mailLink, error) {
	protocol, addr, found := strings.Cut(to, "://")
	if !found {
		protocol, addr = "", to
	}
	var errs []error
	for _, p := range []string{"smtp", "lmtp"} {
		if protocol != "" && protocol != p {
			continue
		}
		var d net.Dialer
		dialCtx, cancel := context.WithTimeout(ctx, outboxTimeout)
		conn, err := d.DialContext(dialCtx, "tcp", addr)
		cancel()
		if err != nil {
			return nil, err
		}
		stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // unblocks a dialogue
		client := smtp.NewClient(conn)
		if p == "lmtp" {
			client = smtp.NewClientLMTP(conn)
		}
		client.CommandTimeout, client.SubmissionTimeout = outboxTimeout, outboxTimeout
		if err = client.Hello("mail.simnet.example"); err == nil {
			return &mailLink{addr: to, client: client, stop: stop}, nil
		}
		stop()
		_ = client.Close() // the greeting failed already
		errs = append(errs, fmt.Errorf("%s %s: %w", p, addr, err))
	}
	if len(errs) == 0 {
		return nil, fmt.Errorf("reply to %q: the protocol is neither smtp nor lmtp", to)
	}
	return nil, errors.Join(errs...)
}
