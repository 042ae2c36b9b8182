package web

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"syscall"

	"desist/takedown"
	"desist/trackers"
)

const (
	maxRedirects = 3
	maxAddresses = 4 // tried of one host
)

// A result is what one request, or the best of several, showed.
type result struct {
	verdict     takedown.Verdict
	layer       takedown.Layer
	detail      string
	status      int
	fingerprint string
	addresses   []string
	// belowHTTP is true when no request could be sent, so that every profile
	// would see the same.
	belowHTTP bool
	// noTLS is true when the server talks no TLS for this host: nobody can be
	// served a page that way.
	noTLS bool
}

// A visit is one round's look at one target: it resolves each host once and
// leaves nothing behind.
type visit struct {
	probe     *Probe
	target    trackers.Target
	isAddress bool // the indicator is an address, not a page at one
	resolved  map[string]resolution
	// stale is true when the target's last known addresses stand in for a name
	// that could not be looked up. They can show that it is up, never that it is
	// gone.
	stale bool
}

type resolution struct {
	addresses []netip.Addr
	err       error
}

func (p *Probe) newVisit(target trackers.Target) *visit {
	_, isAddress := target.Indicator.Addr()
	return &visit{
		probe: p, target: target, resolved: map[string]resolution{},
		isAddress: isAddress && target.Indicator.Kind != takedown.KindURL,
	}
}

// all fetches every link with one profile and returns what they add up to: up
// wins, then unclear, then gone at the deepest layer.
func (v *visit) all(ctx context.Context, links []*url.URL, profile Profile) result {
	var best result
	for i, link := range links {
		r := v.fetch(ctx, link, profile)
		if r.verdict == takedown.VerdictUp {
			return r
		}
		if i == 0 {
			best = r
			continue
		}
		belowHTTP := best.belowHTTP && r.belowHTTP
		switch {
		case best.noTLS && !r.belowHTTP:
			best = r // nobody is served over TLS, so plain HTTP decides
		case best.verdict == r.verdict:
			if deeper(r.layer, best.layer) {
				best = r
			}
		case r.verdict == takedown.VerdictUnclear:
			best = r
		}
		best.belowHTTP = belowHTTP
	}
	return best
}

func deeper(a, b takedown.Layer) bool {
	rank := map[takedown.Layer]int{takedown.LayerHost: 1, takedown.LayerContent: 2}
	return rank[a] > rank[b]
}

// fetch requests one link and follows at most three redirects, by the same
// dialer.
func (v *visit) fetch(ctx context.Context, link *url.URL, profile Profile) result {
	ctx, cancel := context.WithTimeout(ctx, v.probe.cfg.RequestTimeout)
	defer cancel()
	moved := ""
	for hop := 0; ; hop++ {
		r, next := v.request(ctx, link, profile, moved)
		if next == nil {
			return r
		}
		if hop == maxRedirects {
			r.verdict, r.layer = takedown.VerdictUnclear, takedown.LayerContent
			r.detail = fmt.Sprintf("redirects more than %d times", maxRedirects)
			return r
		}
		if !strings.EqualFold(next.Hostname(), v.target.Indicator.Host) {
			moved = next.Hostname()
		}
		link = next
	}
}

// request makes one request. next is where it redirects to, or nil.
func (v *visit) request(ctx context.Context, link *url.URL, profile Profile, moved string) (r result, next *url.URL) {
	defer func() {
		r.addresses = v.addresses()
		if moved != "" && next == nil {
			// Whatever is wrong with the second host, the first one answered.
			r.belowHTTP, r.noTLS, r.layer = false, false, takedown.LayerContent
			r.detail = "redirects to " + moved + ": " + r.detail
		}
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, link.String(), nil)
	if err != nil {
		return result{verdict: takedown.VerdictUnclear, layer: takedown.LayerContent, detail: "cannot be requested: " + err.Error()}, nil
	}
	for name, value := range profile.Header {
		req.Header.Set(name, value)
	}
	// The connection is made here and not by the transport, whose dial may
	// outlive the request, and so that a failure to connect is never mistaken
	// for a failure to answer.
	conn, err := v.dial(ctx, link)
	if err != nil {
		return v.unconnected(err), nil
	}
	defer func() { _ = conn.Close() }()
	resp, err := v.transport(conn).RoundTrip(req)
	if err != nil {
		return v.unanswered(err), nil
	}
	defer func() { _ = resp.Body.Close() }()
	if to := redirect(resp, link); to != nil {
		return result{status: resp.StatusCode}, to
	}
	body, readErr := io.ReadAll(io.LimitReader(resp.Body, v.probe.cfg.MaxBody))
	return v.judge(resp, body, readErr, moved), nil
}

// transport speaks HTTP/1.1 over one connection, once.
func (v *visit) transport(conn net.Conn) *http.Transport {
	return &http.Transport{
		DialContext:            func(context.Context, string, string) (net.Conn, error) { return conn, nil },
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: 64 << 10,
		// See the package comment: an invalid certificate does not make a page go
		// away, and we send no secrets.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10}, //nolint:gosec // observation only
	}
}

// redirect returns where the response sends the client, or nil when it is not
// a redirect that can be followed.
func redirect(resp *http.Response, from *url.URL) *url.URL {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil
	}
	to, err := from.Parse(resp.Header.Get("Location"))
	if err != nil || resp.Header.Get("Location") == "" || (to.Scheme != "http" && to.Scheme != "https") || to.Host == "" {
		return nil
	}
	to.User, to.Fragment = nil, ""
	return to
}

// judge turns a response into a result.
func (v *visit) judge(resp *http.Response, body []byte, readErr error, moved string) result {
	page := Analyse(resp.Header.Get("Content-Type"), body)
	challenged := resp.Header.Get("Cf-Mitigated") == "challenge"
	r := result{layer: takedown.LayerContent, status: resp.StatusCode, fingerprint: page.Fingerprint}
	r.verdict, r.detail = page.verdict(resp.StatusCode, v.target.Baseline, challenged)
	switch {
	case v.isAddress && r.verdict != takedown.VerdictUp && !page.Suspended:
		// A control server answers strangers with anything. What counts for an
		// address is that somebody answers at all.
		r.verdict, r.layer = takedown.VerdictUp, takedown.LayerHost
		r.detail = fmt.Sprintf("answers HTTP with status %d", resp.StatusCode)
	case readErr != nil && len(bytes.TrimSpace(body)) == 0 && r.verdict != takedown.VerdictUp:
		r.verdict, r.detail = takedown.VerdictUnclear, "the page broke off: "+readErr.Error()
	case moved != "" && r.verdict == takedown.VerdictGone && page.Default:
		r.verdict = takedown.VerdictUnclear
	}
	return r
}

// connectError marks a failure before the first byte of a connection.
type connectError struct {
	err     error
	refused bool // every address refused, or has no host behind it
	denied  bool // the guard refused every address
	name    bool // the name is gone
}

func (e *connectError) Error() string { return e.err.Error() }
func (e *connectError) Unwrap() error { return e.err }

// unconnected sorts a failure to connect.
func (v *visit) unconnected(err error) result {
	r := result{verdict: takedown.VerdictUnclear, layer: takedown.LayerHost, belowHTTP: true, detail: "no connection: " + plain(err)}
	var connect *connectError
	if !errors.As(err, &connect) {
		return r
	}
	switch {
	case connect.name:
		r.verdict, r.layer, r.detail = takedown.VerdictGone, takedown.LayerName, plain(connect)
	case connect.denied:
		r.verdict, r.layer = takedown.VerdictGone, takedown.LayerName
		r.detail = "the name points where nobody outside can reach it: " + plain(connect)
	case connect.refused:
		r.verdict = takedown.VerdictGone
	}
	return r
}

// unanswered sorts a failure after the connection stood.
func (v *visit) unanswered(err error) result {
	r := result{verdict: takedown.VerdictUnclear, layer: takedown.LayerContent, detail: "no answer: " + plain(err)}
	var record tls.RecordHeaderError
	var op *net.OpError
	switch {
	case v.isAddress:
		// Somebody is there, whatever language it speaks.
		r.verdict, r.layer, r.detail = takedown.VerdictUp, takedown.LayerHost, "accepts connections, but gives no HTTP answer: "+plain(err)
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch), errors.As(err, &op) && op.Op == "remote error":
		r.noTLS, r.detail = true, "no TLS for this host: "+plain(err)
	}
	return r
}

// dial connects to the host of a link, at the addresses that the resolver
// gives.
func (v *visit) dial(ctx context.Context, link *url.URL) (net.Conn, error) {
	port := link.Port()
	switch {
	case port == "" && link.Scheme == "https", port == "443":
		port = v.probe.cfg.HTTPSPort
	case port == "", port == "80":
		port = v.probe.cfg.HTTPPort
	}
	addresses, err := v.resolve(ctx, link.Hostname())
	if err != nil {
		return nil, &connectError{err: err, name: takedown.KindOf(err) == takedown.KindNotFound}
	}
	failed := &connectError{refused: true, denied: true}
	var errs []error
	for _, a := range addresses[:min(len(addresses), maxAddresses)] {
		conn, err := v.connect(ctx, "tcp", net.JoinHostPort(a.String(), port))
		if err == nil {
			return conn, nil
		}
		if errors.Is(err, syscall.ENETUNREACH) {
			continue // we have no route of that family; other addresses decide
		}
		errs = append(errs, err)
		denied := takedown.KindOf(err) == takedown.KindDenied
		failed.denied = failed.denied && denied
		failed.refused = failed.refused && (denied || gone(err))
	}
	if failed.err = errors.Join(errs...); failed.err == nil {
		failed.err = errors.New("we have no route to any of its addresses")
		failed.refused, failed.denied = false, false
	}
	return nil, failed
}

func (v *visit) connect(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, v.probe.cfg.ConnectTimeout)
	defer cancel()
	return v.probe.cfg.DialContext(ctx, network, address)
}

// gone reports whether err says that nobody is there. ENETUNREACH is not among
// them: it is our own routing table that speaks.
func gone(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EHOSTUNREACH)
}

func (v *visit) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	if known, ok := v.resolved[host]; ok {
		return known.addresses, known.err
	}
	addresses, err := v.probe.cfg.Resolver.Addresses(ctx, host)
	if err == nil && len(addresses) == 0 {
		err = takedown.NotFound(fmt.Errorf("trackers/web: %s has no address", host))
	}
	if err != nil && takedown.KindOf(err) != takedown.KindNotFound && host == v.target.Indicator.Host {
		if last := parse(v.target.Addresses); len(last) > 0 {
			addresses, err, v.stale = last, nil, true
		}
	}
	v.resolved[host] = resolution{addresses, err}
	return addresses, err
}

func parse(list []string) []netip.Addr {
	var addresses []netip.Addr
	for _, s := range list {
		if a, err := netip.ParseAddr(s); err == nil {
			addresses = append(addresses, a)
		}
	}
	return addresses
}

// addresses lists what the target's own host resolved to.
func (v *visit) addresses() []string {
	known := v.resolved[v.target.Indicator.Host].addresses
	if a, ok := v.target.Indicator.Addr(); ok {
		known = []netip.Addr{a}
	}
	list := make([]string, len(known))
	for i, a := range known {
		list[i] = a.String()
	}
	return list
}

// plain puts an error on one line and names a time-out as such.
func plain(err error) string {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		return "timed out"
	}
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}
