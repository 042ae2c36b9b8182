package api

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"desist/internal/postgres"
	"desist/takedown"
	"desist/web/access"
)

// CaseQuery selects cases.
type CaseQuery struct {
	State  string `query:"state" doc:"Only cases in this state."`
	Class  string `query:"class" doc:"Only cases of this class."`
	Party  string `query:"party" doc:"Only cases with a party whose name or key contains this." maxLength:"200"`
	Age    string `query:"age" doc:"Only cases submitted at least this long ago, such as 36h or 7d."`
	Cursor string `query:"cursor" doc:"Where the page before said to go on." maxLength:"100"`
	Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"500"`
}

// Filter checks the query. A fault names the parameter.
func (q CaseQuery) Filter() (postgres.Filter, error) {
	f := postgres.Filter{State: takedown.CaseState(q.State), Class: takedown.Class(q.Class), Party: strings.TrimSpace(q.Party), Limit: q.Limit}
	if f.State != "" {
		if err := f.State.Validate(); err != nil {
			return f, invalid("query.state", q.State, "%s: the states are %v", err, takedown.CaseStates())
		}
	}
	if f.Class != "" {
		if err := f.Class.Validate(); err != nil {
			return f, invalid("query.class", q.Class, "%s", err)
		}
	}
	var err error
	if f.Age, err = parseAge(q.Age); err != nil {
		return f, invalid("query.age", q.Age, "%s", err)
	}
	if f.Before, err = parseCursor(q.Cursor); err != nil {
		return f, invalid("query.cursor", q.Cursor, "%s", err)
	}
	return f, nil
}

// parseAge reads a duration that may count days.
func parseAge(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(s)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 15)
		d = time.Duration(n) * 24 * time.Hour
	}
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is no age; it looks like 36h or 7d", s)
	}
	return d, nil
}

// A cursor is opaque to callers, so that it can come to hold more than an id.
const cursorVersion = "c1."

// Cursor returns the cursor of the page that follows the case with this id.
func Cursor(id int64) string {
	return base64.RawURLEncoding.EncodeToString([]byte(cursorVersion + strconv.FormatInt(id, 10)))
}

func parseCursor(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(s)
	digits, ok := strings.CutPrefix(string(raw), cursorVersion)
	id, numErr := strconv.ParseInt(digits, 10, 64)
	if err != nil || !ok || numErr != nil || id <= 0 {
		return 0, fmt.Errorf("%q is no cursor of ours; leave it out to begin again", s)
	}
	return id, nil
}

// A Page is one page of a listing.
type Page struct {
	Items []postgres.Row `json:"items"`
	// Next is empty on the last page.
	Next string `json:"next,omitempty" doc:"The cursor of the next page; absent on the last."`
}

// ListPage reads one page.
func ListPage(ctx context.Context, record Record, now time.Time, f postgres.Filter) (Page, error) {
	limit := f.Limit
	f.Limit++ // one more tells whether there is a next page
	rows, err := record.List(ctx, now, f)
	if err != nil {
		return Page{}, fmt.Errorf("list cases: %w", err)
	}
	p := Page{Items: rows}
	if len(rows) > limit {
		p.Items = rows[:limit]
		p.Next = Cursor(p.Items[limit-1].ID)
	}
	if p.Items == nil {
		p.Items = []postgres.Row{}
	}
	return p, nil
}

type pageOutput struct {
	Body Page
}

// CaseRef names a case in a path. It is exported because huma looks into no other
// embedded types.
type CaseRef struct {
	Ref string `path:"ref" doc:"The reference of a case, such as DSI-000042." maxLength:"30"`
}

type storyOutput struct {
	Body Story
}

func (a *api) registerCases() {
	huma.Register(a.huma, operation(http.MethodGet, "/cases", "list-cases", "List cases, newest first", access.Read),
		func(ctx context.Context, in *CaseQuery) (*pageOutput, error) {
			f, err := in.Filter()
			if err != nil {
				return nil, err
			}
			page, err := ListPage(ctx, a.Record, a.Now(), f)
			if err != nil {
				return nil, a.problem(ctx, "list cases", err)
			}
			return &pageOutput{Body: page}, nil
		})
	huma.Register(a.huma, operation(http.MethodGet, "/cases/{ref}", "show-case", "Tell the whole story of a case", access.Read),
		func(ctx context.Context, in *CaseRef) (*storyOutput, error) {
			id, err := reference("path.ref", in.Ref)
			if err != nil {
				return nil, err
			}
			s, err := a.Record.Story(ctx, id)
			if err != nil {
				return nil, a.problem(ctx, "show case", err)
			}
			return &storyOutput{Body: NewStory(s)}, nil
		})
}

func reference(location, s string) (int64, error) {
	id, err := ParseReference(s)
	if err != nil {
		return 0, invalid(location, s, "%s", err)
	}
	return id, nil
}
