package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"desist/takedown"
)

// A Consumer fetches batches of one queue. Several, in one process or many,
// share the queue.
type Consumer struct {
	bus    *Bus
	stream string
	cfg    jetstream.ConsumerConfig

	mu   sync.Mutex
	cons jetstream.Consumer // nil when it must be opened again
}

// Indicators consumes the submissions handed in.
func (b *Bus) Indicators(ctx context.Context) (*Consumer, error) {
	return b.consumer(ctx, StreamIndicators, "intake", indicatorsPrefix+">")
}

// Work consumes the work of one stage.
func (b *Bus) Work(ctx context.Context, stage string) (*Consumer, error) {
	if err := checkStage(stage); err != nil {
		return nil, takedown.Permanent(err)
	}
	return b.consumer(ctx, StreamWork, stage, workPrefix+stage)
}

func (b *Bus) consumer(ctx context.Context, stream, durable, filter string) (*Consumer, error) {
	leave, err := b.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	c := &Consumer{bus: b, stream: stream, cfg: jetstream.ConsumerConfig{
		Durable:       durable,
		FilterSubject: filter,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       b.cfg.AckWait,
		// Without end. A message at a server-side limit would lie in the work
		// queue for ever, unseen, if we died before we buried it. LastDelivery
		// marks this and every later delivery instead.
		MaxDeliver:    -1,
		MaxAckPending: maxAckPending,
		Replicas:      b.cfg.Replicas,
	}}
	if _, err := c.open(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// open returns the server's consumer, created or updated when need be.
func (c *Consumer) open(ctx context.Context) (jetstream.Consumer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cons != nil {
		return c.cons, nil
	}
	cons, err := c.bus.js.CreateOrUpdateConsumer(ctx, c.stream, c.cfg)
	if err != nil {
		return nil, fmt.Errorf("bus: create consumer %s of stream %s: %w", c.cfg.Durable, c.stream, err)
	}
	c.cons = cons
	return cons, nil
}

func (c *Consumer) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cons = nil
}

// Fetch returns what is there, up to n messages; if nothing is, it waits for the
// first one, and returns none after wait. It never waits for a batch to fill: a
// batch is large when there is much to do and small when there is little. After
// StopFetching the error is ErrClosed. Any other error comes after a pause of up
// to a second, so that a loop around Fetch does not spin.
func (c *Consumer) Fetch(ctx context.Context, n int, wait time.Duration) ([]Msg, error) {
	leave, err := c.bus.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	ctx, cancel := context.WithTimeout(ctx, max(wait, time.Millisecond))
	defer cancel()
	stop := context.AfterFunc(c.bus.fetching, cancel)
	defer stop()

	msgs, err := c.fetch(ctx, max(n, 1))
	switch {
	case c.bus.fetching.Err() != nil && len(msgs) == 0:
		return nil, ErrClosed
	case err == nil || len(msgs) > 0 || errors.Is(err, context.DeadlineExceeded):
		return msgs, nil // an error will come again
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	if missing(err) {
		c.forget()
		err = errors.Join(err, c.bus.restore(ctx))
	}
	pause(ctx, min(wait, time.Second))
	if c.bus.fetching.Err() != nil {
		return nil, ErrClosed
	}
	return nil, takedown.Temporary(fmt.Errorf("bus: fetch from stream %s for %s: %w", c.stream, c.cfg.Durable, err))
}

func (c *Consumer) fetch(ctx context.Context, n int) ([]Msg, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	cons, err := c.open(ctx)
	if err != nil {
		return nil, err
	}
	msgs, err := c.collect(cons.FetchNoWait(n))
	if err != nil || len(msgs) > 0 || ctx.Err() != nil {
		return msgs, err
	}
	// The wait is for one message only: a message on its way to a Fetch that is
	// given up comes back after AckWait, so at most one can be on its way.
	first, err := c.collect(cons.Fetch(1, jetstream.FetchContext(ctx)))
	if err != nil || len(first) == 0 || n == 1 {
		return first, err
	}
	rest, err := c.collect(cons.FetchNoWait(n - 1))
	return append(first, rest...), err
}

// collect reads a batch to its end.
func (c *Consumer) collect(batch jetstream.MessageBatch, err error) ([]Msg, error) {
	if errors.Is(err, jetstream.ErrInvalidOption) { // the deadline passed just now
		return nil, context.DeadlineExceeded
	}
	if err != nil {
		return nil, err
	}
	var msgs []Msg
	for m := range batch.Messages() {
		meta, err := m.Metadata()
		if err != nil { // not a message of a stream; cannot be acknowledged either
			c.bus.cfg.Logger.Error("bus got a message without metadata", "subject", m.Subject(), "error", err)
			continue
		}
		msgs = append(msgs, Msg{
			Subject:      m.Subject(),
			Data:         m.Data(),
			Stream:       meta.Stream,
			Sequence:     meta.Sequence.Stream,
			Timestamp:    meta.Timestamp,
			Deliveries:   int(min(meta.NumDelivered, 1<<30)),
			LastDelivery: meta.NumDelivered >= uint64(c.bus.cfg.MaxDeliver),
			msg:          m,
		})
	}
	return msgs, batch.Error()
}

// A Msg is one delivery. It must be answered by Ack, Nak or Term; else it is
// delivered again after AckWait.
type Msg struct {
	Subject   string
	Data      []byte
	Stream    string
	Sequence  uint64    // of the stream; with Stream it names the message
	Timestamp time.Time // when the stream took it
	// Deliveries counts this one: 1 is the first.
	Deliveries int
	// LastDelivery says that this delivery should settle it: record it as a
	// dead letter before it is tried, or instead, and Term.
	LastDelivery bool

	msg jetstream.Msg
}

// Ack says that the message is done with. It is sent without waiting for the
// server; see AckAll.
func (m Msg) Ack() error { return m.answer("acknowledge", m.msg.Ack()) }

// Nak asks for another delivery after a delay. The message keeps its place among
// those in work, so a delay of more than minutes belongs into PostgreSQL.
func (m Msg) Nak(delay time.Duration) error {
	return m.answer("put back", m.msg.NakWithDelay(max(delay, 0)))
}

// Term says that the message is never to be delivered again. It leaves the
// stream: record it first.
func (m Msg) Term(reason string) error { return m.answer("end", m.msg.TermWithReason(reason)) }

// InProgress starts AckWait anew.
func (m Msg) InProgress() error { return m.answer("prolong", m.msg.InProgress()) }

func (m Msg) answer(what string, err error) error {
	if err != nil {
		return fmt.Errorf("bus: %s message %d of stream %s: %w", what, m.Sequence, m.Stream, err)
	}
	return nil
}

// AckAll acknowledges a batch of one Fetch after its outcome is committed, and
// returns when the server has taken it: one round trip for the batch. Only the
// last acknowledgement is confirmed. The server handles those of one connection
// in order, so that confirms the earlier ones, unless the connection was re-made
// in between; then some come again, as any message may, and the unique keys in
// PostgreSQL absorb them.
func AckAll(ctx context.Context, msgs []Msg) error {
	if len(msgs) == 0 {
		return nil
	}
	last := msgs[len(msgs)-1]
	for _, m := range msgs[:len(msgs)-1] {
		if err := m.Ack(); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return last.answer("acknowledge", last.msg.DoubleAck(ctx))
}
