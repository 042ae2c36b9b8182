package takedown

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// An Event is an entry of the append-only record of a case.
type Event struct {
	ID     int64           `json:"id"`
	CaseID int64           `json:"case"`
	Seq    int64           `json:"seq"` // 1 for the first event of a case
	At     time.Time       `json:"at"`
	Kind   EventKind       `json:"kind"`
	Actor  string          `json:"actor"` // the stage or the person that did it
	Data   json.RawMessage `json:"data,omitempty"`
	Prev   Hash            `json:"prev"`
	Hash   Hash            `json:"hash"`
}

// EventKind names what happened. It is also the last part of the subject
// desist.events.<kind>.
type EventKind string

// The kinds of event.
const (
	EventSubmitted       EventKind = "case.submitted"
	EventAttached        EventKind = "submission.attached"
	EventScreened        EventKind = "case.screened"
	EventHeld            EventKind = "case.held"
	EventRefused         EventKind = "case.refused"
	EventApproved        EventKind = "case.approved"
	EventResolved        EventKind = "case.resolved"
	EventStageFailed     EventKind = "case.stage_failed"
	EventPlanned         EventKind = "case.planned"
	EventLegPlanned      EventKind = "leg.planned"
	EventLegWaiting      EventKind = "leg.waiting"
	EventLegHeld         EventKind = "leg.held"
	EventLegManual       EventKind = "leg.manual"
	EventLegUnreachable  EventKind = "leg.unreachable"
	EventLegExhausted    EventKind = "leg.exhausted"
	EventLegDisputed     EventKind = "leg.disputed"
	EventLegClosed       EventKind = "leg.closed"
	EventNoticeSealed    EventKind = "notice.sealed"
	EventNoticeDrafted   EventKind = "notice.drafted"
	EventDeliveryStarted EventKind = "delivery.started"
	EventAccepted        EventKind = "delivery.accepted"
	EventDeferred        EventKind = "delivery.deferred"
	EventRejected        EventKind = "delivery.rejected"
	EventUnknown         EventKind = "delivery.unknown"
	EventReply           EventKind = "reply.received"
	EventChecked         EventKind = "check.changed" // the verdict changed; steady rounds are checks, not events
	EventGoneSeen        EventKind = "target.gone_seen"
	EventRemoved         EventKind = "case.removed"
	EventRelapsed        EventKind = "case.relapsed"
	EventWatchEnded      EventKind = "case.watch_ended"
	EventExpired         EventKind = "case.expired"
	EventWithdrawn       EventKind = "case.withdrawn"
	EventNotMalicious    EventKind = "case.not_malicious"
	EventNote            EventKind = "case.note"
	EventDeadLetter      EventKind = "case.dead_letter"
)

// Hash is a SHA-256 value that prints and scans as hexadecimal.
type Hash [sha256.Size]byte

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText writes the hash in hexadecimal.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads the hexadecimal form.
func (h *Hash) UnmarshalText(text []byte) error {
	n, err := hex.Decode(h[:], text)
	if err != nil || n != len(h) {
		return fmt.Errorf("hash %q is not %d bytes of hexadecimal", text, len(h))
	}
	return nil
}

// Seal sets the hash of e, which must follow an event with hash prev. The
// input is prev, then every field with its length, so that no two different
// events share an encoding. Times count in whole microseconds of UTC, the
// resolution that the database keeps.
func (e *Event) Seal(prev Hash) {
	e.Prev = prev
	h := sha256.New()
	h.Write(prev[:])
	var n [8]byte
	number := func(v int64) {
		binary.BigEndian.PutUint64(n[:], uint64(v))
		h.Write(n[:])
	}
	number(e.CaseID)
	number(e.Seq)
	number(e.At.UTC().UnixMicro())
	for _, field := range [][]byte{[]byte(e.Kind), []byte(e.Actor), e.Data} {
		number(int64(len(field)))
		h.Write(field)
	}
	h.Sum(e.Hash[:0])
}

// VerifyChain checks that events are the whole record of one case, in order,
// ending at head. It returns an error that names the first event that breaks
// the chain.
func VerifyChain(events []Event, headSeq int64, head Hash) error {
	var prev Hash
	for i, e := range events {
		if want := int64(i + 1); e.Seq != want {
			return fmt.Errorf("case %d: event %d is missing (found sequence %d)", e.CaseID, want, e.Seq)
		}
		check := e
		check.Seal(prev)
		if e.Prev != prev || e.Hash != check.Hash {
			return fmt.Errorf("case %d: event %d (%s, id %d) was altered", e.CaseID, e.Seq, e.Kind, e.ID)
		}
		prev = e.Hash
	}
	id := int64(0)
	if len(events) > 0 {
		id = events[0].CaseID
	}
	switch {
	case int64(len(events)) == headSeq && prev != head:
		return fmt.Errorf("case %d: the hash that the case keeps is not that of its last event %d", id, headSeq)
	case int64(len(events)) != headSeq:
		return fmt.Errorf("case %d: the record ends at event %d, but the case was last written at event %d", id, len(events), headSeq)
	}
	return nil
}

// CleanText makes s fit for the record: valid UTF-8 without NUL, which
// PostgreSQL stores in neither text nor JSON. What is replaced stays visible.
func CleanText(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
