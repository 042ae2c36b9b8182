package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"desist/internal/postgres/postgrestest"
	"desist/pipeline"
	"desist/takedown"
	"desist/takedown/indicator"
	"desist/web"
	"desist/web/api"
)

func TestMain(m *testing.M) { postgrestest.Main(m) }

// TestSubmitAndReadBack goes from the API to a real database and back.
func TestSubmitAndReadBack(t *testing.T) {
	store := postgrestest.Open(t)
	now := func() time.Time { return testNow }
	secrets := map[string]string{}
	for _, scope := range []string{"submit", "read", "review"} {
		token, secret, err := store.CreateToken(t.Context(), testNow, "desk "+scope, []string{scope}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		secrets[scope] = secret
		if scope == "review" {
			defer func() {
				if err := store.RevokeToken(t.Context(), testNow, token.ID); err != nil {
					t.Error(err)
				}
			}()
		}
	}
	h, err := web.New(web.Config{
		Store: store, Now: now, Ready: store.Ping,
		Intake:  &pipeline.Intake{Store: store, Parse: indicator.Parse, Now: now, SweepAfter: time.Minute},
		Actions: &pipeline.Actions{Store: store, Now: now, SweepAfter: time.Minute},
	})
	if err != nil {
		t.Fatal(err)
	}
	const batch = `[{"indicator":"hxxps://Login.bank[.]example/verify","class":"phishing","seen_at":"2026-03-14T11:00:00Z","description":"a copy of a sign-in page",
		"references":["https://reports.example/1"],"evidence":[{"kind":"screenshot","media_type":"image/png","data":"cGljdHVyZQ=="}]},
		{"indicator":"192.0.2.7","class":"c2"},{"indicator":"not an indicator","class":"spam"}]`
	submit := func(want ...string) api.Receipts {
		t.Helper()
		w := do(h, "POST", "/api/v1/submissions", secrets["submit"], batch, "Idempotency-Key", "monday")
		if w.Code != http.StatusAccepted {
			t.Fatalf("status %d: %s", w.Code, w.Body)
		}
		got := decode[api.Receipts](t, w)
		for i, state := range want {
			if got.Items[i].State != state {
				t.Errorf("item %d: %+v, want %s", i, got.Items[i], state)
			}
		}
		return got
	}
	first := submit("new", "new", "refused")
	if again := submit("duplicate", "duplicate", "refused"); again.Items[0].Reference != first.Items[0].Reference {
		t.Errorf("the repeated request named case %s, the first %s", again.Items[0].Reference, first.Items[0].Reference)
	}
	if first.Items[2].Field != "indicator" {
		t.Errorf("refusal %+v", first.Items[2])
	}

	ref := first.Items[0].Reference
	story := decode[api.Story](t, do(h, "GET", "/api/v1/cases/"+ref, secrets["read"], ""))
	if story.Indicator.Value != "https://login.bank.example/verify" || story.State != takedown.CaseSubmitted || len(story.Submissions) != 1 || len(story.Events) != 1 {
		t.Errorf("story %+v", story)
	}
	page := decode[api.Page](t, do(h, "GET", "/api/v1/cases?class=phishing", secrets["read"], ""))
	if len(page.Items) != 1 || page.Items[0].Reference != ref {
		t.Errorf("listing %+v", page)
	}
	for _, act := range []struct{ path, body string }{{"hold", `{"reason":"look first"}`}, {"approve", `{"reason":"looked"}`}, {"note", `{"text":"a remark"}`}, {"withdraw", `{"reason":"our mistake","not_malicious":true}`}} {
		if w := do(h, "POST", "/api/v1/cases/"+ref+"/"+act.path, secrets["review"], act.body); w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", act.path, w.Code, w.Body)
		}
	}
	problemOf(t, h, "POST", "/api/v1/cases/"+ref+"/approve", secrets["review"], `{}`, http.StatusForbidden)
	story = decode[api.Story](t, do(h, "GET", "/api/v1/cases/"+ref, secrets["read"], ""))
	if story.State != takedown.CaseNotMalicious || len(story.Events) != 5 || story.Events[4].Actor != "token:desk review" {
		t.Errorf("after the actions: %s, %d events", story.State, len(story.Events))
	}
	overview := decode[api.Overview](t, do(h, "GET", "/api/v1/overview", secrets["read"], ""))
	if overview.Submissions != 2 || overview.Cases["not_malicious"] != 1 {
		t.Errorf("overview %+v", overview)
	}
	for _, path := range []string{"/", "/cases", "/cases/" + ref} {
		if w := do(h, "GET", path, secrets["read"], ""); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "hxxps://login[.]bank[.]example/verify") {
			t.Errorf("%s: %d without the case", path, w.Code)
		}
	}
	if w := do(h, "GET", "/readyz", "", ""); w.Code != http.StatusOK {
		t.Errorf("readyz: %d", w.Code)
	}
}
