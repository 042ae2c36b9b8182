package inbox_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"desist/inbox"
	"desist/takedown"
)

func TestClassify(t *testing.T) {
	for _, tc := range []struct {
		name string
		raw  string
		want takedown.Reply
	}{
		{
			"a person answers", "From: Desk <abuse@desk.example>\nTo: reply+42-2@sender.example\nSubject: Re: [#4711] Phishing\n" +
				"In-Reply-To: <ours-7-42-2@sender.example>\n\nThe site is down.\n> you wrote\n",
			takedown.Reply{
				CaseID: 7, LegID: 42, Seq: 2, Class: takedown.ReplyHuman, From: "abuse@desk.example", Subject: "Re: [#4711] Phishing",
				Authentic: true, Ticket: "#4711", Excerpt: "The site is down.",
			},
		},
		{
			"proofs of different notices", "From: abuse@desk.example\nTo: reply+41-2@sender.example\nSubject: Re\nIn-Reply-To: <ours-7-42-2@sender.example>\n\nx\n",
			takedown.Reply{LegID: 41, Seq: 2, Class: takedown.ReplyHuman, From: "abuse@desk.example", Subject: "Re", Excerpt: "x"},
		},
		{
			"only the Message-ID", "From: abuse@desk.example\nTo: takedown@sender.example\nSubject: Re\nReferences: <ours-7-42-2@sender.example>\n\nx\n",
			takedown.Reply{CaseID: 7, LegID: 42, Seq: 2, Class: takedown.ReplyHuman, From: "abuse@desk.example", Subject: "Re", Excerpt: "x"},
		},
		{
			"automatic answer with a ticket", "From: abuse@desk.example\nTo: reply+42-2@sender.example\nSubject: Your report\nAuto-Submitted: auto-replied\n" +
				"In-Reply-To: <ours-7-42-2@sender.example>\n\nWe opened AbuseID:D0A1B2:3C for you.\n",
			takedown.Reply{
				CaseID: 7, LegID: 42, Seq: 2, Class: takedown.ReplyAuto, From: "abuse@desk.example", Subject: "Your report",
				Authentic: true, Ticket: "AbuseID:D0A1B2:3C", Excerpt: "We opened AbuseID:D0A1B2:3C for you.",
			},
		},
		{
			"a full mailbox is not dead",
			"From: MAILER-DAEMON@mx.example\nTo: bounce+42-2@sender.example\nSubject: failure notice\n\nHi. This is the mail program.\n\n" +
				"<abuse@desk.example>:\n192.0.2.1 said: 552 5.2.2 Mailbox full\n\n--- Below this line is a copy of the message.\n\n" +
				"Message-ID: <ours-7-42-2@sender.example>\nSubject: s\n\nbody\n",
			takedown.Reply{
				CaseID: 7, LegID: 42, Seq: 2, Class: takedown.ReplyBounce, From: "MAILER-DAEMON@mx.example", Subject: "failure notice",
				Authentic: true, Reason: "mailbox_full", Recipient: "abuse@desk.example",
				Excerpt: "Hi. This is the mail program.\n\n<abuse@desk.example>:\n192.0.2.1 said: 552 5.2.2 Mailbox full",
			},
		},
		{
			"NUL and broken UTF-8", "From: a@desk.example\nSubject: x\x00y\xff\n\nz\x00\xfe\n",
			takedown.Reply{Class: takedown.ReplyHuman, From: "a@desk.example", Subject: "xy\uFFFD", Excerpt: "zþ"},
		},
		{"nothing", "", takedown.Reply{Class: takedown.ReplyHuman}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := inbox.Classify([]byte(tc.raw), verifier{})
			if string(got.Raw) != tc.raw {
				t.Error("the raw bytes were changed")
			}
			got.Raw, got.SHA256 = nil, takedown.Hash{}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("reply (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTickets(t *testing.T) {
	for subject, want := range map[string]string{
		"[#123456] Re: Phishing":                 "#123456",
		"Re: Ticket ID: ABC-12345 opened":        "ABC-12345",
		"AbuseID:D0A1B2:3C AbuseBSI":             "AbuseID:D0A1B2:3C",
		"Case #20260304-17":                      "20260304-17",
		"[Ticket#2026030410000017] Eingang":      "Ticket#2026030410000017",
		"Re: [DSI-000017] Phishing on 192.0.2.1": "",
		"Thank you for your report":              "",
	} {
		raw := "From: a@desk.example\nSubject: " + subject + "\n\nHello\n"
		if got := inbox.Inspect("f", []byte(raw)).Ticket; got != want {
			t.Errorf("%q: got %q, want %q", subject, got, want)
		}
	}
}

func TestInspectJSON(t *testing.T) {
	got, err := json.Marshal(inbox.Inspect("f.eml", []byte(bounceMail)))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"file":"f.eml","class":"bounce","recipients":[{"address":"abuse@desk.example","status":"5.1.1","reply":"550","reason":"no_such_user","permanent":true}],"original_message_id":"ours-7-42-2@sender.example","ticket":""}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	empty, err := json.Marshal(inbox.Inspect("", nil))
	if err != nil || !strings.Contains(string(empty), `"recipients":[]`) {
		t.Errorf("an empty mail prints %s, %v", empty, err)
	}
}

// A mail that is built to exhaust the parser is read as text, soon.
func TestBombs(t *testing.T) {
	var nested strings.Builder
	for range 5000 {
		nested.WriteString("Content-Type: multipart/mixed; boundary=b\n\n--b\n")
	}
	for name, raw := range map[string]string{
		"nesting": nested.String(),
		"parts":   "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n\nx\n", 100_000),
		"headers": strings.Repeat("X: y\n", 300_000),
		"fold":    "X: y\n" + strings.Repeat(" y\n", 300_000),
		"address": "From: MAILER-DAEMON@x\nSubject: failure notice\n\n" + strings.Repeat("a@b.example:\n", 50_000),
		"at":      "From: MAILER-DAEMON@x\nSubject: failure notice\n\n" + strings.Repeat("@", 200_000),
	} {
		t.Run(name, func(t *testing.T) {
			if got := inbox.Classify([]byte(raw), verifier{}); len(got.Excerpt) > 4000 {
				t.Errorf("the excerpt has %d bytes", len(got.Excerpt))
			}
		})
	}
}

func FuzzClassify(f *testing.F) {
	f.Add([]byte(bounceMail))
	f.Add([]byte("From x\nFrom: MAILER-DAEMON@x\nSubject: failure notice\n\n<a@b.example>:\nuser unknown\n"))
	f.Add([]byte("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got := inbox.Classify(raw, verifier{})
		for _, s := range []string{got.From, got.Subject, got.Ticket, got.Reason, got.Recipient, got.Excerpt} {
			if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
				t.Errorf("%q cannot be stored", s)
			}
		}
		if _, err := json.Marshal(inbox.Inspect("f", raw)); err != nil {
			t.Error(err)
		}
	})
}
