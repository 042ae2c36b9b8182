package web_test

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"desist/takedown"
	"desist/trackers"
	"desist/trackers/web"
)

var _ trackers.Probe = (*web.Probe)(nil)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hosts is a resolver of a few names.
type hosts map[string][]netip.Addr

func (h hosts) Addresses(_ context.Context, host string) ([]netip.Addr, error) {
	if a, ok := h[host]; ok {
		return a, nil
	}
	return nil, takedown.NotFound(fmt.Errorf("%s does not exist", host))
}

var loopback = []netip.Addr{netip.MustParseAddr("127.0.0.1")}

const closedPort = "1" // nothing listens there on loopback

func port(s *httptest.Server) string {
	_, p, _ := net.SplitHostPort(s.Listener.Addr().String())
	return p
}

func domain(host string) takedown.Indicator {
	return takedown.Indicator{Kind: takedown.KindDomain, Value: host, Host: host}
}

func link(t *testing.T, value string) takedown.Indicator {
	t.Helper()
	u, err := url.Parse(value)
	if err != nil {
		t.Fatal(err)
	}
	return takedown.Indicator{Kind: takedown.KindURL, Value: value, Host: u.Hostname()}
}

func newProbe(t *testing.T, cfg web.Config) *web.Probe {
	t.Helper()
	if cfg.Resolver == nil {
		cfg.Resolver = hosts{"bad.example": loopback, "other.example": loopback}
	}
	if cfg.DialContext == nil {
		cfg.DialContext = new(net.Dialer).DialContext
	}
	if cfg.HTTPPort == "" {
		cfg.HTTPPort = closedPort
	}
	if cfg.HTTPSPort == "" {
		cfg.HTTPSPort = closedPort
	}
	p, err := web.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// verdict is what a whole round makes of the probe's observations.
func verdict(t *testing.T, p *web.Probe, target trackers.Target) (takedown.Verdict, takedown.Layer, []takedown.Observation) {
	t.Helper()
	seen := p.Observe(t.Context(), target)
	if len(seen) == 0 {
		t.Fatal("nothing was observed")
	}
	v, l, _ := trackers.Decide(seen)
	return v, l, seen
}

func expect(t *testing.T, p *web.Probe, target trackers.Target, wantVerdict takedown.Verdict, wantLayer takedown.Layer) []takedown.Observation {
	t.Helper()
	v, l, seen := verdict(t, p, target)
	if v != wantVerdict || l != wantLayer {
		t.Errorf("%s at %s, want %s at %s; seen: %+v", v, l, wantVerdict, wantLayer, seen)
	}
	return seen
}

func serveHTTP(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return port(s)
}

func TestUpStopsAtTheFirstProfile(t *testing.T) {
	var requests atomic.Int32
	p := newProbe(t, web.Config{HTTPPort: serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if r.Host != "bad.example" || r.Header.Get("Cookie") != "" || !strings.Contains(r.Header.Get("User-Agent"), "Windows") {
			t.Errorf("request %s %v", r.Host, r.Header)
		}
		http.SetCookie(w, &http.Cookie{Name: "id", Value: "1"})
		fmt.Fprint(w, "<title>Sign in</title><form><input type=password></form>")
	})})
	seen := expect(t, p, trackers.Target{Indicator: domain("bad.example")}, takedown.VerdictUp, takedown.LayerContent)
	if len(seen) != 1 || seen[0].Fingerprint == "" || seen[0].Status != 200 || len(seen[0].Addresses) != 1 || seen[0].Profile != "desktop" {
		t.Errorf("observed %+v", seen)
	}
	if n := requests.Load(); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

func TestGoneNeedsEveryProfile(t *testing.T) {
	p := newProbe(t, web.Config{HTTPPort: serveHTTP(t, http.NotFound)})
	seen := expect(t, p, trackers.Target{Indicator: link(t, "http://bad.example/login/")}, takedown.VerdictGone, takedown.LayerContent)
	if len(seen) != 3 {
		t.Errorf("%d profiles were tried, want 3", len(seen))
	}
}

func TestCloaking(t *testing.T) {
	p := newProbe(t, web.Config{HTTPPort: serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("User-Agent"), "iPhone") {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, "<title>Sign in</title><form><input type=password></form>")
	})})
	seen := expect(t, p, trackers.Target{Indicator: link(t, "http://bad.example/")}, takedown.VerdictUp, takedown.LayerContent)
	if got := seen[len(seen)-1].Profile; got != "mobile" {
		t.Errorf("the profile that was served is %q, want mobile", got)
	}
}

func TestBaseline(t *testing.T) {
	body := atomic.Pointer[string]{}
	first := "<title>Sign in</title><form action=/a1><input type=password></form>"
	body.Store(&first)
	p := newProbe(t, web.Config{HTTPPort: serveHTTP(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, *body.Load()) })})
	target := trackers.Target{Indicator: domain("bad.example")}
	target.Baseline = expect(t, p, target, takedown.VerdictUp, takedown.LayerContent)[0].Fingerprint

	again := "<title>Sign in</title><form action=/a2><input type=password></form>"
	body.Store(&again)
	expect(t, p, target, takedown.VerdictUp, takedown.LayerContent)
	suspended := "<title>Account Suspended</title><h1>This account has been suspended.</h1>"
	body.Store(&suspended)
	expect(t, p, target, takedown.VerdictGone, takedown.LayerContent)
}

func TestHTTPSWithAnyCertificate(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil || r.TLS.ServerName != "bad.example" {
			t.Errorf("server name %+v", r.TLS)
		}
		fmt.Fprint(w, "<title>Sign in</title><p>hello</p>")
	}))
	t.Cleanup(s.Close)
	p := newProbe(t, web.Config{HTTPSPort: port(s)})
	expect(t, p, trackers.Target{Indicator: domain("bad.example")}, takedown.VerdictUp, takedown.LayerContent)
	expect(t, p, trackers.Target{Indicator: link(t, "https://bad.example/x")}, takedown.VerdictUp, takedown.LayerContent)
}

// A server that talks no TLS for the name leaves the decision to plain HTTP,
// but not when the indicator itself is an https URL.
func TestNoTLSForTheHost(t *testing.T) {
	plain := serveHTTP(t, http.NotFound)
	alerting := httptest.NewUnstartedServer(http.NotFoundHandler())
	alerting.Config.ErrorLog = nil
	alerting.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return nil, errors.New("no such host here") }}
	alerting.StartTLS()
	t.Cleanup(alerting.Close)
	for name, tlsPort := range map[string]string{"plain HTTP on 443": plain, "handshake refused": port(alerting)} {
		t.Run(name, func(t *testing.T) {
			p := newProbe(t, web.Config{HTTPPort: plain, HTTPSPort: tlsPort})
			expect(t, p, trackers.Target{Indicator: domain("bad.example")}, takedown.VerdictGone, takedown.LayerContent)
			expect(t, p, trackers.Target{Indicator: link(t, "https://bad.example/")}, takedown.VerdictUnclear, takedown.LayerContent)
			// A server that only refuses handshakes is there all the same.
			p = newProbe(t, web.Config{HTTPSPort: tlsPort})
			expect(t, p, trackers.Target{Indicator: domain("bad.example")}, takedown.VerdictUnclear, takedown.LayerContent)
		})
	}
}

func TestHostLayer(t *testing.T) {
	dial := func(err error) func(context.Context, string, string) (net.Conn, error) {
		return func(_ context.Context, network, _ string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Net: network, Err: err}
		}
	}
	for name, tt := range map[string]struct {
		dial    func(context.Context, string, string) (net.Conn, error)
		verdict takedown.Verdict
		layer   takedown.Layer
	}{
		"refused":          {dial(syscall.ECONNREFUSED), takedown.VerdictGone, takedown.LayerHost},
		"no route to host": {dial(syscall.EHOSTUNREACH), takedown.VerdictGone, takedown.LayerHost},
		"no route of ours": {dial(syscall.ENETUNREACH), takedown.VerdictUnclear, takedown.LayerHost},
		"time-out":         {dial(context.DeadlineExceeded), takedown.VerdictUnclear, takedown.LayerHost},
		"guard": {func(context.Context, string, string) (net.Conn, error) {
			return nil, takedown.Denied(errors.New("loopback"))
		}, takedown.VerdictGone, takedown.LayerName},
		"something unforeseen": {dial(errors.New("odd")), takedown.VerdictUnclear, takedown.LayerHost},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProbe(t, web.Config{DialContext: tt.dial})
			seen := expect(t, p, trackers.Target{Indicator: domain("bad.example")}, tt.verdict, tt.layer)
			if len(seen) != 1 {
				t.Errorf("%d observations below HTTP, want 1", len(seen))
			}
		})
	}
}

// One port refused and the other silent is not agreement.
func TestOnePortRefusedOneSilent(t *testing.T) {
	p := newProbe(t, web.Config{HTTPSPort: "443", HTTPPort: "80", DialContext: func(_ context.Context, _, address string) (net.Conn, error) {
		if strings.HasSuffix(address, ":443") {
			return nil, syscall.ECONNREFUSED
		}
		return nil, context.DeadlineExceeded
	}})
	expect(t, p, trackers.Target{Indicator: domain("bad.example")}, takedown.VerdictUnclear, takedown.LayerHost)
}

// Without a route for IPv6 of our own, the IPv4 address decides.
func TestAddressFamilies(t *testing.T) {
	p := newProbe(t, web.Config{
		Resolver: hosts{"bad.example": {netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("192.0.2.1")}},
		DialContext: func(_ context.Context, _, address string) (net.Conn, error) {
			if strings.HasPrefix(address, "[") {
				return nil, syscall.ENETUNREACH
			}
			return nil, syscall.ECONNREFUSED
		},
	})
	expect(t, p, trackers.Target{Indicator: domain("bad.example")}, takedown.VerdictGone, takedown.LayerHost)
}

type failing struct{ err error }

func (f failing) Addresses(context.Context, string) ([]netip.Addr, error) { return nil, f.err }

func TestNameLayer(t *testing.T) {
	p := newProbe(t, web.Config{Resolver: hosts{}})
	expect(t, p, trackers.Target{Indicator: domain("bad.example")}, takedown.VerdictGone, takedown.LayerName)
	p = newProbe(t, web.Config{Resolver: failing{errors.New("timeout")}})
	expect(t, p, trackers.Target{Indicator: domain("bad.example")}, takedown.VerdictUnclear, takedown.LayerHost)
}

// The last known addresses can show that the target is up, never that it is
// gone.
func TestLastKnownAddresses(t *testing.T) {
	broken := failing{errors.New("timeout")}
	target := trackers.Target{Indicator: domain("bad.example"), Addresses: []string{"127.0.0.1", "odd"}}
	up := serveHTTP(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<title>Sign in</title><p>hello</p>") })
	expect(t, newProbe(t, web.Config{Resolver: broken, HTTPPort: up}), target, takedown.VerdictUp, takedown.LayerContent)
	expect(t, newProbe(t, web.Config{Resolver: broken}), target, takedown.VerdictUnclear, takedown.LayerHost)
	expect(t, newProbe(t, web.Config{Resolver: hosts{}}), target, takedown.VerdictGone, takedown.LayerName)
}

func TestRedirects(t *testing.T) {
	var port string
	var crossed atomic.Bool
	h := func(w http.ResponseWriter, r *http.Request) {
		switch r.Host + r.URL.Path {
		case "bad.example/once":
			http.Redirect(w, r, "/page", http.StatusFound)
		case "bad.example/page":
			fmt.Fprint(w, "<title>Sign in</title><p>hello</p>")
		case "bad.example/loop":
			http.Redirect(w, r, "/loop", http.StatusMovedPermanently)
		case "bad.example/away":
			http.Redirect(w, r, "http://other.example/suspended", http.StatusFound)
		case "bad.example/dead":
			http.Redirect(w, r, "http://absent.example/", http.StatusFound)
		case "bad.example/script":
			w.Header().Set("Location", "javascript:alert(1)")
			w.WriteHeader(http.StatusFound)
		case "other.example/suspended":
			crossed.Store(true)
			fmt.Fprint(w, "<title>Account Suspended</title><p>This account has been suspended.</p>")
		default:
			t.Errorf("unexpected request %s%s", r.Host, r.URL.Path)
		}
	}
	port = serveHTTP(t, h)
	p := newProbe(t, web.Config{HTTPPort: port})
	for path, want := range map[string]takedown.Verdict{
		"/once": takedown.VerdictUp, "/loop": takedown.VerdictUnclear, "/away": takedown.VerdictGone, "/dead": takedown.VerdictGone, "/script": takedown.VerdictUnclear,
	} {
		t.Run(path, func(t *testing.T) {
			expect(t, p, trackers.Target{Indicator: link(t, "http://bad.example"+path)}, want, takedown.LayerContent)
		})
	}
	if !crossed.Load() {
		t.Error("the redirect to another host was not followed")
	}
}

func TestAddressIndicators(t *testing.T) {
	target := trackers.Target{Indicator: takedown.Indicator{Kind: takedown.KindIPv4, Value: "127.0.0.1", Host: "127.0.0.1"}}
	expect(t, newProbe(t, web.Config{}), target, takedown.VerdictGone, takedown.LayerHost)
	// A control server that answers strangers with 404 is up.
	expect(t, newProbe(t, web.Config{HTTPPort: serveHTTP(t, http.NotFound)}), target, takedown.VerdictUp, takedown.LayerHost)

	// So is one that speaks no HTTP at all.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "\x00\x01binary\n\n\n")
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	_, odd, _ := net.SplitHostPort(l.Addr().String())
	expect(t, newProbe(t, web.Config{HTTPPort: odd}), target, takedown.VerdictUp, takedown.LayerHost)
	// For a page, the same server leaves the question open.
	expect(t, newProbe(t, web.Config{HTTPPort: odd}), trackers.Target{Indicator: domain("bad.example")}, takedown.VerdictUnclear, takedown.LayerContent)
}

// Neither an endless page, nor a bomb, nor a silent server holds the probe up.
func TestBounds(t *testing.T) {
	big := serveHTTP(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, "<title>Sign in</title><p>hello</p>")
		chunk := make([]byte, 1<<16)
		for range 256 {
			if _, err := z.Write(chunk); err != nil {
				return
			}
		}
		_ = z.Close()
	})
	expect(t, newProbe(t, web.Config{HTTPPort: big, MaxBody: 4096}), trackers.Target{Indicator: link(t, "http://bad.example/")}, takedown.VerdictUp, takedown.LayerContent)

	silent := serveHTTP(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	seen := expect(t, newProbe(t, web.Config{HTTPPort: silent, RequestTimeout: 200 * time.Millisecond}),
		trackers.Target{Indicator: link(t, "http://bad.example/")}, takedown.VerdictUnclear, takedown.LayerContent)
	if !strings.Contains(seen[0].Detail, "timed out") {
		t.Errorf("detail %q", seen[0].Detail)
	}
}

func TestOtherSchemes(t *testing.T) {
	expect(t, newProbe(t, web.Config{}), trackers.Target{Indicator: link(t, "ftp://bad.example/x")}, takedown.VerdictUnclear, takedown.LayerContent)
}

func TestNewRefuses(t *testing.T) {
	if _, err := web.New(web.Config{}); err == nil {
		t.Error("a probe without resolver and dialer was accepted")
	}
}

// BenchmarkObserve is what one check of a page costs on loopback, server
// included.
func BenchmarkObserve(b *testing.B) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "<title>Sign in</title><form action=/a><input type=password></form>")
	}))
	b.Cleanup(s.Close)
	p, err := web.New(web.Config{Resolver: hosts{"bad.example": loopback}, DialContext: new(net.Dialer).DialContext, HTTPPort: port(s)})
	if err != nil {
		b.Fatal(err)
	}
	target := trackers.Target{Indicator: takedown.Indicator{Kind: takedown.KindURL, Value: "http://bad.example/", Host: "bad.example"}}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			p.Observe(context.Background(), target)
		}
	})
}
