package bus

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// embedded is the NATS server inside the process.
type embedded struct {
	server *server.Server
	lock   *os.File
	// login of our own connection, where other clients may connect too.
	user, password string
}

// inboxPrefix keeps replies to us apart from _INBOX, which other clients may
// subscribe to.
const inboxPrefix = "_DESIST"

// startReady is how long the server may take to read its store. A large store
// after a crash takes seconds.
const startReady = 2 * time.Minute

func startEmbedded(ctx context.Context, cfg Config) (*embedded, error) {
	if err := os.MkdirAll(cfg.StoreDir, 0o700); err != nil {
		return nil, fmt.Errorf("bus: create store directory: %w", err)
	}
	lock, err := lockStore(cfg.StoreDir)
	if err != nil {
		return nil, err
	}
	e := &embedded{lock: lock}
	if err := e.start(ctx, cfg); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return e, nil
}

func (e *embedded) start(ctx context.Context, cfg Config) error {
	opts := &server.Options{
		ServerName:             cfg.Name,
		DontListen:             true,
		JetStream:              true,
		StoreDir:               cfg.StoreDir,
		DisableJetStreamBanner: true,
		NoSigs:                 true,
		NoLog:                  true, // replaced below
		MaxPayload:             maxMessage,
		// Without it a write is acknowledged up to two minutes before it is on
		// the disk, and a power cut loses accepted indicators.
		SyncAlways: true,
		// The limits are ours, not a share of what the machine has free today.
		JetStreamMaxMemory: workBytes + eventsBytes + 16<<20,
		JetStreamMaxStore:  cfg.IndicatorsBytes + 64<<20,
	}
	if cfg.Listen != "" {
		if err := e.listen(opts, cfg); err != nil {
			return err
		}
	}
	s, err := server.NewServer(opts)
	if err != nil {
		return fmt.Errorf("bus: configure NATS server: %w", err)
	}
	s.SetLoggerV2(serverLog{cfg.Logger}, false, false, false)
	e.server = s
	s.Start()
	ready := startReady
	if deadline, ok := ctx.Deadline(); ok {
		ready = min(ready, time.Until(deadline))
	}
	if !s.ReadyForConnections(ready) || !s.Running() {
		s.Shutdown()
		s.WaitForShutdown()
		return fmt.Errorf("bus: NATS server in %s, listening at %q, did not start: is the address free and the directory writable?", cfg.StoreDir, cfg.Listen)
	}
	return nil
}

// listen opens the server to other clients. They are bound to one user that may
// hand in indicators and follow events; the streams' own subjects, and with them
// the work queue, are closed to them.
func (e *embedded) listen(opts *server.Options, cfg Config) error {
	host, portText, err := net.SplitHostPort(cfg.Listen)
	if err != nil {
		return fmt.Errorf("bus: listen address %q is not host:port: %w", cfg.Listen, err)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return fmt.Errorf("bus: listen address %q: the port is not a number up to 65535", cfg.Listen)
	}
	if (cfg.Username == "") != (cfg.Password == "") {
		return errors.New("bus: NATS username and password go together: set both or neither")
	}
	addr, err := netip.ParseAddr(host)
	if loopback := host == "localhost" || err == nil && addr.IsLoopback(); !loopback && cfg.Password == "" {
		return fmt.Errorf("bus: listening at %q without username and password would let everybody hand in indicators: set them, or listen on 127.0.0.1", cfg.Listen)
	}
	opts.DontListen = false
	opts.Host, opts.Port = host, int(port)
	if port == 0 {
		opts.Port = server.RANDOM_PORT
	}
	e.user, e.password = "desist-"+rand.Text(), rand.Text()
	guest := &server.User{
		Username: cfg.Username,
		Password: cfg.Password,
		Permissions: &server.Permissions{
			Publish:   &server.SubjectPermission{Allow: []string{indicatorsPrefix + ">"}},
			Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX.>", eventsPrefix + ">"}},
		},
	}
	if cfg.Password == "" {
		guest.Username, guest.Password = "guest", rand.Text()
		opts.NoAuthUser = guest.Username
	}
	opts.Users = []*server.User{{Username: e.user, Password: e.password}, guest}
	return nil
}

func (e *embedded) options() []nats.Option {
	opts := []nats.Option{nats.InProcessServer(e.server)}
	if e.user != "" {
		opts = append(opts, nats.UserInfo(e.user, e.password))
	}
	return opts
}

func (e *embedded) stop(ctx context.Context) error {
	err := wait(ctx, func() {
		e.server.Shutdown()
		e.server.WaitForShutdown()
	})
	if err != nil {
		return fmt.Errorf("bus: NATS server inside the process is still stopping, its store stays locked: %w", err)
	}
	return e.lock.Close()
}

// lockStore keeps a second process off the store, which the server itself does
// not, and which two servers would destroy. The kernel frees it with its holder.
func lockStore(dir string) (*os.File, error) {
	name := filepath.Join(dir, "lock")
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("bus: open lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("bus: %s is in use by another process: stop it, or choose another directory: lock: %w", dir, err), f.Close())
	}
	return f, nil
}

// ListenAddr returns where other clients reach the server inside the process,
// or "".
func (b *Bus) ListenAddr() string {
	if b.embedded == nil || b.cfg.Listen == "" {
		return ""
	}
	return b.embedded.server.Addr().String()
}

// serverLog passes the server's log on. Its notices are our details, and its
// fatal errors must not end the process.
type serverLog struct{ log *slog.Logger }

func (l serverLog) print(level slog.Level, format string, v []any) {
	if l.log.Enabled(context.Background(), level) {
		l.log.Log(context.Background(), level, "NATS server", "text", fmt.Sprintf(format, v...))
	}
}

func (l serverLog) Noticef(format string, v ...any) { l.print(slog.LevelDebug, format, v) }
func (l serverLog) Warnf(format string, v ...any)   { l.print(slog.LevelWarn, format, v) }
func (l serverLog) Fatalf(format string, v ...any)  { l.print(slog.LevelError, format, v) }
func (l serverLog) Errorf(format string, v ...any)  { l.print(slog.LevelError, format, v) }
func (l serverLog) Debugf(format string, v ...any)  { l.print(slog.LevelDebug, format, v) }
func (l serverLog) Tracef(format string, v ...any)  { l.print(slog.LevelDebug, format, v) }
