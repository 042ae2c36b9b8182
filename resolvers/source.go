package resolvers

import (
	"context"
	"net/netip"
	"time"

	"desist/takedown"
)

// A Source learns facts about one subject from one kind of server. The subject
// is the address of the target's indicator if that has one, else the name.
//
// Find returns what it learned, with a Gap for each thing it failed to learn.
// It returns an error only when it learned nothing; the error's kind says
// whether another try may help. It must honour ctx and be safe for concurrent
// use. Package resolvertest checks these rules.
type Source interface {
	Name() string
	Find(ctx context.Context, t Target) ([]takedown.Finding, []takedown.Gap, error)
}

// A Target is what a source is asked about.
type Target struct {
	Indicator takedown.Indicator
	// Addresses are those known so far.
	Addresses []netip.Addr
	// Now is the time to stamp on findings.
	Now time.Time
}

func addressTarget(a netip.Addr, now time.Time) Target {
	kind := takedown.KindIPv4
	if a.Is6() {
		kind = takedown.KindIPv6
	}
	return Target{
		Indicator: takedown.Indicator{Kind: kind, Value: a.String(), Host: a.String()},
		Addresses: []netip.Addr{a},
		Now:       now,
	}
}

func domainTarget(domain string, now time.Time) Target {
	return Target{
		Indicator: takedown.Indicator{Kind: takedown.KindDomain, Value: domain, Host: domain, Registrable: domain},
		Now:       now,
	}
}
