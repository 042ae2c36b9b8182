package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"desist/migrations"
	"desist/takedown"
)

// MigrationStatus is one migration and whether it was applied.
type MigrationStatus struct {
	Version int64  `json:"version"`
	Name    string `json:"name"`
	Applied bool   `json:"applied"`
}

// Migrate applies every migration that is missing. Several processes may start
// at once: an advisory lock lets one of them work.
func (s *Store) Migrate(ctx context.Context) ([]MigrationStatus, error) {
	p, done, err := s.provider()
	if err != nil {
		return nil, err
	}
	defer done()
	if _, err := p.Up(ctx); err != nil {
		return nil, takedown.Permanent(fmt.Errorf("migrate: %w", err))
	}
	return status(ctx, p)
}

// MigrationStatus lists the migrations.
func (s *Store) MigrationStatus(ctx context.Context) ([]MigrationStatus, error) {
	p, done, err := s.provider()
	if err != nil {
		return nil, err
	}
	defer done()
	return status(ctx, p)
}

func (s *Store) provider() (*goose.Provider, func(), error) {
	db := stdlib.OpenDBFromPool(s.pool)
	done := func() { _ = db.Close() } // closes the wrapper, not the pool
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		done()
		return nil, nil, fmt.Errorf("migrate: advisory lock: %w", err)
	}
	p, err := goose.NewProvider(goose.DialectPostgres, db, migrations.Files, goose.WithSessionLocker(locker))
	if err != nil {
		done()
		return nil, nil, fmt.Errorf("migrate: %w", err)
	}
	return p, done, nil
}

func status(ctx context.Context, p *goose.Provider) ([]MigrationStatus, error) {
	list, err := p.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("migration status: %w", err)
	}
	out := make([]MigrationStatus, len(list))
	for i, m := range list {
		out[i] = MigrationStatus{Version: m.Source.Version, Name: m.Source.Path, Applied: m.State == goose.StateApplied}
	}
	return out, nil
}
