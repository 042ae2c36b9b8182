package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"desist/takedown"
)

// MaxCases is how many cases one message of WORK carries at most.
const MaxCases = 256

const (
	window     = 512 // messages of one call that wait for their acknowledgement
	maxPending = 32 * window
)

// storeFailed is the server's error code for a stream that takes no more: full,
// or its disk is.
const storeFailed jetstream.ErrorCode = 10077

// work is the body of a message of WORK.
type work struct {
	Cases []int64 `json:"cases"`
}

// An Event goes to everybody who follows what happens.
type Event struct {
	Kind string // tokens joined by dots; the end of the subject
	ID   int64  // of the row; repeats of one id within two minutes are stored once
	Data []byte // JSON, at most 1 MB
}

// EventError says which event could not be published. Those before it were.
type EventError struct {
	ID  int64
	Err error
}

func (e *EventError) Error() string { return fmt.Sprintf("bus: publish event %d: %v", e.ID, e.Err) }
func (e *EventError) Unwrap() error { return e.Err }

// PublishIndicator hands in one submission as the source's. When it returns nil
// the server has acknowledged it; README.md says what that survives.
func (b *Bus) PublishIndicator(ctx context.Context, source string, body []byte) error {
	if len(body) > MaxBody {
		return takedown.Permanent(fmt.Errorf("bus: submission of source %q has %d bytes, and %d are allowed: send less evidence", source, len(body), MaxBody))
	}
	subject := indicatorsPrefix + SourceToken(source)
	if _, err := b.publish(ctx, []*nats.Msg{{Subject: subject, Data: body}}); err != nil {
		return fmt.Errorf("bus: publish submission to %s: %w", subject, err)
	}
	return nil
}

// PublishWork tells a stage to look at cases, MaxCases in a message. An error
// may leave part of them told; telling them again is harmless.
func (b *Bus) PublishWork(ctx context.Context, stage string, cases []int64) error {
	if err := checkStage(stage); err != nil {
		return takedown.Permanent(err)
	}
	var msgs []*nats.Msg
	for some := range slices.Chunk(cases, MaxCases) {
		body, err := json.Marshal(work{Cases: some})
		if err != nil {
			return takedown.Permanent(fmt.Errorf("bus: encode work: %w", err))
		}
		msgs = append(msgs, &nats.Msg{Subject: workPrefix + stage, Data: body})
	}
	if _, err := b.publish(ctx, msgs); err != nil {
		return fmt.Errorf("bus: publish %d cases to stage %s: %w", len(cases), stage, err)
	}
	return nil
}

// DecodeWork reads the body of a message of WORK.
func DecodeWork(body []byte) ([]int64, error) {
	var w work
	if err := json.Unmarshal(body, &w); err != nil {
		return nil, takedown.Permanent(fmt.Errorf("bus: decode work: %w", err))
	}
	if n := len(w.Cases); n == 0 || n > MaxCases {
		return nil, takedown.Permanent(fmt.Errorf("bus: decode work: %d cases, want 1 to %d", n, MaxCases))
	}
	return w.Cases, nil
}

// PublishEvents publishes in the order given. On failure the error is an
// *EventError with the first event that was not acknowledged; those after it may
// or may not be stored, and publishing them again is harmless.
func (b *Bus) PublishEvents(ctx context.Context, events []Event) error {
	msgs := make([]*nats.Msg, len(events))
	for i, e := range events {
		if err := checkKind(e.Kind); err != nil {
			return &EventError{ID: e.ID, Err: takedown.Permanent(err)}
		}
		id := strconv.FormatInt(e.ID, 10)
		msgs[i] = &nats.Msg{
			Subject: eventsPrefix + e.Kind,
			Header:  nats.Header{jetstream.MsgIDHeader: {id}},
			Data:    e.Data,
		}
	}
	if n, err := b.publish(ctx, msgs); err != nil {
		return &EventError{ID: events[n].ID, Err: err}
	}
	return nil
}

// publish sends msgs and waits for every acknowledgement. On failure n is the
// index of the first message that has none.
func (b *Bus) publish(ctx context.Context, msgs []*nats.Msg) (n int, err error) {
	leave, err := b.enter()
	if err != nil {
		return 0, err
	}
	defer leave()
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, b.cfg.PublishTimeout)
		defer cancel()
	}
	restored := false
	for n < len(msgs) {
		some := msgs[n:min(n+window, len(msgs))]
		acked, err := b.publishWindow(ctx, some)
		n += acked
		switch {
		case err == nil:
		case missing(err) && !restored:
			restored = true
			if err := b.restore(ctx); err != nil {
				return n, err
			}
		default:
			return n, explain(err)
		}
	}
	return n, nil
}

// publishWindow returns how many of msgs, from the first, were acknowledged.
func (b *Bus) publishWindow(ctx context.Context, msgs []*nats.Msg) (int, error) {
	futures := make([]jetstream.PubAckFuture, 0, len(msgs))
	var sendErr error
	for _, m := range msgs {
		if sendErr = ctx.Err(); sendErr != nil {
			break
		}
		// A copy, because the client puts its reply subject into the message,
		// and a message may be sent again.
		f, err := b.js.PublishMsgAsync(&nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Data}, jetstream.WithStallWait(time.Second))
		if err != nil {
			sendErr = err
			break
		}
		futures = append(futures, f)
	}
	for i, f := range futures {
		select {
		case <-f.Ok():
		case err := <-f.Err():
			return i, err
		case <-ctx.Done():
			return i, fmt.Errorf("no acknowledgement: %w", ctx.Err())
		}
	}
	return len(futures), sendErr
}

// explain gives an error of publishing its kind and the next step.
func explain(err error) error {
	var api *jetstream.APIError
	switch {
	case errors.Is(err, nats.ErrMaxPayload), errors.Is(err, jetstream.ErrStreamMessageExceedsMaximum):
		return takedown.Permanent(fmt.Errorf("the message is larger than the server or stream allows: %w", err))
	case errors.As(err, &api) && api.ErrorCode == storeFailed:
		return takedown.Temporary(fmt.Errorf("the stream is full or cannot write; it empties as its consumers work: %w", err))
	}
	return takedown.Temporary(err)
}
