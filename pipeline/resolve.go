package pipeline

import (
	"context"
	"fmt"
	"time"

	"desist/takedown"
)

// Resolver finds who can switch a target off.
type Resolver interface {
	Resolve(ctx context.Context, ind takedown.Indicator) (takedown.Resolution, error)
}

// Resolve asks who is responsible for each target. What was not learned stays
// on record beside what was.
type Resolve struct {
	Resolver Resolver
	// Concurrency bounds the lookups under way; Timeout bounds each.
	Concurrency int
	Timeout     time.Duration
}

// Name implements Stage.
func (*Resolve) Name() takedown.Stage { return takedown.StageResolve }

// Run implements Stage.
func (s *Resolve) Run(ctx context.Context, now time.Time, batch []*Work) { run(ctx, s, now, batch) }

// Stream implements Streamer.
func (s *Resolve) Stream(ctx context.Context, now time.Time, batch []*Work, done func(*Work)) {
	each(batch, s.Concurrency, done, func(w *Work) {
		ctx, cancel := context.WithTimeout(ctx, s.Timeout)
		defer cancel()
		r, err := s.Resolver.Resolve(ctx, w.Case.Indicator)
		if err == nil {
			err = incomplete(w.Case, r)
		}
		if err != nil {
			w.Err = err
			return
		}
		w.Err = resolved(w, now, r)
	})
}

// lookAgain is how often a target is looked up again before a resolution that
// misses whoever holds the content is taken as it is.
const lookAgain = 3

// incomplete reports a resolution that names nobody who holds the content
// although something could not be learned: a time-out must not decide that the
// host is never told.
func incomplete(c *takedown.Case, r takedown.Resolution) error {
	if len(r.Gaps) == 0 || r.Absent || c.Attempts >= lookAgain {
		return nil
	}
	for _, p := range r.Parties {
		switch p.Role {
		case takedown.RoleHost, takedown.RoleISP, takedown.RoleCDN, takedown.RolePlatform:
			return nil
		}
	}
	g := r.Gaps[0]
	return takedown.Temporary(fmt.Errorf("nobody who holds the content was found: %s of %s: %s", g.Source, g.Query, g.Reason))
}

func resolved(w *Work, now time.Time, r takedown.Resolution) error {
	c := w.Case
	if err := c.Move(takedown.CaseResolved, ""); err != nil {
		return err
	}
	for i := range r.Parties {
		r.Parties[i].Key = takedown.CleanText(r.Parties[i].Key) // as the database will know it
	}
	w.Resolution = &r
	c.Parties, c.Absent = r.Parties, r.Absent
	parties := make([]map[string]any, len(r.Parties))
	for i, p := range r.Parties {
		entry := map[string]any{"role": p.Role, "key": p.Key, "name": takedown.CleanText(p.Name), "country": p.Country, "why": takedown.CleanText(p.Why)}
		if len(p.Contacts) > 0 {
			entry["contact"] = takedown.CleanText(p.Contacts[0].Address)
			entry["confidence"] = p.Contacts[0].Confidence
			entry["sources"] = p.Contacts[0].Sources
		}
		parties[i] = entry
	}
	gaps := make([]string, len(r.Gaps))
	for i, g := range r.Gaps {
		gaps[i] = takedown.CleanText(g.Source + " " + g.Server + " " + g.Query + ": " + g.Reason)
	}
	c.Record(now, takedown.EventResolved, "resolve", map[string]any{"parties": parties, "gaps": gaps, "findings": len(r.Findings), "absent": r.Absent})
	return nil
}
