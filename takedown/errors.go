package takedown

import (
	"context"
	"errors"
	"time"
)

// ErrorKind is the closed vocabulary of failure. It decides whether work is
// tried again, and it is the same word in logs, metrics, columns and screens.
type ErrorKind string

// The kinds of error.
const (
	KindTemporary ErrorKind = "temporary" // try again with backoff
	KindPermanent ErrorKind = "permanent" // the same input will fail again
	KindSnooze    ErrorKind = "snooze"    // try again after a stated time
	KindDenied    ErrorKind = "denied"    // policy or permission says no
	KindNotFound  ErrorKind = "not_found" // what was asked for does not exist
	KindUnknown   ErrorKind = "unknown"   // the outcome itself cannot be known
)

// An Error gives an error its kind.
type Error struct {
	Kind ErrorKind
	// RetryAfter is how long to wait; set for KindSnooze.
	RetryAfter time.Duration
	Err        error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Temporary marks err as worth another try.
func Temporary(err error) error { return kind(KindTemporary, 0, err) }

// Permanent marks err as final for this input.
func Permanent(err error) error { return kind(KindPermanent, 0, err) }

// Snooze marks err as worth another try, not before d has passed.
func Snooze(d time.Duration, err error) error { return kind(KindSnooze, d, err) }

// Denied marks err as a refusal by policy or permission.
func Denied(err error) error { return kind(KindDenied, 0, err) }

// NotFound marks err as the absence of what was asked for.
func NotFound(err error) error { return kind(KindNotFound, 0, err) }

// Unknown marks err as leaving the outcome of an action unknown.
func Unknown(err error) error { return kind(KindUnknown, 0, err) }

func kind(k ErrorKind, d time.Duration, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Kind: k, RetryAfter: d, Err: err}
}

// KindOf returns the kind of err. Time-outs and cancellations that nobody
// classified are temporary; any other unclassified error is too, because giving
// up on work by accident is worse than trying it again a bounded number of
// times. KindOf(nil) is empty.
func KindOf(err error) ErrorKind {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return KindTemporary
}

// RetryAfter returns the wait that err asks for, or zero.
func RetryAfter(err error) time.Duration {
	var e *Error
	if errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}

// AckAction is what becomes of the message whose handling failed.
type AckAction string

// The acknowledgement actions.
const (
	AckDone AckAction = "ack"  // handled, or recorded where it will be found again
	AckNak  AckAction = "nak"  // deliver again
	AckTerm AckAction = "term" // goes to the dead letters, never again
)

// Consequence is what an error kind means at each edge of the program.
type Consequence struct {
	Ack      AckAction
	HTTP     int // status of the RFC 9457 problem
	ExitCode int // of the command line, per the outside contract
}

// consequences is the one table from kinds to edges.
var consequences = map[ErrorKind]Consequence{
	"":            {AckDone, 200, 0},
	KindTemporary: {AckNak, 503, 5},
	KindPermanent: {AckTerm, 422, 1},
	KindSnooze:    {AckDone, 503, 5},
	KindDenied:    {AckTerm, 403, 3},
	KindNotFound:  {AckTerm, 404, 4},
	KindUnknown:   {AckDone, 500, 1},
}

// ConsequenceOf returns what err means at the edges.
func ConsequenceOf(err error) Consequence {
	if errors.Is(err, context.Canceled) {
		return Consequence{AckNak, 503, 1}
	}
	return consequences[KindOf(err)]
}
