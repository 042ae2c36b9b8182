package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"desist/internal/config"
	"desist/internal/pgserver"
	"desist/internal/postgres"
	"desist/takedown"
)

// A Database is an open store, with the private server that it may stand on.
type Database struct {
	Store *postgres.Store
	// URL is the address of the database, for other clients.
	URL    string
	server *pgserver.Server
}

// OpenStore opens the configured database and brings its schema up to date.
// Without a URL it uses the private server in the data directory: the one that
// a running service keeps there, or one that it starts and Close stops.
func OpenStore(ctx context.Context, cfg config.Config, log *slog.Logger) (*Database, error) {
	return openStore(ctx, cfg, log, false)
}

// openStore with own waits until the private server is ours: a service must not
// stand on a server that ends with somebody else's command.
func openStore(ctx context.Context, cfg config.Config, log *slog.Logger, own bool) (*Database, error) {
	ctx, cancel := context.WithTimeout(ctx, cfg.StartupTimeout)
	defer cancel()
	db := &Database{URL: cfg.Database.URL.Reveal()}
	if db.URL == "" {
		if err := db.private(ctx, cfg, log, own); err != nil {
			return nil, err
		}
	}
	store, err := postgres.Open(ctx, postgres.Config{URL: db.URL, MaxConns: int32(cfg.Database.MaxConns), Logger: log})
	if err != nil {
		return nil, errors.Join(err, db.stop(ctx))
	}
	db.Store = store
	if _, err := store.Migrate(ctx); err != nil {
		return nil, errors.Join(err, db.Close(ctx))
	}
	return db, nil
}

// private finds or starts the private server.
func (db *Database) private(ctx context.Context, cfg config.Config, log *slog.Logger, own bool) error {
	dir := filepath.Join(cfg.DataDir, "postgres")
	var inUse *pgserver.InUseError
	var server *pgserver.Server
	var err error
	for {
		server, err = pgserver.Start(ctx, pgserver.Config{Dir: dir, Logger: log})
		if !own || !errors.As(err, &inUse) {
			break
		}
		log.WarnContext(ctx, "waiting for the private PostgreSQL", "dir", dir, "used by process", inUse.PID)
		select {
		case <-ctx.Done():
			return takedown.Temporary(err)
		case <-time.After(500 * time.Millisecond):
		}
	}
	switch {
	case err == nil:
		db.server, db.URL = server, server.URL("")
		return nil
	case errors.As(err, &inUse):
		// A running service owns it; its socket answers us too.
		if db.URL, err = pgserver.Running(ctx, dir, ""); err != nil {
			return takedown.Temporary(fmt.Errorf("the private PostgreSQL in %s belongs to process %d, but does not answer: %w", dir, inUse.PID, err))
		}
		return nil
	}
	var missing *pgserver.NotFoundError
	if errors.As(err, &missing) {
		return takedown.Permanent(err)
	}
	return takedown.Temporary(err)
}

// Close closes the store and stops the private server if this process started
// it.
func (db *Database) Close(ctx context.Context) error {
	if db.Store != nil {
		db.Store.Close()
	}
	return db.stop(ctx)
}

func (db *Database) stop(ctx context.Context) error {
	if db.server == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	if err := db.server.Stop(ctx); err != nil {
		return fmt.Errorf("stop PostgreSQL: %w", err)
	}
	return nil
}
