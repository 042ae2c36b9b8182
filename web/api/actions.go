package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"desist/takedown"
	"desist/web/access"
)

type reasonInput struct {
	CaseRef
	Body struct {
		Reason string `json:"reason,omitempty" maxLength:"2000" doc:"Why, for the record."`
	}
}

type withdrawInput struct {
	CaseRef
	Body struct {
		Reason       string `json:"reason" minLength:"1" maxLength:"2000" doc:"Why, for the record and for whoever was told."`
		NotMalicious bool   `json:"not_malicious,omitempty" doc:"The accusation was wrong."`
	}
}

type disputeInput struct {
	CaseRef
	Body struct {
		Reason string        `json:"reason" minLength:"1" maxLength:"2000" doc:"What the recipient says."`
		Role   takedown.Role `json:"role,omitempty" doc:"Only the legs towards parties in this role; all if empty."`
	}
}

type noteInput struct {
	CaseRef
	Body struct {
		Text string `json:"text" minLength:"1" maxLength:"8192"`
	}
}

type actionOutput struct {
	Body struct {
		Reference string             `json:"reference"`
		State     takedown.CaseState `json:"state"`
		Reason    string             `json:"reason,omitempty"`
	}
}

func (a *api) registerActions() {
	action := func(name, summary string) huma.Operation {
		op := operation(http.MethodPost, "/cases/{ref}/"+name, name+"-case", summary, access.Review)
		op.Description += " It is recorded with the name of the token."
		return op
	}
	huma.Register(a.huma, action("approve", "Let a held case go on"), func(ctx context.Context, in *reasonInput) (*actionOutput, error) {
		return a.act(ctx, in.Ref, func(id int64, actor string) (*takedown.Case, error) {
			return a.Decisions.Approve(ctx, id, actor, in.Body.Reason)
		})
	})
	huma.Register(a.huma, action("hold", "Stop a case until a person approves it"), func(ctx context.Context, in *reasonInput) (*actionOutput, error) {
		return a.act(ctx, in.Ref, func(id int64, actor string) (*takedown.Case, error) {
			return a.Decisions.Hold(ctx, id, actor, in.Body.Reason)
		})
	})
	huma.Register(a.huma, action("withdraw", "Take a case back"), func(ctx context.Context, in *withdrawInput) (*actionOutput, error) {
		return a.act(ctx, in.Ref, func(id int64, actor string) (*takedown.Case, error) {
			return a.Decisions.Withdraw(ctx, id, actor, in.Body.Reason, in.Body.NotMalicious)
		})
	})
	huma.Register(a.huma, action("dispute", "Record that a recipient contests a notice"), func(ctx context.Context, in *disputeInput) (*actionOutput, error) {
		if in.Body.Role != "" {
			if err := in.Body.Role.Validate(); err != nil {
				return nil, invalid("body.role", in.Body.Role, "%s", err)
			}
		}
		return a.act(ctx, in.Ref, func(id int64, actor string) (*takedown.Case, error) {
			return a.Remarks.Dispute(ctx, id, actor, in.Body.Role, in.Body.Reason)
		})
	})
	huma.Register(a.huma, action("note", "Add a remark to a case"), func(ctx context.Context, in *noteInput) (*actionOutput, error) {
		return a.act(ctx, in.Ref, func(id int64, actor string) (*takedown.Case, error) {
			return a.Remarks.Note(ctx, id, actor, in.Body.Text)
		})
	})
}

// act does one thing to a case in the name of the request's author.
func (a *api) act(ctx context.Context, ref string, do func(id int64, actor string) (*takedown.Case, error)) (*actionOutput, error) {
	id, err := reference("path.ref", ref)
	if err != nil {
		return nil, err
	}
	c, err := do(id, "token:"+author(ctx).Name)
	if err != nil {
		return nil, a.problem(ctx, "change case", err)
	}
	out := &actionOutput{}
	out.Body.Reference, out.Body.State, out.Body.Reason = c.Reference(), c.State, c.Reason
	return out, nil
}
