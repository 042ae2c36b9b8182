package takedown

import "time"

// Verdict is what one round of observations says of the target.
type Verdict string

// The verdicts.
const (
	VerdictUp      Verdict = "up"
	VerdictGone    Verdict = "gone"
	VerdictUnclear Verdict = "unclear" // a challenge page, a time-out, or we are offline
)

// Layer is where a target was seen to be up or gone.
type Layer string

// The layers, from the name down to the content.
const (
	LayerName    Layer = "name"
	LayerHost    Layer = "host"
	LayerContent Layer = "content"
)

// An Observation is what one probe saw with one client profile.
type Observation struct {
	Probe   string  `json:"probe"`
	Profile string  `json:"profile,omitempty"`
	Layer   Layer   `json:"layer"`
	Verdict Verdict `json:"verdict"`
	Detail  string  `json:"detail"`
	Status  int     `json:"status,omitempty"`
	// Fingerprint is a hash of the content's shape, compared with first sight.
	Fingerprint string    `json:"fingerprint,omitempty"`
	Addresses   []string  `json:"addresses,omitempty"`
	At          time.Time `json:"at"`
}

// A Check is one round of observations of a target and what they add up to.
type Check struct {
	ID           int64
	CaseID       int64
	At           time.Time
	Verdict      Verdict
	Layer        Layer
	Detail       string
	Observations []Observation
}

// Track is the running state of watching a target.
type Track struct {
	// NextAt is when the next check is due; zero when none is.
	NextAt   time.Time
	Interval time.Duration
	Checks   int
	// GoneRounds counts consecutive rounds that agree that the target is gone.
	GoneRounds int
	Verdict    Verdict
	Layer      Layer
	Detail     string
	// Baseline is the fingerprint at first sight.
	Baseline string
	// Addresses are the target's addresses when last seen.
	Addresses []string
	CheckedAt time.Time
	// UpAt is when the target was last seen up.
	UpAt time.Time
}
