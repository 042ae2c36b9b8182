package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"desist/takedown"
)

// ReplyStore is what hearing needs of the database.
type ReplyStore interface {
	StoreReply(ctx context.Context, r takedown.Reply) (stored takedown.Reply, isNew bool, err error)
	PendingReplies(ctx context.Context, limit int) ([]takedown.Reply, error)
}

// Hear takes mail that came back. It is stored first; only mail that proves
// that it answers our message then changes its case.
type Hear struct {
	Replies ReplyStore
	Actions *Actions
	Logger  *slog.Logger
}

// Store implements the inbox's sink: when it returns nil the mail is kept,
// whatever becomes of it.
func (h *Hear) Store(ctx context.Context, r takedown.Reply) error {
	stored, isNew, err := h.Replies.StoreReply(ctx, r)
	if err != nil {
		return err
	}
	if isNew && stored.Authentic && stored.CaseID != 0 {
		if err := h.apply(ctx, stored); errors.Is(err, errUnderWay) {
			h.Logger.Debug("a reply waits for the attempt that it answers", "reply", stored.ID)
		} else if err != nil {
			h.Logger.Warn("a reply is stored but not yet taken in", "reply", stored.ID, "err", err)
		}
	}
	return nil
}

// errUnderWay means that a bounce came before the outcome of the attempt that it
// answers was stored: the relay was faster than our own commit.
var errUnderWay = takedown.Temporary(errors.New("the attempt that it answers is still under way"))

// Recover takes in replies that were stored but not acted on: those that a
// crash left behind and those that came too early. It is to be called every few
// seconds. One that fails does not keep the others back; it returns how many
// were taken in.
func (h *Hear) Recover(ctx context.Context) (int, error) {
	pending, err := h.Replies.PendingReplies(ctx, 100)
	if err != nil {
		return 0, err
	}
	n := 0
	var failed error
	for _, r := range pending {
		switch err := h.apply(ctx, r); {
		case err == nil:
			n++
		case !errors.Is(err, errUnderWay):
			failed = errors.Join(failed, fmt.Errorf("reply %d: %w", r.ID, err))
		}
	}
	return n, failed
}

func (h *Hear) apply(ctx context.Context, r takedown.Reply) error {
	_, err := h.Actions.change(ctx, r.CaseID, func(ch *takedown.Change, now time.Time) error {
		c := ch.Case
		ch.Reply = &r
		c.Record(now, takedown.EventReply, "inbox", map[string]any{
			"reply": r.ID, "class": r.Class, "leg": r.LegID, "from": r.From, "subject": r.Subject, "ticket": r.Ticket,
			"reason": r.Reason, "permanent": r.Permanent, "excerpt": clipText(r.Excerpt, 500),
		})
		for _, l := range c.Legs {
			if l.ID == r.LegID {
				return h.leg(ch, l, r, now)
			}
		}
		return nil
	})
	return err
}

// The answers that are objections: nothing escalates until a person has read
// them.
const (
	answerFalsePositive = "false_positive"
	answerRefused       = "refused"
)

// leg draws the consequences of an authentic reply.
func (h *Hear) leg(ch *takedown.Change, l *takedown.Leg, r takedown.Reply, now time.Time) error {
	c := ch.Case
	if r.Ticket != "" {
		l.Ticket = clipText(r.Ticket, 100)
	}
	l.Answer = string(r.Class)
	if r.Class == takedown.ReplyHuman && r.Reason != "" {
		l.Answer = r.Reason
	}
	l.Touch()
	switch r.Class {
	case takedown.ReplyBounce:
		contact, ok := l.CurrentContact()
		if !ok || r.NoticeID != l.NoticeID || c.State.Closed() {
			return nil // an old notice bounced; the leg has moved on
		}
		if l.State == takedown.LegSending {
			return errUnderWay
		}
		if l.State != takedown.LegNotified && l.State != takedown.LegUnknown && l.State != takedown.LegExhausted {
			return nil
		}
		if r.Permanent {
			ch.DeadContacts = append(ch.DeadContacts, takedown.DeadContact{Contact: contact, Reason: r.Reason + ": " + clipText(r.Excerpt, 200)})
		}
		return nextContact(c, l, now, "inbox", "it bounced: "+r.Reason)
	case takedown.ReplyDelivered:
		if l.State == takedown.LegUnknown {
			return l.Move(takedown.LegNotified, "a delivery report proves that it arrived", l.DueAt)
		}
	case takedown.ReplyHuman:
		if l.AnsweredAt.IsZero() {
			l.AnsweredAt = now
		}
		if c.AnsweredAt.IsZero() {
			c.AnsweredAt = now
		}
		if l.State == takedown.LegUnknown {
			return l.Move(takedown.LegNotified, "the answer proves that it arrived", l.DueAt)
		}
		if r.Reason == answerFalsePositive || r.Reason == answerRefused {
			return dispute(c, l, now, "inbox", "the recipient objects: "+r.Reason)
		}
		// An answer is a reason to look.
		if c.State == takedown.CaseActive && c.Track.NextAt.After(now) {
			c.Track.NextAt = now
		}
	}
	return nil
}
