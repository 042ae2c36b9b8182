package simnet

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/goccy/go-yaml"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// handClock is real time that only moves when the test says so.
type handClock struct {
	mu  sync.Mutex
	now time.Time
}

func newHandClock() *handClock { return &handClock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// world is a running world under test.
type world struct {
	*Net
	clock *handClock
}

// advance moves the world's time and does what falls due.
func (w world) advance(d time.Duration) {
	w.clock.mu.Lock()
	w.clock.now = w.clock.now.Add(d)
	w.clock.mu.Unlock()
	w.RunDue()
}

func startTiny(t *testing.T, change ...func(*Config)) world {
	t.Helper()
	w, err := Tiny()
	if err != nil {
		t.Fatal(err)
	}
	return startWorld(t, w, change...)
}

func startWorld(t *testing.T, w *World, change ...func(*Config)) world {
	t.Helper()
	clock := newHandClock()
	cfg := Config{World: w, Clock: Clock{Real: clock.Now}, Logger: slog.New(slog.DiscardHandler)}
	for _, c := range change {
		c(&cfg)
	}
	n, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return world{Net: n, clock: clock}
}

// client reaches the world's sites by their addresses, as the product does.
func (w world) client() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{DialContext: w.Dial, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func get(t *testing.T, c *http.Client, url, agent string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("User-Agent", agent)
	resp, err := c.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func (w world) up(t *testing.T, host string) bool {
	t.Helper()
	s, ok := w.Site(host)
	if !ok {
		t.Fatalf("no site %s", host)
	}
	return s.Up
}

func TestStartRefusesOtherThanLoopback(t *testing.T) {
	w, err := Tiny()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Start(context.Background(), Config{World: w, Listen: "0.0.0.0"}); err == nil {
		t.Fatal("listening on every interface was allowed")
	}
}

func TestClockFactor(t *testing.T) {
	hand := newHandClock()
	epoch := time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)
	c := Clock{Real: hand.Now, Factor: 3600}.withDefaults(epoch)
	hand.now = hand.now.Add(2 * time.Second)
	if got, want := c.Now(), epoch.Add(2*time.Hour); !got.Equal(want) {
		t.Fatalf("now = %s, want %s", got, want)
	}
	if got := c.wait(epoch.Add(3 * time.Hour)); got != time.Second {
		t.Fatalf("wait = %s, want 1s", got)
	}
}

func TestSchedulerRunsByItself(t *testing.T) {
	w, err := Tiny()
	if err != nil {
		t.Fatal(err)
	}
	n, err := Start(t.Context(), Config{World: w, Clock: Clock{Factor: 1e6}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan time.Time, 2)
	start := n.Now()
	n.plan(2*time.Hour, func() { done <- n.Now() })
	n.plan(time.Hour, func() { done <- n.Now() }) // earlier, planned later
	for _, least := range []time.Duration{time.Hour, 2 * time.Hour} {
		select {
		case at := <-done:
			if at.Sub(start) < least {
				t.Errorf("acted after %s of the world, want at least %s", at.Sub(start), least)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("nothing happened")
		}
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
}

func TestServeConfigNamesEverySocket(t *testing.T) {
	w := startTiny(t)
	var got struct {
		DNS     struct{ Servers []string }
		RDAP    struct{ Bootstrap string }
		WHOIS   struct{ Servers map[string]string }
		SMTP    struct{ Relay, TLS string }
		Resolve struct {
			ASN     string `yaml:"asn_zone"`
			Contact string `yaml:"contact_zone"`
		}
		Netguard struct{ Allow []string }
		Simnet   struct{ Dial string }
	}
	if err := yaml.UnmarshalWithOptions(w.ServeConfig(), &got, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	if got.DNS.Servers[0] != w.DNSAddr() || got.SMTP.Relay != w.SMTPAddr() || got.Simnet.Dial != w.GatewayAddr() ||
		got.RDAP.Bootstrap != w.BootstrapURL() || got.WHOIS.Servers["com"] != w.WHOISAddr("reg-com") ||
		got.WHOIS.Servers["whois.sim-ripe.net"] != w.WHOISAddr("ripe") || len(got.Netguard.Allow) != 5 {
		t.Fatalf("%s", w.ServeConfig())
	}
}

// BenchmarkSMTP is the floor for whoever measures sending: eight connections,
// one mail of 4 kB each time.
func BenchmarkSMTP(b *testing.B) {
	for name, sink := range map[string]bool{"sink": true, "desks": false} {
		b.Run(name, func(b *testing.B) {
			w, err := Tiny()
			if err != nil {
				b.Fatal(err)
			}
			n, err := Start(b.Context(), Config{World: w, SMTPSink: sink, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				b.Fatal(err)
			}
			msg := xarfNotice("abuse@sim-prompt.de", "b", "domain", "sim-phish-0001-amber.com") + strings.Repeat(strings.Repeat("x", 78)+"\r\n", 50)
			b.SetParallelism(4)
			b.RunParallel(func(pb *testing.PB) {
				c, err := smtp.Dial(n.SMTPAddr())
				if err != nil {
					b.Error(err)
					return
				}
				for pb.Next() {
					if err := c.SendMail(reporter, []string{"abuse@sim-prompt.de"}, strings.NewReader(msg)); err != nil {
						b.Error(err)
						return
					}
				}
				if err := c.Quit(); err != nil {
					b.Error(err)
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "mails/s")
			if err := n.Close(); err != nil {
				b.Error(err)
			}
		})
	}
}

// BenchmarkInternet shows what a world of 50,000 indicators costs.
func BenchmarkInternet(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		w, err := Internet(InternetOptions{Indicators: 50_000})
		if err != nil {
			b.Fatal(err)
		}
		buildIndex(w)
	}
}
