// Package dryrun is the notifier that sends nothing. It stands in the place of
// a real one until the operator says that sending is live, so that the rest of
// the service needs no condition for it. It opens no connection and cannot
// fail: every notice ends as a sealed draft.
package dryrun

import (
	"context"
	"time"

	"desist/takedown"
)

// Notifier records notices as drafted.
type Notifier struct {
	now func() time.Time
}

// New returns a notifier that takes the time from now; nil means time.Now.
func New(now func() time.Time) *Notifier {
	if now == nil {
		now = time.Now
	}
	return &Notifier{now: now}
}

// Send returns the outcome drafted.
func (n *Notifier) Send(_ context.Context, notice takedown.Notice) takedown.Delivery {
	at := n.now()
	return takedown.Delivery{
		NoticeID: notice.ID, CaseID: notice.CaseID, LegID: notice.LegID,
		StartedAt: at, FinishedAt: at, Outcome: takedown.OutcomeDrafted,
		Reply: "dry run: nothing was sent",
	}
}
