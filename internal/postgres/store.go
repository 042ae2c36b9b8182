// Package postgres keeps the truth: cases, legs, notices, events and everything
// else that a restart must not forget. It is the only package that imports
// pgx; every statement of the service stands here, a file a subject.
//
// Writes work on batches: a stage's changes to hundreds of cases are one
// transaction of a few statements over arrays (unnest). Cases are locked
// optimistically by the number of their last event, so a change commits only
// against the case that the stage loaded; a lost race is reported, never
// merged.
//
// Time is always passed in. The database's clock decides nothing, so that a
// simulated clock can.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"desist/takedown"
)

// Config says which database to use.
type Config struct {
	// URL is a PostgreSQL connection string.
	URL string
	// MaxConns bounds the pool; 0 means 16. The driver's own default of four
	// would starve the stages.
	MaxConns int32
	Logger   *slog.Logger
}

// A Store is a pool of connections to a migrated database.
type Store struct {
	pool *pgxpool.Pool
	log  *slog.Logger
	wake chan struct{}

	// parties caches the ids of known parties; rows are never deleted.
	mu      sync.RWMutex
	parties map[partyKey]int64
}

type partyKey struct {
	role takedown.Role
	key  string
}

// Open connects and waits until the server answers or ctx ends, with a message
// for each failed attempt. It does not migrate.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	pc, err := pgxpool.ParseConfig(cfg.URL)
	if err != nil {
		return nil, takedown.Permanent(fmt.Errorf("database.url: %w", err))
	}
	pc.MaxConns = 16
	if cfg.MaxConns > 0 {
		pc.MaxConns = cfg.MaxConns
	}
	pc.ConnConfig.RuntimeParams["application_name"] = "desist"
	pc.AfterConnect = compressFast
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, fmt.Errorf("postgres: pool: %w", err)
	}
	s := &Store{pool: pool, log: cfg.Logger, wake: make(chan struct{}, 1), parties: make(map[partyKey]int64)}
	for attempt := 1; ; attempt++ {
		if err = pool.Ping(ctx); err == nil {
			return s, nil
		}
		if ctx.Err() != nil {
			break
		}
		s.log.Warn("waiting for PostgreSQL", "host", pc.ConnConfig.Host, "attempt", attempt, "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(min(time.Duration(attempt)*250*time.Millisecond, 2*time.Second)):
			continue
		}
		break
	}
	pool.Close()
	return nil, takedown.Temporary(fmt.Errorf("PostgreSQL at %q did not answer: %w; check database.url and that the server runs", pc.ConnConfig.Host, err))
}

// compressFast makes the server compress long values, such as sealed notices
// and findings, by LZ4, where it was built with it: the default method takes
// many times as long in both directions.
func compressFast(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `SELECT set_config(name, 'lz4', false) FROM pg_settings
		WHERE name = 'default_toast_compression' AND 'lz4' = ANY(enumvals)`)
	return err
}

// Close waits for running statements and closes the pool.
func (s *Store) Close() { s.pool.Close() }

// Committed delivers a value after this process has committed events, at the
// latest when the reader is ready for it: the sign that the relay has work.
func (s *Store) Committed() <-chan struct{} { return s.wake }

func (s *Store) committed() {
	select {
	case s.wake <- struct{}{}:
	default: // the reader has not come for the last one yet
	}
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.pool.Ping(ctx); err != nil {
		return takedown.Temporary(fmt.Errorf("postgres: %w", err))
	}
	return nil
}

// inTx runs f in a transaction. A failure of the connection or a conflict
// between transactions is temporary: the batch is tried again as a whole.
func (s *Store) inTx(ctx context.Context, op string, f func(pgx.Tx) error) error {
	err := pgx.BeginFunc(ctx, s.pool, f)
	return classify(op, err)
}

// classify gives a database error its kind: data that the schema refuses is
// permanent, everything else may pass. A statement that is wrong or forbidden
// (class 42) is the fault of the installation and not of any case: it is tried
// again until somebody mends it. Writers expect the races that they can lose
// and never see them as a unique violation, so one of those is permanent too.
func classify(op string, err error) error {
	if err == nil {
		return nil
	}
	var own *takedown.Error
	if errors.As(err, &own) {
		return err
	}
	err = fmt.Errorf("postgres: %s: %w", op, err)
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code[:2] {
		case "21", "22", "23", "54": // cardinality, data, integrity, a value beyond a limit
			return takedown.Permanent(err)
		}
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return takedown.NotFound(err)
	}
	return takedown.Temporary(err)
}

// allocate takes n numbers from the identity sequence of a table, so that rows
// that refer to one another can be written in one round trip.
func allocate(ctx context.Context, tx pgx.Tx, table string, n int) ([]int64, error) {
	if n == 0 {
		return nil, nil
	}
	rows, err := tx.Query(ctx, `SELECT nextval(pg_get_serial_sequence($1, 'id')) FROM generate_series(1, $2)`, table, n)
	if err != nil {
		return nil, fmt.Errorf("allocate %d ids of %s: %w", n, table, err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// orNull turns the zero time into NULL.
func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// orZero turns NULL into the zero time.
func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

func cleanAll(ss []string) []string {
	out := make([]string, len(ss))
	for i, s := range ss {
		out[i] = takedown.CleanText(s)
	}
	return out
}
