package pgserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// Config says how to run a private server. Only Dir is required.
type Config struct {
	// Dir holds the cluster; it is created with mode 0700. An existing
	// directory must be empty or the Dir of an earlier Start.
	Dir string
	// Database is created if it does not exist. Default "desist".
	Database string
	// Settings override the defaults, by the names of postgresql.conf.
	Settings map[string]string
	// Binaries to use. Default: those Find returns, of the major version that
	// made the cluster.
	Binaries Binaries
	// Logger gets the server's starts and stops. Default: silence.
	Logger *slog.Logger
}

// A Server is a running private PostgreSQL server. Its methods may be called
// from several goroutines.
type Server struct {
	cluster  *cluster
	lock     *os.File
	proc     *process
	version  string
	database string
	log      *slog.Logger

	mu      sync.Mutex
	stopped bool
}

// poll is how often a state is looked at that nothing announces.
const poll = 25 * time.Millisecond

// quitTime is how long an immediate shutdown may take: the postmaster kills its
// children after 5 s (SIGKILL_CHILDREN_AFTER_SECS in postmaster.c).
const quitTime = 6 * time.Second

// Start takes over the server of cfg.Dir or starts one, and returns when it
// accepts queries. ctx bounds the start only, not the life of the server. A
// failure names its reason and carries the end of the server's log; the types
// *NotFoundError and *InUseError can be told by errors.As.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	if cfg.Dir == "" {
		return nil, errors.New("pgserver: no directory given")
	}
	if cfg.Database == "" {
		cfg.Database = "desist"
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	settings, err := merge(cfg.Settings)
	if err != nil {
		return nil, err
	}
	c, err := openCluster(cfg.Dir)
	if err != nil {
		return nil, err
	}
	lock, err := c.lock()
	if err != nil {
		return nil, errors.Join(err, c.root.Close())
	}
	s := &Server{cluster: c, lock: lock, database: cfg.Database, log: cfg.Logger}
	if err := s.start(ctx, cfg.Binaries, settings); err != nil {
		return nil, errors.Join(err, lock.Close(), c.root.Close())
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, bin Binaries, settings map[string]string) error {
	c := s.cluster
	if err := c.layOut(); err != nil {
		return err
	}
	major, err := c.major()
	if err != nil {
		return err
	}
	if bin.Dir == "" {
		bin, err = find(major, nil)
	} else {
		bin, err = find(major, []string{bin.Dir})
	}
	if err != nil {
		return err
	}
	s.version = bin.Version
	if err := c.owner.canEnter(bin, c.dir); err != nil {
		return err
	}
	if major == 0 {
		s.log.InfoContext(ctx, "creating PostgreSQL cluster", "dir", c.dir, "version", bin.Version, "user", c.owner.String())
		if err := c.initialise(ctx, bin, settings); err != nil {
			return err
		}
	}
	args := c.arguments(settings)
	if s.proc, err = s.takeOver(ctx, args); err != nil {
		return err
	}
	if s.proc == nil {
		if s.proc, err = s.launch(ctx, bin, args); err != nil {
			return err
		}
	}
	if err := s.CreateDatabase(ctx, s.database); err != nil {
		return errors.Join(err, s.proc.stop(ctx))
	}
	return nil
}

// takeOver adopts the server that an earlier parent left. It returns nil if
// there is none, after stopping one that runs with other settings.
func (s *Server) takeOver(ctx context.Context, args []string) (*process, error) {
	c := s.cluster
	pid, err := c.postmasterPID()
	if err != nil {
		return nil, err
	}
	if pid == 0 || !c.runs(pid) {
		return nil, c.clearStale()
	}
	proc, err := adopt(c, pid)
	if err != nil {
		return nil, err
	}
	if !c.startedWith(args) {
		s.log.InfoContext(ctx, "restarting PostgreSQL left by an earlier process, to change its settings", "pid", pid)
		if err := proc.stop(ctx); err != nil {
			return nil, err
		}
		return nil, c.clearStale()
	}
	err = s.waitReady(ctx, proc)
	if errors.Is(err, errEnded) { // it was on its way down
		return nil, c.clearStale()
	}
	if err != nil {
		proc.release()
		return nil, err
	}
	s.log.InfoContext(ctx, "took over PostgreSQL left by an earlier process", "pid", pid, "dir", c.dir)
	return proc, nil
}

// launch starts a postmaster and waits until it is ready. Backends that outlive
// a killed postmaster hold its shared memory for a moment; launch waits for
// them.
func (s *Server) launch(ctx context.Context, bin Binaries, args []string) (*process, error) {
	for {
		proc, err := s.spawn(bin, args)
		if err != nil {
			return nil, err
		}
		err = s.waitReady(ctx, proc)
		if err == nil {
			s.log.InfoContext(ctx, "PostgreSQL is ready", "version", bin.Version, "pid", proc.pid, "socket", s.cluster.sockDir)
			return proc, nil
		}
		if !errors.Is(err, errEnded) {
			return nil, errors.Join(err, proc.stop(ctx))
		}
		if !strings.Contains(err.Error(), "pre-existing shared memory block") {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(err, ctx.Err())
		case <-time.After(10 * poll):
		}
	}
}

func (s *Server) spawn(bin Binaries, args []string) (*process, error) {
	out, err := s.cluster.openLog()
	if err != nil {
		return nil, err
	}
	defer out.Close() //nolint:errcheck // the postmaster has its own copy
	cmd := exec.Command(bin.path("postgres"), args...)
	cmd.Dir = s.cluster.dir
	cmd.Stdout, cmd.Stderr = out, out // files, not pipes: the postmaster may outlive us
	s.cluster.owner.run(cmd)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("pgserver: start %s as %s: %w", cmd.Path, s.cluster.owner, err)
	}
	return watchChild(cmd), nil
}

// errEnded says that the postmaster ended before it was ready.
var errEnded = errors.New("PostgreSQL ended before it was ready")

// waitReady returns when the server accepts a connection.
func (s *Server) waitReady(ctx context.Context, proc *process) error {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	var last error
	for {
		attempt, cancel := context.WithTimeout(ctx, 5*time.Second)
		last = query(attempt, s.cluster.sockDir, "postgres", "")
		cancel()
		if last == nil {
			return nil
		}
		var refused *serverError
		if errors.As(last, &refused) && refused.code != codeCannotConnectNow && refused.code != codeTooManyConnections {
			return fmt.Errorf("pgserver: connect to %s: %w", s.cluster.sockDir, last)
		}
		select {
		case <-proc.done:
			return fmt.Errorf("pgserver: in %s: %w: %s", s.cluster.dir, errEnded, s.cluster.logTail())
		case <-ctx.Done():
			return fmt.Errorf("pgserver: PostgreSQL in %s is not ready: %w (last answer: %w): %s", s.cluster.dir, ctx.Err(), last, s.cluster.logTail())
		case <-tick.C:
		}
	}
}

// CreateDatabase creates a database unless it exists.
func (s *Server) CreateDatabase(ctx context.Context, name string) error {
	err := query(ctx, s.cluster.sockDir, "postgres", `CREATE DATABASE "`+strings.ReplaceAll(name, `"`, `""`)+`"`)
	var refused *serverError
	if errors.As(err, &refused) && refused.code == codeDuplicateDatabase {
		return nil
	}
	if err != nil {
		return fmt.Errorf("pgserver: create database %s: %w", name, err)
	}
	return nil
}

// URL returns the address of a database for pgx, psql and other clients of
// libpq. An empty name is Config.Database.
func (s *Server) URL(database string) string {
	if database == "" {
		database = s.database
	}
	return address(s.cluster.sockDir, database)
}

// SocketDir returns the directory of the unix socket.
func (s *Server) SocketDir() string { return s.cluster.sockDir }

// Version returns the server's version, such as "15.18".
func (s *Server) Version() string { return s.version }

// Done is closed when the server has ended, wanted or not.
func (s *Server) Done() <-chan struct{} { return s.proc.done }

// Stop ends the server: a fast shutdown, which breaks off transactions and
// writes a checkpoint, and an immediate one shortly before ctx ends. An
// immediate shutdown loses no commit but needs crash recovery at the next
// start; Stop waits for it up to 6 s even when ctx has ended. After success
// further calls return nil; after an error Stop may be tried again.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return nil
	}
	if err := s.proc.stop(ctx); err != nil {
		return err
	}
	s.stopped = true
	s.log.InfoContext(ctx, "PostgreSQL has stopped", "dir", s.cluster.dir)
	if s.cluster.sockDir != s.cluster.path(runDir) {
		_ = os.Remove(s.cluster.sockDir) // made again if need be
	}
	return errors.Join(s.lock.Close(), s.cluster.root.Close())
}
