package resolvers

import (
	"cmp"
	"slices"
	"sync"

	"desist/takedown"
)

// collection gathers the outcomes of concurrent queries.
type collection struct {
	mu       sync.Mutex
	findings []takedown.Finding
	gaps     []takedown.Gap
	again    error // the first failure that may pass
}

func (c *collection) add(s Source, query string, o outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.findings = append(c.findings, o.findings...)
	c.gaps = append(c.gaps, o.gapsOf(s.Name(), query)...)
	switch takedown.KindOf(o.err) {
	case takedown.KindTemporary, takedown.KindSnooze:
		if c.again == nil {
			c.again = o.err
		}
	}
}

func (c *collection) gap(g takedown.Gap) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gaps = append(c.gaps, g)
}

// sort puts findings and gaps in the order of the configured sources, and else
// of what they say, so that the same answers always make the same resolution.
func (c *collection) sort(cfg Config) {
	rank := make(map[string]int)
	for _, group := range [][]Source{cfg.Names, cfg.Networks, cfg.Registrations} {
		for _, s := range group {
			if _, ok := rank[s.Name()]; !ok {
				rank[s.Name()] = len(rank)
			}
		}
	}
	slices.SortStableFunc(c.findings, func(a, b takedown.Finding) int {
		return cmp.Or(cmp.Compare(rank[a.Source], rank[b.Source]), cmp.Compare(a.Fact, b.Fact), cmp.Compare(a.Subject, b.Subject))
	})
	slices.SortStableFunc(c.gaps, func(a, b takedown.Gap) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Query, b.Query), cmp.Compare(a.Reason, b.Reason))
	})
}
