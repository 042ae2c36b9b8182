package takedown

import (
	"fmt"
	"time"
)

// NoticeKind says why a notice is written.
type NoticeKind string

// The kinds of notice.
const (
	NoticeFirst      NoticeKind = "first"
	NoticeReminder   NoticeKind = "reminder"
	NoticeEscalation NoticeKind = "escalation"
	NoticeRelapse    NoticeKind = "relapse"
	NoticeCorrection NoticeKind = "correction"
	NoticeWithdrawal NoticeKind = "withdrawal"
)

// Validate reports an unknown kind.
func (k NoticeKind) Validate() error {
	switch k {
	case NoticeFirst, NoticeReminder, NoticeEscalation, NoticeRelapse, NoticeCorrection, NoticeWithdrawal:
		return nil
	}
	return fmt.Errorf("notice kind %q is not one of first, reminder, escalation, relapse, correction, withdrawal", string(k))
}

// Sender is who signs the notices. A pack may require any of its fields.
type Sender struct {
	LegalName    string `json:"legal_name"`
	Organisation string `json:"organisation"`
	Address      string `json:"address"` // postal, lines separated by commas or newlines
	Email        string `json:"email"`
	Telephone    string `json:"telephone"`
	// Capacity is in what capacity the sender acts, such as "security provider
	// reporting its own observations".
	Capacity string `json:"capacity"`
	Country  string `json:"country"` // ISO 3166-1 alpha-2
	// PrivacyURL tells data subjects more; optional.
	PrivacyURL string `json:"privacy_url,omitempty"`
}

// A NoticeRequest is everything that wording may depend on.
type NoticeRequest struct {
	Kind      NoticeKind
	Reference string // the case's public reference, ASCII
	ReportID  string // UUID of the machine-readable report, stable for a notice
	Indicator Indicator
	Class     Class
	Role      Role
	Party     Party
	Recipient Contact
	Sender    Sender
	// Addresses are the target's IP addresses, newest first.
	Addresses []string
	// FirstSeenAt is when a source first saw the malicious behaviour, CheckedAt
	// when we last saw it ourselves (zero when we did not).
	FirstSeenAt time.Time
	CheckedAt   time.Time
	// Observation is what we saw at CheckedAt, one plain sentence, or empty.
	Observation  string
	Descriptions []string
	References   []string
	Evidence     []Evidence
	Earlier      []EarlierNotice
	// VerifyURL is where the recipient can check that the notice is genuine;
	// AnswerURL is the signed portal link. Both may be empty.
	VerifyURL string
	AnswerURL string
	// Language asks for one language instead of the pack's own choice.
	Language string
	Now      time.Time
}

// EarlierNotice is proof of what was said before, for reminders and
// escalations.
type EarlierNotice struct {
	Kind       NoticeKind
	Recipient  string
	MessageID  string
	AcceptedAt time.Time // by the next hop
	Reply      string    // the receiving server's words
}

// A Draft is the rendered wording of a notice with the proof that it is
// complete.
type Draft struct {
	Pack        string    `json:"pack"`
	PackVersion string    `json:"pack_version"`
	CheckedOn   string    `json:"checked_on"`
	Grade       string    `json:"grade"`
	Regime      string    `json:"regime"`
	Languages   []string  `json:"languages"`
	Subject     string    `json:"subject"`
	Text        string    `json:"text"`
	HTML        string    `json:"html,omitempty"`
	Elements    []Element `json:"elements"`
	Warnings    []string  `json:"warnings,omitempty"`
}

// An Element maps one thing that the regime requires to the place in the text
// where it stands.
type Element struct {
	ID       string `json:"id"`       // the pack's name of it
	Required string `json:"required"` // the provision that requires it
	Block    string `json:"block"`    // the wording block that satisfies it
	Line     int    `json:"line"`     // 1-based line of Text
	Quote    string `json:"quote"`    // the beginning of what stands there
}

// Attachment is a further part of a message.
type Attachment struct {
	Name      string
	MediaType string // a fixed value of ours, never from outside
	Data      []byte
}

// A Notice is one sealed message to one contact. Sealed is the complete RFC
// 5322 message and never changes; a correction is a new notice.
type Notice struct {
	ID        int64
	CaseID    int64
	LegID     int64
	Seq       int // 1 for the first notice of the leg
	Kind      NoticeKind
	ContactID int64
	Recipient string
	// EnvelopeFrom is the variable return path (VERP) that a bounce comes back
	// to.
	EnvelopeFrom string
	MessageID    string // without angle brackets
	Draft        Draft  // Text and HTML are empty when loaded; they stand in Sealed
	Sealed       []byte
	SHA256       Hash
	SealedAt     time.Time
}

// Outcome is what became of one attempt to hand a notice over.
type Outcome string

// The outcomes of a delivery.
const (
	OutcomeAccepted Outcome = "accepted" // the next hop took responsibility, no more
	OutcomeDeferred Outcome = "deferred" // not now; try again
	OutcomeRejected Outcome = "rejected" // this contact will not take it
	OutcomeUnknown  Outcome = "unknown"  // it may or may not have arrived
	OutcomeDrafted  Outcome = "drafted"  // dry run: nothing was sent
)

// A Delivery is one attempt to hand a notice to a channel. Its row stands
// before the dialogue begins.
type Delivery struct {
	ID         int64
	NoticeID   int64
	CaseID     int64
	LegID      int64
	Attempt    int
	StartedAt  time.Time
	FinishedAt time.Time
	Outcome    Outcome
	// Code and Enhanced are the SMTP reply code and the RFC 3463 status; Reply
	// is the whole reply as received.
	Code     int
	Enhanced string
	Reply    string
	Host     string
	TLS      string
	// BadAddress is true when the reply says that the mailbox does not exist,
	// so that the contact is not tried again.
	BadAddress bool
}

// A Reply is what came back. It changes a case only if it proves that it
// answers our message.
type Reply struct {
	ID         int64
	CaseID     int64 // 0 when it matched nothing of ours
	LegID      int64
	NoticeID   int64
	Seq        int // of the notice within the leg
	ReceivedAt time.Time
	Class      ReplyClass
	From       string
	Subject    string
	Authentic  bool   // token and Message-ID prove it ours
	Ticket     string // the recipient's own reference
	// Reason says why a mail bounced, or what a person answered: resolved,
	// customer_notified, not_ours, false_positive, need_evidence, refused, or
	// nothing where that is unsure.
	Reason    string
	Permanent bool // the address is dead
	Recipient string
	Excerpt   string
	Raw       []byte
	SHA256    Hash
}

// ReplyClass is what kind of mail came back.
type ReplyClass string

// The classes of reply.
const (
	ReplyBounce    ReplyClass = "bounce"
	ReplyDelayed   ReplyClass = "delayed"
	ReplyDelivered ReplyClass = "delivered"
	ReplyAuto      ReplyClass = "autoreply"
	ReplyFeedback  ReplyClass = "feedback"
	ReplyHuman     ReplyClass = "human"
)
