package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"desist/takedown"
)

// Reasons for the end of a Subscription. After both, read what was missed from
// PostgreSQL by the last id seen, and subscribe again.
var (
	// ErrSlow ends a subscription whose reader left its buffer full.
	ErrSlow = errors.New("bus: subscriber too slow, events were left out: subscribe again from the last id")
	// ErrInterrupted ends all subscriptions when the connection was lost.
	ErrInterrupted = errors.New("bus: connection to NATS lost, events may be missing: subscribe again from the last id")
)

// A Subscription gets events as they are published, without replay. It has no
// hidden gap: where one could be, it ends. It may bring an event twice.
//
// It reads the subject, not the stream: a dashboard then costs the server no
// consumer, and cannot resume at a sequence that a restarted server, whose
// stream in memory begins at 1 again, has yet to reach.
type Subscription struct {
	bus    *Bus
	sub    *nats.Subscription
	events chan Event
	stop   func() bool

	mu    sync.Mutex
	ended bool
	err   error
}

// Events follows the events whose kind matches filter: a kind, a pattern with
// the wildcards * and >, or "" for all. buffer is how many may wait for the
// reader. The subscription ends with ctx, with Close, or for one of the reasons
// above; it never holds others up.
func (b *Bus) Events(ctx context.Context, filter string, buffer int) (*Subscription, error) {
	if filter == "" {
		filter = ">"
	}
	if strings.ContainsAny(filter, " \t\r\n") || strings.HasPrefix(filter, ".") || strings.HasSuffix(filter, ".") || strings.Contains(filter, "..") {
		return nil, takedown.Permanent(fmt.Errorf("bus: filter %q for events is no subject", filter))
	}
	leave, err := b.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	s := &Subscription{bus: b, events: make(chan Event, max(buffer, 1))}
	s.mu.Lock() // deliver waits until sub is set
	s.sub, err = b.conn.Subscribe(eventsPrefix+filter, s.deliver)
	s.mu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("bus: subscribe to %s: %w", eventsPrefix+filter, err)
	}
	b.mu.Lock()
	b.subs[s] = struct{}{}
	b.mu.Unlock()
	// The server must know of it before we return, or an event published next
	// could pass it by.
	if err := b.flush(ctx); err != nil {
		s.end(err)
		return nil, fmt.Errorf("bus: subscribe to %s: %w", eventsPrefix+filter, err)
	}
	s.mu.Lock()
	s.stop = context.AfterFunc(ctx, func() { s.end(ctx.Err()) })
	s.mu.Unlock()
	return s, nil
}

// Events returns the channel, which is closed when the subscription ends.
func (s *Subscription) Events() <-chan Event { return s.events }

// Err returns why the subscription ended: nil while it has not and after Close.
func (s *Subscription) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Close ends the subscription.
func (s *Subscription) Close() { s.end(nil) }

func (s *Subscription) deliver(m *nats.Msg) {
	id, err := strconv.ParseInt(m.Header.Get(jetstream.MsgIDHeader), 10, 64)
	if err != nil {
		return // not ours: the relay gives each event its id
	}
	e := Event{Kind: strings.TrimPrefix(m.Subject, eventsPrefix), ID: id, Data: m.Data}
	s.mu.Lock()
	full := false
	if !s.ended {
		select {
		case s.events <- e:
		default:
			full = true
		}
	}
	s.mu.Unlock()
	if full {
		s.bus.cfg.Logger.Warn("dropping a slow subscriber to events", "subject", s.sub.Subject, "buffer", cap(s.events))
		s.end(ErrSlow)
	}
}

// end closes the channel once; the first reason stays.
func (s *Subscription) end(reason error) {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return
	}
	s.ended, s.err = true, reason
	close(s.events)
	stop := s.stop
	s.mu.Unlock()
	if stop != nil {
		stop()
	}
	_ = s.sub.Unsubscribe() // fails only when the connection is closed
	s.bus.mu.Lock()
	delete(s.bus.subs, s)
	s.bus.mu.Unlock()
}

// endSubscriptions ends all for one reason.
func (b *Bus) endSubscriptions(reason error) {
	b.mu.Lock()
	all := make([]*Subscription, 0, len(b.subs))
	for s := range b.subs {
		all = append(all, s)
	}
	b.mu.Unlock()
	for _, s := range all {
		s.end(reason)
	}
}
