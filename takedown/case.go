package takedown

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Stage names one step of the pipeline; the same word is the role of a process
// and the last part of the subject desist.work.<stage>.
type Stage string

// The stages.
const (
	StageIntake  Stage = "intake"
	StageScreen  Stage = "screen"
	StageResolve Stage = "resolve"
	StagePlan    Stage = "plan"
	StageCompose Stage = "compose"
	StageDeliver Stage = "deliver"
	StageTrack   Stage = "track"
)

// WorkStages lists the stages that take cases, in order.
func WorkStages() []Stage {
	return []Stage{StageScreen, StageResolve, StagePlan, StageCompose, StageDeliver, StageTrack}
}

// A Case is one indicator and class under disruption. It is the unit of
// consistency: a stage loads it whole, changes it, and the store commits the
// change only if nobody else changed the case meanwhile.
type Case struct {
	ID        int64
	Indicator Indicator
	Class     Class
	State     CaseState
	Reason    string // why it is in this state, for people
	// Submissions counts the reports attached.
	Submissions int
	// FirstSeenAt is the earliest time at which a source saw the behaviour.
	FirstSeenAt time.Time

	// The clocks of DESIGN "Figures"; zero until they happen.
	SubmittedAt time.Time
	ScreenedAt  time.Time // policy has ruled
	NotifiedAt  time.Time // first notice accepted
	AnsweredAt  time.Time // first authentic human answer
	GoneSeenAt  time.Time // first round of the run that confirmed it gone
	GoneAt      time.Time // confirmed gone
	ClosedAt    time.Time
	WatchUntil  time.Time // end of the relapse watch; zero when it is over
	Relapses    int

	// RetryAt delays the stage that the state calls for; Attempts counts its
	// failures in a row.
	RetryAt  time.Time
	Attempts int

	// ResolutionID, Parties and Absent are the newest resolution.
	ResolutionID int64
	Parties      []Party
	Absent       bool

	Legs  []*Leg
	Track Track

	// EventSeq and EventHash are the head of the event chain.
	EventSeq  int64
	EventHash Hash
	// Loaded is the version at which the store read or last wrote the case; its
	// optimistic lock compares it.
	Loaded Version

	// NewEvents were recorded since the case was loaded.
	NewEvents []Event
}

// A Leg is one case towards one party, with its own clock and state.
type Leg struct {
	ID     int64 // 0 until stored
	CaseID int64
	Party  Party
	State  LegState
	Reason string
	// Contact indexes Party.Contacts: the one in use.
	Contact int
	// Kind is why the next or current notice is written; Seq numbers the
	// notices of the leg that were sealed.
	Kind NoticeKind
	Seq  int
	// NoticeID is the current notice; Attempts counts its deliveries.
	NoticeID int64
	Attempts int
	// Reminders counts the reminders accepted.
	Reminders int
	// DueAt is when the leg's next step is due; zero when it waits for
	// something else.
	DueAt      time.Time
	OpenedAt   time.Time
	NotifiedAt time.Time
	AnsweredAt time.Time
	Answer     string
	Ticket     string

	// ApprovedBy is the person who let the leg pass a review; empty when nobody
	// had to.
	ApprovedBy string

	// ResolutionID is the resolution that Party was taken from.
	ResolutionID int64
	dirty        bool
}

// A Version tells two stored forms of a case apart. Events alone do not: a
// repeated failure and a steady round of checks leave none, but count.
type Version struct {
	Seq      int64
	Attempts int
	Checks   int
}

// Version returns the version of the case as it stands in memory.
func (c *Case) Version() Version {
	return Version{Seq: c.EventSeq, Attempts: c.Attempts, Checks: c.Track.Checks}
}

// Touch marks the leg as changed, so that the store writes it. Move does too.
func (l *Leg) Touch() { l.dirty = true }

// Dirty reports whether the leg changed since it was loaded or stored.
func (l *Leg) Dirty() bool { return l.dirty || l.ID == 0 }

// Stored marks the leg as written.
func (l *Leg) Stored() { l.dirty = false }

// CurrentContact returns the contact in use, or false when none is left.
func (l *Leg) CurrentContact() (Contact, bool) {
	if l.Contact < 0 || l.Contact >= len(l.Party.Contacts) {
		return Contact{}, false
	}
	return l.Party.Contacts[l.Contact], true
}

// Reference is the public name of the case in subjects and answers. It is
// ASCII and contains nothing of the indicator.
func (c *Case) Reference() string { return Reference(c.ID) }

// Reference returns the public name of the case with the given id.
func Reference(id int64) string { return fmt.Sprintf("DSI-%06d", id) }

// Record appends an event. Data is encoded as JSON; its strings are cleaned of
// what the database cannot hold.
func (c *Case) Record(at time.Time, kind EventKind, actor string, data map[string]any) {
	for k, v := range data {
		if s, ok := v.(string); ok {
			data[k] = CleanText(s)
		}
	}
	raw := json.RawMessage("{}")
	if len(data) > 0 {
		encoded, err := json.Marshal(data) // sorts the keys
		if err != nil {
			// Only an unmarshalable type gets here; keep the record, say so.
			encoded, _ = json.Marshal(map[string]string{"unencodable": CleanText(err.Error())})
		}
		raw = encoded
	}
	c.NewEvents = append(c.NewEvents, Event{CaseID: c.ID, At: at.UTC().Truncate(time.Microsecond), Kind: kind, Actor: CleanText(actor), Data: raw})
}

// Move changes the state of the case, and says why. It refuses a transition
// that is not in the table.
func (c *Case) Move(to CaseState, reason string) error {
	if !slices.Contains(c.State.Next(), to) {
		return Permanent(fmt.Errorf("case %d cannot go from %s to %s", c.ID, c.State, to))
	}
	c.State, c.Reason = to, CleanText(reason)
	c.RetryAt, c.Attempts = time.Time{}, 0
	return nil
}

// Move changes the state of the leg, and says why. It refuses a transition
// that is not in the table.
func (l *Leg) Move(to LegState, reason string, due time.Time) error {
	if !slices.Contains(l.State.Next(), to) {
		return Permanent(fmt.Errorf("leg %d of case %d cannot go from %s to %s", l.ID, l.CaseID, l.State, to))
	}
	l.State, l.Reason, l.DueAt = to, CleanText(reason), due
	l.Touch()
	return nil
}

// NextWork returns the stage that the case needs next and when; the zero time
// means at once. ok is false when only a person or a message from outside can
// move it. It is a pure function of the case, so a schedule can always be
// rebuilt from the rows.
func (c *Case) NextWork() (stage Stage, at time.Time, ok bool) {
	switch c.State {
	case CaseSubmitted:
		return StageScreen, c.RetryAt, true
	case CaseScreened:
		return StageResolve, c.RetryAt, true
	case CaseResolved:
		return StagePlan, c.RetryAt, true
	}
	for _, w := range c.timers() {
		if !ok || w.at.Before(at) {
			stage, at, ok = w.stage, w.at, true
		}
	}
	if ok && at.Before(c.RetryAt) {
		at = c.RetryAt
	}
	return stage, at, ok
}

// HasWork reports whether the case has work for the stage that is due at now.
// A case can have work for several stages at once; NextWork names the first.
func (c *Case) HasWork(stage Stage, now time.Time) bool {
	if now.Before(c.RetryAt) {
		return false
	}
	switch c.State {
	case CaseSubmitted:
		return stage == StageScreen
	case CaseScreened:
		return stage == StageResolve
	case CaseResolved:
		return stage == StagePlan
	}
	for _, w := range c.timers() {
		if w.stage == stage && !now.Before(w.at) {
			return true
		}
	}
	return false
}

type timer struct {
	stage Stage
	at    time.Time
}

// Retracts reports whether the leg has yet to take back what it said, which it
// does after the case is over.
func (c *Case) Retracts(l *Leg) bool {
	return (c.State == CaseWithdrawn || c.State == CaseNotMalicious) && l.Kind == NoticeWithdrawal && (l.State == LegPlanned || l.State == LegComposed)
}

// timers lists everything that a planned case waits for. An attempt under way
// needs its outcome whatever became of the case meanwhile.
func (c *Case) timers() []timer {
	timers := make([]timer, 0, len(c.Legs)+1)
	if !c.Track.NextAt.IsZero() && (c.State == CaseActive || c.State == CaseRemoved) {
		timers = append(timers, timer{StageTrack, c.Track.NextAt})
	}
	for _, l := range c.Legs {
		if c.State != CaseActive && l.State != LegSending && !c.Retracts(l) {
			continue
		}
		if s, needs := l.nextStage(); needs {
			timers = append(timers, timer{s, l.DueAt})
		}
	}
	return timers
}

func (l *Leg) nextStage() (Stage, bool) {
	switch l.State {
	case LegPlanned:
		return StageCompose, true
	case LegComposed, LegSending:
		return StageDeliver, true
	case LegNotified, LegUnknown, LegWaiting, LegManual:
		return StagePlan, !l.DueAt.IsZero()
	}
	return "", false
}
