package simnet

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestPages(t *testing.T) {
	w := startTiny(t)
	c := w.client()
	for _, test := range []struct {
		url, agent string
		code       int
		want       string
	}{
		{"http://sim-phish-0001-amber.com/signin/", "x", 200, `type="password"`},
		{"http://sim-phish-0001-amber.com/", "x", 200, "It works"},
		{"http://sim-malware-0003-cedar.com/files/invoice.bin", "x", 200, "SIMULATED-MALWARE"},
		{"http://198.51.100.20/", "x", 200, "SIMULATED-BEACON"},
		{"http://sim-phish-0016-pearl.com/", "desktop", 404, "Not Found"},
		{"http://sim-phish-0016-pearl.com/", "Phone Mobile", 200, "password"},
		{"http://sim-clean-0019-slate.com/", "x", 200, "harmless"},
		{"http://sim-phish-0020-tulip.com/", "x", 503, "Checking your browser"},
		{"http://sim-phish-0021-umber.com/", "x", 200, "parked"},
		{"http://www.sim-phish-0006-fjord.com/", "x", 200, "password"},
		{"http://www.sim-prompt.de/.well-known/security.txt", "x", 200, "Contact: mailto:abuse@sim-prompt.de"},
		{"http://github.io/.well-known/security.txt", "x", 200, "Contact: mailto:abuse@sim-pages.com"},
		{"http://www.sim-formonly.nl/abuse", "x", 200, "<form"},
		{"http://192.0.2.13/", "x", 404, "no site"},
		{"http://sim-nowhere.com/", "x", 0, "no such host"},
	} {
		code, body := get(t, c, test.url, test.agent)
		if code != test.code || !strings.Contains(body, test.want) {
			t.Errorf("%s as %s: %d, no %q in %s", test.url, test.agent, code, test.want, body)
		}
	}
}

func TestFormIsANotice(t *testing.T) {
	const host = "sim-phish-0002-birch.nl"
	w := startTiny(t)
	resp, err := w.client().PostForm("http://www.sim-formonly.nl/abuse", url.Values{"target": {"hxxp://sim-phish-0002-birch[.]nl/"}, "email": {"a@desist.example"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != 200 {
		t.Fatal(err, resp.Status)
	}
	w.advance(6 * time.Hour)
	if s, _ := w.Site(host); s.Hold != "client hold" {
		t.Fatalf("%+v", s)
	}
}

func TestTLS(t *testing.T) {
	w := startTiny(t)
	c := &http.Client{Transport: &http.Transport{DialContext: w.Dial, DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: w.CAPool()}}}
	if code, body := get(t, c, "https://sim-phish-0001-amber.com/signin/", "x"); code != 200 {
		t.Fatalf("%d %s", code, body)
	}
}

func TestRDAPOverTLS(t *testing.T) {
	w := startTiny(t, func(c *Config) { c.RDAPTLS = true })
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: w.CAPool()}}}
	if code, body := get(t, c, w.RDAPURL("ripe")+"ip/192.0.2.7", "x"); code != 200 || !strings.HasPrefix(w.BootstrapURL(), "https://") {
		t.Fatalf("%d %s", code, body)
	}
}

func TestDial(t *testing.T) {
	w := startTiny(t)
	for _, addr := range []string{"192.0.2.7:22", "192.0.2.7:43", "192.0.2.7:8443"} {
		if c, err := w.Dial(t.Context(), "tcp", addr); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%s: %v %v", addr, c, err)
		}
	}
	for _, addr := range []string{"192.0.2.7:80", "[2001:db8:100::7]:443", "203.0.113.254:25", "mail.sim-prompt.de:25", "192.0.2.7:53"} {
		c, err := w.Dial(t.Context(), "tcp", addr)
		if err != nil {
			t.Errorf("%s: %v", addr, err)
			continue
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	w.SetSite("198.51.100.20", "refused")
	if _, err := w.Dial(t.Context(), "tcp4", "198.51.100.20:80"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a host that is off the net: %v", err)
	}
	if err := w.Fault(Faults{Site: &SiteFault{Address: "192.0.2.7", Mode: "timeout"}}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := w.Dial(ctx, "tcp", "192.0.2.7:80"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a silent host: %v", err)
	}
}

func TestGateway(t *testing.T) {
	w := startTiny(t)
	connect := func(target string) (net.Conn, *http.Response) {
		t.Helper()
		c, err := net.Dial("tcp", w.GatewayAddr())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, "CONNECT "+target+" HTTP/1.1\r\nHost: "+target+"\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: http.MethodConnect})
		if err != nil {
			t.Fatal(err)
		}
		return c, resp
	}
	c, resp := connect("192.0.2.7:80")
	if resp.StatusCode != 200 {
		t.Fatal(resp.Status)
	}
	if _, err := io.WriteString(c, "GET /signin/ HTTP/1.1\r\nHost: sim-phish-0001-amber.com\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(c)
	if err != nil || !bytes.Contains(body, []byte("password")) {
		t.Errorf("%v %s", err, body)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	c, resp = connect("192.0.2.7:22")
	if resp.StatusCode != http.StatusBadGateway {
		t.Error(resp.Status)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	// An idle tunnel must not keep Close waiting.
	open, resp := connect("192.0.2.7:80")
	if resp.StatusCode != 200 {
		t.Error(resp.Status)
	}
	t.Cleanup(func() { _ = open.Close() })
}

func TestManagement(t *testing.T) {
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	w := startTiny(t)
	var stats Stats
	_, body := get(t, http.DefaultClient, w.ManagementURL()+"/stats", "x")
	if err := json.Unmarshal([]byte(body), &stats); err != nil || stats.SitesUp != 21 || stats.SitesDown != 1 {
		t.Errorf("%v %s", err, body)
	}
	post := func(path, body string) int {
		t.Helper()
		resp, err := http.Post(w.ManagementURL()+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		return resp.StatusCode
	}
	for _, test := range []struct {
		path, body string
		code       int
	}{
		{"/sites/sim-phish-0001-amber.com/down", "", 204},
		{"/sites/sim-phish-0002-birch.nl/hold", "", 204},
		{"/sites/sim-phish-0021-umber.com/up", "", 204},
		{"/sites/sim-none.com/down", "", 404},
		{"/sites/sim-phish-0001-amber.com/sideways", "", 400},
		{"/faults", `{"dns":{"name":"*","mode":"servfail"}}`, 204},
		{"/faults", `{"dns":{"name":"*","mode":""}}`, 204},
		{"/faults", `{"rdap":{"server":"*","status":200}}`, 400},
		{"/faults", `{"dsn":{}}`, 400},
	} {
		if got := post(test.path, test.body); got != test.code {
			t.Errorf("%s %s: %d, want %d", test.path, test.body, got, test.code)
		}
	}
	var sites []SiteStatus
	_, body = get(t, http.DefaultClient, w.ManagementURL()+"/sites?state=down", "x")
	if err := json.Unmarshal([]byte(body), &sites); err != nil || len(sites) != 2 {
		t.Errorf("%v %s", err, body)
	}
	_, body = get(t, http.DefaultClient, w.ManagementURL()+"/feed?n=10&seed=3", "x")
	if rows := strings.Count(body, "\n"); rows != 10 {
		t.Errorf("%d rows: %s", rows, body)
	}
	for _, path := range []string{"/world", "/mails?n=5", "/answers", "/config"} {
		if code, body := get(t, http.DefaultClient, w.ManagementURL()+path, "x"); code != 200 || body == "" {
			t.Errorf("%s: %d", path, code)
		}
	}
}
