package pipeline

import (
	"context"
	"strings"
	"time"

	"desist/takedown"
)

// Ruling is what policy says of a case.
type Ruling struct {
	Outcome Permission
	Reasons []string // all of them, for people
	Codes   []string // the same, for machines
}

// Permission is the outcome of a ruling.
type Permission string

// The outcomes.
const (
	Allow  Permission = "send"
	Hold   Permission = "hold"
	Refuse Permission = "refuse"
)

// Screener is the one place that answers whether we may say it.
type Screener interface {
	Screen(c *takedown.Case, subs []takedown.Submission, now time.Time) Ruling
}

// Submissions reads what was reported of cases.
type Submissions interface {
	Submissions(ctx context.Context, caseIDs []int64) (map[int64][]takedown.Submission, error)
}

// Screen is the policy gate: it lets a case through, holds it for a person, or
// refuses it, with all the reasons.
type Screen struct {
	Policy Screener
	Store  Submissions
}

// Name implements Stage.
func (*Screen) Name() takedown.Stage { return takedown.StageScreen }

// Run implements Stage.
func (s *Screen) Run(ctx context.Context, now time.Time, batch []*Work) {
	subs, err := s.Store.Submissions(ctx, caseIDs(batch))
	for _, w := range batch {
		if err != nil {
			w.Err = err
			continue
		}
		w.Err = s.screen(w.Case, subs[w.Case.ID], now)
	}
}

func (s *Screen) screen(c *takedown.Case, subs []takedown.Submission, now time.Time) error {
	r := s.Policy.Screen(c, subs, now)
	c.ScreenedAt = now
	why := strings.Join(r.Reasons, "; ")
	data := map[string]any{"reasons": r.Reasons, "codes": r.Codes}
	switch r.Outcome {
	case Refuse:
		if err := c.Move(takedown.CaseRefused, why); err != nil {
			return err
		}
		c.ClosedAt = now
		c.Record(now, takedown.EventRefused, "screen", data)
	case Hold:
		if err := c.Move(takedown.CaseHeld, why); err != nil {
			return err
		}
		c.Record(now, takedown.EventHeld, "screen", data)
	default:
		if err := c.Move(takedown.CaseScreened, ""); err != nil {
			return err
		}
		c.Record(now, takedown.EventScreened, "screen", data)
	}
	return nil
}

func caseIDs(batch []*Work) []int64 {
	ids := make([]int64, len(batch))
	for i, w := range batch {
		ids[i] = w.Case.ID
	}
	return ids
}
