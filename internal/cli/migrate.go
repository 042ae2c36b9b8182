package cli

import (
	"context"
	"strconv"

	"desist/internal/postgres"
)

type migrateCmd struct {
	Up     migrateUpCmd     `cmd:"" help:"Apply every migration that is missing."`
	Status migrateStatusCmd `cmd:"" help:"List the migrations."`
}

type migrateUpCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

func (*migrateUpCmd) Help() string {
	return `Every command that opens the database does the same first; this one does nothing else, for deployments that migrate in a step of its own. Several may run at once: one works, the others wait.

Example:

  desist migrate up --config /etc/desist.yaml
`
}

func (c *migrateUpCmd) Run(ctx context.Context, p *Program) error {
	return p.withRecord(ctx, func(r *record) error {
		list, err := r.store.Migrate(ctx)
		if err != nil {
			return err
		}
		return p.printMigrations(list, c.JSON)
	})
}

type migrateStatusCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

func (*migrateStatusCmd) Help() string {
	return `Changes nothing where database.url names a server. A private server is brought up to date whenever it is opened, by this command too.

Example:

  desist migrate status --config /etc/desist.yaml
`
}

func (c *migrateStatusCmd) Run(ctx context.Context, p *Program) error {
	cfg, err := p.config()
	if err != nil {
		return err
	}
	if cfg.Database.URL == "" {
		return p.withRecord(ctx, func(r *record) error { return c.print(ctx, p, r.store) })
	}
	wait, cancel := context.WithTimeout(ctx, cfg.StartupTimeout)
	defer cancel()
	store, err := postgres.Open(wait, postgres.Config{URL: cfg.Database.URL.Reveal(), MaxConns: 2, Logger: p.logger(cfg, true)})
	if err != nil {
		return err
	}
	defer store.Close()
	return c.print(ctx, p, store)
}

func (c *migrateStatusCmd) print(ctx context.Context, p *Program, store *postgres.Store) error {
	list, err := store.MigrationStatus(ctx)
	if err != nil {
		return err
	}
	return p.printMigrations(list, c.JSON)
}

func (p *Program) printMigrations(list []postgres.MigrationStatus, asJSON bool) error {
	if asJSON {
		return p.printJSON(list)
	}
	t := table{head: []string{"VERSION", "APPLIED", "NAME"}}
	for _, m := range list {
		applied := "yes"
		if !m.Applied {
			applied = "no"
		}
		t.rows = append(t.rows, []string{strconv.FormatInt(m.Version, 10), applied, m.Name})
	}
	out := p.printer()
	out.table(t)
	return out.flush()
}
