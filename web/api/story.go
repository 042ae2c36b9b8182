package api

import (
	"time"

	"desist/internal/postgres"
	"desist/takedown"
)

// A Story is everything that is on record of a case, as JSON.
type Story struct {
	Reference   string              `json:"reference"`
	Indicator   takedown.Indicator  `json:"indicator"`
	Class       takedown.Class      `json:"class"`
	State       takedown.CaseState  `json:"state"`
	Reason      string              `json:"reason,omitempty"`
	FirstSeenAt time.Time           `json:"first_seen_at,omitzero"`
	SubmittedAt time.Time           `json:"submitted_at"`
	NotifiedAt  time.Time           `json:"notified_at,omitzero"`
	AnsweredAt  time.Time           `json:"answered_at,omitzero"`
	GoneSeenAt  time.Time           `json:"gone_seen_at,omitzero"`
	GoneAt      time.Time           `json:"gone_at,omitzero"`
	ClosedAt    time.Time           `json:"closed_at,omitzero"`
	WatchUntil  time.Time           `json:"watch_until,omitzero"`
	Relapses    int                 `json:"relapses"`
	Submissions []Submission        `json:"submissions"`
	Legs        []Leg               `json:"legs"`
	Resolutions []postgres.Resolved `json:"resolutions"`
	Notices     []Notice            `json:"notices"`
	Deliveries  []Delivery          `json:"deliveries"`
	Replies     []Reply             `json:"replies"`
	Checks      []Check             `json:"checks"`
	Events      []takedown.Event    `json:"events"`
}

// A Submission is one report of the indicator. The data of its evidence is left
// out, and so is who reported it: that is nobody's business but the submitter's.
type Submission struct {
	Raw         string              `json:"raw"`
	Source      string              `json:"source"`
	SeenAt      time.Time           `json:"seen_at"`
	ReceivedAt  time.Time           `json:"received_at"`
	Confidence  float64             `json:"confidence,omitempty"`
	TLP         string              `json:"tlp,omitempty"`
	Description string              `json:"description,omitempty"`
	References  []string            `json:"references"`
	Evidence    []takedown.Evidence `json:"evidence"`
	ExternalID  string              `json:"external_id,omitempty"`
}

// A Leg is the case towards one party.
type Leg struct {
	ID         int64               `json:"id"`
	Party      takedown.Party      `json:"party"`
	State      takedown.LegState   `json:"state"`
	Reason     string              `json:"reason,omitempty"`
	Contact    *takedown.Contact   `json:"contact,omitempty" doc:"The contact in use."`
	Kind       takedown.NoticeKind `json:"kind,omitempty"`
	Attempts   int                 `json:"attempts"`
	Reminders  int                 `json:"reminders"`
	DueAt      time.Time           `json:"due_at,omitzero"`
	OpenedAt   time.Time           `json:"opened_at"`
	NotifiedAt time.Time           `json:"notified_at,omitzero"`
	AnsweredAt time.Time           `json:"answered_at,omitzero"`
	Answer     string              `json:"answer,omitempty"`
	Ticket     string              `json:"ticket,omitempty"`
}

// A Notice is one sealed message, without its text.
type Notice struct {
	ID          int64               `json:"id"`
	Reference   string              `json:"reference"`
	Leg         int64               `json:"leg"`
	Seq         int                 `json:"seq"`
	Kind        takedown.NoticeKind `json:"kind"`
	Recipient   string              `json:"recipient"`
	MessageID   string              `json:"message_id"`
	Subject     string              `json:"subject"`
	Pack        string              `json:"pack"`
	PackVersion string              `json:"pack_version"`
	CheckedOn   string              `json:"checked_on"`
	Grade       string              `json:"grade"`
	Regime      string              `json:"regime"`
	Languages   []string            `json:"languages"`
	Elements    []takedown.Element  `json:"elements"`
	Warnings    []string            `json:"warnings,omitempty"`
	SHA256      takedown.Hash       `json:"sha256"`
	SealedAt    time.Time           `json:"sealed_at"`
}

// A Delivery is one attempt to hand a notice over.
type Delivery struct {
	Notice     int64            `json:"notice"`
	Leg        int64            `json:"leg"`
	Attempt    int              `json:"attempt"`
	StartedAt  time.Time        `json:"started_at"`
	FinishedAt time.Time        `json:"finished_at,omitzero"`
	Outcome    takedown.Outcome `json:"outcome,omitempty" doc:"Accepted means by the next hop, no more."`
	Code       int              `json:"code,omitempty"`
	Enhanced   string           `json:"enhanced,omitempty"`
	Reply      string           `json:"reply,omitempty"`
	Host       string           `json:"host,omitempty"`
	TLS        string           `json:"tls,omitempty"`
}

// A Reply is a mail that came back.
type Reply struct {
	ID         int64               `json:"id"`
	Leg        int64               `json:"leg,omitempty"`
	Notice     int64               `json:"notice,omitempty"`
	ReceivedAt time.Time           `json:"received_at"`
	Class      takedown.ReplyClass `json:"class"`
	From       string              `json:"from"`
	Subject    string              `json:"subject"`
	Authentic  bool                `json:"authentic" doc:"It proved that it answers our message."`
	Ticket     string              `json:"ticket,omitempty"`
	Reason     string              `json:"reason,omitempty"`
	Permanent  bool                `json:"permanent,omitempty"`
	Recipient  string              `json:"recipient,omitempty"`
	Excerpt    string              `json:"excerpt,omitempty"`
	SHA256     takedown.Hash       `json:"sha256"`
}

// A Check is one round of observations.
type Check struct {
	At           time.Time              `json:"at"`
	Verdict      takedown.Verdict       `json:"verdict"`
	Layer        takedown.Layer         `json:"layer,omitempty"`
	Detail       string                 `json:"detail"`
	Observations []takedown.Observation `json:"observations"`
}

// NewStory puts a story in the form that is documented.
func NewStory(s *postgres.Story) Story {
	c := s.Case
	return Story{
		Reference: c.Reference(), Indicator: c.Indicator, Class: c.Class, State: c.State, Reason: c.Reason,
		FirstSeenAt: c.FirstSeenAt, SubmittedAt: c.SubmittedAt, NotifiedAt: c.NotifiedAt, AnsweredAt: c.AnsweredAt,
		GoneSeenAt: c.GoneSeenAt, GoneAt: c.GoneAt, ClosedAt: c.ClosedAt, WatchUntil: c.WatchUntil, Relapses: c.Relapses,
		Submissions: each(s.Submissions, submissionOf), Legs: each(c.Legs, legOf), Resolutions: each(s.Resolutions, resolvedOf),
		Notices: each(s.Notices, NewNotice), Deliveries: each(s.Deliveries, deliveryOf), Replies: each(s.Replies, replyOf),
		Checks: each(s.Checks, checkOf), Events: list(s.Events),
	}
}

// list makes nil empty: an empty list is [] in JSON, not null.
func list[T any](in []T) []T {
	if in == nil {
		return []T{}
	}
	return in
}

func each[A, B any](in []A, f func(A) B) []B {
	out := make([]B, len(in))
	for i, v := range in {
		out[i] = f(v)
	}
	return out
}

func submissionOf(s takedown.Submission) Submission {
	return Submission{
		Raw: s.Raw, Source: s.Source, SeenAt: s.SeenAt, ReceivedAt: s.ReceivedAt, Confidence: s.Confidence, TLP: s.TLP,
		Description: s.Description, References: list(s.References), ExternalID: s.ExternalID,
		Evidence: each(s.Evidence, func(e takedown.Evidence) takedown.Evidence { e.Data = nil; return e }),
	}
}

func legOf(l *takedown.Leg) Leg {
	out := Leg{
		ID: l.ID, Party: partyOf(l.Party), State: l.State, Reason: l.Reason, Kind: l.Kind, Attempts: l.Attempts, Reminders: l.Reminders,
		DueAt: l.DueAt, OpenedAt: l.OpenedAt, NotifiedAt: l.NotifiedAt, AnsweredAt: l.AnsweredAt, Answer: l.Answer, Ticket: l.Ticket,
	}
	if c, ok := l.CurrentContact(); ok {
		out.Contact = &c
	}
	return out
}

func partyOf(p takedown.Party) takedown.Party {
	p.Contacts = list(p.Contacts)
	return p
}

func resolvedOf(r postgres.Resolved) postgres.Resolved {
	r.Findings = list(r.Findings)
	r.Parties = each(r.Parties, partyOf)
	r.Gaps = list(r.Gaps)
	return r
}

// NewNotice makes a notice what the API shows of it.
func NewNotice(n takedown.Notice) Notice {
	d := n.Draft
	return Notice{
		ID: n.ID, Reference: takedown.Reference(n.CaseID), Leg: n.LegID, Seq: n.Seq, Kind: n.Kind, Recipient: n.Recipient, MessageID: n.MessageID,
		Subject: d.Subject, Pack: d.Pack, PackVersion: d.PackVersion, CheckedOn: d.CheckedOn, Grade: d.Grade, Regime: d.Regime,
		Languages: list(d.Languages), Elements: list(d.Elements), Warnings: d.Warnings, SHA256: n.SHA256, SealedAt: n.SealedAt,
	}
}

func deliveryOf(d takedown.Delivery) Delivery {
	return Delivery{
		Notice: d.NoticeID, Leg: d.LegID, Attempt: d.Attempt, StartedAt: d.StartedAt, FinishedAt: d.FinishedAt, Outcome: d.Outcome,
		Code: d.Code, Enhanced: d.Enhanced, Reply: d.Reply, Host: d.Host, TLS: d.TLS,
	}
}

func replyOf(r takedown.Reply) Reply {
	return Reply{
		ID: r.ID, Leg: r.LegID, Notice: r.NoticeID, ReceivedAt: r.ReceivedAt, Class: r.Class, From: r.From, Subject: r.Subject,
		Authentic: r.Authentic, Ticket: r.Ticket, Reason: r.Reason, Permanent: r.Permanent, Recipient: r.Recipient, Excerpt: r.Excerpt, SHA256: r.SHA256,
	}
}

func checkOf(c takedown.Check) Check {
	return Check{
		At: c.At, Verdict: c.Verdict, Layer: c.Layer, Detail: c.Detail,
		Observations: list(c.Observations),
	}
}
