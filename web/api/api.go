// Package api serves the HTTP API under /api/v1, described by OpenAPI 3.1 at
// /api/openapi.json.
//
// Faults are problems (RFC 9457) that name the field. A request is answered
// with the one table of takedown.ConsequenceOf; what went wrong inside is
// logged and never told to the caller. A submission that was answered with a
// reference survives a crash.
package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"desist/internal/postgres"
	"desist/pipeline"
	"desist/takedown"
	"desist/web/access"
)

// Intake is the front door.
type Intake interface {
	Submit(ctx context.Context, offers []pipeline.Offer) ([]pipeline.Receipt, error)
}

// Record is what is known of cases.
type Record interface {
	List(ctx context.Context, now time.Time, f postgres.Filter) ([]postgres.Row, error)
	Story(ctx context.Context, id int64) (*postgres.Story, error)
	Notice(ctx context.Context, id int64) (takedown.Notice, error)
}

// Figures are what is counted and measured.
type Figures interface {
	Overview(ctx context.Context) (postgres.Overview, error)
	Lives(ctx context.Context, from, to time.Time) ([]postgres.Life, error)
}

// Decisions are what a person can decide about a case.
type Decisions interface {
	Approve(ctx context.Context, id int64, actor, reason string) (*takedown.Case, error)
	Hold(ctx context.Context, id int64, actor, reason string) (*takedown.Case, error)
	Withdraw(ctx context.Context, id int64, actor, reason string, notMalicious bool) (*takedown.Case, error)
}

// Remarks are what a person can add to a case.
type Remarks interface {
	Dispute(ctx context.Context, id int64, actor string, role takedown.Role, reason string) (*takedown.Case, error)
	Note(ctx context.Context, id int64, actor, text string) (*takedown.Case, error)
}

// Config holds what the API stands on.
type Config struct {
	Guard   *access.Guard
	Intake  Intake
	Record  Record
	Figures Figures
	// Glance looks at everything; see [Glances].
	Glance    func(context.Context) (Glance, error)
	Decisions Decisions
	Remarks   Remarks
	// Events follows what happens; nil leaves the stream out.
	Events func(context.Context) (<-chan Event, error)
	// Now is the service's time.
	Now    func() time.Time
	Logger *slog.Logger
}

type api struct {
	Config
	huma    huma.API
	streams chan struct{} // bounds the open streams
}

// New registers the API on mux.
func New(mux *http.ServeMux, cfg Config) error {
	hc := huma.DefaultConfig("Desist", "1")
	hc.Info.Description = "Hand in malicious domains, URLs and addresses, and follow what becomes of them."
	// The document is made once below: huma makes it on the first request,
	// without a lock. Its page of documentation would load code from elsewhere.
	hc.OpenAPIPath, hc.DocsPath, hc.SchemasPath, hc.CreateHooks = "", "", "", nil
	hc.Formats = map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat}
	hc.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		bearer: {Type: "http", Scheme: "bearer", Description: "A token made by \"desist token create\", with the scopes that an operation names."},
	}
	a := &api{Config: cfg, huma: humago.New(mux, hc), streams: make(chan struct{}, maxStreams)}
	a.huma.UseMiddleware(a.authorize)
	a.registerSubmissions()
	a.registerCases()
	a.registerActions()
	a.registerNotices()
	a.registerFigures()
	if cfg.Events != nil {
		a.registerEvents()
	}

	doc, err := json.Marshal(a.huma.OpenAPI())
	if err != nil {
		return fmt.Errorf("api: encode the OpenAPI document: %w", err)
	}
	mux.HandleFunc("GET /api/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(doc)
	})
	mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		WriteProblem(w, http.StatusNotFound, fmt.Sprintf("%s %s is no operation of this API; see /api/openapi.json", r.Method, r.URL.Path))
	})
	return nil
}

const (
	prefix = "/api/v1"
	bearer = "bearer"
	// smallBody is enough for every request but a submission.
	smallBody = 64 << 10
)

// operation describes an operation that needs a scope.
func operation(method, path, id, summary string, scope access.Scope) huma.Operation {
	return huma.Operation{
		Method: method, Path: prefix + path, OperationID: id, Summary: summary, MaxBodyBytes: smallBody, BodyReadTimeout: 15 * time.Second,
		Description: fmt.Sprintf("Needs the scope `%s`.", scope),
		Security:    []map[string][]string{{bearer: {string(scope)}}},
	}
}

type whoKey struct{}

// authorize lets a request pass whose token has the scope that the operation
// declares.
func (a *api) authorize(ctx huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(ctx)
	who, err := a.Guard.Identify(r)
	switch {
	case err == nil:
	case errors.Is(err, access.ErrNobody) || takedown.KindOf(err) == takedown.KindDenied:
		// RFC 6750 section 3.
		w.Header().Set("WWW-Authenticate", `Bearer realm="desist"`)
		WriteProblem(w, http.StatusUnauthorized, err.Error())
		return
	default:
		a.Logger.WarnContext(r.Context(), "cannot check a token", "err", err)
		w.Header().Set("Retry-After", "2")
		WriteProblem(w, http.StatusServiceUnavailable, "the token cannot be checked now; try again")
		return
	}
	for _, need := range ctx.Operation().Security {
		for _, scope := range need[bearer] {
			if !who.May(access.Scope(scope)) {
				w.Header().Set("WWW-Authenticate", fmt.Sprintf("Bearer realm=\"desist\", error=\"insufficient_scope\", scope=%q", scope))
				WriteProblem(w, http.StatusForbidden, fmt.Sprintf("the token %q lacks the scope %q", who.Name, scope))
				return
			}
		}
	}
	next(huma.WithValue(ctx, whoKey{}, who))
}

// author returns who made the request.
func author(ctx context.Context) access.Who {
	who, _ := ctx.Value(whoKey{}).(access.Who)
	return who
}

// WriteProblem answers with a problem (RFC 9457).
func WriteProblem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(&huma.ErrorModel{Title: http.StatusText(status), Status: status, Detail: detail})
}

// problem turns an error into an answer. Faults of our own are logged and not
// told.
func (a *api) problem(ctx context.Context, op string, err error) error {
	status := takedown.ConsequenceOf(err).HTTP
	if status < 500 {
		return huma.NewError(status, err.Error())
	}
	if ctx.Err() == nil {
		a.Logger.WarnContext(ctx, "request failed", "op", op, "err", err)
	}
	if status != http.StatusServiceUnavailable {
		return huma.NewError(status, "the service failed; its log says why")
	}
	wait := math.Max(1, math.Ceil(takedown.RetryAfter(err).Seconds()))
	return huma.ErrorWithHeaders(huma.NewError(status, "the service cannot answer now; try again"),
		http.Header{"Retry-After": {strconv.FormatFloat(wait, 'f', 0, 64)}})
}

// invalid is a fault in one field of the request.
func invalid(location string, value any, format string, args ...any) error {
	message := fmt.Sprintf(format, args...)
	return huma.Error422UnprocessableEntity(message, &huma.ErrorDetail{Location: location, Message: message, Value: value})
}

// ParseReference reads the public name of a case: DSI-000042, or its number
// alone.
func ParseReference(s string) (int64, error) {
	digits := s
	if len(s) > 4 && strings.EqualFold(s[:4], "DSI-") {
		digits = s[4:]
	}
	id, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || id <= 0 || digits[0] == '+' {
		return 0, fmt.Errorf("%q is no reference of a case; it looks like %s", s, takedown.Reference(42))
	}
	return id, nil
}
