package netguard

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"time"

	"desist/takedown"
)

// ErrTooLarge reports a response body beyond the cap.
var ErrTooLarge = errors.New("response body is larger than allowed")

// HTTPConfig bounds an HTTP client. Zero values mean the defaults.
type HTTPConfig struct {
	// Timeout bounds a whole exchange with redirects and body; 15 seconds.
	Timeout time.Duration
	// MaxBody caps a body in bytes, counted after decompression; 2 MiB.
	MaxBody int64
	// MaxRedirects is how many redirects are followed; 3, and none if negative.
	MaxRedirects int
	// AllowHTTP permits plain HTTP, at first and after a redirect.
	AllowHTTP bool
	// TLS is the client's TLS configuration, such as other roots.
	TLS *tls.Config
	// IdleConns is how many idle connections a host may keep; 4.
	IdleConns int
}

// HTTPClient returns a client whose every connection goes through the guard.
// It ignores proxies named by the environment: the guard could not check what
// they connect to. Close its idle connections when done.
func (g *Guard) HTTPClient(c HTTPConfig) *http.Client {
	if c.Timeout <= 0 {
		c.Timeout = 15 * time.Second
	}
	if c.MaxBody <= 0 {
		c.MaxBody = 2 << 20
	}
	if c.MaxRedirects == 0 {
		c.MaxRedirects = 3
	}
	if c.IdleConns <= 0 {
		c.IdleConns = 4
	}
	base := &http.Transport{
		DialContext:            g.DialContext,
		TLSClientConfig:        c.TLS,
		TLSHandshakeTimeout:    10 * time.Second,
		ResponseHeaderTimeout:  c.Timeout,
		MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConns:           64,
		MaxIdleConnsPerHost:    c.IdleConns,
		IdleConnTimeout:        30 * time.Second,
		ForceAttemptHTTP2:      true,
	}
	return &http.Client{
		Timeout:       c.Timeout,
		Transport:     &boundedTransport{base: base, maxBody: c.MaxBody, allowHTTP: c.AllowHTTP},
		CheckRedirect: redirectPolicy(c),
	}
}

// redirectPolicy refuses what a server must not be able to make us do: leave
// https, name an address instead of a host, or go round in circles. The address
// that a redirect leads to is checked again when it is dialled.
func redirectPolicy(c HTTPConfig) func(*http.Request, []*http.Request) error {
	return func(req *http.Request, via []*http.Request) error {
		switch {
		case len(via) > max(c.MaxRedirects, 0):
			return takedown.Denied(fmt.Errorf("redirect to %s is refused: more than %d redirects", req.URL.Redacted(), max(c.MaxRedirects, 0)))
		case req.URL.User != nil:
			return takedown.Denied(fmt.Errorf("redirect to %s is refused: it carries credentials", req.URL.Redacted()))
		}
		if _, err := netip.ParseAddr(req.URL.Hostname()); err == nil {
			return takedown.Denied(fmt.Errorf("redirect to %s is refused: it names an address", req.URL.Redacted()))
		}
		return nil
	}
}

type boundedTransport struct {
	base      *http.Transport
	maxBody   int64
	allowHTTP bool
}

func (t *boundedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if s := req.URL.Scheme; s != "https" && (s != "http" || !t.allowHTTP) {
		return nil, takedown.Denied(fmt.Errorf("request to %s is refused: scheme %q is not allowed", req.URL.Redacted(), s))
	}
	resp, err := t.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	// The transport has removed the compression by now, so that the cap holds
	// for what a compressed bomb would grow to.
	resp.Body = &boundedBody{ReadCloser: resp.Body, left: t.maxBody}
	return resp, nil
}

// CloseIdleConnections lets http.Client.CloseIdleConnections reach the pool.
func (t *boundedTransport) CloseIdleConnections() { t.base.CloseIdleConnections() }

type boundedBody struct {
	io.ReadCloser
	left int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, ErrTooLarge
	}
	// One byte more than is left tells a body of exactly the size from a
	// larger one.
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n - 1, ErrTooLarge
	}
	return n, err
}
