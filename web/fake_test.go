package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"desist/internal/postgres"
	"desist/pipeline"
	"desist/takedown"
	"desist/web"
	"desist/web/access"
	"desist/web/api"
	"desist/web/dashboard"
)

var testNow = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// A fake is the database, the front door and the actions in memory.
type fake struct {
	mu       sync.Mutex
	rows     []postgres.Row // newest first
	stories  map[int64]*postgres.Story
	notices  map[int64]takedown.Notice
	overview postgres.Overview
	lives    []postgres.Life
	tokens   map[string]postgres.Token
	down     error // answers everything, if set
	offers   []pipeline.Offer
	acts     []string
}

func (f *fake) List(_ context.Context, now time.Time, q postgres.Filter) ([]postgres.Row, error) {
	var out []postgres.Row
	for _, r := range f.rows {
		if (q.State == "" || r.State == q.State) && (q.Class == "" || r.Class == q.Class) && !r.SubmittedAt.After(now.Add(-q.Age)) &&
			(q.Before == 0 || r.ID < q.Before) && len(out) < q.Limit {
			out = append(out, r)
		}
	}
	return out, f.down
}

func (f *fake) Story(_ context.Context, id int64) (*postgres.Story, error) {
	if s := f.stories[id]; s != nil || f.down != nil {
		return s, f.down
	}
	return nil, takedown.NotFound(fmt.Errorf("case %s does not exist", takedown.Reference(id)))
}

func (f *fake) Notice(_ context.Context, id int64) (takedown.Notice, error) {
	if n, ok := f.notices[id]; ok || f.down != nil {
		return n, f.down
	}
	return takedown.Notice{}, takedown.NotFound(fmt.Errorf("notice %d does not exist", id))
}

func (f *fake) Overview(context.Context) (postgres.Overview, error) { return f.overview, f.down }

func (f *fake) Lives(context.Context, time.Time, time.Time) ([]postgres.Life, error) {
	return f.lives, f.down
}

func (f *fake) CheckToken(_ context.Context, now time.Time, secret string) (postgres.Token, error) {
	if f.down != nil {
		return postgres.Token{}, f.down
	}
	t, ok := f.tokens[secret]
	if !ok || !t.RevokedAt.IsZero() || (!t.ExpiresAt.IsZero() && !now.Before(t.ExpiresAt)) {
		return postgres.Token{}, takedown.Denied(errors.New("the bearer token is unknown, expired or revoked"))
	}
	return t, nil
}

func (f *fake) Submit(_ context.Context, offers []pipeline.Offer) ([]pipeline.Receipt, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.offers = append(f.offers, offers...)
	out := make([]pipeline.Receipt, len(offers))
	for i, o := range offers {
		switch o.Message.Indicator {
		case "":
			out[i].Err = takedown.Permanent(errors.New("indicator: is missing; give a domain, URL or IP address"))
		case "again.example":
			out[i].Accepted = takedown.Accepted{CaseID: 7, Duplicate: true}
		case "live.example":
			out[i].Accepted = takedown.Accepted{CaseID: 8}
		default:
			out[i].Accepted = takedown.Accepted{CaseID: int64(100 + i), New: true, State: takedown.CaseSubmitted}
			out[i].Indicator = takedown.Indicator{Kind: takedown.KindDomain, Value: strings.ToLower(o.Message.Indicator)}
		}
	}
	return out, f.down
}

func (f *fake) act(id int64, words ...any) (*takedown.Case, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.acts = append(f.acts, strings.TrimSpace(fmt.Sprintln(words...)))
	if id == 404 {
		return nil, takedown.NotFound(errors.New("case DSI-000404 does not exist"))
	}
	if id == 403 {
		return nil, takedown.Denied(errors.New("case DSI-000403 is removed and nothing of it waits for approval"))
	}
	return &takedown.Case{ID: id, State: takedown.CaseHeld, Reason: "because"}, f.down
}

func (f *fake) Approve(_ context.Context, id int64, actor, reason string) (*takedown.Case, error) {
	return f.act(id, "approve", actor, reason)
}

func (f *fake) Hold(_ context.Context, id int64, actor, reason string) (*takedown.Case, error) {
	return f.act(id, "hold", actor, reason)
}

func (f *fake) Withdraw(_ context.Context, id int64, actor, reason string, notMalicious bool) (*takedown.Case, error) {
	return f.act(id, "withdraw", actor, reason, notMalicious)
}

func (f *fake) Dispute(_ context.Context, id int64, actor string, role takedown.Role, reason string) (*takedown.Case, error) {
	return f.act(id, "dispute", actor, role, reason)
}

func (f *fake) Note(_ context.Context, id int64, actor, text string) (*takedown.Case, error) {
	return f.act(id, "note", actor, text)
}

var _ web.Actions = (*pipeline.Actions)(nil)

// The tokens that every fake knows.
const (
	submitToken  = "dsi_submit"
	readToken    = "dsi_read"
	reviewToken  = "dsi_review"
	adminToken   = "dsi_admin"
	revokedToken = "dsi_revoked"
	expiredToken = "dsi_expired"
	staticToken  = "set by the operator"
)

func newFake() *fake {
	token := func(id int64, name string, scopes ...string) postgres.Token {
		return postgres.Token{ID: id, Name: name, Scopes: scopes}
	}
	revoked, expired := token(5, "revoked", "admin"), token(6, "expired", "admin")
	revoked.RevokedAt, expired.ExpiresAt = testNow.Add(-time.Hour), testNow
	return &fake{
		stories: map[int64]*postgres.Story{}, notices: map[int64]takedown.Notice{},
		tokens: map[string]postgres.Token{
			submitToken: token(1, "feed", "submit"), readToken: token(2, "reader", "read"), reviewToken: token(3, "analyst", "review", "read"),
			adminToken: token(4, "root", "admin"), revokedToken: revoked, expiredToken: expired,
		},
	}
}

func (f *fake) config() web.Config {
	return web.Config{
		Store: f, Intake: f, Actions: f, Now: func() time.Time { return testNow },
		Tokens: []access.Token{{Name: "set", Secret: staticToken, Scopes: []string{"submit", "read"}}},
		Verify: func(_ context.Context, message []byte) (dashboard.Verification, error) {
			switch {
			case strings.Contains(string(message), "ours"):
				return dashboard.Verification{Known: true, Unchanged: true, Reference: "DSI-000042", SealedAt: testNow}, nil
			case strings.Contains(string(message), "altered"):
				return dashboard.Verification{Known: true, Detail: "the text differs"}, nil
			}
			return dashboard.Verification{}, nil
		},
	}
}

func (f *fake) handler(t *testing.T, change ...func(*web.Config)) http.Handler {
	t.Helper()
	cfg := f.config()
	for _, c := range change {
		c(&cfg)
	}
	h, err := web.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// do makes a request from another machine.
func do(h http.Handler, method, path, token, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.RemoteAddr = "198.51.100.7:4711"
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func decode[T any](t *testing.T, w *httptest.ResponseRecorder) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("answer %d is not the JSON expected: %v\n%s", w.Code, err, w.Body)
	}
	return v
}

// fill gives a fake a service's worth of data. Whatever comes from outside goes
// through out, so that a test can make it hostile.
func (f *fake) fill(out func(string) string) {
	states := takedown.CaseStates()
	classes := takedown.Classes()
	for i := int64(60); i > 0; i-- {
		f.rows = append(f.rows, postgres.Row{
			ID: i, Reference: takedown.Reference(i), Kind: takedown.KindURL, Indicator: out(fmt.Sprintf("https://login.shop%d.example/account", i)),
			Class: classes[i%int64(len(classes))], State: states[(i*3)%int64(len(states))], Submissions: 1, SubmittedAt: testNow.Add(-time.Duration(60-i) * 17 * time.Minute),
			Legs: map[string]string{"host": "notified", "registrar": "planned"},
		})
	}
	f.overview = postgres.Overview{
		Submissions: 312, Resolved: 251, Told: 228, Gone: 149, Relapses: 6, Notices: 401, Checks: 5211, Events: 9120, DeadLetters: 2,
		Cases:      map[string]int{"submitted": 9, "held": 12, "screened": 3, "resolved": 1, "active": 86, "removed": 143, "refused": 14, "expired": 7, "withdrawn": 2},
		Deliveries: map[string]int{"accepted": 371, "deferred": 17, "rejected": 21, "unknown": 3, "open": 2}, Replies: map[string]int{"human": 44, "autoreply": 120, "bounce": 19},
	}
	for i := range 228 {
		l := postgres.Life{CaseID: int64(i), SubmittedAt: testNow.Add(-120 * time.Hour), NotifiedAt: testNow.Add(-119*time.Hour + time.Duration(i)*13*time.Minute)}
		if i%3 != 0 {
			l.GoneSeenAt = l.NotifiedAt.Add(time.Duration(math.Exp(float64(i%40)/9)*0.8*float64(time.Hour)) + time.Duration(i)*time.Minute)
			l.GoneAt = l.GoneSeenAt.Add(time.Hour)
		}
		f.lives = append(f.lives, l)
	}
	f.stories[42] = sampleStory(out)
	f.notices[1] = sampleNotice(out)
}

func sampleStory(out func(string) string) *postgres.Story {
	at := func(h float64) time.Time { return testNow.Add(time.Duration((h - 30) * float64(time.Hour))) }
	host := takedown.Party{
		ID: 1, Role: takedown.RoleHost, Key: "asn:64496", Name: out("Example Hosting GmbH"), Country: "DE", ASN: 64496, CountryConflicts: []string{"NL"},
		Why: out("abuse-c of the network outranks the address in the remarks"),
		Contacts: []takedown.Contact{
			{Channel: takedown.ChannelEmail, Address: out("abuse@hosting.example"), Confidence: 0.9, Sources: []string{"rdap", "whois"}, Why: out("role abuse in the registration data")},
			{Channel: takedown.ChannelManual, Address: out("https://hosting.example/abuse-form"), Confidence: 0.4, Sources: []string{"remarks"}},
		},
	}
	registrar := takedown.Party{ID: 2, Role: takedown.RoleRegistrar, Key: "iana:9999", Name: out("Example Registrar Ltd"), GTLD: true, Why: "none was published"}
	c := &takedown.Case{
		ID: 42, Class: takedown.ClassPhishing, State: takedown.CaseRemoved, Reason: out("three rounds agree that the target is gone"), Submissions: 2,
		Indicator:   takedown.Indicator{Kind: takedown.KindURL, Value: out("https://login.bank.example/verify"), Host: "login.bank.example", Registrable: "bank.example"},
		FirstSeenAt: at(-1), SubmittedAt: at(0), NotifiedAt: at(0.1), AnsweredAt: at(3), GoneSeenAt: at(9.5), GoneAt: at(12), Relapses: 1,
		Parties: []takedown.Party{host, registrar},
		Legs: []*takedown.Leg{{
			ID: 1, CaseID: 42, Party: host, State: takedown.LegNotified, Reason: out("accepted"), Ticket: out("HG-88123"), Answer: "resolved",
			Attempts: 2, OpenedAt: at(0), NotifiedAt: at(0.1), DueAt: at(40),
		}},
	}
	data := func(m map[string]any) json.RawMessage {
		raw, _ := json.Marshal(m) // strings and numbers only
		return raw
	}
	kinds := []takedown.EventKind{
		takedown.EventSubmitted, takedown.EventScreened, takedown.EventResolved, takedown.EventPlanned, takedown.EventNoticeSealed, takedown.EventDeliveryStarted,
		takedown.EventDeferred, takedown.EventAccepted, takedown.EventReply, takedown.EventGoneSeen, takedown.EventRemoved, takedown.EventRelapsed,
		takedown.EventLegPlanned, takedown.EventNote,
	}
	s := &postgres.Story{Case: c}
	for i, k := range kinds {
		s.Events = append(s.Events, takedown.Event{
			ID: int64(i + 1), CaseID: 42, Seq: int64(i + 1), At: at(float64(i)), Kind: k, Actor: out("engine"),
			Data: data(map[string]any{"reason": out("seen at https://login.bank.example/verify"), "count": i}),
		})
	}
	s.Submissions = []takedown.Submission{{
		ID: 1, CaseID: 42, Raw: out("hxxps://login.bank[.]example/verify"), Class: takedown.ClassPhishing, Source: out("feed"), SeenAt: at(-1), ReceivedAt: at(0), Confidence: 0.8,
		TLP: out("amber"), Description: out("A copy of a bank's sign-in page."), References: []string{out("https://reports.example/123")},
		Evidence: []takedown.Evidence{{Kind: out("screenshot"), MediaType: out("image/png"), SHA256: out("00ff"), Data: []byte("picture")}}, ExternalID: out("case-9"),
		Reporter: takedown.Reporter{Name: "A Reporter", Email: "reporter@example.com"},
	}}
	s.Resolutions = []postgres.Resolved{{
		At: at(0), Parties: c.Parties,
		Findings: []postgres.StoredFinding{{Finding: takedown.Finding{Fact: takedown.FactAddress, Subject: out("login.bank.example"), Value: out("192.0.2.10"), Source: "dns", Server: out("198.51.100.53:53")}}},
		Gaps:     []takedown.Gap{{Source: "whois", Server: out("whois.example"), Query: out("bank.example"), Reason: out("throttled")}},
	}}
	n := sampleNotice(out)
	n.Sealed = nil
	s.Notices = []takedown.Notice{n}
	s.Deliveries = []takedown.Delivery{
		{ID: 1, NoticeID: 1, CaseID: 42, LegID: 1, Attempt: 1, StartedAt: at(0.05), FinishedAt: at(0.05), Outcome: takedown.OutcomeDeferred, Code: 451, Reply: out("451 4.7.1 greylisted, try again"), Host: out("mx.hosting.example")},
		{ID: 2, NoticeID: 1, CaseID: 42, LegID: 1, Attempt: 2, StartedAt: at(0.1), FinishedAt: at(0.1), Outcome: takedown.OutcomeAccepted, Code: 250, Reply: out("250 2.0.0 queued as 1A2B3C"), Host: out("mx.hosting.example"), TLS: "TLS 1.3"},
	}
	s.Replies = []takedown.Reply{{
		ID: 1, CaseID: 42, LegID: 1, NoticeID: 1, ReceivedAt: at(3), Class: takedown.ReplyHuman, From: out("desk@hosting.example"), Subject: out("Re: phishing [HG-88123]"),
		Authentic: true, Ticket: out("HG-88123"), Reason: out("resolved"), Excerpt: out("We have suspended the account.\nRegards, abuse desk"),
	}}
	for i := range 30 {
		v, l, detail := takedown.VerdictUp, takedown.LayerContent, "answers 200 with the form of first sight"
		if i > 18 {
			v, l, detail = takedown.VerdictGone, takedown.LayerHost, "refused"
		}
		s.Checks = append(s.Checks, takedown.Check{ID: int64(i), CaseID: 42, At: at(float64(i) / 2), Verdict: v, Layer: l, Detail: out(detail), Observations: make([]takedown.Observation, 2)})
	}
	return s
}

func sampleNotice(out func(string) string) takedown.Notice {
	text := []string{
		"Dear abuse team of " + out("Example Hosting GmbH") + ",", "", "we report a phishing page on your network.", "",
		"What and where", "  hxxps://login[.]bank[.]example/verify at 192.0.2.10", "", "Why it is unlawful", "  It imitates the sign-in page of a bank to obtain credentials.", "",
		"We confirm our good-faith belief that this information is accurate and complete.", "", "Answer to this message, or contest it at any time.",
	}
	sealed := "From: Example Security <notices@desist.example>\r\nTo: abuse@hosting.example\r\nSubject: =?utf-8?q?Phishing_on_your_network_=5BDSI-000042=5D?=\r\n" +
		"X-Outside: " + strings.ReplaceAll(out("outside"), "\n", " ") + "\r\nMessage-ID: <1.42@desist.example>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b1\r\n\r\n" +
		"--b1\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + strings.Join(text, "\r\n") + "\r\n--b1\r\nContent-Type: application/json; name=\"report.json\"\r\nContent-Transfer-Encoding: base64\r\n\r\ne30=\r\n--b1--\r\n"
	return takedown.Notice{
		ID: 1, CaseID: 42, LegID: 1, Seq: 1, Kind: takedown.NoticeFirst, Recipient: out("abuse@hosting.example"), MessageID: "1.42@desist.example", Sealed: []byte(sealed), SealedAt: testNow.Add(-30 * time.Hour),
		Draft: takedown.Draft{
			Pack: "DE", PackVersion: "2026-02-01", CheckedOn: "2026-02-01", Grade: "A", Regime: "DSA Art. 16", Languages: []string{"de", "en"}, Subject: out("Phishing on your network [DSI-000042]"),
			Elements: []takedown.Element{
				{ID: "exact_location", Required: "Art. 16(2)(b)", Block: "what", Line: 6, Quote: "hxxps://login[.]bank[.]example/verify at 192…"},
				{ID: "explanation", Required: "Art. 16(2)(a)", Block: "why", Line: 2, Quote: "It imitates the sign-in page"},
				{ID: "good_faith", Required: "Art. 16(2)(d)", Block: "good faith", Line: 11, Quote: "We confirm our good-faith belief"},
				{ID: "lost", Required: out("Art. 0"), Block: "none", Line: 1, Quote: out("this stands nowhere")},
			},
			Warnings: []string{out("the pack expires soon")},
		},
	}
}

func same(s string) string { return s }

var _ api.Intake = (*pipeline.Intake)(nil)
