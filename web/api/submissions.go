package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"desist/pipeline"
	"desist/takedown"
	"desist/web/access"
)

// Limits of one request with submissions.
const (
	MaxSubmissionBytes = 16 << 20
	MaxSubmissions     = 10_000
)

type submissionsInput struct {
	Key     string `header:"Idempotency-Key" doc:"Names this request for ever: when it is repeated with the same key and body, each of its submissions is answered as a duplicate of the first." maxLength:"255"`
	RawBody []byte `contentType:"application/json"`
}

type submissionsOutput struct {
	Body Receipts
}

// Receipts answer the submissions of a request, in order.
type Receipts struct {
	Accepted int       `json:"accepted" doc:"Submissions that are stored, duplicates included."`
	Refused  int       `json:"refused"`
	Items    []Receipt `json:"items"`
}

// A Receipt answers one submission.
type Receipt struct {
	Index     int    `json:"index" doc:"Place in the request, from 0."`
	State     string `json:"state" enum:"new,attached,duplicate,refused" doc:"Whether it opened a case, attached to a live one, was stored before, or was refused."`
	Reference string `json:"reference,omitempty" doc:"The case that it belongs to."`
	Indicator string `json:"indicator,omitempty" doc:"The canonical form of the indicator."`
	Kind      string `json:"kind,omitempty"`
	Reason    string `json:"reason,omitempty" doc:"Why it was refused, beginning with the field; or why policy will refuse a case that is on record."`
	Field     string `json:"field,omitempty" doc:"The field that was at fault."`
}

func (a *api) registerSubmissions() {
	op := operation(http.MethodPost, "/submissions", "submit", "Hand in one submission or several", access.Submit)
	op.Description += " The body is one submission or an array of them; each is answered by itself. What is answered with a reference survives a crash."
	op.DefaultStatus = http.StatusAccepted
	op.MaxBodyBytes, op.BodyReadTimeout = MaxSubmissionBytes, 55*time.Second
	op.SkipValidateBody = true
	one := a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[takedown.IndicatorMessage](), true, "Submission")
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {
		Schema: &huma.Schema{OneOf: []*huma.Schema{one, {Type: huma.TypeArray, Items: one}}},
	}}}
	huma.Register(a.huma, op, a.submit)
}

func (a *api) submit(ctx context.Context, in *submissionsInput) (*submissionsOutput, error) {
	messages, err := decodeSubmissions(in.RawBody)
	if err != nil {
		return nil, err
	}
	who := author(ctx)
	offers := make([]pipeline.Offer, len(messages))
	for i, m := range messages {
		offers[i] = pipeline.Offer{Message: m, Source: who.Name}
		if in.Key != "" {
			offers[i].Key = fmt.Sprintf("api:%s:%s:%d:%x", who.ID, in.Key, i, sha256.Sum256(in.RawBody)) // another body is another request: nothing of it is lost
		}
	}
	receipts, err := a.Intake.Submit(ctx, offers)
	if err != nil {
		return nil, a.problem(ctx, "submit", err)
	}
	out := Receipts{Items: make([]Receipt, len(receipts))}
	for i, r := range receipts {
		out.Items[i] = receiptOf(i, r)
		if r.Err != nil {
			out.Refused++
		} else {
			out.Accepted++
		}
	}
	return &submissionsOutput{Body: out}, nil
}

func receiptOf(i int, r pipeline.Receipt) Receipt {
	out := Receipt{Index: i, Indicator: r.Indicator.Value, Kind: string(r.Indicator.Kind)}
	switch {
	case r.Err != nil:
		out.State, out.Reason = "refused", r.Err.Error()
		if field, _, ok := strings.Cut(out.Reason, ": "); ok && slices.Contains(fields(), field) {
			out.Field = field
		}
		return out
	case r.Duplicate:
		out.State = "duplicate"
	case r.New:
		out.State = "new"
	default:
		out.State = "attached"
	}
	out.Reference = takedown.Reference(r.CaseID)
	if r.Refusal != "" {
		out.Reason = "policy refuses it: " + r.Refusal
	}
	return out
}

// fields lists the names of a submission's fields.
func fields() []string {
	t := reflect.TypeFor[takedown.IndicatorMessage]()
	names := make([]string, t.NumField())
	for i := range names {
		names[i], _, _ = strings.Cut(t.Field(i).Tag.Get("json"), ",")
	}
	return names
}

// decodeSubmissions reads an object or an array of objects. A fault of form
// refuses the request as a whole, so that nobody has to find out which part of
// a broken file was taken.
func decodeSubmissions(body []byte) ([]takedown.IndicatorMessage, error) {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")) // written by Windows programs
	trimmed := bytes.TrimSpace(body)
	if len(trimmed) == 0 {
		return nil, invalid("body", nil, "the body is empty; send one submission or an array of them")
	}
	if trimmed[0] != '[' {
		var m takedown.IndicatorMessage
		if err := strict(trimmed, &m); err != nil {
			return nil, malformed("body", body, err)
		}
		return []takedown.IndicatorMessage{m}, nil
	}
	var items []json.RawMessage
	if err := json.Unmarshal(body, &items); err != nil {
		return nil, malformed("body", body, err)
	}
	if len(items) == 0 {
		return nil, invalid("body", nil, "the array is empty; send at least one submission")
	}
	if len(items) > MaxSubmissions {
		return nil, huma.Error413RequestEntityTooLarge(fmt.Sprintf("%d submissions are more than %d; send them in several requests", len(items), MaxSubmissions))
	}
	out := make([]takedown.IndicatorMessage, len(items))
	for i, item := range items {
		if err := strict(item, &out[i]); err != nil {
			return nil, malformed(fmt.Sprintf("body[%d]", i), item, err)
		}
	}
	return out, nil
}

// strict decodes one object and nothing after it; an unknown field is an error,
// because it is most often a known one misspelt.
func strict(data []byte, into *takedown.IndicatorMessage) error {
	if data[0] != '{' {
		return errors.New("a submission is a JSON object")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the object; send several submissions as an array")
	}
	return nil
}

// malformed says where the JSON is at fault.
func malformed(location string, data []byte, err error) error {
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	unknown, isUnknown := strings.CutPrefix(err.Error(), "json: unknown field ")
	switch {
	case errors.As(err, &syntax):
		return badJSON(location, fmt.Sprintf("the JSON is broken at %s: %s", position(data, syntax.Offset), err))
	case errors.Is(err, io.ErrUnexpectedEOF):
		return badJSON(location, "the JSON ends before it is complete")
	case errors.As(err, &typ):
		if typ.Field != "" {
			location += "." + typ.Field
		}
		return invalid(location, nil, "a JSON %s cannot be read here", typ.Value)
	case isUnknown:
		field := strings.Trim(unknown, `"`)
		return invalid(location+"."+field, nil, "the field %q is unknown; the fields are %s", field, strings.Join(fields(), ", "))
	}
	return invalid(location, nil, "%s", err)
}

func badJSON(location, message string) error {
	return huma.Error400BadRequest(message, &huma.ErrorDetail{Location: location, Message: message})
}

func position(data []byte, offset int64) string {
	before := data[:min(max(int(offset)-1, 0), len(data))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := len(before) - (bytes.LastIndexByte(before, '\n') + 1) + 1
	return fmt.Sprintf("line %d, byte %d", line, column)
}
