package rdap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/openrdap/rdap/bootstrap"

	"desist/takedown"
)

// DefaultBootstrap is where IANA publishes the registries (RFC 9224 section 3).
const DefaultBootstrap = "https://data.iana.org/rdap/"

const (
	maxBootstrapFile = 8 << 20
	refreshAfter     = 24 * time.Hour
	retryAfter       = 5 * time.Minute
)

// Doer sends HTTP requests. It must refuse special addresses, bound the size
// and time of an exchange, and follow redirects with care; the client of package
// netguard does.
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

// BootstrapConfig says where the registries come from.
type BootstrapConfig struct {
	// Location is a folder or a URL that holds dns.json, ipv4.json and
	// ipv6.json; empty is DefaultBootstrap.
	Location string
	// CacheDir keeps the files fetched from a URL; empty keeps none.
	CacheDir string
	HTTP     Doer
	Now      func() time.Time
}

// A Bootstrap finds the servers for a query. The files are read at the first
// use and again after a day, in the background; the last good ones stay in use
// while that fails. It is safe for concurrent use.
type Bootstrap struct {
	cfg    BootstrapConfig
	folder string   // empty when base is set
	base   *url.URL // nil when folder is set

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup

	loading chan struct{} // held while loading
	mu      sync.Mutex
	current *registries
	err     error     // of the last attempt
	again   time.Time // no attempt before
}

// registries are immutable once parsed.
type registries struct {
	dns    *bootstrap.DNSRegistry
	v4, v6 *bootstrap.NetRegistry
}

// NewBootstrap returns a Bootstrap; it reads nothing yet. Close it when done.
func NewBootstrap(c BootstrapConfig) (*Bootstrap, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	b := &Bootstrap{cfg: c, loading: make(chan struct{}, 1)}
	location := c.Location
	if location == "" {
		location = DefaultBootstrap
	}
	if strings.Contains(location, "://") {
		base, err := url.Parse(location)
		if err != nil || base.Scheme != "https" && base.Scheme != "http" || base.Host == "" {
			return nil, fmt.Errorf("rdap: bootstrap %q is neither a folder nor an http URL", location)
		}
		b.base = base
	} else {
		b.folder = location
	}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	return b, nil
}

// Close ends a refresh in the background and waits for it.
func (b *Bootstrap) Close() {
	b.cancel()
	b.wg.Wait()
}

// Domain returns the base URLs of the servers for a domain. None known is an
// error of kind not_found.
func (b *Bootstrap) Domain(ctx context.Context, domain string) ([]*url.URL, error) {
	r, err := b.load(ctx)
	if err != nil {
		return nil, err
	}
	answer, err := r.dns.Lookup(&bootstrap.Question{RegistryType: bootstrap.DNS, Query: domain})
	return servers(domain, answer, err)
}

// Addr returns the base URLs of the servers for an address.
func (b *Bootstrap) Addr(ctx context.Context, a netip.Addr) ([]*url.URL, error) {
	r, err := b.load(ctx)
	if err != nil {
		return nil, err
	}
	registry, kind := r.v4, bootstrap.IPv4
	if a.Is6() {
		registry, kind = r.v6, bootstrap.IPv6
	}
	answer, err := registry.Lookup(&bootstrap.Question{RegistryType: kind, Query: a.String()})
	return servers(a.String(), answer, err)
}

// servers returns private copies, https first.
func servers(query string, answer *bootstrap.Answer, err error) ([]*url.URL, error) {
	if err != nil {
		return nil, takedown.Permanent(fmt.Errorf("rdap: bootstrap %s: %w", query, err))
	}
	if answer == nil || len(answer.URLs) == 0 {
		return nil, takedown.NotFound(fmt.Errorf("rdap: no server is registered for %s", query))
	}
	urls := make([]*url.URL, len(answer.URLs))
	for i, u := range answer.URLs {
		c := *u
		urls[i] = &c
	}
	slices.SortStableFunc(urls, func(a, b *url.URL) int { return -strings.Compare(a.Scheme, b.Scheme) })
	return urls, nil
}

// load returns the registries. Only the first caller, and whoever comes after a
// failure, waits for them.
func (b *Bootstrap) load(ctx context.Context) (*registries, error) {
	now := b.cfg.Now()
	current, due, err := b.state(now)
	if current != nil {
		if due {
			b.refresh()
		}
		return current, nil
	}
	if !due {
		return nil, err
	}
	select {
	case b.loading <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-b.loading }()
	if current, due, err = b.state(now); current != nil || !due {
		return current, err // somebody else was faster
	}
	return b.read(ctx)
}

// state returns the registries in use, whether an attempt to read them is due,
// and how the last one failed.
func (b *Bootstrap) state(now time.Time) (current *registries, due bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.current, !now.Before(b.again), b.err
}

// refresh reads again in the background, once at a time.
func (b *Bootstrap) refresh() {
	select {
	case b.loading <- struct{}{}:
	default:
		return
	}
	b.wg.Go(func() {
		defer func() { <-b.loading }()
		// A failure is kept in b.err; the registries in use stay.
		_, _ = b.read(b.ctx)
	})
}

// read fetches and parses all files. The caller holds b.loading.
func (b *Bootstrap) read(ctx context.Context) (*registries, error) {
	r := &registries{}
	var errs []error
	parse := func(name string, set func([]byte) error) {
		body, err := b.file(ctx, name)
		if err == nil {
			err = set(body)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	parse("dns.json", func(body []byte) (err error) { r.dns, err = bootstrap.NewDNSRegistry(body); return err })
	parse("ipv4.json", func(body []byte) (err error) { r.v4, err = bootstrap.NewNetRegistry(body, 4); return err })
	parse("ipv6.json", func(body []byte) (err error) { r.v6, err = bootstrap.NewNetRegistry(body, 6); return err })
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(errs) > 0 {
		if ctx.Err() != nil {
			return nil, ctx.Err() // the caller gave up; that says nothing about the files
		}
		b.err = takedown.Temporary(fmt.Errorf("rdap: the bootstrap registries cannot be read, set rdap.bootstrap to a folder or URL that has them: %w", errors.Join(errs...)))
		b.again = b.cfg.Now().Add(retryAfter)
		return nil, b.err
	}
	b.current, b.err, b.again = r, nil, b.cfg.Now().Add(refreshAfter)
	return r, nil
}

// file returns one registry: from the folder, or from the URL, or from the
// cache where the URL fails.
func (b *Bootstrap) file(ctx context.Context, name string) ([]byte, error) {
	if b.base == nil {
		return os.ReadFile(filepath.Join(b.folder, name))
	}
	body, err := b.fetch(ctx, name)
	if b.cfg.CacheDir == "" {
		return body, err
	}
	cached := filepath.Join(b.cfg.CacheDir, name)
	if err != nil {
		old, cacheErr := os.ReadFile(cached)
		if cacheErr != nil {
			return nil, errors.Join(err, cacheErr)
		}
		return old, nil
	}
	return body, b.store(cached, body)
}

// store replaces a cached file whole, so that a crash leaves the old or the new.
func (b *Bootstrap) store(path string, body []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", body, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func (b *Bootstrap) fetch(ctx context.Context, name string) ([]byte, error) {
	u := b.base.JoinPath(name)
	if b.cfg.HTTP == nil {
		return nil, fmt.Errorf("fetch %s: no HTTP client is configured", u)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := b.cfg.HTTP.Do(req)
	if err != nil {
		return nil, fmt.Errorf("fetch %s: %w", u, err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read from
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("fetch %s: the server answered %s", u, resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBootstrapFile+1))
	if err != nil {
		return nil, fmt.Errorf("fetch %s: %w", u, err)
	}
	if len(body) > maxBootstrapFile {
		return nil, fmt.Errorf("fetch %s: larger than %d bytes", u, maxBootstrapFile)
	}
	return body, nil
}
