package cli

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"desist/web/api"

	"desist/internal/postgres"
	"desist/takedown"
	"desist/takedown/indicator"
)

type caseCmd struct {
	List     caseListCmd     `cmd:"" help:"List cases, newest first."`
	Show     caseShowCmd     `cmd:"" help:"Tell the whole story of a case, with sources."`
	Events   caseEventsCmd   `cmd:"" help:"Print the append-only record of a case."`
	Approve  caseApproveCmd  `cmd:"" help:"Let a held case go on."`
	Hold     caseHoldCmd     `cmd:"" help:"Stop a case until somebody approves it."`
	Dispute  caseDisputeCmd  `cmd:"" help:"Note that the recipient contests; nothing escalates any more."`
	Withdraw caseWithdrawCmd `cmd:"" help:"Take a case back, and tell everybody who was told."`
	Note     caseNoteCmd     `cmd:"" help:"Add a remark to the record."`
}

type caseListCmd struct {
	State  string         `placeholder:"STATE" help:"Only cases in this state: submitted, held, screened, resolved, active, removed, refused, withdrawn, not_malicious, expired."`
	Class  takedown.Class `placeholder:"CLASS" help:"Only cases of this class: phishing, malware, c2, compromised, spam, attack, fraudshop."`
	Party  string         `placeholder:"TEXT" help:"Only cases with a leg towards this party: part of its name, or of its key such as asn:64496."`
	Age    span           `placeholder:"DURATION" help:"Only cases submitted at least so long ago, such as 72h or 7d."`
	Before string         `placeholder:"REF" help:"Go on below this case: the last one of the page before."`
	Limit  int            `default:"50" help:"At most so many."`
	JSON   bool           `name:"json" help:"Print a JSON array."`
}

func (*caseListCmd) Help() string {
	return `Examples:

  desist case list --state held
  desist case list --party "example networks" --age 72h
  desist case list --state active --limit 1000 --json | jq -r '.[].indicator'
`
}

func (c *caseListCmd) Validate() error {
	if c.State != "" && takedown.CaseState(c.State).Validate() != nil {
		var known []string
		for _, s := range takedown.CaseStates() {
			known = append(known, string(s))
		}
		return usage("--state: %q is not one of %s", c.State, strings.Join(known, ", "))
	}
	return atLeastOne("--limit", c.Limit)
}

func (c *caseListCmd) Run(ctx context.Context, p *Program) error {
	f := postgres.Filter{State: takedown.CaseState(c.State), Class: c.Class, Party: c.Party, Age: time.Duration(c.Age), Limit: c.Limit}
	if c.Before != "" {
		id, ok := number(c.Before)
		if !ok {
			return usage("--before: %q is not the reference of a case, such as DSI-000123", c.Before)
		}
		f.Before = id
	}
	return p.withRecord(ctx, func(r *record) error {
		now := r.clock.Now()
		list, err := r.store.List(ctx, now, f)
		if err != nil {
			return err
		}
		if c.JSON {
			return p.printJSON(orEmpty(list))
		}
		out := p.printer()
		printCases(out, list, now)
		if len(list) == c.Limit {
			p.say("there may be more; go on with --before %s\n", list[len(list)-1].Reference)
		}
		return out.flush()
	})
}

func printCases(out *printer, list []postgres.Row, now time.Time) {
	t := table{head: []string{"CASE", "STATE", "CLASS", "AGE", "INDICATOR", "LEGS", "REASON"}, flex: []int{6, 4, 5}}
	for _, r := range list {
		t.rows = append(t.rows, []string{
			r.Reference, string(r.State), string(r.Class), lasting(now.Sub(r.SubmittedAt)), takedown.Defang(r.Indicator), legSummary(r.Legs), r.Reason,
		})
	}
	t.paint = func(row, col int) string {
		if col == 1 {
			return stateColor(string(list[row].State))
		}
		return ""
	}
	out.table(t)
}

// legSummary lists the state of each role in the order of the ladder.
func legSummary(legs map[string]string) string {
	var parts []string
	for _, role := range takedown.Roles() {
		if state, ok := legs[string(role)]; ok {
			parts = append(parts, string(role)+":"+state)
		}
	}
	return strings.Join(parts, " ")
}

var reference = regexp.MustCompile(`^(?i:DSI-)?0*([1-9][0-9]{0,17})$`)

// number reads DSI-000123 or 123.
func number(s string) (int64, bool) {
	m := reference.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return 0, false
	}
	id, err := strconv.ParseInt(m[1], 10, 64)
	return id, err == nil
}

// find returns the cases that a reference, a number or an indicator names,
// newest first. A reference is not looked up.
func (r *record) find(ctx context.Context, ref string) ([]int64, error) {
	if id, ok := number(ref); ok {
		return []int64{id}, nil
	}
	ind, err := indicator.Parse(ref)
	if err != nil {
		return nil, usage("%q is neither a case, such as DSI-000123 or 123, nor an indicator: %w", safe(ref), err)
	}
	ids, err := r.store.Find(ctx, ind.Value)
	if err == nil && len(ids) == 0 {
		err = takedown.NotFound(fmt.Errorf("there is no case about %s", ind.Defang()))
	}
	return ids, err
}

// findOne is find for actions, which must not hit another case than was meant.
func (r *record) findOne(ctx context.Context, ref string) (int64, error) {
	ids, err := r.find(ctx, ref)
	if err != nil {
		return 0, err
	}
	if len(ids) > 1 {
		return 0, usage("%s has several cases; name one of %s", safe(ref), references(ids))
	}
	return ids[0], nil
}

func references(ids []int64) string {
	refs := make([]string, len(ids))
	for i, id := range ids {
		refs[i] = takedown.Reference(id)
	}
	return strings.Join(refs, ", ")
}

type caseShowCmd struct {
	Case string `arg:"" help:"Reference, number or indicator."`
	JSON bool   `name:"json" help:"Print everything as JSON."`
}

func (*caseShowCmd) Help() string {
	return `Shows who reported what, who is responsible and how that is known, what was said to whom and what their servers answered, what came back, what was seen of the target, and every event. An indicator shows its newest case.

Examples:

  desist case show DSI-000123
  desist case show 'hxxps://login[.]example[.]com/verify'
  desist case show 123 --json | jq '.legs[] | {role: .party.role, state}'
`
}

func (c *caseShowCmd) Run(ctx context.Context, p *Program) error {
	return p.withRecord(ctx, func(r *record) error {
		ids, err := r.find(ctx, c.Case)
		if err != nil {
			return err
		}
		story, err := r.store.Story(ctx, ids[0])
		if err != nil {
			return err
		}
		if len(ids) > 1 {
			p.say("this is the newest of %d cases; the others are %s\n", len(ids), references(ids[1:]))
		}
		if c.JSON {
			return p.printJSON(api.NewStory(story))
		}
		out := p.printer()
		printStory(out, story)
		return out.flush()
	})
}

type caseEventsCmd struct {
	Case string `arg:"" help:"Reference, number or indicator."`
	JSON bool   `name:"json" help:"Print a JSON array, with the hashes."`
}

func (*caseEventsCmd) Help() string {
	return `Example:

  desist case events DSI-000123 --json
`
}

func (c *caseEventsCmd) Run(ctx context.Context, p *Program) error {
	return p.withRecord(ctx, func(r *record) error {
		ids, err := r.find(ctx, c.Case)
		if err != nil {
			return err
		}
		events, err := r.store.Events(ctx, ids[0])
		if err != nil {
			return err
		}
		if len(events) == 0 {
			return takedown.NotFound(fmt.Errorf("case %s does not exist", takedown.Reference(ids[0])))
		}
		if c.JSON {
			return p.printJSON(events)
		}
		out := p.printer()
		printEvents(out, events)
		return out.flush()
	})
}

// actions is what people do with cases.
type actions interface {
	Approve(ctx context.Context, id int64, actor, reason string) (*takedown.Case, error)
	Hold(ctx context.Context, id int64, actor, reason string) (*takedown.Case, error)
	Dispute(ctx context.Context, id int64, actor string, role takedown.Role, reason string) (*takedown.Case, error)
	Withdraw(ctx context.Context, id int64, actor, reason string, notMalicious bool) (*takedown.Case, error)
	Note(ctx context.Context, id int64, actor, text string) (*takedown.Case, error)
}

// act does one thing with each case. A case that refuses does not keep the
// others from it.
func (p *Program) act(ctx context.Context, refs []string, what string, f func(a actions, id int64, actor string) (*takedown.Case, error)) error {
	return p.withRecord(ctx, func(r *record) error {
		var ids []int64
		for _, ref := range refs {
			id, err := r.findOne(ctx, ref)
			if err != nil {
				return err
			}
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
		out := p.printer()
		var failed []error
		for _, id := range ids {
			c, err := f(r.actions(), id, p.actor())
			if err != nil {
				failed = append(failed, err)
				continue
			}
			out.printf("%s %s: it is %s\n", c.Reference(), what, out.paint(stateColor(string(c.State)), string(c.State)))
		}
		return errors.Join(append([]error{out.flush()}, failed...)...)
	})
}

type caseApproveCmd struct {
	Cases  []string `arg:"" name:"case" help:"References, numbers or indicators."`
	Reason string   `default:"approved" help:"Why."`
}

func (*caseApproveCmd) Help() string {
	return `Example:

  desist case approve DSI-000123 --reason "screenshot shows the copied login page"
`
}

func (c *caseApproveCmd) Run(ctx context.Context, p *Program) error {
	return p.act(ctx, c.Cases, "approved", func(a actions, id int64, actor string) (*takedown.Case, error) {
		return a.Approve(ctx, id, actor, c.Reason)
	})
}

type caseHoldCmd struct {
	Cases  []string `arg:"" name:"case" help:"References, numbers or indicators."`
	Reason string   `required:"" help:"Why."`
}

func (*caseHoldCmd) Help() string {
	return `Example:

  desist case hold DSI-000123 --reason "the bank asks to wait"
`
}

func (c *caseHoldCmd) Run(ctx context.Context, p *Program) error {
	return p.act(ctx, c.Cases, "held", func(a actions, id int64, actor string) (*takedown.Case, error) {
		return a.Hold(ctx, id, actor, c.Reason)
	})
}

type caseDisputeCmd struct {
	Cases  []string      `arg:"" name:"case" help:"References, numbers or indicators."`
	Role   takedown.Role `placeholder:"ROLE" help:"Only the legs towards this role: host, isp, cdn, platform, upstream, registrar, registry, csirt. Default: every leg that was told."`
	Reason string        `required:"" help:"What the recipient says."`
}

func (*caseDisputeCmd) Help() string {
	return `Example:

  desist case dispute DSI-000123 --role host --reason "customer shows a licence"
`
}

func (c *caseDisputeCmd) Run(ctx context.Context, p *Program) error {
	return p.act(ctx, c.Cases, "disputed", func(a actions, id int64, actor string) (*takedown.Case, error) {
		return a.Dispute(ctx, id, actor, c.Role, c.Reason)
	})
}

type caseWithdrawCmd struct {
	Cases        []string `arg:"" name:"case" help:"References, numbers or indicators."`
	Reason       string   `required:"" help:"Why."`
	NotMalicious bool     `help:"The accusation was wrong, which is more than that we drop it."`
}

func (*caseWithdrawCmd) Help() string {
	return `Example:

  desist case withdraw DSI-000123 --not-malicious --reason "it is the bank's own new portal"
`
}

func (c *caseWithdrawCmd) Run(ctx context.Context, p *Program) error {
	return p.act(ctx, c.Cases, "withdrawn", func(a actions, id int64, actor string) (*takedown.Case, error) {
		return a.Withdraw(ctx, id, actor, c.Reason, c.NotMalicious)
	})
}

type caseNoteCmd struct {
	Case string `arg:"" help:"Reference, number or indicator."`
	Text string `arg:"" help:"The remark."`
}

func (*caseNoteCmd) Help() string {
	return `Example:

  desist case note DSI-000123 "telephoned the desk, they look into it"
`
}

func (c *caseNoteCmd) Run(ctx context.Context, p *Program) error {
	return p.act(ctx, []string{c.Case}, "noted", func(a actions, id int64, actor string) (*takedown.Case, error) {
		return a.Note(ctx, id, actor, c.Text)
	})
}
