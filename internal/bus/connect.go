package bus

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// retryWait is the pause between attempts at a server that is away.
const retryWait = time.Second

// connect makes the connection and the streams. It tries again what may become
// better by waiting: no server, no leader in the cluster yet.
func (b *Bus) connect(ctx context.Context) error {
	where := redact(b.cfg.URL)
	if b.embedded != nil {
		where = "the process itself"
	}
	began := time.Now()
	for attempt := 1; ; attempt++ {
		err := b.connectOnce(ctx)
		if err == nil {
			return nil
		}
		if b.embedded != nil || !worthRetry(err) {
			return fmt.Errorf("bus: connect to NATS at %s: %w", where, err)
		}
		b.cfg.Logger.WarnContext(ctx, "NATS is not ready, trying again", "url", where, "attempt", attempt, "error", err)
		select {
		case <-ctx.Done():
			return fmt.Errorf("bus: connect to NATS at %s: given up after %d attempts in %s: %w (%w)",
				where, attempt, time.Since(began).Round(time.Millisecond), err, ctx.Err())
		case <-time.After(retryWait):
		}
	}
}

func (b *Bus) connectOnce(ctx context.Context) error {
	if b.conn == nil {
		gone := make(chan struct{})
		conn, err := nats.Connect(b.cfg.URL, b.options(gone)...)
		if err != nil {
			return err
		}
		js, err := jetstream.New(conn, jetstream.WithPublishAsyncMaxPending(maxPending), jetstream.WithPublishAsyncTimeout(b.cfg.PublishTimeout))
		if err != nil {
			conn.Close()
			return err
		}
		b.conn, b.js, b.gone = conn, js, gone
	}
	return b.ensureStreams(ctx)
}

func (b *Bus) options(gone chan struct{}) []nats.Option {
	log := b.cfg.Logger
	opts := []nats.Option{
		nats.Name(b.cfg.Name),
		nats.CustomInboxPrefix(inboxPrefix),
		nats.Timeout(5 * time.Second),
		nats.MaxReconnects(-1), // for ever
		nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectJitter(250*time.Millisecond, time.Second),
		nats.ReconnectBufSize(2 * maxMessage), // then publishing fails at once
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil { // nil when we close
				log.Warn("connection to NATS lost", "error", err)
			}
			b.endSubscriptions(ErrInterrupted)
		}),
		nats.ReconnectHandler(func(c *nats.Conn) { log.Info("connected to NATS again", "url", c.ConnectedUrlRedacted()) }),
		nats.ErrorHandler(func(_ *nats.Conn, s *nats.Subscription, err error) {
			subject := ""
			if s != nil {
				subject = s.Subject
			}
			log.Warn("NATS reports an error", "subject", subject, "error", err)
		}),
		nats.ClosedHandler(func(*nats.Conn) { close(gone) }),
	}
	if b.embedded != nil {
		return append(opts, b.embedded.options()...)
	}
	if b.cfg.Username != "" {
		opts = append(opts, nats.UserInfo(b.cfg.Username, b.cfg.Password))
	}
	if b.cfg.CredentialsFile != "" {
		opts = append(opts, nats.UserCredentials(b.cfg.CredentialsFile))
	}
	return opts
}

// worthRetry tells whether waiting may help: not against a wrong login, nor
// against a stream that the server refuses as configured.
func worthRetry(err error) bool {
	if errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrAuthExpired) {
		return false
	}
	var api *jetstream.APIError
	if errors.As(err, &api) {
		return api.Code >= 500 && api.ErrorCode != jetstream.JSErrCodeJetStreamNotEnabledForAccount
	}
	return true
}

// redact hides the passwords in a list of URLs.
func redact(urls string) string {
	var out []string
	for one := range strings.SplitSeq(urls, ",") {
		u, err := url.Parse(strings.TrimSpace(one))
		if err != nil {
			out = append(out, "(unreadable URL)")
			continue
		}
		out = append(out, u.Redacted())
	}
	return strings.Join(out, ",")
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
