package web

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"time"

	"desist/takedown"
	"desist/trackers"
)

// A Resolver gives the addresses of a host that serve somebody. An error of
// kind not_found says that the name is gone; any other leaves it open.
type Resolver interface {
	Addresses(ctx context.Context, host string) ([]netip.Addr, error)
}

// A Profile is how one kind of visitor presents itself.
type Profile struct {
	Name   string
	Header map[string]string
}

// Config is what a Probe needs. Resolver and DialContext have no default.
type Config struct {
	Resolver Resolver
	// DialContext opens every connection; it is the guard against addresses that
	// we must not touch. An error of kind denied means that nobody outside could
	// reach the address either.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// Profiles are tried in order until one is served; default Profiles().
	Profiles []Profile
	// HTTPPort and HTTPSPort stand for 80 and 443 where the target names no
	// port; laboratories have others.
	HTTPPort, HTTPSPort string
	// MaxBody is how much of a page is read, in bytes; default 512 KiB.
	MaxBody int64
	// ConnectTimeout bounds one connection, default 5 s; RequestTimeout one
	// request with its redirects, default 10 s.
	ConnectTimeout, RequestTimeout time.Duration
	Now                            func() time.Time
}

// Profiles returns the default profiles: a desktop browser, a telephone, and a
// plain client that says nothing about itself.
func Profiles() []Profile {
	const accept = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
	return []Profile{
		{"desktop", map[string]string{
			"User-Agent":                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
			"Accept":                    accept,
			"Accept-Language":           "en-US,en;q=0.9",
			"Upgrade-Insecure-Requests": "1",
			"Sec-Fetch-Dest":            "document",
			"Sec-Fetch-Mode":            "navigate",
			"Sec-Fetch-Site":            "none",
		}},
		{"mobile", map[string]string{
			"User-Agent":      "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
			"Accept":          "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
			"Accept-Language": "en-GB,en;q=0.9",
		}},
		{"plain", map[string]string{"User-Agent": "Mozilla/5.0", "Accept": "*/*"}},
	}
}

// A Probe observes a target over HTTP. It is safe for concurrent use and keeps
// neither connections nor cookies between rounds.
type Probe struct{ cfg Config }

// New returns a probe.
func New(cfg Config) (*Probe, error) {
	if cfg.Resolver == nil || cfg.DialContext == nil {
		return nil, errors.New("trackers/web: Resolver and DialContext must be given; the probe never uses the system's own")
	}
	if len(cfg.Profiles) == 0 {
		cfg.Profiles = Profiles()
	}
	if cfg.HTTPPort == "" {
		cfg.HTTPPort = "80"
	}
	if cfg.HTTPSPort == "" {
		cfg.HTTPSPort = "443"
	}
	if cfg.MaxBody <= 0 {
		cfg.MaxBody = 512 << 10
	}
	if cfg.ConnectTimeout <= 0 {
		cfg.ConnectTimeout = 5 * time.Second
	}
	if cfg.RequestTimeout <= 0 {
		cfg.RequestTimeout = 10 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Probe{cfg: cfg}, nil
}

// Observe tries the profiles in order and stops at the first that is served,
// which decides the round. A failure below HTTP does not depend on the profile,
// so it is observed once.
func (p *Probe) Observe(ctx context.Context, target trackers.Target) []takedown.Observation {
	links, err := p.links(target.Indicator)
	if err != nil {
		return []takedown.Observation{p.observation(result{
			verdict: takedown.VerdictUnclear, layer: takedown.LayerContent, detail: err.Error(),
		}, "")}
	}
	visit := p.newVisit(target)
	var observations []takedown.Observation
	for _, profile := range p.cfg.Profiles {
		best := visit.all(ctx, links, profile)
		if visit.stale && best.verdict == takedown.VerdictGone {
			best.verdict = takedown.VerdictUnclear
			best.detail = "the name could not be looked up, and at its last known addresses: " + best.detail
		}
		if best.belowHTTP {
			return append(observations, p.observation(best, "connect"))
		}
		observations = append(observations, p.observation(best, profile.Name))
		if best.verdict == takedown.VerdictUp || ctx.Err() != nil {
			break
		}
	}
	return observations
}

func (p *Probe) observation(r result, profile string) takedown.Observation {
	return takedown.Observation{
		Probe: "web", Profile: profile, Layer: r.layer, Verdict: r.verdict, Detail: r.detail,
		Status: r.status, Fingerprint: r.fingerprint, Addresses: r.addresses, At: p.cfg.Now().UTC(),
	}
}

// links are the addresses to fetch: the URL itself, or both schemes of a bare
// domain or address.
func (p *Probe) links(i takedown.Indicator) ([]*url.URL, error) {
	if i.Kind == takedown.KindURL {
		u, err := url.Parse(i.Value)
		if err != nil {
			return nil, err
		}
		if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			return nil, errors.New("the URL is not http or https, so this probe cannot fetch it")
		}
		u.User, u.Fragment = nil, "" // neither is part of what a visitor requests
		return []*url.URL{u}, nil
	}
	host := i.Host
	if a, ok := i.Addr(); ok && a.Is6() {
		host = "[" + host + "]"
	}
	return []*url.URL{
		{Scheme: "https", Host: host, Path: "/"},
		{Scheme: "http", Host: host, Path: "/"},
	}, nil
}
