package cli

import (
	"context"
	"fmt"
	"slices"

	"desist/internal/postgres"
	"desist/takedown"
)

type auditCmd struct {
	Verify auditVerifyCmd `cmd:"" help:"Prove the event chains, or name the first break of each."`
}

type auditVerifyCmd struct {
	Cases []string `arg:"" optional:"" name:"case" help:"References, numbers or indicators of cases. Default: all."`
	JSON  bool     `name:"json" help:"Print JSON."`
}

func (*auditVerifyCmd) Help() string {
	return `Every event carries the hash of the one before it. This reads them all, computes the hashes again, and compares each sealed notice with the hash that the event of its sealing recorded. The exit code is 1 if anything was altered, added or taken away.

Examples:

  desist audit verify
  desist audit verify DSI-000123 DSI-000124
`
}

func (c *auditVerifyCmd) Run(ctx context.Context, p *Program) error {
	return p.withRecord(ctx, func(r *record) error {
		var ids []int64 // nil means all
		for _, ref := range c.Cases {
			found, err := r.find(ctx, ref)
			if err != nil {
				return err
			}
			ids = append(ids, found...)
		}
		slices.Sort(ids)
		ids = slices.Compact(ids)
		bar := p.progress("verifying")
		res, err := r.store.Audit(ctx, ids, func(done int) {
			bar.show(int64(done), int64(len(ids)), plural(done, "case", "cases"))
		})
		bar.clear()
		if err != nil {
			return err
		}
		if ids != nil && res.Cases != len(ids) {
			return takedown.NotFound(fmt.Errorf("only %d of the %d cases exist", res.Cases, len(ids)))
		}
		if err := c.print(p, res); err != nil {
			return err
		}
		if n := len(res.Breaks); n > 0 {
			return takedown.Permanent(fmt.Errorf("the record is broken in %s", plural(n, "place", "places")))
		}
		return nil
	})
}

func (c *auditVerifyCmd) print(p *Program, res postgres.AuditResult) error {
	if c.JSON {
		return p.printJSON(res)
	}
	out := p.printer()
	for _, b := range res.Breaks {
		out.textAs(red, "BROKEN ", "BROKEN ", b)
	}
	if len(res.Breaks) == 0 {
		out.printf("%s", out.paint(green, "whole: "))
	}
	out.printf("%s and %s verified\n", plural(res.Cases, "case", "cases"), plural(res.Events, "event", "events"))
	return out.flush()
}
