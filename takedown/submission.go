package takedown

import "time"

// A Submission is one person's or feed's report of an indicator. Many
// submissions may attach to one case.
type Submission struct {
	ID     int64
	CaseID int64
	// Key makes acceptance idempotent: the same key is stored once.
	Key       string
	Indicator Indicator
	// Raw is what was sent, before canonicalisation.
	Raw         string
	Class       Class
	Source      string
	SeenAt      time.Time
	ReceivedAt  time.Time
	Confidence  float64 // 0 to 1; 0 when the source gave none
	TLP         string
	Description string
	References  []string
	Evidence    []Evidence
	Reporter    Reporter
	ExternalID  string
}

// Reporter is who vouches for a submission. It is never printed in a notice.
type Reporter struct {
	Name  string `json:"name,omitempty"`
	Email string `json:"email,omitempty"`
}

// Evidence is one item that supports a submission. Live malware is never
// stored: kind "sample" carries a hash and no data.
type Evidence struct {
	Kind      string `json:"kind"`
	MediaType string `json:"media_type,omitempty"`
	SHA256    string `json:"sha256,omitempty"`
	Data      []byte `json:"data,omitempty"`
}

// IndicatorMessage is the documented JSON body of the front door: the NATS
// subject desist.indicators.<source> and POST /api/v1/submissions. Only
// Indicator and Class are required.
type IndicatorMessage struct {
	Indicator   string     `json:"indicator"`
	Class       Class      `json:"class"`
	SeenAt      *time.Time `json:"seen_at,omitempty"`
	Confidence  float64    `json:"confidence,omitempty"`
	TLP         string     `json:"tlp,omitempty"`
	Description string     `json:"description,omitempty"`
	References  []string   `json:"references,omitempty"`
	Evidence    []Evidence `json:"evidence,omitempty"`
	Reporter    Reporter   `json:"reporter,omitzero"`
	ExternalID  string     `json:"external_id,omitempty"`
}

// Accepted is the answer to one submission.
type Accepted struct {
	CaseID int64
	// New is true when the submission opened the case; otherwise it attached to
	// a live one, or, if Duplicate, was stored before.
	New       bool
	Duplicate bool
	State     CaseState
}
