package resolvers

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"desist/resolvers/mailbox"
	"desist/takedown"
)

// Config wires a Resolver. Zero limits mean the defaults.
type Config struct {
	// Names are asked first, all at once, about the host of the indicator.
	Names []Source
	// Networks are asked, all at once, about each address.
	Networks []Source
	// Registrations are asked about the registrable domain in turn, until one
	// names the registrar and a contact that can be used.
	Registrations []Source

	// Rules turn findings into parties; see Rules.
	Rules Rules

	// MaxAddresses bounds how many networks of one target are looked up; 8.
	MaxAddresses int
	// Timeout bounds one query to one source; 20 seconds.
	Timeout time.Duration
	// MaxInFlight bounds the queries under way in all; 256.
	MaxInFlight int
	// CacheEntries bounds the answers kept in memory; 200,000.
	CacheEntries int
	// MaxTTL bounds how long an answer is kept; a day.
	MaxTTL time.Duration
	// CheckAddr refuses addresses that no network answers for, such as
	// private ones; nil refuses none.
	CheckAddr func(netip.Addr) error
	Now       func() time.Time
}

// A Resolver finds the parties for indicators. It is safe for concurrent use;
// Close it when done.
type Resolver struct {
	cfg     Config
	answers *answers
	cancel  context.CancelFunc

	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup
}

// New returns a Resolver.
func New(c Config) *Resolver {
	if c.MaxAddresses <= 0 {
		c.MaxAddresses = 8
	}
	if c.Timeout <= 0 {
		c.Timeout = 20 * time.Second
	}
	if c.MaxInFlight <= 0 {
		c.MaxInFlight = 256
	}
	if c.CacheEntries <= 0 {
		c.CacheEntries = 200_000
	}
	if c.MaxTTL <= 0 {
		c.MaxTTL = 24 * time.Hour
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	r := &Resolver{cfg: c}
	base, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	r.answers = &answers{
		base: base, timeout: c.Timeout, maxTTL: c.MaxTTL, now: c.Now,
		slots:   make(chan struct{}, c.MaxInFlight),
		cache:   newLRU[answerKey, []outcome](c.CacheEntries),
		started: r.start,
	}
	return r
}

// start counts a query under way, unless the resolver is closed.
func (r *Resolver) start() (done func(), ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, false
	}
	r.wg.Add(1)
	return r.wg.Done, true
}

// Close ends the queries under way and waits for them.
func (r *Resolver) Close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.cancel()
	r.wg.Wait()
}

// Resolve finds who can switch the indicator off. It returns an error, of kind
// temporary, only when nothing was learned and another try may help; the gaps of
// the resolution say more.
func (r *Resolver) Resolve(ctx context.Context, i takedown.Indicator) (takedown.Resolution, error) {
	if err := i.Kind.Validate(); err != nil || i.Host == "" {
		return takedown.Resolution{}, takedown.Permanent(errors.Join(fmt.Errorf("resolve %q: it is not a canonical indicator", i.Value), err))
	}
	c := &collection{}
	addrs := r.names(ctx, i, c)
	var wg sync.WaitGroup
	for _, a := range addrs {
		for _, s := range r.cfg.Networks {
			wg.Go(func() { c.add(s, a.String(), r.answers.network(ctx, s, a)) })
		}
	}
	// A shared platform's own registration is not the way to reach one of its
	// customers, and must never be.
	if i.Registrable != "" && i.Platform == "" {
		wg.Go(func() { r.registration(ctx, i.Registrable, c) })
	}
	wg.Wait()

	c.sort(r.cfg)
	res := takedown.Resolution{Findings: c.findings, Gaps: c.gaps}
	for _, f := range c.findings {
		if f.Fact == takedown.FactAbsent && f.Value == "nxdomain" && f.Subject == i.Host {
			res.Absent = true
		}
	}
	res.Parties = Merge(i, c.findings, r.cfg.Rules)
	if len(c.findings) == 0 && c.again != nil {
		return res, takedown.Temporary(fmt.Errorf("resolve %s: nothing could be learned: %w", i.Value, c.again))
	}
	if err := ctx.Err(); err != nil {
		return res, takedown.Temporary(fmt.Errorf("resolve %s: %w", i.Value, err))
	}
	return res, nil
}

// names runs the first phase, and returns the addresses whose networks to ask
// about.
func (r *Resolver) names(ctx context.Context, i takedown.Indicator, c *collection) []netip.Addr {
	var wg sync.WaitGroup
	t := Target{Indicator: i, Now: r.cfg.Now()}
	for _, s := range r.cfg.Names {
		wg.Go(func() { c.add(s, i.Host, r.answers.name(ctx, s, t)) })
	}
	wg.Wait()
	var candidates []netip.Addr
	if a, ok := i.Addr(); ok {
		candidates = append(candidates, a.Unmap())
	}
	c.sort(r.cfg)
	for _, f := range c.findings {
		if f.Fact == takedown.FactAddress && f.Subject == i.Host {
			if a, err := netip.ParseAddr(f.Value); err == nil && !slices.Contains(candidates, a.Unmap()) {
				candidates = append(candidates, a.Unmap())
			}
		}
	}
	var addrs []netip.Addr
	for _, a := range spread(candidates) {
		if r.cfg.CheckAddr != nil {
			if err := r.cfg.CheckAddr(a); err != nil {
				c.gap(takedown.Gap{Source: "resolve", Query: a.String(), Reason: err.Error()})
				continue
			}
		}
		if len(addrs) == r.cfg.MaxAddresses {
			c.gap(takedown.Gap{Source: "resolve", Query: i.Host, Reason: fmt.Sprintf("it has more than %d addresses; the others were not looked up", r.cfg.MaxAddresses)})
			break
		}
		addrs = append(addrs, a)
	}
	return addrs
}

// spread puts one address of each neighbourhood first, so that a round robin
// within one network does not crowd out the others.
func spread(addrs []netip.Addr) []netip.Addr {
	var first, rest []netip.Addr
	seen := make(map[netip.Prefix]bool)
	for _, a := range addrs {
		if bucket := bucketOf(a); seen[bucket] {
			rest = append(rest, a)
		} else {
			seen[bucket] = true
			first = append(first, a)
		}
	}
	return append(first, rest...)
}

func (r *Resolver) registration(ctx context.Context, domain string, c *collection) {
	for _, s := range r.cfg.Registrations {
		o := r.answers.name(ctx, s, domainTarget(domain, r.cfg.Now()))
		c.add(s, domain, o)
		if sufficient(o.findings) {
			return
		}
	}
}

// sufficient reports whether findings name a registrar and a contact of it that
// can be used.
func sufficient(findings []takedown.Finding) bool {
	var registrar, contact bool
	for _, f := range findings {
		switch f.Fact {
		case takedown.FactRegistrar:
			registrar = true
		case takedown.FactContact:
			contact = contact || confidenceOf(f) >= mailbox.Usable
		}
	}
	return registrar && contact
}
