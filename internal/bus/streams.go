package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Names of the streams.
const (
	StreamIndicators = "INDICATORS"
	StreamWork       = "WORK"
	StreamEvents     = "EVENTS"
)

// Bounds of the streams, in bytes.
const (
	maxMessage  = 8 << 20 // more is discouraged by the server
	headerRoom  = 4 << 10
	MaxBody     = maxMessage - headerRoom // of one submission, evidence included
	maxEvent    = 1 << 20
	maxWork     = 64 << 10
	workBytes   = 256 << 20
	eventsBytes = 64 << 20
)

// maxAckPending bounds the messages a stage may hold unacknowledged over all its
// workers. A delayed Nak keeps its place, so there must be room for those.
const maxAckPending = 16384

// streams returns what must exist.
func (b *Bus) streams() []jetstream.StreamConfig {
	return []jetstream.StreamConfig{
		{
			Name:        StreamIndicators,
			Description: "submissions that wait for intake; the only copy until they are in PostgreSQL",
			Subjects:    []string{indicatorsPrefix + ">"},
			Retention:   jetstream.WorkQueuePolicy,
			Storage:     jetstream.FileStorage,
			Discard:     jetstream.DiscardNew, // the publisher learns that it is full
			MaxBytes:    b.cfg.IndicatorsBytes,
			MaxMsgSize:  maxMessage,
			// Message ids are compared over all sources, so that a second
			// feed's "1" would vanish as a duplicate. Repeats are found in
			// PostgreSQL instead; this is the shortest window there is.
			Duplicates: 100 * time.Millisecond,
			Replicas:   b.cfg.Replicas,
		},
		{
			Name:        StreamWork,
			Description: "cases that a stage should look at; lost messages are repaired by a sweep of PostgreSQL",
			Subjects:    []string{workPrefix + "*"},
			Retention:   jetstream.WorkQueuePolicy,
			Storage:     jetstream.MemoryStorage,
			Discard:     jetstream.DiscardNew,
			MaxBytes:    workBytes,
			MaxMsgSize:  maxWork,
			Replicas:    b.cfg.Replicas,
		},
		{
			Name:        StreamEvents,
			Description: "the newest events; the record itself is in PostgreSQL",
			Subjects:    []string{eventsPrefix + ">"},
			Retention:   jetstream.LimitsPolicy,
			Storage:     jetstream.MemoryStorage,
			Discard:     jetstream.DiscardOld,
			MaxBytes:    eventsBytes,
			MaxMsgSize:  maxEvent,
			Replicas:    b.cfg.Replicas,
		},
	}
}

func (b *Bus) ensureStreams(ctx context.Context) error {
	for _, cfg := range b.streams() {
		if _, err := b.js.CreateOrUpdateStream(ctx, cfg); err != nil {
			if errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, nats.ErrNoResponders) {
				return fmt.Errorf("create stream %s: JetStream is off or not ready (start nats-server with -js): %w", cfg.Name, err)
			}
			return fmt.Errorf("create or update stream %s (if one with other storage or retention exists, remove or rename it): %w", cfg.Name, err)
		}
	}
	return nil
}

// restore makes streams again that the server has forgotten: WORK and EVENTS
// live in memory. Callers at the same time share one attempt.
func (b *Bus) restore(ctx context.Context) error {
	_, err, _ := b.heal.Do("streams", func() (any, error) {
		b.cfg.Logger.WarnContext(ctx, "a stream or consumer is missing, making them again")
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		return nil, b.ensureStreams(ctx)
	})
	return err
}

// missing tells whether err says that the stream or consumer does not exist.
func missing(err error) bool {
	for _, target := range []error{
		nats.ErrNoResponders, jetstream.ErrNoStreamResponse, jetstream.ErrStreamNotFound,
		jetstream.ErrConsumerNotFound, jetstream.ErrConsumerDeleted, jetstream.ErrConsumerDoesNotExist,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// Pending returns how many messages each queue holds, those being worked on
// included: "indicators", "events", and "work.<stage>" for each stage that has
// any.
func (b *Bus) Pending(ctx context.Context) (map[string]uint64, error) {
	leave, err := b.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	pending := make(map[string]uint64)
	for _, name := range []string{StreamIndicators, StreamEvents, StreamWork} {
		s, err := b.js.Stream(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("bus: look at stream %s: %w", name, err)
		}
		if name != StreamWork {
			pending[strings.ToLower(name)] = s.CachedInfo().State.Msgs
			continue
		}
		info, err := s.Info(ctx, jetstream.WithSubjectFilter(workPrefix+"*"))
		if err != nil {
			return nil, fmt.Errorf("bus: look at stream %s: %w", name, err)
		}
		for subject, n := range info.State.Subjects {
			pending["work."+strings.TrimPrefix(subject, workPrefix)] = n
		}
	}
	return pending, nil
}
