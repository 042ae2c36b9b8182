package web_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"desist/takedown"
	"desist/web"
	"desist/web/api"
)

// A problem is the answer to a fault (RFC 9457).
type problem struct {
	Status int
	Title  string
	Detail string
	Errors []struct{ Message, Location string }
}

func problemOf(t *testing.T, h http.Handler, method, path, token, body string, status int, headers ...string) problem {
	t.Helper()
	w := do(h, method, path, token, body, headers...)
	if w.Code != status {
		t.Fatalf("%s %s: status %d, want %d\n%s", method, path, w.Code, status, w.Body)
	}
	if ct := w.Header().Get("Content-Type"); ct != "application/problem+json" {
		t.Errorf("%s %s: content type %q", method, path, ct)
	}
	p := decode[problem](t, w)
	if p.Status != status || p.Title == "" || p.Detail == "" {
		t.Errorf("%s %s: problem %+v", method, path, p)
	}
	return p
}

func TestWhoMayDoWhat(t *testing.T) {
	f := newFake()
	f.fill(same)
	h := f.handler(t, func(c *web.Config) {
		c.Events = func(context.Context) (<-chan api.Event, error) { return nil, errors.New("no broker") }
	})
	const one = `{"indicator":"a.example","class":"phishing"}`
	operations := []struct{ method, path, body, scope string }{
		{"POST", "/api/v1/submissions", one, "submit"},
		{"GET", "/api/v1/cases", "", "read"},
		{"GET", "/api/v1/cases/DSI-000042", "", "read"},
		{"POST", "/api/v1/cases/DSI-000042/withdraw", `{"reason":"r"}`, "review"},
		{"POST", "/api/v1/cases/DSI-000042/approve", `{"reason":"r"}`, "review"},
		{"POST", "/api/v1/cases/DSI-000042/hold", `{}`, "review"},
		{"POST", "/api/v1/cases/DSI-000042/dispute", `{"reason":"r","role":"host"}`, "review"},
		{"POST", "/api/v1/cases/DSI-000042/note", `{"text":"t"}`, "review"},
		{"GET", "/api/v1/notices/1", "", "read"},
		{"GET", "/api/v1/notices/1/message", "", "read"},
		{"GET", "/api/v1/stats?by=class", "", "read"},
		{"GET", "/api/v1/overview", "", "read"},
		{"GET", "/api/v1/events", "", "read"},
	}
	tokens := []struct {
		secret string
		scopes string
	}{
		{submitToken, "submit"}, {readToken, "read"}, {reviewToken, "review read"}, {adminToken, "submit read review"}, {staticToken, "submit read"},
	}
	for _, op := range operations {
		for _, secret := range []string{"", "made up", revokedToken, expiredToken} {
			problemOf(t, h, op.method, op.path, secret, op.body, http.StatusUnauthorized)
		}
		for _, tok := range tokens {
			w := do(h, op.method, op.path, tok.secret, op.body)
			may := strings.Contains(tok.scopes, op.scope)
			if may && (w.Code == http.StatusForbidden || w.Code == http.StatusUnauthorized) || !may && w.Code != http.StatusForbidden {
				t.Errorf("%s %s with %s: status %d, scopes %q, needs %q\n%s", op.method, op.path, tok.secret, w.Code, tok.scopes, op.scope, w.Body)
			}
			if may && w.Code >= 300 && !strings.HasSuffix(op.path, "/events") {
				t.Errorf("%s %s with %s: status %d\n%s", op.method, op.path, tok.secret, w.Code, w.Body)
			}
		}
	}
	// RFC 6750 section 3.
	if got := do(h, "GET", "/api/v1/cases", "", "").Header().Get("WWW-Authenticate"); !strings.HasPrefix(got, "Bearer ") {
		t.Errorf("WWW-Authenticate: %q", got)
	}
	problemOf(t, h, "GET", "/api/v1/cases", "", "", http.StatusUnauthorized, "Authorization", "Basic YTpi")
	if got := f.acts; len(got) == 0 || got[0] != "withdraw token:analyst r false" {
		t.Errorf("actions: %q", got)
	}
	f.down = takedown.Temporary(errors.New("dial tcp 192.0.2.1:5432: refused"))
	if p := problemOf(t, h, "GET", "/api/v1/cases", readToken, "", http.StatusServiceUnavailable); strings.Contains(p.Detail, "192.0.2.1") {
		t.Errorf("the answer tells what is inside: %q", p.Detail)
	}
}

func TestCookieOpensReadingOnly(t *testing.T) {
	f := newFake()
	f.fill(same)
	h := f.handler(t)
	for _, c := range []struct {
		method, path, body, token string
		want                      int
	}{
		{"GET", "/api/v1/cases", "", readToken, http.StatusOK},
		{"GET", "/", "", adminToken, http.StatusOK},
		{"GET", "/", "", submitToken, http.StatusForbidden},
		{"GET", "/", "", revokedToken, http.StatusSeeOther},
		{"POST", "/api/v1/cases/42/note", `{"text":"t"}`, adminToken, http.StatusUnauthorized},
	} {
		if w := do(h, c.method, c.path, "", c.body, "Cookie", "desist_token="+c.token); w.Code != c.want {
			t.Errorf("%s %s with cookie %s: %d, want %d", c.method, c.path, c.token, w.Code, c.want)
		}
	}
}

func TestOpenReadIsForThisMachineOnly(t *testing.T) {
	f := newFake()
	f.fill(same)
	for _, c := range []struct {
		name, remote, host, header string
		open                       bool
		want                       int
	}{
		{"local", "127.0.0.1:5", "localhost:8080", "", true, http.StatusOK},
		{"local, IPv6", "[::1]:5", "[::1]:8080", "", true, http.StatusOK},
		{"not open", "127.0.0.1:5", "localhost", "", false, http.StatusUnauthorized},
		{"from elsewhere", "198.51.100.7:5", "localhost", "", true, http.StatusUnauthorized},
		{"through a proxy", "127.0.0.1:5", "localhost", "X-Forwarded-For", true, http.StatusUnauthorized},
		{"by a foreign name", "127.0.0.1:5", "rebind.example", "", true, http.StatusUnauthorized},
	} {
		h := f.handler(t, func(cfg *web.Config) { cfg.OpenRead = c.open })
		r := httptest.NewRequest("GET", "/api/v1/overview", nil)
		r.RemoteAddr, r.Host = c.remote, c.host
		if c.header != "" {
			r.Header.Set(c.header, "198.51.100.7")
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s: status %d, want %d", c.name, w.Code, c.want)
		}
		post := httptest.NewRequest("POST", "/api/v1/cases/42/note", strings.NewReader(`{"text":"t"}`))
		post.RemoteAddr, post.Host = c.remote, c.host
		w = httptest.NewRecorder()
		if h.ServeHTTP(w, post); w.Code != http.StatusUnauthorized {
			t.Errorf("%s: a change without a token: status %d", c.name, w.Code)
		}
	}
}

func TestSubmissions(t *testing.T) {
	f := newFake()
	h := f.handler(t)
	w := do(h, "POST", "/api/v1/submissions", submitToken,
		`[{"indicator":"New.example","class":"phishing"},{"indicator":"again.example","class":"c2"},{"indicator":"live.example","class":"c2"},{"indicator":"","class":"c2"}]`,
		"Idempotency-Key", "k1")
	if w.Code != http.StatusAccepted {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	want := api.Receipts{Accepted: 3, Refused: 1, Items: []api.Receipt{
		{Index: 0, State: "new", Reference: "DSI-000100", Indicator: "new.example", Kind: "domain"},
		{Index: 1, State: "duplicate", Reference: "DSI-000007"},
		{Index: 2, State: "attached", Reference: "DSI-000008"},
		{Index: 3, State: "refused", Reason: "indicator: is missing; give a domain, URL or IP address", Field: "indicator"},
	}}
	if d := cmp.Diff(want, decode[api.Receipts](t, w)); d != "" {
		t.Error(d)
	}
	if o := f.offers[1]; o.Key[:11] != "api:1:k1:1:" || o.Source != "feed" {
		t.Errorf("offer %+v", o)
	}
	if w := do(h, "POST", "/api/v1/submissions", staticToken, `{"indicator":"one.example","class":"spam"}`); w.Code != http.StatusAccepted {
		t.Fatalf("one object: status %d: %s", w.Code, w.Body)
	}
	if o := f.offers[len(f.offers)-1]; o.Key != "" || o.Source != "set" {
		t.Errorf("offer %+v", o)
	}
}

func TestMalformedSubmissions(t *testing.T) {
	f := newFake()
	h := f.handler(t)
	for _, c := range []struct {
		name, body string
		status     int
		location   string
		detail     string
	}{
		{"nothing", "  ", 422, "body", "empty"},
		{"broken", "[{\"indicator\":\"a.example\",\n \"class\" \"c2\"}]", 400, "body", "line 2, byte 10"},
		{"cut off", `{"indicator":"a.exa`, 400, "body", "ends before"},
		{"wrong type", `[{"indicator":"a.example","class":"c2"},{"indicator":"a.example","class":5}]`, 422, "body[1].class", "number"},
		{"wrong type deep", `{"indicator":"a.example","class":"c2","reporter":{"name":true}}`, 422, "body.reporter.name", "bool"},
		{"unknown field", `{"indicator":"a.example","klass":"c2"}`, 422, "body.klass", "the fields are indicator, class"},
		{"not an object", `["a.example"]`, 422, "body[0]", "JSON object"},
		{"null", `null`, 422, "body", "JSON object"},
		{"no items", `[]`, 422, "body", "empty"},
		{"two objects", `{"indicator":"a.example","class":"c2"}{"indicator":"b.example","class":"c2"}`, 422, "body", "array"},
		{"bad time", `{"indicator":"a.example","class":"c2","seen_at":"yesterday"}`, 422, "body", "yesterday"},
	} {
		p := problemOf(t, h, "POST", "/api/v1/submissions", submitToken, c.body, c.status)
		if !strings.Contains(p.Detail, c.detail) || len(p.Errors) != 1 || p.Errors[0].Location != c.location {
			t.Errorf("%s: %+v", c.name, p)
		}
	}
	if len(f.offers) != 0 {
		t.Errorf("%d offers were taken", len(f.offers))
	}
	problemOf(t, h, "POST", "/api/v1/submissions", submitToken, "["+strings.Repeat(`{},`, api.MaxSubmissions)+"{}]", http.StatusRequestEntityTooLarge)
	problemOf(t, h, "POST", "/api/v1/submissions", submitToken, `{"indicator":"`+strings.Repeat("a", api.MaxSubmissionBytes)+`"}`, http.StatusRequestEntityTooLarge)
	problemOf(t, h, "POST", "/api/v1/cases/42/note", reviewToken, `{"text":"`+strings.Repeat("a", 1<<17)+`"}`, http.StatusRequestEntityTooLarge)
	problemOf(t, h, "POST", "/api/v1/submissions", submitToken, `{}`, http.StatusUnprocessableEntity, "Idempotency-Key", strings.Repeat("k", 256))
}

func FuzzSubmissions(f *testing.F) {
	fk := newFake()
	h, err := web.New(fk.config())
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{`{"indicator":"a.example","class":"c2"}`, `[{},null]`, "\xef\xbb\xbf[]", `{"evidence":[{"data":"!"}]}`, "[[", "{\"\":0}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		w := do(h, "POST", "/api/v1/submissions", submitToken, body)
		if w.Code >= 500 {
			t.Errorf("status %d: %s", w.Code, w.Body)
		}
	})
}

func TestPagination(t *testing.T) {
	f := newFake()
	f.fill(same)
	h := f.handler(t)
	var seen []int64
	next := ""
	for range 20 {
		w := do(h, "GET", "/api/v1/cases?limit=7&cursor="+next, readToken, "")
		p := decode[api.Page](t, w)
		for _, r := range p.Items {
			seen = append(seen, r.ID)
		}
		if next = p.Next; next == "" {
			break
		}
	}
	if len(seen) != 60 || seen[0] != 60 || seen[59] != 1 {
		t.Errorf("%d cases: %v", len(seen), seen)
	}
	if p := decode[api.Page](t, do(h, "GET", "/api/v1/cases?state=held&age=0.25d", readToken, "")); p.Items != nil {
		t.Error("0.25d is no age, but was taken")
	}
	for query, location := range map[string]string{
		"state=lost": "query.state", "class=rude": "query.class", "age=old": "query.age", "age=-1h": "query.age", "age=99999d": "query.age",
		"cursor=xyz": "query.cursor", "limit=0": "query.limit", "limit=501": "query.limit", "limit=many": "query.limit",
	} {
		p := problemOf(t, h, "GET", "/api/v1/cases?"+query, readToken, "", http.StatusUnprocessableEntity)
		if len(p.Errors) != 1 || p.Errors[0].Location != location {
			t.Errorf("%s: %+v", query, p)
		}
	}
	for _, p := range decode[api.Page](t, do(h, "GET", "/api/v1/cases?state=held&class=spam&age=1d", readToken, "")).Items {
		if p.State != takedown.CaseHeld || p.Class != takedown.ClassSpam {
			t.Errorf("%+v does not match the filter", p)
		}
	}
}

func TestFaultsOfActions(t *testing.T) {
	h := newFake().handler(t)
	problemOf(t, h, "POST", "/api/v1/cases/DSI-000404/hold", reviewToken, `{}`, http.StatusNotFound)
	problemOf(t, h, "POST", "/api/v1/cases/DSI-000403/approve", reviewToken, `{}`, http.StatusForbidden)
	problemOf(t, h, "POST", "/api/v1/cases/here/approve", reviewToken, `{}`, http.StatusUnprocessableEntity)
	problemOf(t, h, "GET", "/api/v1/cases/DSI-9", readToken, "", http.StatusNotFound)
	problemOf(t, h, "GET", "/api/v1/notices/9", readToken, "", http.StatusNotFound)
	problemOf(t, h, "GET", "/api/v1/nothing", readToken, "", http.StatusNotFound)
	p := problemOf(t, h, "POST", "/api/v1/cases/42/withdraw", reviewToken, `{}`, http.StatusUnprocessableEntity)
	if len(p.Errors) != 1 || p.Errors[0].Location != "body" || !strings.Contains(p.Errors[0].Message, "reason") {
		t.Errorf("%+v", p)
	}
	if p := problemOf(t, h, "POST", "/api/v1/cases/42/dispute", reviewToken, `{"reason":"r","role":"owner"}`, http.StatusUnprocessableEntity); p.Errors[0].Location != "body.role" {
		t.Errorf("%+v", p)
	}
	problemOf(t, h, "GET", "/api/v1/stats?by=colour", readToken, "", http.StatusUnprocessableEntity)
	problemOf(t, h, "GET", "/api/v1/stats?from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z", readToken, "", http.StatusUnprocessableEntity)
}

func TestMessageIsAnAttachment(t *testing.T) {
	f := newFake()
	f.fill(same)
	h := f.handler(t)
	for _, path := range []string{"/api/v1/notices/1/message", "/notices/1/message"} {
		w := do(h, "GET", path, readToken, "")
		if !bytes.Equal(w.Body.Bytes(), f.notices[1].Sealed) {
			t.Errorf("%s: the bytes are not those that were sealed", path)
		}
		if got := w.Header().Get("Content-Disposition"); got != `attachment; filename="DSI-000042-notice-1.eml"` {
			t.Errorf("%s: %q", path, got)
		}
		if got := w.Header().Get("Content-Type"); got != "message/rfc822" {
			t.Errorf("%s: %q", path, got)
		}
	}
}

func TestStoryKeepsTheReporter(t *testing.T) {
	f := newFake()
	f.fill(same)
	body := do(f.handler(t), "GET", "/api/v1/cases/42", readToken, "").Body.String()
	for _, secret := range []string{"reporter@example.com", "A Reporter", "cGljdHVyZQ"} {
		if strings.Contains(body, secret) {
			t.Errorf("the story tells %q", secret)
		}
	}
	if strings.Contains(body, ":null") {
		t.Error("the story holds a null where a list belongs")
	}
}

func TestOpenAPI(t *testing.T) {
	w := do(newFake().handler(t, func(c *web.Config) { c.Events = noEvents }), "GET", "/api/openapi.json", "", "")
	doc := decode[struct {
		OpenAPI string
		Paths   map[string]map[string]any
	}](t, w)
	if !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Errorf("OpenAPI %q", doc.OpenAPI)
	}
	for _, path := range []string{"submissions", "cases", "cases/{ref}", "cases/{ref}/withdraw", "notices/{id}", "notices/{id}/message", "stats", "overview", "events"} {
		if doc.Paths["/api/v1/"+path] == nil {
			t.Errorf("%s is not documented", path)
		}
	}
}

func noEvents(ctx context.Context) (<-chan api.Event, error) {
	c := make(chan api.Event)
	context.AfterFunc(ctx, func() { close(c) })
	return c, nil
}

func TestEvents(t *testing.T) {
	source := make(chan api.Event, 2)
	f := newFake()
	srv := httptest.NewServer(f.handler(t, func(c *web.Config) {
		c.OpenRead = true
		c.Events = func(context.Context) (<-chan api.Event, error) { return source, nil }
	}))
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	defer srv.Close()
	defer srv.Client().CloseIdleConnections()

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", srv.URL+"/api/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Last-Event-ID", "no number at all")
	answer, err := srv.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if ct := answer.Header.Get("Content-Type"); ct != "text/event-stream" {
		t.Fatalf("content type %q", ct)
	}
	source <- api.Event{Kind: "case.removed", ID: 7, Data: []byte("{\"kind\":\"case.removed\"\n}")}
	close(source) // too slow, or the broker is lost: the stream ends
	var lines []string
	for s := bufio.NewScanner(answer.Body); s.Scan(); {
		lines = append(lines, s.Text())
	}
	want := []string{"retry: 3000", "", "event: reset", "data: {}", "", "id: 7", `data: {"kind":"case.removed"`, "data: }", ""}
	if d := cmp.Diff(want, lines); d != "" {
		t.Error(d)
	}
}

func TestOutsideWordsStayText(t *testing.T) {
	const attack = `"><img src=x onerror=alert(1)><script>alert(2)</script>'` + "\u202e" + `{{.}} javascript:alert(3)`
	f := newFake()
	f.fill(func(s string) string { return s + attack })
	h := f.handler(t)
	for _, path := range []string{"/", "/cases", "/cases?party=" + url.QueryEscape(attack), "/cases?state=" + url.QueryEscape(attack), "/cases/DSI-000042", "/notices/1", "/login?next=" + url.QueryEscape(attack)} {
		w := do(h, "GET", path, readToken, "")
		body := w.Body.String()
		if w.Code >= 500 || len(body) < 500 {
			t.Fatalf("%s: status %d\n%s", path, w.Code, body)
		}
		for _, bad := range []string{"<img", "<script>", "\u202e", "href=\"javascript", "'>"} {
			if strings.Contains(body, bad) {
				t.Errorf("%s: %q came through", path, bad)
			}
		}
	}
	body := do(h, "GET", "/cases/DSI-000042", readToken, "").Body.String()
	for _, live := range []string{"https://login.bank.example", `href="https:`, `href="http:`} {
		if strings.Contains(body, live) {
			t.Errorf("the page of a case holds %s", live)
		}
	}
	if !strings.Contains(body, "hxxps://login[.]bank[.]example/verify") {
		t.Error("the indicator is not shown defanged")
	}
	if n := strings.Count(body, "&lt;script&gt;"); n < 40 {
		t.Errorf("only %d of the hostile fields are shown at all", n)
	}
}

func TestEveryAnswerHasTheHeaders(t *testing.T) {
	f := newFake()
	f.fill(same)
	h := f.handler(t, func(c *web.Config) { c.Metrics = http.NotFoundHandler() })
	for _, path := range []string{"/", "/login", "/static/style.css", "/static/live.js", "/static/icon.svg", "/nothing", "/api/v1/cases", "/api/openapi.json", "/healthz", "/readyz", "/metrics", "/verify"} {
		w := do(h, "GET", path, "", "", "Origin", "https://evil.example")
		csp := w.Header().Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: policy %q lacks %q", path, csp, want)
			}
		}
		if strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy %q", path, csp)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Access-Control-Allow-Origin": ""} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		// The policy forbids styles and scripts within the page; none may need them.
		if body := w.Body.String(); strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") && (strings.Contains(body, " style=") || strings.Contains(body, " onclick=") || strings.Contains(body, "<style")) {
			t.Errorf("%s has styles or scripts in the page", path)
		}
	}
}

func TestSignIn(t *testing.T) {
	f := newFake()
	f.fill(same)
	h := f.handler(t)
	if w := do(h, "GET", "/cases?state=held", "", ""); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/login?next=%2Fcases%3Fstate%3Dheld" {
		t.Errorf("without a token: %d to %q", w.Code, w.Header().Get("Location"))
	}
	form := func(token, next string, headers ...string) *httptest.ResponseRecorder {
		return do(h, "POST", "/login", "", url.Values{"token": {token}, "next": {next}}.Encode(), append([]string{"Content-Type", "application/x-www-form-urlencoded"}, headers...)...)
	}
	w := form(readToken, "/cases?state=held")
	c := w.Result().Cookies()
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/cases?state=held" || len(c) != 1 || !c[0].HttpOnly || c[0].SameSite != http.SameSiteStrictMode {
		t.Errorf("sign in: %d to %q, cookies %v", w.Code, w.Header().Get("Location"), c)
	}
	if w := form(readToken, "https://evil.example/"); w.Header().Get("Location") != "/" {
		t.Errorf("led away to %q", w.Header().Get("Location"))
	}
	for token, want := range map[string]int{"wrong": http.StatusUnauthorized, revokedToken: http.StatusUnauthorized, submitToken: http.StatusForbidden, "": http.StatusUnauthorized} {
		if w := form(token, "/"); w.Code != want || len(w.Result().Cookies()) != 0 {
			t.Errorf("token %q: %d, want %d", token, w.Code, want)
		}
	}
	if w := form(readToken, "/", "Sec-Fetch-Site", "cross-site"); w.Code != http.StatusForbidden {
		t.Errorf("a form of another site: %d", w.Code)
	}
}

func TestVerify(t *testing.T) {
	h := newFake().handler(t)
	post := func(file, pasted string) *httptest.ResponseRecorder {
		var b bytes.Buffer
		m := multipart.NewWriter(&b)
		part, err := m.CreateFormFile("file", "a.eml")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(part, file)
		if err := errors.Join(m.WriteField("message", pasted), m.Close()); err != nil {
			t.Fatal(err)
		}
		return do(h, "POST", "/verify", "", b.String(), "Content-Type", m.FormDataContentType())
	}
	for _, c := range []struct {
		file, pasted string
		status       int
		want         string
	}{
		{"ours", "", 200, "a notice of ours, unchanged"},
		{"", "\r\nours", 200, "a notice of ours, unchanged"},
		{"altered", "ours", 200, "not its text"},
		{"somebody else's", "", 200, "no notice of ours"},
		{"", " ", 422, "There is no message"},
		{strings.Repeat("x", 11<<20), "", 413, "larger than 10 MB"},
	} {
		if w := post(c.file, c.pasted); w.Code != c.status || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("file of %d bytes, %q pasted: %d, want %d with %q", len(c.file), c.pasted, w.Code, c.status, c.want)
		}
	}
	if w := do(h, "POST", "/verify", "", "message=ours", "Content-Type", "application/x-www-form-urlencoded"); w.Code != http.StatusBadRequest {
		t.Errorf("another form: %d", w.Code)
	}
}

func TestHealth(t *testing.T) {
	f := newFake()
	ready := error(nil)
	h := f.handler(t, func(c *web.Config) {
		c.Ready = func(context.Context) error { return ready }
		c.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "desist_up 1") })
	})
	if w := do(h, "GET", "/healthz", "", ""); w.Code != 200 {
		t.Errorf("healthz: %d", w.Code)
	}
	if w := do(h, "GET", "/readyz", "", ""); w.Code != 200 {
		t.Errorf("readyz: %d", w.Code)
	}
	ready = errors.New("secret host is down")
	if w := do(h, "GET", "/readyz", "", ""); w.Code != 503 || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("readyz when not ready: %d %s", w.Code, w.Body)
	}
	if w := do(h, "GET", "/metrics", "", ""); w.Code != 401 {
		t.Errorf("metrics for anybody: %d", w.Code)
	}
	if w := do(h, "GET", "/metrics", readToken, ""); w.Code != 200 {
		t.Errorf("metrics with a token: %d", w.Code)
	}
}

func TestOverviewAsksSeldom(t *testing.T) {
	f := newFake()
	f.fill(same)
	h := f.handler(t)
	first := decode[api.Overview](t, do(h, "GET", "/api/v1/overview", readToken, ""))
	if first.Removal.MedianS == nil || first.Gone != 149 || first.Cases["held"] != 12 {
		t.Errorf("%+v", first)
	}
	f.down = errors.New("the database is gone")
	g := api.Glances(f, func() time.Time { return testNow })
	if _, err := g(t.Context()); err == nil {
		t.Error("a failure was kept as an answer")
	}
	f.down = nil
	if _, err := g(t.Context()); err != nil {
		t.Error(err)
	}
	f.down = errors.New("the database is gone")
	if _, err := g(t.Context()); err != nil {
		t.Errorf("asked again at once: %v", err)
	}
}

func TestConfigIsChecked(t *testing.T) {
	if _, err := web.New(web.Config{}); err == nil {
		t.Error("an empty configuration was taken")
	}
	cfg := newFake().config()
	cfg.Tokens[0].Scopes = []string{"everything"}
	if _, err := web.New(cfg); err == nil || !strings.Contains(err.Error(), "everything") {
		t.Errorf("an unknown scope: %v", err)
	}
	cfg = newFake().config()
	cfg.WithoutAPI, cfg.Intake, cfg.Actions = true, nil, nil
	h, err := web.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if w := do(h, "GET", "/api/v1/cases", readToken, ""); w.Code != http.StatusNotFound {
		t.Errorf("the API that was left out: %d", w.Code)
	}
}
