package netguard_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"desist/internal/netguard"
	"desist/takedown"
)

func TestIsReserved(t *testing.T) {
	tests := []struct {
		addr   string
		reason string // part of it; empty: not reserved
	}{
		{"0.0.0.0", "RFC 791"},
		{"10.1.2.3", "RFC 1918"},
		{"100.64.0.1", "RFC 6598"},
		{"100.128.0.1", ""},
		{"127.0.0.1", "loopback"},
		{"169.254.169.254", "RFC 3927"},
		{"172.31.255.255", "RFC 1918"},
		{"172.32.0.0", ""},
		{"192.0.2.1", "RFC 5737"},
		{"192.168.0.1", "RFC 1918"},
		{"198.19.255.255", "RFC 2544"},
		{"203.0.113.9", "RFC 5737"},
		{"224.0.0.1", "multicast"},
		{"255.255.255.255", "broadcast"},
		{"240.0.0.1", "RFC 1112"},
		{"8.8.8.8", ""},
		{"::", "unspecified"},
		{"::1", "loopback"},
		{"::7f00:1", "IPv4-compatible"},
		{"::ffff:127.0.0.1", "IPv4-mapped address of loopback"},
		{"::ffff:8.8.8.8", ""},
		{"64:ff9b::a00:1", "NAT64 address of private use"},
		{"64:ff9b::808:808", ""},
		{"64:ff9b:1::1", "RFC 8215"},
		{"2002:c0a8:1::1", "6to4 address of private use"},
		{"2002:808:808::1", ""},
		{"2001:db8::1", "RFC 3849"},
		{"2001::1", "Teredo"},
		{"2606:4700::1", ""},
		{"3fff:fff::1", "RFC 9637"},
		{"fd00::1", "RFC 4193"},
		{"fe80::1", "link local"},
		{"fe80::1%eth0", "zone"},
		{"ff02::1", "multicast"},
		{"4000::1", "outside of global unicast"},
	}
	for _, tt := range tests {
		reason, reserved := netguard.IsReserved(netip.MustParseAddr(tt.addr))
		if reserved != (tt.reason != "") || !strings.Contains(reason, tt.reason) {
			t.Errorf("%s: %q, %v; want %q", tt.addr, reason, reserved, tt.reason)
		}
	}
	if _, reserved := netguard.IsReserved(netip.Addr{}); !reserved {
		t.Error("the zero address is not refused")
	}
}

func FuzzIsReserved(f *testing.F) {
	f.Add([]byte{127, 0, 0, 1})
	f.Add(make([]byte, 16))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, ok := netip.AddrFromSlice(b)
		if !ok {
			return
		}
		_, one := netguard.IsReserved(a)
		if a.Is4() {
			// Wrapping an address must not launder it.
			if _, mapped := netguard.IsReserved(netip.AddrFrom16(a.As16())); mapped != one {
				t.Errorf("%s: reserved %v, mapped %v", a, one, mapped)
			}
		}
	})
}

func allow(prefixes ...string) []netip.Prefix {
	var list []netip.Prefix
	for _, p := range prefixes {
		list = append(list, netip.MustParsePrefix(p))
	}
	return list
}

func lookup(hosts map[string][]string) netguard.LookupFunc {
	return func(_ context.Context, host string) ([]netip.Addr, error) {
		var addrs []netip.Addr
		for _, a := range hosts[host] {
			addrs = append(addrs, netip.MustParseAddr(a))
		}
		return addrs, nil
	}
}

func TestDialChecksAfterResolution(t *testing.T) {
	hosts := map[string][]string{
		"inside.example":  {"127.0.0.1"},
		"mixed.example":   {"10.0.0.1", "192.0.2.7"},
		"nothing.example": nil,
		"mapped.example":  {"::ffff:169.254.169.254"},
	}
	var dialled []string
	g := netguard.New(netguard.Config{
		Allow:  allow("192.0.2.0/24"),
		Lookup: lookup(hosts),
		Dial: func(_ context.Context, _, addr string) (net.Conn, error) {
			dialled = append(dialled, addr)
			a, b := net.Pipe()
			_ = b.Close()
			return a, nil
		},
	})
	tests := []struct {
		addr string
		kind takedown.ErrorKind
	}{
		{"inside.example:80", takedown.KindDenied},
		{"mapped.example:80", takedown.KindDenied},
		{"127.0.0.1:80", takedown.KindDenied},
		{"[::ffff:127.0.0.1]:80", takedown.KindDenied},
		{"[fe80::1%lo]:80", takedown.KindDenied},
		{"nothing.example:80", takedown.KindNotFound},
		{"192.0.2.1", takedown.KindPermanent},
		{"192.0.2.1:http", takedown.KindPermanent},
		{"mixed.example:80", ""},
		{"[::ffff:192.0.2.9]:25", ""},
	}
	for _, tt := range tests {
		conn, err := g.DialContext(context.Background(), "tcp", tt.addr)
		if conn != nil {
			_ = conn.Close()
		}
		if got := takedown.KindOf(err); got != tt.kind {
			t.Errorf("%s: kind %q (%v), want %q", tt.addr, got, err, tt.kind)
		}
	}
	if got := strings.Join(dialled, " "); got != "192.0.2.7:80 [::ffff:192.0.2.9]:25" {
		t.Errorf("dialled %q", got)
	}
	if _, err := netguard.New(netguard.Config{}).DialContext(context.Background(), "tcp", "name.example:80"); err == nil {
		t.Error("a name was dialled without a resolver")
	}
}

// client returns a guarded client for which every name is the given server.
func client(t *testing.T, h http.Handler, c netguard.HTTPConfig) *http.Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	hosts := map[string][]string{"a.example": {"192.0.2.1"}, "b.example": {"192.0.2.1"}, "inside.example": {"10.0.0.1"}}
	g := netguard.New(netguard.Config{
		Allow:  allow("192.0.2.0/24"),
		Lookup: lookup(hosts),
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, srv.Listener.Addr().String())
		},
	})
	hc := g.HTTPClient(c)
	t.Cleanup(hc.CloseIdleConnections)
	return hc
}

func get(hc *http.Client, url string) (string, error) {
	resp, err := hc.Get(url)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

func TestHTTPRedirects(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/ok", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "fine") })
	for path, to := range map[string]string{
		"/once": "http://b.example/ok", "/literal": "http://127.0.0.1/latest/meta-data", "/inside": "http://inside.example/",
		"/loop": "/loop", "/user": "http://u:p@b.example/ok", "/file": "file:///etc/passwd",
	} {
		mux.Handle(path, http.RedirectHandler(to, http.StatusFound))
	}
	hc := client(t, mux, netguard.HTTPConfig{AllowHTTP: true})
	if body, err := get(hc, "http://a.example/once"); err != nil || body != "fine" {
		t.Errorf("one redirect: %q, %v", body, err)
	}
	for _, path := range []string{"literal", "inside", "loop", "user", "file"} {
		if _, err := get(hc, "http://a.example/"+path); takedown.KindOf(err) != takedown.KindDenied {
			t.Errorf("%s: %v, want a refusal", path, err)
		}
	}
	strict := client(t, mux, netguard.HTTPConfig{})
	if _, err := get(strict, "http://a.example/ok"); takedown.KindOf(err) != takedown.KindDenied {
		t.Errorf("plain HTTP without AllowHTTP: %v", err)
	}
}

func TestHTTPBodyCap(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/exact", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("x", 1000)) })
	mux.HandleFunc("/over", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("x", 1001)) })
	mux.HandleFunc("/bomb", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, strings.Repeat("x", 1<<20))
		_ = z.Close()
	})
	hc := client(t, mux, netguard.HTTPConfig{AllowHTTP: true, MaxBody: 1000})
	if body, err := get(hc, "http://a.example/exact"); err != nil || len(body) != 1000 {
		t.Errorf("exact size: %d bytes, %v", len(body), err)
	}
	for _, path := range []string{"over", "bomb"} {
		if body, err := get(hc, "http://a.example/"+path); !errors.Is(err, netguard.ErrTooLarge) || len(body) > 1000 {
			t.Errorf("%s: %d bytes, %v", path, len(body), err)
		}
	}
}

// proxy answers one CONNECT with the given status and then echoes.
func proxy(t *testing.T, answer string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		r := bufio.NewReader(conn)
		if _, err := http.ReadRequest(r); err != nil {
			return
		}
		_, _ = io.WriteString(conn, answer)
		_, _ = io.Copy(conn, r)
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l.Addr().String()
}

func TestConnectProxy(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	// The first bytes of the tunnel may arrive together with the answer.
	conn, err := netguard.ConnectProxyDialer(proxy(t, "HTTP/1.1 200 OK\r\n\r\nearly"))(ctx, "tcp", "192.0.2.1:43")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "+late"); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len("early+late"))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != "early+late" {
		t.Errorf("read %q, %v", got, err)
	}
	for _, answer := range []string{"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<15)} {
		conn, err := netguard.ConnectProxyDialer(proxy(t, answer))(ctx, "tcp", "192.0.2.1:43")
		if err == nil {
			_ = conn.Close()
			t.Errorf("%.20q: a tunnel was opened", answer)
		}
	}
	if _, err := netguard.ConnectProxyDialer("127.0.0.1:1")(ctx, "udp", "192.0.2.1:53"); err == nil {
		t.Error("UDP through CONNECT")
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	ended, end := context.WithCancel(context.Background())
	go func() {
		if c, err := silent.Accept(); err == nil {
			end()
			_, _ = io.Copy(io.Discard, c)
			_ = c.Close()
		}
	}()
	if _, err := netguard.ConnectProxyDialer(silent.Addr().String())(ended, "tcp", "192.0.2.1:43"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
