package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"desist/takedown"
	"desist/web/access"
)

type noticeInput struct {
	ID int64 `path:"id" minimum:"1"`
}

type noticeOutput struct {
	Body Notice
}

type messageOutput struct {
	ContentType        string `header:"Content-Type"`
	ContentDisposition string `header:"Content-Disposition"`
	Body               []byte
}

func (a *api) registerNotices() {
	huma.Register(a.huma, operation(http.MethodGet, "/notices/{id}", "show-notice", "Show a notice and where each required element stands", access.Read),
		func(ctx context.Context, in *noticeInput) (*noticeOutput, error) {
			n, err := a.Record.Notice(ctx, in.ID)
			if err != nil {
				return nil, a.problem(ctx, "show notice", err)
			}
			return &noticeOutput{Body: NewNotice(n)}, nil
		})
	op := operation(http.MethodGet, "/notices/{id}/message", "download-notice", "Download the sealed message as it was handed over", access.Read)
	op.Responses = map[string]*huma.Response{"200": {
		Description: "The complete message (RFC 5322).",
		Content:     map[string]*huma.MediaType{"message/rfc822": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}},
	}}
	huma.Register(a.huma, op, func(ctx context.Context, in *noticeInput) (*messageOutput, error) {
		n, err := a.Record.Notice(ctx, in.ID)
		if err != nil {
			return nil, a.problem(ctx, "download notice", err)
		}
		return &messageOutput{
			ContentType:        "message/rfc822",
			ContentDisposition: fmt.Sprintf(`attachment; filename="%s-notice-%d.eml"`, takedown.Reference(n.CaseID), n.ID),
			Body:               n.Sealed,
		}, nil
	})
}
