package dns

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"desist/takedown"
	"desist/trackers"
)

// An Answer is what a resolver says of a name.
type Answer struct {
	// Exists is false for NXDOMAIN (RFC 8020: nothing exists below it either).
	Exists    bool
	Addresses []netip.Addr
	Aliases   []string // the CNAME chain, without trailing dots
}

// A Lookup resolves a name to its addresses. Client is one.
type Lookup interface {
	Lookup(ctx context.Context, name string) (Answer, error)
}

// A Vantage is a resolver with a name for the record.
type Vantage struct {
	Name   string
	Lookup Lookup
}

// Config is what a Probe needs. Only Vantages has no default.
type Config struct {
	// Vantages are asked at the same time; each gives one observation, so that
	// a filter at one of them does not look like a removal.
	Vantages []Vantage
	// Sinkholes are networks where seized names are pointed to.
	Sinkholes []netip.Prefix
	// SinkholeNames are names whose aliases (CNAME), and everything below them,
	// are sinkholes.
	SinkholeNames []string
	// Reserved says whether, and why, nobody on the internet is at an address;
	// nil counts only the unspecified address.
	Reserved func(netip.Addr) (string, bool)
	Now      func() time.Time
}

// A Probe observes the name layer. It is safe for concurrent use.
type Probe struct{ cfg Config }

// New returns a probe.
func New(cfg Config) (*Probe, error) {
	if len(cfg.Vantages) == 0 {
		return nil, errors.New("trackers/dns: no vantage is configured; give at least one resolver")
	}
	if cfg.Reserved == nil {
		cfg.Reserved = func(a netip.Addr) (string, bool) { return "unspecified address", a.IsUnspecified() }
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Probe{cfg: cfg}, nil
}

// Observe asks every vantage for the target's host. It has nothing to say of an
// address.
func (p *Probe) Observe(ctx context.Context, target trackers.Target) []takedown.Observation {
	if _, isAddr := target.Indicator.Addr(); isAddr {
		return nil
	}
	observations := make([]takedown.Observation, len(p.cfg.Vantages))
	var wg sync.WaitGroup
	for i, v := range p.cfg.Vantages {
		wg.Go(func() {
			_, observations[i] = p.look(ctx, v, target.Indicator.Host)
		})
	}
	wg.Wait()
	return observations
}

// Addresses returns the addresses of host that serve somebody, as the first
// vantage that can say sees them. An error of kind not_found says that the name
// is gone; any other leaves it open. The web probe resolves through this, so
// that a sinkhole's own page is never taken for the target.
func (p *Probe) Addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	var detail string
	for _, v := range p.cfg.Vantages {
		addresses, o := p.look(ctx, v, host)
		switch o.Verdict {
		case takedown.VerdictUp:
			return addresses, nil
		case takedown.VerdictGone:
			return nil, takedown.NotFound(fmt.Errorf("trackers/dns: %s: %s", host, o.Detail))
		}
		detail = o.Detail
	}
	return nil, takedown.Temporary(fmt.Errorf("trackers/dns: %s: %s", host, detail))
}

func (p *Probe) look(ctx context.Context, v Vantage, host string) ([]netip.Addr, takedown.Observation) {
	o := takedown.Observation{Probe: "dns", Profile: v.Name, Layer: takedown.LayerName, At: p.cfg.Now().UTC()}
	answer, err := v.Lookup.Lookup(ctx, host)
	for _, a := range answer.Addresses {
		o.Addresses = append(o.Addresses, a.String())
	}
	switch {
	case err != nil:
		o.Verdict, o.Detail = takedown.VerdictUnclear, "the name could not be looked up: "+oneLine(err)
		return nil, o
	case !answer.Exists:
		o.Verdict, o.Detail = takedown.VerdictGone, "the name, or the end of its chain of aliases, does not exist (NXDOMAIN)"
		return nil, o
	case len(answer.Addresses) == 0:
		o.Verdict, o.Detail = takedown.VerdictGone, "the name has no address"
		return nil, o
	}
	for _, alias := range answer.Aliases {
		if under(alias, p.cfg.SinkholeNames) {
			o.Verdict, o.Detail = takedown.VerdictGone, "the name is an alias of the sinkhole "+alias
			return nil, o
		}
	}
	serving := make([]netip.Addr, 0, len(answer.Addresses))
	var why string
	for _, a := range answer.Addresses {
		a = a.Unmap()
		if slices.ContainsFunc(p.cfg.Sinkholes, func(s netip.Prefix) bool { return s.Contains(a) }) {
			why = fmt.Sprintf("the name points at the sinkhole %s", a)
			continue
		}
		if reason, reserved := p.cfg.Reserved(a); reserved {
			why = fmt.Sprintf("the name points at %s, where nobody is (%s)", a, reason)
			continue
		}
		serving = append(serving, a)
	}
	if len(serving) == 0 {
		o.Verdict, o.Detail = takedown.VerdictGone, why
		return nil, o
	}
	o.Verdict, o.Detail = takedown.VerdictUp, "the name resolves to "+strings.Join(o.Addresses, ", ")
	return serving, o
}

// under reports whether name is one of the zones or below one.
func under(name string, zones []string) bool {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	for _, z := range zones {
		z = strings.ToLower(strings.Trim(z, "."))
		if name == z || strings.HasSuffix(name, "."+z) {
			return true
		}
	}
	return false
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
