package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/singleflight"
)

// Config says which NATS to use. URL or StoreDir is required.
type Config struct {
	// URL of a NATS server or several, separated by commas. Empty: a server
	// inside the process, which keeps its files in StoreDir.
	URL      string
	StoreDir string

	// Listen is the host:port where the server inside the process accepts other
	// clients, which may publish indicators and subscribe to events, no more.
	// Empty: none. Without a password it must be a loopback address.
	Listen string

	// Username and Password log in to URL, or are asked of clients at Listen.
	Username, Password string
	// CredentialsFile logs in to URL by JWT and key.
	CredentialsFile string

	// Replicas of each stream in a cluster behind URL. Default 1.
	Replicas int
	// IndicatorsBytes bounds the stream INDICATORS; a publisher gets an error
	// when it is full. Default 1 GiB.
	IndicatorsBytes int64
	// MaxDeliver is the delivery that Msg.LastDelivery marks. Default 8.
	MaxDeliver int
	// AckWait is how long a message may be worked on before it is delivered
	// again; Msg.InProgress starts it anew. Default 60 s.
	AckWait time.Duration
	// PublishTimeout bounds a publish whose context has no deadline. Default 10 s.
	PublishTimeout time.Duration

	// Name is what the server shows for our connection. Default "desist".
	Name string
	// Logger gets connection changes and the inner server's log. Default: silence.
	Logger *slog.Logger
}

func (cfg *Config) setDefaults() error {
	if cfg.URL == "" && cfg.StoreDir == "" {
		return errors.New("bus: neither the URL of a NATS server nor a directory for the one inside the process is set")
	}
	if cfg.URL != "" && cfg.Listen != "" {
		return errors.New("bus: a listen address is for the NATS server inside the process, but a URL is set: drop one of them")
	}
	if cfg.Replicas <= 0 || cfg.URL == "" {
		cfg.Replicas = 1
	}
	if cfg.IndicatorsBytes <= 0 {
		cfg.IndicatorsBytes = 1 << 30
	}
	if cfg.MaxDeliver <= 0 {
		cfg.MaxDeliver = 8
	}
	if cfg.AckWait <= 0 {
		cfg.AckWait = time.Minute
	}
	if cfg.PublishTimeout <= 0 {
		cfg.PublishTimeout = 10 * time.Second
	}
	if cfg.Name == "" {
		cfg.Name = "desist"
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

// ErrClosed is what a bus returns that is closed or has stopped fetching.
var ErrClosed = errors.New("bus: closed")

// A Bus is a connection to JetStream with the streams in place. Its methods may
// be called from several goroutines.
type Bus struct {
	cfg      Config
	embedded *embedded // nil with a URL
	conn     *nats.Conn
	js       jetstream.JetStream
	gone     chan struct{} // closed when conn is closed and its callbacks have run
	heal     singleflight.Group

	// fetching ends with StopFetching.
	fetching     context.Context
	stopFetching context.CancelFunc

	mu     sync.Mutex
	closed bool
	inUse  sync.WaitGroup // fetches and publishes under way; Add under mu
	subs   map[*Subscription]struct{}
}

// Open connects, or starts the server inside the process, and creates or updates
// the streams. It waits for a server that is away until ctx ends. ctx does not
// bound the life of the bus.
func Open(ctx context.Context, cfg Config) (*Bus, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	b := &Bus{cfg: cfg, subs: make(map[*Subscription]struct{})}
	b.fetching, b.stopFetching = context.WithCancel(context.Background())
	if err := b.open(ctx); err != nil {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		return nil, errors.Join(err, b.Close(closing))
	}
	return b, nil
}

func (b *Bus) open(ctx context.Context) error {
	var err error
	if b.cfg.URL == "" {
		if b.embedded, err = startEmbedded(ctx, b.cfg); err != nil {
			return err
		}
	}
	return b.connect(ctx)
}

// StopFetching is the first half of a stop: every Fetch, also one that waits,
// returns ErrClosed. Messages already fetched can still be handled,
// acknowledged, and their results published.
func (b *Bus) StopFetching() { b.stopFetching() }

// Close stops fetching, waits for the calls under way, sends what is buffered
// (acknowledgements among it), closes the connection, and stops the server
// inside the process. When ctx ends it does so without waiting, and says what
// was left. A second Close returns nil.
func (b *Bus) Close(ctx context.Context) error {
	b.stopFetching()
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil
	}
	b.closed = true
	b.mu.Unlock()

	var errs []error
	if err := wait(ctx, b.inUse.Wait); err != nil {
		errs = append(errs, fmt.Errorf("bus: close: calls are still under way: %w", err))
	}
	b.endSubscriptions(ErrClosed)
	if b.conn != nil {
		if b.conn.IsConnected() {
			if err := b.flush(ctx); err != nil {
				errs = append(errs, fmt.Errorf("bus: close: acknowledgements may be lost, and their messages come again: %w", err))
			}
		}
		if b.js != nil {
			b.js.CleanupPublisher()
		}
		b.conn.Close()
		<-b.gone
	}
	if b.embedded != nil {
		errs = append(errs, b.embedded.stop(ctx))
	}
	return errors.Join(errs...)
}

// flush needs a deadline of its own where ctx has none.
func (b *Bus) flush(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return b.conn.FlushWithContext(ctx)
}

// wait runs f until it returns or ctx ends; f then ends on its own later.
func wait(ctx context.Context, f func()) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// enter counts a call under way; the caller must call the function returned.
func (b *Bus) enter() (leave func(), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, ErrClosed
	}
	b.inUse.Add(1)
	return b.inUse.Done, nil
}
