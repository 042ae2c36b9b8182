package simnet

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

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
	defer resp.Body.Close()
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
