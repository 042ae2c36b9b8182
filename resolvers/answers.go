package resolvers

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"

	"desist/takedown"
)

// A network answer is reused for other addresses of the network, but not beyond
// these prefix lengths: inside a large allocation, assignments to customers
// start at about this size, and each has its own abuse desk.
const (
	bucketBits4 = 24
	bucketBits6 = 48
)

// How long an outcome without findings is remembered, by what it was.
const (
	keepNotFound  = time.Hour
	keepPermanent = 10 * time.Minute
	keepTemporary = 30 * time.Second
	minKeep       = 5 * time.Second
)

// An outcome is what one source said about one subject.
type outcome struct {
	findings []takedown.Finding
	gaps     []takedown.Gap
	err      error
	// covers is the prefix that a network answer holds for.
	covers  netip.Prefix
	subject string
	expires time.Time
}

type answerKey struct {
	source, subject string
}

// answers asks sources, remembers what they said, and lets concurrent questions
// share one query.
type answers struct {
	// base ends when the resolver is closed. Shared queries run under it
	// instead of under the first caller's context, whose end must not fail the
	// others.
	base    context.Context
	timeout time.Duration
	maxTTL  time.Duration
	now     func() time.Time
	slots   chan struct{} // bounds queries in flight
	group   singleflight.Group
	cache   *lru[answerKey, []outcome]
	started func() (done func(), ok bool)
}

// name asks about a name and remembers the answer under it.
func (a *answers) name(ctx context.Context, s Source, t Target) outcome {
	key := answerKey{s.Name(), t.Indicator.Host}
	if found, ok := a.cache.get(key, a.now()); ok {
		return found[0]
	}
	return a.shared(ctx, key.source+" "+key.subject, func(ctx context.Context) outcome {
		if found, ok := a.cache.get(key, a.now()); ok {
			return found[0]
		}
		o := a.find(ctx, s, t)
		if !o.expires.IsZero() {
			a.cache.put(key, []outcome{o}, o.expires)
		}
		return o
	})
}

// network asks about an address; an answer for its network will do.
func (a *answers) network(ctx context.Context, s Source, addr netip.Addr) outcome {
	bucket := bucketOf(addr)
	key := answerKey{s.Name(), bucket.String()}
	if o, ok := a.known(key, addr); ok {
		return o.forAddr(addr)
	}
	ask := func(ctx context.Context) outcome {
		if o, ok := a.known(key, addr); ok {
			return o
		}
		o := a.find(ctx, s, addressTarget(addr, a.now()))
		o.covers = coverage(o, addr, bucket)
		a.remember(key, o)
		return o
	}
	o := a.shared(ctx, key.source+" "+key.subject, ask)
	if !o.covers.Contains(addr) {
		// The query that was under way was about a smaller neighbour.
		o = a.shared(ctx, key.source+" "+addr.String(), ask)
	}
	return o.forAddr(addr)
}

func (a *answers) known(key answerKey, addr netip.Addr) (best outcome, ok bool) {
	now := a.now()
	found, _ := a.cache.get(key, now)
	for _, o := range found {
		if o.covers.Contains(addr) && now.Before(o.expires) && (!ok || o.covers.Bits() > best.covers.Bits()) {
			best, ok = o, true
		}
	}
	return best, ok
}

// remember adds o to its bucket, in place of what expired or it replaces. The
// slice is copied because readers hold the old one.
func (a *answers) remember(key answerKey, o outcome) {
	if o.expires.IsZero() {
		return
	}
	now := a.now()
	old, _ := a.cache.get(key, now)
	kept := make([]outcome, 0, len(old)+1)
	latest := o.expires
	for _, other := range old {
		if now.Before(other.expires) && other.covers != o.covers {
			kept = append(kept, other)
			if other.expires.After(latest) {
				latest = other.expires
			}
		}
	}
	a.cache.put(key, append(kept, o), latest)
}

// shared runs ask once for all concurrent callers with the same key.
func (a *answers) shared(ctx context.Context, key string, ask func(context.Context) outcome) outcome {
	results := a.group.DoChan(key, func() (any, error) {
		done, ok := a.started()
		if !ok {
			return outcome{err: takedown.Temporary(errors.New("the resolver is closed"))}, nil
		}
		defer done()
		ctx, cancel := context.WithTimeout(a.base, a.timeout)
		defer cancel()
		return ask(ctx), nil
	})
	select {
	case r := <-results:
		return r.Val.(outcome)
	case <-ctx.Done():
		return outcome{err: takedown.Temporary(ctx.Err())}
	}
}

// find asks the source and works out how long the outcome may be kept.
func (a *answers) find(ctx context.Context, s Source, t Target) outcome {
	select {
	case a.slots <- struct{}{}:
		defer func() { <-a.slots }()
	case <-ctx.Done():
		return outcome{err: takedown.Temporary(ctx.Err())}
	}
	o := outcome{subject: t.Indicator.Host}
	o.findings, o.gaps, o.err = s.Find(ctx, t)
	now := a.now()
	switch {
	case o.err != nil && ctx.Err() != nil && a.base.Err() != nil:
		// Stopped by us: says nothing about the source.
	case o.err != nil || len(o.gaps) > 0 && len(o.findings) == 0:
		o.expires = now.Add(keepFailure(o.err))
	case len(o.gaps) > 0:
		o.expires = now.Add(keepTemporary) // incomplete; try again soon
	default:
		o.expires = now.Add(min(ttl(o.findings), a.maxTTL))
	}
	return o
}

func keepFailure(err error) time.Duration {
	switch takedown.KindOf(err) {
	case takedown.KindNotFound:
		return keepNotFound
	case takedown.KindPermanent, takedown.KindDenied:
		return keepPermanent
	case takedown.KindSnooze:
		return min(max(takedown.RetryAfter(err), minKeep), keepPermanent)
	}
	return keepTemporary
}

// ttl is the shortest of the findings', not under minKeep: a TTL of zero must
// not turn a batch of cases into a flood of the same question.
func ttl(findings []takedown.Finding) time.Duration {
	if len(findings) == 0 {
		return keepNotFound
	}
	shortest := findings[0].TTL
	for _, f := range findings[1:] {
		shortest = min(shortest, f.TTL)
	}
	return max(shortest, minKeep)
}

func bucketOf(a netip.Addr) netip.Prefix {
	bits := bucketBits6
	if a.Is4() {
		bits = bucketBits4
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.PrefixFrom(a, a.BitLen()) // an address with a zone
	}
	return p
}

// coverage is the prefix for which an outcome holds: the smallest that the
// source named, within the bucket; the bucket for a failure of the server, which
// the neighbours would meet too; only the address when no prefix was named.
func coverage(o outcome, addr netip.Addr, bucket netip.Prefix) netip.Prefix {
	if kind := takedown.KindOf(o.err); kind == takedown.KindTemporary || kind == takedown.KindSnooze {
		return bucket
	}
	best := netip.Prefix{}
	for _, f := range o.findings {
		if p, err := netip.ParsePrefix(f.Attrs["cidr"]); err == nil && p.Contains(addr) && p.Bits() > best.Bits() {
			best = p.Masked()
		}
	}
	switch {
	case !best.IsValid():
		return netip.PrefixFrom(addr, addr.BitLen())
	case best.Bits() < bucket.Bits():
		return bucket
	}
	return best
}

// forAddr restates findings about the address that was asked as findings about
// its neighbour addr.
func (o outcome) forAddr(addr netip.Addr) outcome {
	subject := addr.String()
	if o.subject == "" || o.subject == subject {
		return o
	}
	restated := make([]takedown.Finding, len(o.findings))
	for i, f := range o.findings {
		if f.Subject == o.subject {
			f.Subject = subject
		}
		restated[i] = f
	}
	o.findings = restated
	return o
}

// gapsOf returns what an outcome leaves unanswered, its error included.
func (o outcome) gapsOf(source, query string) []takedown.Gap {
	if o.err == nil {
		return o.gaps
	}
	reason := takedown.CleanText(strings.ReplaceAll(o.err.Error(), "\n", "; "))
	return append(o.gaps[:len(o.gaps):len(o.gaps)], takedown.Gap{Source: source, Query: query, Reason: reason})
}
