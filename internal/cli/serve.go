package cli

import (
	"context"
	"slices"
	"strings"

	"desist/internal/app"
	"desist/internal/config"
)

type serveCmd struct {
	Roles []string `placeholder:"LIST" help:"Parts to run, with commas between: api, web, intake, resolve, plan, compose, deliver, track, inbox, relay. Default: those of the configuration, which are all."`
}

func (*serveCmd) Help() string {
	return `Runs until it is interrupted: the first signal lets what is in hand finish, a second one ends at once. Nothing is sent unless the configuration says "sending: live".

Examples:

  desist serve --config /etc/desist.yaml
  desist serve --config /etc/desist.yaml --roles deliver,track
`
}

func (c *serveCmd) Validate() error {
	for _, role := range c.Roles {
		if !slices.Contains(config.Roles(), role) {
			return usage("--roles: %q is not one of %s", role, strings.Join(config.Roles(), ", "))
		}
	}
	return nil
}

func (c *serveCmd) Run(ctx context.Context, p *Program) error {
	cfg, err := p.config()
	if err != nil {
		return err
	}
	log := p.logger(cfg, false)
	for _, name := range p.strayEnv() {
		log.WarnContext(ctx, "the variable sets nothing; is it misspelt?", "name", name)
	}
	roles := c.Roles
	if len(roles) == 0 {
		roles = cfg.Roles
	}
	return app.Run(ctx, cfg, roles, log)
}
