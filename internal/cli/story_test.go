package cli

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"desist/web/api"

	"desist/internal/postgres"
	"desist/takedown"
)

// longStory is a case that went through everything.
func longStory() *postgres.Story {
	at := func(minutes int) time.Time {
		return time.Date(2026, 3, 1, 12, minutes, 0, 0, time.UTC)
	}
	host := someResolution.Parties[0]
	hash := takedown.Hash{1, 2, 3}
	c := &takedown.Case{
		ID: 123, Class: takedown.ClassPhishing, State: takedown.CaseRemoved, Reason: "3 rounds agree", Submissions: 2, SubmittedAt: at(0), FirstSeenAt: at(-30),
		Indicator: takedown.Indicator{
			Kind: takedown.KindURL, Value: "https://shop.pages.example/login", Host: "shop.pages.example", Registrable: "pages.example", Platform: "pages.example",
		},
		NotifiedAt: at(3), AnsweredAt: at(40), GoneSeenAt: at(90), GoneAt: at(150), ClosedAt: at(150), WatchUntil: at(900), Relapses: 1,
		Track: takedown.Track{NextAt: at(200), Verdict: takedown.VerdictGone, Layer: takedown.LayerContent, Detail: "status 404", CheckedAt: at(150)},
		Legs: []*takedown.Leg{
			{ID: 1, Party: host, State: takedown.LegClosed, Reason: "the target is gone", Kind: takedown.NoticeFirst, Ticket: "#4711", Answer: "resolved", AnsweredAt: at(40)},
			{ID: 2, Party: someResolution.Parties[1], State: takedown.LegUnreachable, Reason: "no contact is known"},
		},
	}
	return &postgres.Story{
		Case: c,
		Submissions: []takedown.Submission{
			{
				ID: 1, Raw: "hxxps://shop[.]pages[.]example/login", Source: "cli:alice", SeenAt: at(-30), ReceivedAt: at(0), Confidence: 0.9, TLP: "TLP:AMBER",
				Description: "Copies the log-in page of a bank.\nAsks for the card number.", References: []string{"https://scan.example/1"},
				Evidence: []takedown.Evidence{{Kind: "screenshot", MediaType: "image/png", SHA256: "ab", Data: []byte("x")}},
				Reporter: takedown.Reporter{Name: "A. Reporter", Email: "reporter@example.org"}, ExternalID: "x-1",
			},
			{ID: 2, Raw: "https://shop.pages.example/login", Source: "feed", SeenAt: at(5), ReceivedAt: at(6)},
		},
		Resolutions: []postgres.Resolved{{At: at(0)}, {At: at(1), Parties: someResolution.Parties, Gaps: someResolution.Gaps, Findings: []postgres.StoredFinding{{Finding: someResolution.Findings[0]}}}},
		Notices: []takedown.Notice{{
			ID: 12, CaseID: 123, LegID: 1, Seq: 1, Kind: takedown.NoticeFirst, Recipient: "abuse@host.example", MessageID: "m1@sender.example", SHA256: hash, SealedAt: at(2),
			Draft: takedown.Draft{
				Pack: "eu", PackVersion: "abc", CheckedOn: "2026-01-01", Grade: "A/B", Regime: "dsa16", Languages: []string{"nl", "en"},
				Subject: "[DSI-000123] Phishing", Warnings: []string{"the pack is not reviewed"},
			},
		}},
		Deliveries: []takedown.Delivery{
			{ID: 1, NoticeID: 12, Attempt: 1, StartedAt: at(2), FinishedAt: at(2), Outcome: takedown.OutcomeDeferred, Code: 451, Reply: "451 4.7.1 greylisted\x1b[2J", Host: "mx.host.example"},
			{ID: 2, NoticeID: 12, Attempt: 2, StartedAt: at(3), FinishedAt: at(3), Outcome: takedown.OutcomeAccepted, Code: 250, Reply: "250-mx.host.example\r\n250 2.0.0 queued", Host: "mx.host.example", TLS: "TLS 1.3"},
			{ID: 3, NoticeID: 12, Attempt: 3, StartedAt: at(4)},
		},
		Replies: []takedown.Reply{
			{ID: 1, ReceivedAt: at(10), Class: takedown.ReplyAuto, From: "abuse@host.example", Subject: "We got it [#4711]", Authentic: true, Ticket: "#4711"},
			{ID: 2, ReceivedAt: at(20), Class: takedown.ReplyBounce, From: "mailer-daemon@mx.example", Reason: "no_such_user", Permanent: true, Recipient: "desk@host.example"},
			{ID: 3, ReceivedAt: at(40), Class: takedown.ReplyHuman, From: "abuse@host.example", Authentic: true, Excerpt: "Hello,\n\nwe switched it off.\n"},
		},
		Checks: []takedown.Check{
			{At: at(2), Verdict: takedown.VerdictUp, Layer: takedown.LayerContent, Detail: "status 200"},
			{At: at(30), Verdict: takedown.VerdictUp, Layer: takedown.LayerContent, Detail: "status 200"},
			{At: at(60), Verdict: takedown.VerdictUnclear, Detail: "we are offline"},
			{At: at(90), Verdict: takedown.VerdictGone, Layer: takedown.LayerContent, Detail: "status 404"},
			{At: at(120), Verdict: takedown.VerdictGone, Layer: takedown.LayerContent, Detail: "status 404"},
			{At: at(150), Verdict: takedown.VerdictGone, Layer: takedown.LayerContent, Detail: "status 404"},
		},
		Events: []takedown.Event{
			{Seq: 1, At: at(0), Kind: takedown.EventSubmitted, Actor: "intake", Data: json.RawMessage(`{"indicator":"https://shop.pages.example/login","external_id":"","legs":[1,2]}`)},
			{Seq: 2, At: at(150), Kind: takedown.EventRemoved, Actor: "track", Data: json.RawMessage(`{"reason":"3 rounds agree"}`)},
		},
	}
}

func TestStoryGolden(t *testing.T) {
	for _, width := range []int{60, 100} {
		out, text := newPrinter(width)
		printStory(out, longStory())
		golden(t, map[int]string{60: "story-narrow", 100: "story"}[width], text())
	}
}

func TestStoryJSONGolden(t *testing.T) {
	var b bytes.Buffer
	p := &Program{Out: &b}
	if err := p.printJSON(api.NewStory(longStory())); err != nil {
		t.Fatal(err)
	}
	golden(t, "story-json", b.String())
}

// A case of which nothing is known yet has every list in JSON, empty.
func TestStoryJSONOfNothing(t *testing.T) {
	raw, err := json.Marshal(api.NewStory(&postgres.Story{Case: &takedown.Case{ID: 1}}))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(raw, []byte(":null")) {
		t.Errorf("a null in %s", raw)
	}
}
