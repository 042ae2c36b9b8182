package app

import (
	"context"
	"strconv"
	"time"

	"desist/internal/bus"
	"desist/internal/postgres"
	"desist/pipeline"
	"desist/takedown"
)

// message shows a message of the bus as the pipeline knows it.
type message struct{ bus.Msg }

func (m message) Cases() ([]int64, error)   { return bus.DecodeWork(m.Data) }
func (m message) Body() []byte              { return m.Data }
func (m message) Subject() string           { return m.Msg.Subject }
func (m message) Last() bool                { return m.LastDelivery }
func (m message) Ack(context.Context) error { return m.Msg.Ack() }

// Key names a submission by its place in the stream, so that it is known again
// when it is delivered again. The stream's own creation time is part of it: a
// new stream counts from one again.
func (m message) Key() string {
	return "nats:" + m.Stream + ":" + strconv.FormatUint(m.Sequence, 10) + ":" + strconv.FormatInt(m.Timestamp.UnixNano(), 36)
}

// workQueue and frontDoor are consumers of the bus as the pipeline knows them.
type workQueue struct{ *bus.Consumer }

func (q workQueue) Fetch(ctx context.Context, n int, wait time.Duration) ([]pipeline.Message, error) {
	return fetch(ctx, q.Consumer, n, wait, func(m bus.Msg) pipeline.Message { return message{m} })
}

type frontDoor struct{ *bus.Consumer }

func (q frontDoor) Fetch(ctx context.Context, n int, wait time.Duration) ([]pipeline.Delivery, error) {
	return fetch(ctx, q.Consumer, n, wait, func(m bus.Msg) pipeline.Delivery { return message{m} })
}

// fetch keeps what came even if the rest failed.
func fetch[T any](ctx context.Context, c *bus.Consumer, n int, wait time.Duration, as func(bus.Msg) T) ([]T, error) {
	msgs, err := c.Fetch(ctx, n, wait)
	if len(msgs) == 0 {
		return nil, err
	}
	out := make([]T, len(msgs))
	for i, m := range msgs {
		out[i] = as(m)
	}
	return out, nil
}

// workChunk is how many cases one message names: few enough that several
// workers share a burst.
const workChunk = 64

// relay publishes committed events, and the work that they call for.
func relay(store *postgres.Store, b *bus.Bus) func(context.Context) (int, error) {
	return func(ctx context.Context) (int, error) {
		return store.Relay(ctx, 2000, func(ctx context.Context, events []postgres.OutboxEvent) error {
			out := make([]bus.Event, len(events))
			work := make(map[takedown.Stage][]int64)
			for i, e := range events {
				data, err := eventJSON(e.Event)
				if err != nil {
					return err
				}
				out[i] = bus.Event{Kind: string(e.Kind), ID: e.ID, Data: data}
				if e.Stage != "" {
					work[e.Stage] = append(work[e.Stage], e.CaseID)
				}
			}
			if err := publishWork(ctx, b, work); err != nil {
				return err
			}
			return b.PublishEvents(ctx, out)
		})
	}
}

func publishWork(ctx context.Context, b *bus.Bus, work map[takedown.Stage][]int64) error {
	for _, stage := range takedown.WorkStages() {
		ids := work[stage]
		for len(ids) > 0 {
			n := min(len(ids), workChunk)
			if err := b.PublishWork(ctx, string(stage), ids[:n]); err != nil {
				return err
			}
			ids = ids[n:]
		}
	}
	return nil
}

// sweep offers cases whose time has come.
func sweep(store *postgres.Store, b *bus.Bus, clock Clock, lease time.Duration) func(context.Context) (int, error) {
	return func(ctx context.Context) (int, error) {
		due, err := store.Sweep(ctx, clock.Now(), clock.Real(lease), 1000)
		if err != nil {
			return 0, err
		}
		work := make(map[takedown.Stage][]int64)
		for _, d := range due {
			work[d.Stage] = append(work[d.Stage], d.CaseID)
		}
		if err := publishWork(ctx, b, work); err != nil {
			return 0, err
		}
		if len(due) < 1000 {
			return 0, nil // what is not yet due can wait for the next round
		}
		return len(due), nil
	}
}
