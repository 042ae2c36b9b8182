package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"desist/internal/app"
	"desist/internal/postgres"
	"desist/pipeline"
	"desist/takedown"
)

type deadletterCmd struct {
	List   deadListCmd   `cmd:"" help:"List what could not be handled, newest first."`
	Show   deadShowCmd   `cmd:"" help:"Show one with its body."`
	Replay deadReplayCmd `cmd:"" help:"Try again."`
}

type deadListCmd struct {
	All   bool `help:"Also those that were replayed."`
	Limit int  `default:"100" help:"At most so many."`
	JSON  bool `name:"json" help:"Print JSON."`
}

func (*deadListCmd) Help() string {
	return `Example:

  desist deadletter list
`
}

func (c *deadListCmd) Validate() error { return atLeastOne("--limit", c.Limit) }

func (c *deadListCmd) Run(ctx context.Context, p *Program) error {
	return p.withRecord(ctx, func(r *record) error {
		all, err := r.store.DeadLetters(ctx, 0, c.Limit)
		if err != nil {
			return err
		}
		list := []postgres.Dead{}
		for _, d := range all {
			if c.All || d.ReplayedAt.IsZero() {
				list = append(list, d)
			}
		}
		if c.JSON {
			return p.printJSON(list)
		}
		t := table{head: []string{"ID", "AT", "CASE", "SUBJECT", "REPLAYED", "REASON"}, flex: []int{5, 3}}
		for _, d := range list {
			ref := ""
			if d.CaseID != 0 {
				ref = takedown.Reference(d.CaseID)
			}
			t.rows = append(t.rows, []string{strconv.FormatInt(d.ID, 10), when(d.At), ref, d.Subject, when(d.ReplayedAt), d.Reason})
		}
		out := p.printer()
		out.table(t)
		return out.flush()
	})
}

type deadShowCmd struct {
	ID   int64 `arg:"" help:"Its number."`
	JSON bool  `name:"json" help:"Print JSON."`
}

func (*deadShowCmd) Help() string {
	return `Example:

  desist deadletter show 7
`
}

func (c *deadShowCmd) Run(ctx context.Context, p *Program) error {
	return p.withRecord(ctx, func(r *record) error {
		d, err := r.dead(ctx, c.ID)
		if err != nil {
			return err
		}
		if c.JSON {
			return p.printJSON(struct {
				postgres.Dead
				Text string `json:"text,omitempty"` // the body, where it is text
			}{d, textOf(d.Body)})
		}
		out := p.printer()
		out.printf("%s\n", out.paint(bold, "dead letter "+strconv.FormatInt(d.ID, 10)))
		out.field("at", when(d.At))
		out.field("subject", d.Subject)
		if d.CaseID != 0 {
			out.field("case", takedown.Reference(d.CaseID))
		}
		out.field("reason", d.Reason)
		out.field("replayed", when(d.ReplayedAt))
		if body := textOf(d.Body); body != "" {
			out.title("Body")
			for line := range strings.Lines(body) {
				out.printf("%s\n", safe(strings.TrimRight(line, "\r\n")))
			}
		} else if len(d.Body) > 0 {
			out.field("body", fmt.Sprintf("%d bytes that are not text; --json shows them in base64", len(d.Body)))
		}
		return out.flush()
	})
}

func textOf(body []byte) string {
	if utf8.Valid(body) {
		return string(body)
	}
	return ""
}

func (r *record) dead(ctx context.Context, id int64) (postgres.Dead, error) {
	if id <= 0 {
		return postgres.Dead{}, usage("%d is not the number of a dead letter", id)
	}
	list, err := r.store.DeadLetters(ctx, id, 1)
	if err != nil {
		return postgres.Dead{}, err
	}
	if len(list) == 0 {
		return postgres.Dead{}, takedown.NotFound(fmt.Errorf("dead letter %d does not exist", id))
	}
	return list[0], nil
}

type deadReplayCmd struct {
	ID  []int64 `arg:"" optional:"" help:"Numbers of dead letters."`
	All bool    `help:"Every one that was not replayed yet."`
}

func (*deadReplayCmd) Help() string {
	return `A submission goes through the front door again; a case that gave up is approved, so that it goes on where it stood. What fails again stays, with the reason on standard error.

Examples:

  desist deadletter replay 7 8
  desist deadletter replay --all
`
}

func (c *deadReplayCmd) Validate() error {
	if c.All == (len(c.ID) > 0) {
		return usage("give the numbers of dead letters, or --all")
	}
	return nil
}

func (c *deadReplayCmd) Run(ctx context.Context, p *Program) error {
	return p.withRecord(ctx, func(r *record) error {
		ids := c.ID
		if c.All {
			const most = 100_000
			list, err := r.store.DeadLetters(ctx, 0, most)
			if err != nil {
				return err
			}
			for _, d := range list {
				if d.ReplayedAt.IsZero() {
					ids = append(ids, d.ID)
				}
			}
		}
		out := p.printer()
		intake, err := app.NewIntake(r.store, r.clock, r.cfg, r.log)
		if err != nil {
			return err
		}
		var failed []error
		for _, id := range ids {
			d, err := r.dead(ctx, id)
			if err != nil {
				failed = append(failed, err)
				continue
			}
			what, err := r.replay(ctx, p.actor(), intake, d)
			if err != nil {
				failed = append(failed, fmt.Errorf("dead letter %d: %w", id, err))
				continue
			}
			out.printf("replayed %d: %s\n", id, what)
		}
		return errors.Join(append([]error{out.flush()}, failed...)...)
	})
}

// replay tries one again and says what became of it.
func (r *record) replay(ctx context.Context, actor string, intake *pipeline.Intake, d postgres.Dead) (string, error) {
	if !d.ReplayedAt.IsZero() {
		return "", takedown.Denied(fmt.Errorf("it was replayed at %s", when(d.ReplayedAt)))
	}
	var what string
	source, isSubmission := strings.CutPrefix(d.Subject, pipeline.SubjectPrefix)
	switch {
	case isSubmission:
		var m takedown.IndicatorMessage
		if err := json.Unmarshal(d.Body, &m); err != nil {
			return "", takedown.Permanent(fmt.Errorf("the body is not the documented JSON: %w", err))
		}
		receipts, err := intake.Submit(ctx, []pipeline.Offer{{Message: m, Source: source, Key: fmt.Sprintf("deadletter:%d", d.ID)}})
		if err != nil {
			return "", err
		}
		if receipts[0].Err != nil {
			return "", receipts[0].Err
		}
		what = "the submission belongs to " + takedown.Reference(receipts[0].CaseID)
	case d.CaseID != 0:
		c, err := r.actions().Approve(ctx, d.CaseID, actor, fmt.Sprintf("dead letter %d replayed", d.ID))
		if err != nil {
			return "", err
		}
		what = c.Reference() + " goes on"
	default:
		return "", takedown.Permanent(fmt.Errorf("the subject %q is neither a submission nor about a case", safe(d.Subject)))
	}
	return what, r.store.Replayed(ctx, r.clock.Now(), d.ID)
}

func atLeastOne(flag string, n int) error {
	if n < 1 {
		return usage("%s must be at least 1", flag)
	}
	return nil
}
