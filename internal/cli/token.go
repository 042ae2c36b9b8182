package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"desist/internal/config"
	"desist/internal/postgres"
)

type tokenCmd struct {
	Create tokenCreateCmd `cmd:"" help:"Make a token; it is shown once and never again."`
	List   tokenListCmd   `cmd:"" help:"List the tokens."`
	Revoke tokenRevokeCmd `cmd:"" help:"Take a token back."`
}

type tokenCreateCmd struct {
	Name    string   `arg:"" help:"What the token is for."`
	Scopes  []string `name:"scope" required:"" placeholder:"SCOPE" help:"What it allows: submit, read, review, send, admin. Repeat it, or put commas between."`
	Expires span     `placeholder:"DURATION" help:"How long it is valid, such as 90d. Default: until it is revoked."`
	JSON    bool     `name:"json" help:"Print JSON."`
}

func (*tokenCreateCmd) Help() string {
	return `The token alone goes to standard output. The database keeps only its hash.

Examples:

  desist token create feed-importer --scope submit --expires 90d
  desist token create dashboard --scope read,review
`
}

func (c *tokenCreateCmd) Validate() error {
	for _, s := range c.Scopes {
		if !slices.Contains(config.Scopes(), s) {
			return usage("--scope: %q is not one of %s", s, strings.Join(config.Scopes(), ", "))
		}
	}
	if strings.TrimSpace(c.Name) == "" {
		return usage("the name of the token is empty; say what it is for")
	}
	return nil
}

func (c *tokenCreateCmd) Run(ctx context.Context, p *Program) error {
	return p.withRecord(ctx, func(r *record) error {
		now := r.clock.Now()
		var expires time.Time
		if c.Expires > 0 {
			expires = now.Add(time.Duration(c.Expires))
		}
		slices.Sort(c.Scopes)
		t, secret, err := r.store.CreateToken(ctx, now, c.Name, slices.Compact(c.Scopes), expires)
		if err != nil {
			return err
		}
		if c.JSON {
			return p.printJSON(struct {
				postgres.Token
				Secret string `json:"token"`
			}{t, secret})
		}
		_, err = fmt.Fprintln(p.Out, secret)
		p.say("token %d (%s) allows %s; it will not be shown again\n", t.ID, safe(t.Name), strings.Join(t.Scopes, ", "))
		return written(err)
	})
}

type tokenListCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

func (*tokenListCmd) Help() string {
	return `Example:

  desist token list
`
}

func (c *tokenListCmd) Run(ctx context.Context, p *Program) error {
	return p.withRecord(ctx, func(r *record) error {
		list, err := r.store.Tokens(ctx)
		if err != nil {
			return err
		}
		if c.JSON {
			return p.printJSON(orEmpty(list))
		}
		now := r.clock.Now()
		t := table{head: []string{"ID", "STATE", "SCOPES", "CREATED", "EXPIRES", "NAME"}, flex: []int{5}}
		for _, tok := range list {
			state := "valid"
			switch {
			case !tok.RevokedAt.IsZero():
				state = "revoked"
			case !tok.ExpiresAt.IsZero() && !now.Before(tok.ExpiresAt):
				state = "expired"
			}
			t.rows = append(t.rows, []string{
				strconv.FormatInt(tok.ID, 10), state, strings.Join(tok.Scopes, ","), when(tok.CreatedAt), when(tok.ExpiresAt), tok.Name,
			})
		}
		out := p.printer()
		out.table(t)
		return out.flush()
	})
}

type tokenRevokeCmd struct {
	ID []int64 `arg:"" help:"Numbers of tokens, as \"token list\" shows them."`
}

func (*tokenRevokeCmd) Help() string {
	return `Example:

  desist token revoke 3
`
}

func (c *tokenRevokeCmd) Run(ctx context.Context, p *Program) error {
	return p.withRecord(ctx, func(r *record) error {
		out := p.printer()
		for _, id := range c.ID {
			if err := r.store.RevokeToken(ctx, r.clock.Now(), id); err != nil {
				return err
			}
			out.printf("token %d is revoked\n", id)
		}
		return out.flush()
	})
}

// orEmpty makes JSON say [] where there is nothing.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
