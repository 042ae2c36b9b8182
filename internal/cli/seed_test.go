package cli

import (
	"context"
	"os"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"desist/internal/postgres"
	"desist/notifiers/email"
	"desist/takedown"
	"desist/takedown/indicator"
)

// seed case | letters fills the script's database with what only the running
// service makes: a case in which a notice was accepted, written to notice.eml,
// or dead letters.
func seed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: seed case|letters")
	}
	ctx := context.Background()
	store, err := postgres.Open(ctx, postgres.Config{URL: ts.Getenv("DESIST_DATABASE_URL")})
	ts.Check(err)
	defer store.Close()
	s := seeder{ts: ts, ctx: ctx, store: store, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	switch args[0] {
	case "case":
		s.told()
	case "letters":
		s.letters()
	default:
		ts.Fatalf("seed: %q is not case or letters", args[0])
	}
}

type seeder struct {
	ts    *testscript.TestScript
	ctx   context.Context
	store *postgres.Store
	now   time.Time
}

func (s *seeder) accept(value, key string) int64 {
	ind, err := indicator.Parse(value)
	s.ts.Check(err)
	accepted, err := s.store.Accept(s.ctx, s.now, time.Minute, []takedown.Submission{{
		Key: key, Indicator: ind, Raw: value, Class: takedown.ClassPhishing, Source: "feed", SeenAt: s.now.Add(-time.Hour), ReceivedAt: s.now,
	}})
	s.ts.Check(err)
	return accepted[0].CaseID
}

// change loads the case, lets f change it, and commits.
func (s *seeder) change(id int64, f func(*takedown.Change)) {
	cases, err := s.store.Load(s.ctx, []int64{id})
	s.ts.Check(err)
	ch := &takedown.Change{Case: cases[0]}
	f(ch)
	lost, err := s.store.Commit(s.ctx, s.now, time.Minute, []*takedown.Change{ch})
	s.ts.Check(err)
	if len(lost) > 0 {
		s.ts.Fatalf("seed: case %d was changed meanwhile", id)
	}
	s.now = s.now.Add(time.Minute)
}

func (s *seeder) told() {
	id := s.accept("https://login.example.com/verify", "told")
	party := takedown.Party{
		Role: takedown.RoleHost, Key: "asn:64496", Name: "Example Networks", Country: "NL", ASN: 64496, Why: "RDAP names an abuse mailbox",
		Contacts: []takedown.Contact{{Channel: takedown.ChannelEmail, Address: "abuse@host.example", Confidence: 0.9, Sources: []string{"rdap"}}},
	}
	s.change(id, func(ch *takedown.Change) {
		c := ch.Case
		s.ts.Check(c.Move(takedown.CaseScreened, ""))
		c.Record(s.now, takedown.EventScreened, "screen", nil)
		s.ts.Check(c.Move(takedown.CaseResolved, ""))
		c.Record(s.now, takedown.EventResolved, "resolve", nil)
		ch.Resolution = &takedown.Resolution{
			Findings: []takedown.Finding{{Fact: takedown.FactAddress, Subject: "login.example.com", Value: "192.0.2.7", Source: "dns", At: s.now, Raw: []byte("answer")}},
			Parties:  []takedown.Party{party},
			Gaps:     []takedown.Gap{{Source: "whois", Server: "whois.nic.example", Query: "example.com", Reason: "the server did not answer"}},
		}
	})
	s.change(id, func(ch *takedown.Change) {
		c := ch.Case
		c.Legs = append(c.Legs, &takedown.Leg{Party: c.Parties[0], State: takedown.LegPlanned, Kind: takedown.NoticeFirst, DueAt: s.now, OpenedAt: s.now})
		s.ts.Check(c.Move(takedown.CaseActive, ""))
		c.Record(s.now, takedown.EventPlanned, "plan", map[string]any{"legs": 1})
	})
	s.change(id, func(ch *takedown.Change) {
		c := ch.Case
		n := s.seal(c, c.Legs[0])
		s.ts.Check(c.Legs[0].Move(takedown.LegComposed, "", s.now))
		c.Legs[0].Seq = 1
		ch.Notices = []*takedown.Notice{&n}
		c.Record(s.now, takedown.EventNoticeSealed, "compose", map[string]any{"message_id": n.MessageID, "sha256": n.SHA256.String()})
	})
	d := takedown.Delivery{CaseID: id, Attempt: 1, StartedAt: s.now}
	s.change(id, func(ch *takedown.Change) {
		l := ch.Case.Legs[0]
		s.ts.Check(l.Move(takedown.LegSending, "", s.now.Add(time.Hour)))
		d.LegID, d.NoticeID = l.ID, l.NoticeID
		ch.Deliveries = []takedown.Delivery{d}
		ch.Case.Record(s.now, takedown.EventDeliveryStarted, "deliver", nil)
	})
	s.change(id, func(ch *takedown.Change) {
		l := ch.Case.Legs[0]
		s.ts.Check(l.Move(takedown.LegNotified, "", s.now.Add(24*time.Hour)))
		l.NotifiedAt, ch.Case.NotifiedAt = s.now, s.now
		d.FinishedAt, d.Outcome, d.Code, d.Reply, d.Host = s.now, takedown.OutcomeAccepted, 250, "250-mx.host.example\r\n250 2.0.0 queued as 4ABC", "mx.host.example"
		ch.Deliveries = []takedown.Delivery{d}
		ch.Checks = []takedown.Check{{CaseID: id, At: s.now, Verdict: takedown.VerdictUp, Layer: takedown.LayerContent, Detail: "status 200"}}
		ch.Case.Record(s.now, takedown.EventAccepted, "deliver", map[string]any{"reply": d.Reply})
	})
}

// seal writes the notice of a leg to notice.eml too.
func (s *seeder) seal(c *takedown.Case, l *takedown.Leg) takedown.Notice {
	key, err := s.store.Secret(s.ctx, "mail_key")
	s.ts.Check(err)
	sealer, err := email.NewSealer(email.SealConfig{
		Sender: takedown.Sender{LegalName: "Example Response", Email: "notices@sender.example"}, Key: key, KeyVersion: 1,
	})
	s.ts.Check(err)
	n, err := sealer.Seal(email.SealInput{
		CaseID: c.ID, LegID: l.ID, Seq: 1, Kind: takedown.NoticeFirst, Recipient: l.Party.Contacts[0], Reference: c.Reference(), At: s.now,
		Draft: takedown.Draft{
			Pack: "xx", PackVersion: "1", CheckedOn: "2026-01-01", Grade: "C/C", Regime: "aup", Languages: []string{"en"},
			Subject: "[" + c.Reference() + "] Phishing", Text: "Dear colleagues,\n\nplease look at hxxps://login[.]example[.]com/verify.\n",
			Elements: []takedown.Element{{ID: "location", Required: "terms of use", Block: "what", Line: 3, Quote: "please look at"}},
		},
	})
	s.ts.Check(err)
	file := s.ts.MkAbs("notice.eml")
	s.ts.Check(os.WriteFile(file, n.Sealed, 0o600))
	return n
}

func (s *seeder) letters() {
	const subject = "desist.indicators.feed"
	s.ts.Check(s.store.DeadLetter(s.ctx, s.now, subject, 0, []byte(`{"indicator":"again.example.com","class":"malware"}`), "the database was away"))
	s.ts.Check(s.store.DeadLetter(s.ctx, s.now, subject, 0, []byte(`{"indicator":"again.example.com"}`), "class: is missing"))
	s.ts.Check(s.store.DeadLetter(s.ctx, s.now, subject, 0, []byte("\xff\xfe"), "the body is not JSON"))
	id := s.accept("https://held.example.com/", "held")
	s.change(id, func(ch *takedown.Change) {
		s.ts.Check(ch.Case.Move(takedown.CaseHeld, "it failed too often"))
		ch.Case.Record(s.now, takedown.EventHeld, "screen", nil)
	})
	s.ts.Check(s.store.DeadLetter(s.ctx, s.now, "desist.work.screen", id, nil, "it failed too often"))
}
