package cli

import (
	"time"

	"desist/internal/postgres"
	"desist/takedown"
)

// The JSON of "case show": everything that is on record, in the words that
// people read elsewhere.
type storyJSON struct {
	Reference   string              `json:"reference"`
	Case        caseJSON            `json:"case"`
	Submissions []submissionJSON    `json:"submissions"`
	Resolutions []postgres.Resolved `json:"resolutions"`
	Legs        []legJSON           `json:"legs"`
	Notices     []noticeJSON        `json:"notices"`
	Deliveries  []deliveryJSON      `json:"deliveries"`
	Replies     []replyJSON         `json:"replies"`
	Checks      []checkJSON         `json:"checks"`
	Events      []takedown.Event    `json:"events"`
}

type caseJSON struct {
	ID          int64              `json:"id"`
	Indicator   takedown.Indicator `json:"indicator"`
	Class       takedown.Class     `json:"class"`
	State       takedown.CaseState `json:"state"`
	Reason      string             `json:"reason,omitempty"`
	Submissions int                `json:"submissions"`
	FirstSeenAt time.Time          `json:"first_seen_at,omitzero"`
	SubmittedAt time.Time          `json:"submitted_at"`
	NotifiedAt  time.Time          `json:"notified_at,omitzero"`
	AnsweredAt  time.Time          `json:"answered_at,omitzero"`
	GoneSeenAt  time.Time          `json:"gone_seen_at,omitzero"`
	GoneAt      time.Time          `json:"gone_at,omitzero"`
	ClosedAt    time.Time          `json:"closed_at,omitzero"`
	WatchUntil  time.Time          `json:"watch_until,omitzero"`
	Relapses    int                `json:"relapses"`
	Attempts    int                `json:"attempts,omitempty"`
	RetryAt     time.Time          `json:"retry_at,omitzero"`
	NextStage   takedown.Stage     `json:"next_stage,omitempty"`
	NextAt      time.Time          `json:"next_at,omitzero"`
	Absent      bool               `json:"absent,omitempty"`
	Parties     []takedown.Party   `json:"parties"`
	Track       trackJSON          `json:"track"`
	EventSeq    int64              `json:"event_seq"`
	EventHash   takedown.Hash      `json:"event_hash"`
}

type trackJSON struct {
	Verdict    takedown.Verdict `json:"verdict,omitempty"`
	Layer      takedown.Layer   `json:"layer,omitempty"`
	Detail     string           `json:"detail,omitempty"`
	Checks     int              `json:"checks"`
	GoneRounds int              `json:"gone_rounds"`
	Addresses  []string         `json:"addresses,omitempty"`
	CheckedAt  time.Time        `json:"checked_at,omitzero"`
	UpAt       time.Time        `json:"up_at,omitzero"`
	NextAt     time.Time        `json:"next_at,omitzero"`
}

type submissionJSON struct {
	ID          int64               `json:"id"`
	Raw         string              `json:"raw"`
	Class       takedown.Class      `json:"class"`
	Source      string              `json:"source"`
	SeenAt      time.Time           `json:"seen_at,omitzero"`
	ReceivedAt  time.Time           `json:"received_at"`
	Confidence  float64             `json:"confidence,omitempty"`
	TLP         string              `json:"tlp,omitempty"`
	Description string              `json:"description,omitempty"`
	References  []string            `json:"references,omitempty"`
	Evidence    []takedown.Evidence `json:"evidence,omitempty"`
	Reporter    takedown.Reporter   `json:"reporter,omitzero"`
	ExternalID  string              `json:"external_id,omitempty"`
}

type legJSON struct {
	ID         int64               `json:"id"`
	Party      takedown.Party      `json:"party"`
	State      takedown.LegState   `json:"state"`
	Reason     string              `json:"reason,omitempty"`
	Contact    *takedown.Contact   `json:"contact,omitempty"` // the one in use
	Kind       takedown.NoticeKind `json:"kind"`
	NoticeID   int64               `json:"notice,omitempty"`
	Notices    int                 `json:"notices"`
	Attempts   int                 `json:"attempts,omitempty"`
	Reminders  int                 `json:"reminders,omitempty"`
	Answer     string              `json:"answer,omitempty"`
	Ticket     string              `json:"ticket,omitempty"`
	DueAt      time.Time           `json:"due_at,omitzero"`
	OpenedAt   time.Time           `json:"opened_at,omitzero"`
	NotifiedAt time.Time           `json:"notified_at,omitzero"`
	AnsweredAt time.Time           `json:"answered_at,omitzero"`
}

type noticeJSON struct {
	ID           int64               `json:"id"`
	CaseID       int64               `json:"case"`
	LegID        int64               `json:"leg"`
	Seq          int                 `json:"seq"`
	Kind         takedown.NoticeKind `json:"kind"`
	Recipient    string              `json:"recipient"`
	EnvelopeFrom string              `json:"envelope_from"`
	MessageID    string              `json:"message_id"`
	SHA256       takedown.Hash       `json:"sha256"`
	SealedAt     time.Time           `json:"sealed_at"`
	Draft        takedown.Draft      `json:"draft"`
	Message      string              `json:"message,omitempty"` // the complete mail, with "notice show"
}

type deliveryJSON struct {
	ID         int64            `json:"id"`
	NoticeID   int64            `json:"notice"`
	LegID      int64            `json:"leg"`
	Attempt    int              `json:"attempt"`
	StartedAt  time.Time        `json:"started_at"`
	FinishedAt time.Time        `json:"finished_at,omitzero"`
	Outcome    takedown.Outcome `json:"outcome,omitempty"`
	Code       int              `json:"code,omitempty"`
	Enhanced   string           `json:"enhanced,omitempty"`
	Reply      string           `json:"reply,omitempty"`
	Host       string           `json:"host,omitempty"`
	TLS        string           `json:"tls,omitempty"`
}

type replyJSON struct {
	ID         int64               `json:"id"`
	LegID      int64               `json:"leg,omitempty"`
	NoticeID   int64               `json:"notice,omitempty"`
	ReceivedAt time.Time           `json:"received_at"`
	Class      takedown.ReplyClass `json:"class"`
	From       string              `json:"from"`
	Subject    string              `json:"subject"`
	Authentic  bool                `json:"authentic"`
	Ticket     string              `json:"ticket,omitempty"`
	Reason     string              `json:"reason,omitempty"`
	Permanent  bool                `json:"permanent,omitempty"`
	Recipient  string              `json:"recipient,omitempty"`
	Excerpt    string              `json:"excerpt,omitempty"`
	SHA256     takedown.Hash       `json:"sha256"`
}

type checkJSON struct {
	At           time.Time              `json:"at"`
	Verdict      takedown.Verdict       `json:"verdict"`
	Layer        takedown.Layer         `json:"layer,omitempty"`
	Detail       string                 `json:"detail,omitempty"`
	Observations []takedown.Observation `json:"observations"`
}

func newStoryJSON(s *postgres.Story) storyJSON {
	return storyJSON{
		Reference: s.Case.Reference(), Case: newCaseJSON(s.Case), Submissions: each(s.Submissions, newSubmissionJSON),
		Resolutions: orEmpty(s.Resolutions), Legs: each(s.Case.Legs, newLegJSON), Notices: each(s.Notices, newNoticeJSON),
		Deliveries: each(s.Deliveries, newDeliveryJSON), Replies: each(s.Replies, newReplyJSON), Checks: each(s.Checks, newCheckJSON), Events: orEmpty(s.Events),
	}
}

func each[A, B any](list []A, f func(A) B) []B {
	out := make([]B, len(list))
	for i, v := range list {
		out[i] = f(v)
	}
	return out
}

func newCaseJSON(c *takedown.Case) caseJSON {
	j := caseJSON{
		ID: c.ID, Indicator: c.Indicator, Class: c.Class, State: c.State, Reason: c.Reason, Submissions: c.Submissions,
		FirstSeenAt: c.FirstSeenAt, SubmittedAt: c.SubmittedAt, NotifiedAt: c.NotifiedAt, AnsweredAt: c.AnsweredAt,
		GoneSeenAt: c.GoneSeenAt, GoneAt: c.GoneAt, ClosedAt: c.ClosedAt, WatchUntil: c.WatchUntil, Relapses: c.Relapses,
		Attempts: c.Attempts, RetryAt: c.RetryAt, Absent: c.Absent, Parties: orEmpty(c.Parties), EventSeq: c.EventSeq, EventHash: c.EventHash,
		Track: trackJSON{
			Verdict: c.Track.Verdict, Layer: c.Track.Layer, Detail: c.Track.Detail, Checks: c.Track.Checks, GoneRounds: c.Track.GoneRounds,
			Addresses: c.Track.Addresses, CheckedAt: c.Track.CheckedAt, UpAt: c.Track.UpAt, NextAt: c.Track.NextAt,
		},
	}
	if stage, at, ok := c.NextWork(); ok {
		j.NextStage, j.NextAt = stage, at
	}
	return j
}

func newSubmissionJSON(s takedown.Submission) submissionJSON {
	return submissionJSON{
		ID: s.ID, Raw: s.Raw, Class: s.Class, Source: s.Source, SeenAt: s.SeenAt, ReceivedAt: s.ReceivedAt, Confidence: s.Confidence, TLP: s.TLP,
		Description: s.Description, References: s.References, Evidence: s.Evidence, Reporter: s.Reporter, ExternalID: s.ExternalID,
	}
}

func newLegJSON(l *takedown.Leg) legJSON {
	j := legJSON{
		ID: l.ID, Party: l.Party, State: l.State, Reason: l.Reason, Kind: l.Kind, NoticeID: l.NoticeID, Notices: l.Seq, Attempts: l.Attempts,
		Reminders: l.Reminders, Answer: l.Answer, Ticket: l.Ticket, DueAt: l.DueAt, OpenedAt: l.OpenedAt, NotifiedAt: l.NotifiedAt, AnsweredAt: l.AnsweredAt,
	}
	if c, ok := l.CurrentContact(); ok {
		j.Contact = &c
	}
	return j
}

func newNoticeJSON(n takedown.Notice) noticeJSON {
	return noticeJSON{
		ID: n.ID, CaseID: n.CaseID, LegID: n.LegID, Seq: n.Seq, Kind: n.Kind, Recipient: n.Recipient, EnvelopeFrom: n.EnvelopeFrom,
		MessageID: n.MessageID, SHA256: n.SHA256, SealedAt: n.SealedAt, Draft: n.Draft,
	}
}

func newDeliveryJSON(d takedown.Delivery) deliveryJSON {
	return deliveryJSON{
		ID: d.ID, NoticeID: d.NoticeID, LegID: d.LegID, Attempt: d.Attempt, StartedAt: d.StartedAt, FinishedAt: d.FinishedAt,
		Outcome: d.Outcome, Code: d.Code, Enhanced: d.Enhanced, Reply: d.Reply, Host: d.Host, TLS: d.TLS,
	}
}

func newReplyJSON(r takedown.Reply) replyJSON {
	return replyJSON{
		ID: r.ID, LegID: r.LegID, NoticeID: r.NoticeID, ReceivedAt: r.ReceivedAt, Class: r.Class, From: r.From, Subject: r.Subject, Authentic: r.Authentic,
		Ticket: r.Ticket, Reason: r.Reason, Permanent: r.Permanent, Recipient: r.Recipient, Excerpt: r.Excerpt, SHA256: r.SHA256,
	}
}

func newCheckJSON(c takedown.Check) checkJSON {
	return checkJSON{At: c.At, Verdict: c.Verdict, Layer: c.Layer, Detail: c.Detail, Observations: orEmpty(c.Observations)}
}
