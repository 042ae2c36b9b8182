package bus

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"desist/takedown"
)

// publisherEnv makes the test binary publish a submission into the store it
// names, say when it is acknowledged, and wait to be killed.
const publisherEnv = "DESIST_BUS_TEST_PUBLISHER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(publisherEnv); dir != "" {
		if err := bePublisher(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func bePublisher(dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	b, err := Open(ctx, Config{StoreDir: dir})
	if err != nil {
		return err
	}
	if err := b.PublishIndicator(ctx, "s", []byte("kept")); err != nil {
		return err
	}
	fmt.Println("acknowledged")
	_, err = os.Stdin.Read(make([]byte, 1)) // until killed
	return err
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func open(t *testing.T, cfg Config) *Bus {
	t.Helper()
	if cfg.URL == "" && cfg.StoreDir == "" {
		cfg.StoreDir = t.TempDir()
	}
	b, err := Open(testContext(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeBus(t, b) })
	return b
}

func closeBus(t *testing.T, b *Bus) {
	t.Helper()
	if err := b.Close(testContext(t)); err != nil {
		t.Error(err)
	}
}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fetch fetches until there is something.
func fetch(t *testing.T, c *Consumer, n int) []Msg {
	t.Helper()
	msgs, err := c.Fetch(testContext(t), n, 10*time.Second)
	if err != nil || len(msgs) == 0 {
		t.Fatalf("Fetch: %d messages, %v", len(msgs), err)
	}
	return msgs
}

func pending(t *testing.T, b *Bus) map[string]uint64 {
	t.Helper()
	return must[map[string]uint64](t)(b.Pending(testContext(t)))
}

func TestIndicatorsSurviveRestart(t *testing.T) {
	ctx, dir := testContext(t), t.TempDir()
	// A Nak is not remembered over a restart; then AckWait brings the message.
	cfg := Config{StoreDir: dir, AckWait: 200 * time.Millisecond}
	b := open(t, cfg)
	check(t, b.PublishIndicator(ctx, "feed.example", []byte(`{"n":1}`)))
	check(t, b.PublishIndicator(ctx, "feed.example", []byte(`{"n":2}`)))
	c := must[*Consumer](t)(b.Indicators(ctx))
	msgs := fetch(t, c, 1) // delivered, not acknowledged
	if string(msgs[0].Data) != `{"n":1}` {
		t.Errorf("first message is %s", msgs[0].Data)
	}
	check(t, msgs[0].Nak(0))
	closeBus(t, b)

	b = open(t, cfg)
	c = must[*Consumer](t)(b.Indicators(ctx))
	var got []string
	for len(got) < 2 {
		msgs := fetch(t, c, 10)
		for _, m := range msgs {
			got = append(got, string(m.Data))
			if m.Stream != StreamIndicators || SourceOf(m.Subject) != "feed_example" || m.Timestamp.IsZero() {
				t.Errorf("message is %+v", m)
			}
		}
		check(t, AckAll(ctx, msgs))
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{`{"n":1}`, `{"n":2}`}, got); diff != "" {
		t.Errorf("after the restart (-want +got):\n%s", diff)
	}
	if n := pending(t, b)["indicators"]; n != 0 {
		t.Errorf("%d indicators are left after AckAll", n)
	}
}

func TestAcknowledgedSurvivesKill(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), publisherEnv+"="+dir)
	cmd.Stderr = os.Stderr
	stdin := must[io.WriteCloser](t)(cmd.StdinPipe())
	defer stdin.Close()
	out := must[io.ReadCloser](t)(cmd.StdoutPipe())
	check(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if line != "acknowledged\n" {
		t.Fatalf("publisher said %q, %v", line, err)
	}
	b := open(t, Config{StoreDir: dir})
	if m := fetch(t, must[*Consumer](t)(b.Indicators(testContext(t))), 10)[0]; string(m.Data) != "kept" {
		t.Errorf("after the kill: %s", m.Data)
	}
}

// The promise to publishers: acknowledged is on the disk.
func TestEveryWriteIsSynced(t *testing.T) {
	b := open(t, Config{})
	if v := must[*server.JSInfo](t)(b.embedded.server.Jsz(nil)); !v.Config.SyncAlways {
		t.Error("the server inside the process acknowledges before it syncs")
	}
	s := must[jetstream.Stream](t)(b.js.Stream(testContext(t), StreamIndicators))
	if cfg := s.CachedInfo().Config; cfg.PersistMode != jetstream.DefaultPersistMode || cfg.Storage != jetstream.FileStorage {
		t.Errorf("INDICATORS has persist mode %v on %v", cfg.PersistMode, cfg.Storage)
	}
}

// Two sources may number their reports alike, so ids must not be compared for
// longer than the server insists on.
func TestMessageIDsAreSoonForgotten(t *testing.T) {
	s := must[jetstream.Stream](t)(open(t, Config{}).js.Stream(testContext(t), StreamIndicators))
	if d := s.CachedInfo().Config.Duplicates; d > 100*time.Millisecond {
		t.Errorf("the window for duplicates of INDICATORS is %s", d)
	}
}

func TestWorkRoundTrip(t *testing.T) {
	ctx := testContext(t)
	b := open(t, Config{})
	resolve := must[*Consumer](t)(b.Work(ctx, "resolve"))
	plan := must[*Consumer](t)(b.Work(ctx, "plan"))
	var cases []int64
	for i := range int64(600) {
		cases = append(cases, i+1)
	}
	check(t, b.PublishWork(ctx, "resolve", cases))
	check(t, b.PublishWork(ctx, "plan", []int64{9}))
	check(t, b.PublishWork(ctx, "plan", nil))

	want := map[string]uint64{"indicators": 0, "events": 0, "work.resolve": 3, "work.plan": 1}
	if diff := cmp.Diff(want, pending(t, b)); diff != "" {
		t.Errorf("Pending (-want +got):\n%s", diff)
	}
	var got []int64
	for len(got) < len(cases) {
		msgs := fetch(t, resolve, 64)
		for _, m := range msgs {
			got = append(got, must[[]int64](t)(DecodeWork(m.Data))...)
		}
		check(t, AckAll(ctx, msgs))
	}
	if diff := cmp.Diff(cases, got); diff != "" {
		t.Errorf("cases (-want +got):\n%s", diff)
	}
	msgs := fetch(t, plan, 64)
	if len(msgs) != 1 || string(msgs[0].Data) != `{"cases":[9]}` {
		t.Errorf("plan got %v", msgs)
	}
	check(t, AckAll(ctx, msgs))
	if err := AckAll(ctx, msgs); err == nil {
		t.Error("a second AckAll of the same messages is no error")
	}
	if msgs, err := plan.Fetch(ctx, 10, time.Millisecond); err != nil || len(msgs) != 0 {
		t.Errorf("Fetch from an empty queue: %v, %v", msgs, err)
	}
}

func TestRedeliveryIsCountedAndNeverEndsUnseen(t *testing.T) {
	ctx := testContext(t)
	b := open(t, Config{MaxDeliver: 3})
	c := must[*Consumer](t)(b.Work(ctx, "deliver"))
	check(t, b.PublishWork(ctx, "deliver", []int64{1}))
	// One more than MaxDeliver: whoever dies in the last delivery leaves a
	// message that still comes, and is still marked.
	for want := 1; want <= 4; want++ {
		m := fetch(t, c, 5)[0]
		if m.Deliveries != want || m.LastDelivery != (want >= 3) {
			t.Errorf("delivery %d: Deliveries %d, LastDelivery %v", want, m.Deliveries, m.LastDelivery)
		}
		check(t, m.InProgress())
		if want < 4 {
			check(t, m.Nak(0))
			continue
		}
		check(t, m.Term("poison"))
	}
	check(t, b.flush(ctx))
	if msgs, err := c.Fetch(ctx, 5, time.Millisecond); err != nil || len(msgs) != 0 {
		t.Errorf("after Term: %v, %v", msgs, err)
	}
}

func TestUnansweredComesAgain(t *testing.T) {
	ctx := testContext(t)
	b := open(t, Config{AckWait: 50 * time.Millisecond})
	c := must[*Consumer](t)(b.Work(ctx, "plan"))
	check(t, b.PublishWork(ctx, "plan", []int64{1}))
	fetch(t, c, 1)
	if m := fetch(t, c, 1)[0]; m.Deliveries != 2 {
		t.Errorf("Deliveries = %d, want 2", m.Deliveries)
	}
}

func TestOversize(t *testing.T) {
	ctx := testContext(t)
	b := open(t, Config{})
	check(t, b.PublishIndicator(ctx, "s", make([]byte, MaxBody)))
	err := b.PublishIndicator(ctx, "s", make([]byte, MaxBody+1))
	if takedown.KindOf(err) != takedown.KindPermanent || !strings.Contains(err.Error(), strconv.Itoa(MaxBody)+" are allowed") {
		t.Errorf("oversize submission: %v (%s)", err, takedown.KindOf(err))
	}
	err = b.PublishEvents(ctx, []Event{{"a", 1, []byte(`{}`)}, {"b", 2, make([]byte, maxEvent+1)}, {"c", 3, nil}})
	var failed *EventError
	if !errors.As(err, &failed) || failed.ID != 2 || takedown.KindOf(err) != takedown.KindPermanent {
		t.Errorf("oversize event: %v (%s)", err, takedown.KindOf(err))
	}
}

func TestFullStreamRefuses(t *testing.T) {
	ctx := testContext(t)
	b := open(t, Config{IndicatorsBytes: 4 << 10})
	body := make([]byte, 1<<10)
	for range 3 {
		check(t, b.PublishIndicator(ctx, "s", body))
	}
	err := b.PublishIndicator(ctx, "s", body)
	if takedown.KindOf(err) != takedown.KindTemporary || !strings.Contains(err.Error(), "stream is full") {
		t.Errorf("publish to a full stream: %v (%s)", err, takedown.KindOf(err))
	}
	if n := pending(t, b)["indicators"]; n != 3 {
		t.Errorf("%d messages are stored, want the first 3", n)
	}
}

// Another client may hand in indicators and follow events, and nothing else.
func TestListener(t *testing.T) {
	for _, tt := range []struct{ name, user, password string }{
		{name: "open"},
		{"with password", "feed", "secret"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx := testContext(t)
			b := open(t, Config{Listen: "127.0.0.1:0", Username: tt.user, Password: tt.password})
			c := must[*Consumer](t)(b.Indicators(ctx))
			if tt.user != "" {
				if conn, err := nats.Connect("nats://" + b.ListenAddr()); err == nil {
					conn.Close()
					t.Error("a client got in without the password")
				}
			}
			refused := make(chan error, 8)
			closed := make(chan struct{})
			client := must[*nats.Conn](t)(nats.Connect("nats://"+b.ListenAddr(), nats.UserInfo(tt.user, tt.password),
				nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err }),
				nats.ClosedHandler(func(*nats.Conn) { close(closed) })))
			defer func() { client.Close(); <-closed }()

			js := must[jetstream.JetStream](t)(jetstream.New(client))
			ack := must[*jetstream.PubAck](t)(js.Publish(ctx, "desist.indicators.feed.east", []byte("{}")))
			if ack.Stream != StreamIndicators {
				t.Errorf("acknowledged by %s", ack.Stream)
			}
			if m := fetch(t, c, 10)[0]; SourceOf(m.Subject) != "feed.east" {
				t.Errorf("source of %s is %s", m.Subject, SourceOf(m.Subject))
			}

			events := must[*nats.Subscription](t)(client.SubscribeSync("desist.events.>"))
			check(t, client.Flush())
			check(t, b.PublishEvents(ctx, []Event{{"case.closed", 7, []byte("{}")}}))
			if m := must[*nats.Msg](t)(events.NextMsgWithContext(ctx)); m.Subject != "desist.events.case.closed" {
				t.Errorf("event came on %s", m.Subject)
			}

			for _, subject := range []string{"desist.work.plan", "desist.events.case.closed", "$JS.API.STREAM.DELETE.INDICATORS", "$JS.API.STREAM.PURGE.INDICATORS"} {
				check(t, client.Publish(subject, []byte("{}")))
				check(t, client.Flush())
				select {
				case err := <-refused:
					if !errors.Is(err, nats.ErrPermissionViolation) {
						t.Errorf("publish to %s: %v", subject, err)
					}
				case <-ctx.Done():
					t.Fatalf("publish to %s was not refused", subject)
				}
			}
			if n := pending(t, b); n["indicators"] != 1 || n["work.plan"] != 0 || n["events"] != 1 {
				t.Errorf("Pending = %v", n)
			}
		})
	}
}

func TestEvents(t *testing.T) {
	ctx := testContext(t)
	b := open(t, Config{})
	all := must[*Subscription](t)(b.Events(ctx, "", 8))
	cases := must[*Subscription](t)(b.Events(ctx, "case.*", 8))
	slow := must[*Subscription](t)(b.Events(ctx, "", 1))
	want := []Event{{"case.opened", 1, []byte(`{"a":1}`)}, {"notice.sent", 2, []byte(`{}`)}, {"case.closed", 3, []byte(`{}`)}}
	check(t, b.PublishEvents(ctx, want))
	check(t, b.PublishEvents(ctx, want[2:])) // stored once
	if n := pending(t, b)["events"]; n != 3 {
		t.Errorf("%d events are stored, want 3", n)
	}
	for _, w := range want {
		if diff := cmp.Diff(w, <-all.Events()); diff != "" {
			t.Errorf("event (-want +got):\n%s", diff)
		}
	}
	if a, c := <-cases.Events(), <-cases.Events(); a.ID != 1 || c.ID != 3 {
		t.Errorf("filtered: %d, %d", a.ID, c.ID)
	}
	n := 0
	for range slow.Events() { // ends, because the subscription is dropped
		n++
	}
	if n != 1 || !errors.Is(slow.Err(), ErrSlow) {
		t.Errorf("slow subscriber got %d events and %v", n, slow.Err())
	}
	cases.Close()
	for range cases.Events() {
	}
	if cases.Err() != nil {
		t.Errorf("after Close: %v", cases.Err())
	}
	ended, cancel := context.WithCancel(ctx)
	short := must[*Subscription](t)(b.Events(ended, "case.>", 1))
	cancel()
	for range short.Events() {
	}
	if !errors.Is(short.Err(), context.Canceled) {
		t.Errorf("after the context: %v", short.Err())
	}
	closeBus(t, b)
	for range all.Events() {
	}
	if !errors.Is(all.Err(), ErrClosed) {
		t.Errorf("after the bus: %v", all.Err())
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.subs) != 0 {
		t.Errorf("%d subscriptions are left", len(b.subs))
	}
}

func TestStopFetchingThenClose(t *testing.T) {
	ctx := testContext(t)
	b := open(t, Config{})
	c := must[*Consumer](t)(b.Work(ctx, "plan"))
	check(t, b.PublishWork(ctx, "plan", []int64{1}))
	m := fetch(t, c, 1)[0]
	result := make(chan error)
	for range 2 {
		go func() {
			_, err := c.Fetch(ctx, 1, time.Hour)
			result <- err
		}()
	}
	b.StopFetching()
	for range 2 {
		if err := <-result; !errors.Is(err, ErrClosed) {
			t.Errorf("Fetch during StopFetching: %v", err)
		}
	}
	check(t, b.PublishWork(ctx, "compose", []int64{1})) // results still go out
	check(t, m.Ack())
	closeBus(t, b)
	closeBus(t, b)
	if err := b.PublishWork(ctx, "plan", []int64{1}); !errors.Is(err, ErrClosed) {
		t.Errorf("publish after Close: %v", err)
	}
	if _, err := b.Events(ctx, "", 1); !errors.Is(err, ErrClosed) {
		t.Errorf("subscribe after Close: %v", err)
	}
	if _, err := b.Pending(ctx); !errors.Is(err, ErrClosed) {
		t.Errorf("Pending after Close: %v", err)
	}
}

func TestStoreHasOneOwner(t *testing.T) {
	dir := t.TempDir()
	open(t, Config{StoreDir: dir})
	b, err := Open(testContext(t), Config{StoreDir: dir})
	if err == nil {
		closeBus(t, b)
	}
	if err == nil || !strings.Contains(err.Error(), dir+" is in use by another process") {
		t.Errorf("second Open: %v", err)
	}
}

func TestConfigRefusals(t *testing.T) {
	busy := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	defer busy.Close()
	for _, tt := range []struct {
		name string
		cfg  Config
		want string
	}{
		{"nothing", Config{}, "neither the URL"},
		{"listen with URL", Config{URL: "nats://127.0.0.1:1", Listen: "127.0.0.1:0"}, "drop one"},
		{"open to the world", Config{StoreDir: t.TempDir(), Listen: "0.0.0.0:0"}, "would let everybody"},
		{"open to the world by empty host", Config{StoreDir: t.TempDir(), Listen: ":4222"}, "would let everybody"},
		{"no port", Config{StoreDir: t.TempDir(), Listen: "127.0.0.1"}, "not host:port"},
		{"bad port", Config{StoreDir: t.TempDir(), Listen: "127.0.0.1:70000"}, "up to 65535"},
		{"user without password", Config{StoreDir: t.TempDir(), Listen: "127.0.0.1:0", Username: "u"}, "go together"},
		{"store is a file", Config{StoreDir: "bus_test.go"}, "create store directory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, err := Open(testContext(t), tt.cfg)
			if err == nil {
				closeBus(t, b)
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Open: %v, want %q", err, tt.want)
			}
		})
	}
}

// external is a server of its own, as behind Config.URL.
func external(t *testing.T, port int, store string) *server.Server {
	t.Helper()
	s := must[*server.Server](t)(server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: store, NoSigs: true, NoLog: true,
	}))
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("server did not start")
	}
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	return s
}

func freePort(t *testing.T) int {
	l := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func TestServerAwayAtStart(t *testing.T) {
	addr := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	ctx, cancel := context.WithTimeout(testContext(t), 50*time.Millisecond)
	defer cancel()
	_, err := Open(ctx, Config{URL: "nats://me:secret@" + addr})
	if err == nil || !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, nats.ErrNoServers) {
		t.Fatalf("Open: %v", err)
	}
	for _, want := range []string{addr, "given up after 1 attempts"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("error %q tells the password", err)
	}
}

// A server that restarts forgets the streams in memory; they come back with the
// next use, and what was in the file is still there.
func TestServerRestarts(t *testing.T) {
	ctx, port, store := testContext(t), freePort(t), t.TempDir()
	s := external(t, port, store)
	b := open(t, Config{URL: s.ClientURL(), AckWait: time.Second})
	work := must[*Consumer](t)(b.Work(ctx, "plan"))
	indicators := must[*Consumer](t)(b.Indicators(ctx))
	events := must[*Subscription](t)(b.Events(ctx, "", 1))
	check(t, b.PublishIndicator(ctx, "s", []byte("kept")))
	check(t, b.PublishWork(ctx, "plan", []int64{1}))
	s.Shutdown()
	s.WaitForShutdown()
	for range events.Events() {
	}
	if !errors.Is(events.Err(), ErrInterrupted) {
		t.Errorf("subscription ended with %v", events.Err())
	}

	external(t, port, store)
	eventually(t, ctx, func() error { return b.PublishWork(ctx, "plan", []int64{2}) })
	var msgs []Msg
	eventually(t, ctx, func() (err error) {
		msgs, err = work.Fetch(ctx, 10, time.Second)
		if err == nil && len(msgs) == 0 {
			err = errors.New("nothing yet")
		}
		return err
	})
	if len(msgs) != 1 || string(msgs[0].Data) != `{"cases":[2]}` {
		t.Errorf("work after the restart: %v", msgs)
	}
	if m := fetch(t, indicators, 10)[0]; string(m.Data) != "kept" {
		t.Errorf("indicator after the restart: %s", m.Data)
	}
	closeBus(t, b) // before its server
}

func eventually(t *testing.T, ctx context.Context, f func() error) {
	t.Helper()
	for {
		err := f()
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
}

func TestSourceToken(t *testing.T) {
	for in, want := range map[string]string{
		"urlhaus":                "urlhaus",
		"Feed.Example Corp":      "feed_example_corp",
		"a*b>c":                  "a_b_c",
		" spaces\t":              "spaces",
		"":                       "unknown",
		"...":                    "unknown",
		"müller":                 "m_ller",
		"\x00\xff":               "unknown",
		strings.Repeat("x", 100): strings.Repeat("x", 64),
	} {
		if got := SourceToken(in); got != want {
			t.Errorf("SourceToken(%q) = %q, want %q", in, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		token := SourceToken(rapid.String().Draw(t, "source"))
		if token == "" || len(token) > maxToken || strings.ContainsAny(token, ".*> \t\r\n\x00") || SourceToken(token) != token {
			t.Fatalf("token is %q", token)
		}
	})
}

func TestNamesAreChecked(t *testing.T) {
	ctx := testContext(t)
	b := open(t, Config{})
	for _, stage := range []string{"", "a.b", "*", "A", "a b"} {
		if err := b.PublishWork(ctx, stage, []int64{1}); takedown.KindOf(err) != takedown.KindPermanent {
			t.Errorf("PublishWork to stage %q: %v", stage, err)
		}
		if _, err := b.Work(ctx, stage); takedown.KindOf(err) != takedown.KindPermanent {
			t.Errorf("Work for stage %q: %v", stage, err)
		}
	}
	for _, kind := range []string{"", "a..b", "a.*", ">", "a b"} {
		if err := b.PublishEvents(ctx, []Event{{Kind: kind, ID: 1}}); takedown.KindOf(err) != takedown.KindPermanent {
			t.Errorf("PublishEvents of kind %q: %v", kind, err)
		}
	}
	for _, filter := range []string{"a b", ".a", "a.", "a..b"} {
		if _, err := b.Events(ctx, filter, 1); takedown.KindOf(err) != takedown.KindPermanent {
			t.Errorf("Events with filter %q: %v", filter, err)
		}
	}
}

func FuzzDecodeWork(f *testing.F) {
	f.Add([]byte(`{"cases":[1,2,3]}`))
	f.Add([]byte(`{"cases":[]}`))
	f.Add([]byte(`{"cases":[1e99]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		cases, err := DecodeWork(body)
		if err == nil && (len(cases) == 0 || len(cases) > MaxCases) {
			t.Errorf("%d cases", len(cases))
		}
		if err != nil && takedown.KindOf(err) != takedown.KindPermanent {
			t.Errorf("kind of %v is %s", err, takedown.KindOf(err))
		}
	})
}
