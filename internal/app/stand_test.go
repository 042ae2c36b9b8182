package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"desist/internal/app"
	"desist/internal/config"
	"desist/internal/postgres"
	"desist/internal/simnet"
	"desist/takedown"
)

// A warp is a clock whose speed can change while it runs.
type warp struct {
	mu     sync.Mutex
	at     time.Time // shown at since
	since  time.Time
	factor float64
}

func newWarp(epoch time.Time, factor float64) *warp {
	return &warp{at: epoch, since: time.Now(), factor: factor}
}

func (w *warp) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now()
}

func (w *warp) now() time.Time {
	return w.at.Add(time.Duration(float64(time.Since(w.since)) * w.factor))
}

func (w *warp) Speed(factor float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at, w.since, w.factor = w.now(), time.Now(), factor
}

// startWorld runs a simulated internet at the test's clock until the test ends.
func startWorld(t *testing.T, world *simnet.World, clock *warp) *simnet.Net {
	t.Helper()
	n, err := simnet.Start(context.WithoutCancel(t.Context()), simnet.Config{
		World: world, Logger: quiet(), KeepMails: 20_000,
		Clock: simnet.Clock{Epoch: world.Epoch, Start: world.Epoch, Factor: 1, Real: clock.Now},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	acting := make(chan struct{})
	go func() { // the people of the world act when their time has come
		defer close(acting)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				n.RunDue()
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-acting
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func quiet() *slog.Logger {
	if testing.Verbose() {
		return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	return slog.New(slog.DiscardHandler)
}

// settings are what every test here sets beside what the world says of itself.
func settings(more map[string]string) map[string]string {
	all := map[string]string{
		"sending": "live", "listen": "127.0.0.1:0", "inbox.lmtp": "127.0.0.1:0", "startup_timeout": "30s",
		"sender.legal_name": "Example Response Team", "sender.organisation": "Example Response Team",
		"sender.address": "Example Street 1, 10115 Example City", "sender.email": "abuse-desk@response.example",
		"sender.telephone": "+49 30 5550100", "sender.capacity": "security provider reporting its own observations", "sender.country": "DE",
		// A burst of questions overflows the socket of the one name server there is.
		"resolve.concurrency": "12", "resolve.budget.rate": "2000", "resolve.budget.burst": "2000", "smtp.helo": "mail.response.example",
	}
	maps.Copy(all, more)
	return all
}

// environment is settings as environment variables.
func environment(all map[string]string) []string {
	env := make([]string, 0, len(all))
	for _, key := range slices.Sorted(maps.Keys(all)) {
		env = append(env, config.EnvName(key)+"="+all[key])
	}
	return env
}

// worldFiles writes the configuration that a world prints, and the rules that
// tell its delivery networks.
func worldFiles(t *testing.T, n *simnet.Net, dir string) (file string) {
	t.Helper()
	cdns := ""
	for _, c := range n.World().CDNs {
		cdns += fmt.Sprintf("- name: %q\n  suffixes: [%q]\n", c.Name, c.Edge)
	}
	text := string(n.ServeConfig())
	if cdns != "" {
		text += fmt.Sprintf("cdn: %q\n", filepath.Join(dir, "cdn.yaml"))
		write(t, filepath.Join(dir, "cdn.yaml"), cdns)
	}
	file = filepath.Join(dir, "desist.yaml")
	write(t, file, text)
	return file
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// configure returns the configuration of a service in the world, on the given
// database, with JetStream inside the process.
func configure(t *testing.T, n *simnet.Net, database string, more map[string]string) config.Config {
	t.Helper()
	dir := t.TempDir()
	all := settings(map[string]string{"data_dir": dir, "database.url": database})
	maps.Copy(all, more)
	cfg, err := config.Load(worldFiles(t, n, dir), environment(all))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// start runs the service at the clock; fastest is the highest speed that the
// clock will have.
func start(t *testing.T, cfg config.Config, n *simnet.Net, clock *warp, fastest float64, roles ...string) *app.App {
	t.Helper()
	c := app.ClockOf(clock.Now, fastest)
	a, err := app.Start(t.Context(), app.Options{Config: cfg, Logger: quiet(), Clock: &c, Roles: roles})
	if err != nil {
		t.Fatal(err)
	}
	if addr := a.InboxAddr(); addr != "" {
		n.SetReplyTo(addr)
	}
	t.Cleanup(func() {
		if t.Failed() && running.CompareAndDelete(a, true) {
			t.Log("what stages could not do:" + failures(t, a.Database().Store))
			_ = a.Stop() // the test ended before it could
		}
	})
	running.Store(a, true)
	return a
}

// running are the services that a failed test must still end.
var running sync.Map

func stop(t *testing.T, a *app.App) {
	t.Helper()
	running.Delete(a)
	if err := a.Stop(); err != nil {
		t.Error(err)
	}
}

// failures lists what stages could not do, for a test that waits in vain.
func failures(t *testing.T, s *postgres.Store) string {
	t.Helper()
	var out strings.Builder
	for _, c := range cases(t, s) {
		events, err := s.Events(context.WithoutCancel(t.Context()), c.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if e.Kind == takedown.EventStageFailed || e.Kind == takedown.EventDeadLetter {
				fmt.Fprintf(&out, "\n%s %s: %s %s, now %s until %v", c.Reference(), c.Indicator.Value, e.Kind, e.Data, c.State, c.RetryAt)
			}
		}
	}
	return out.String()
}

// eventually waits until check returns nothing, which it is asked again and
// again; what it returned last is the failure.
func eventually(t *testing.T, limit time.Duration, check func() string) {
	t.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		missing := check()
		if missing == "" {
			return
		}
		select {
		case <-deadline.C:
			t.Fatalf("after %v: %s", limit, missing)
		case <-tick.C:
		}
	}
}

// report is the body of a submission, as the documented subject takes it.
func report(t *testing.T, indicator, class string, seen time.Time, id string) []byte {
	t.Helper()
	body, err := json.Marshal(takedown.IndicatorMessage{
		Indicator: indicator, Class: takedown.Class(class), SeenAt: &seen, Description: "Seen by the test's sensor.", ExternalID: id,
		Reporter: takedown.Reporter{Name: "test feed"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func publish(t *testing.T, a *app.App, source string, bodies ...[]byte) {
	t.Helper()
	for _, body := range bodies {
		if err := a.Bus().PublishIndicator(t.Context(), source, body); err != nil {
			t.Fatal(err)
		}
	}
}

func overview(t *testing.T, s *postgres.Store) postgres.Overview {
	t.Helper()
	o, err := s.Overview(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// cases loads every case, whole.
func cases(t *testing.T, s *postgres.Store) []*takedown.Case {
	t.Helper()
	ctx := context.WithoutCancel(t.Context()) // also when the test has failed
	rows, err := s.List(ctx, time.Now().AddDate(100, 0, 0), postgres.Filter{Limit: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]int64, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	all, err := s.Load(ctx, ids)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// notices loads every notice, by Message-ID.
func notices(t *testing.T, s *postgres.Store) map[string]takedown.Notice {
	t.Helper()
	ids := make([]int64, 4*overview(t, s).Notices+1000) // a rolled back commit leaves gaps
	for i := range ids {
		ids[i] = int64(i + 1)
	}
	byID, err := s.Notices(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]takedown.Notice, len(byID))
	for _, n := range byID {
		if have, ok := out[n.MessageID]; ok {
			t.Errorf("notices %d and %d have the same Message-ID %s", have.ID, n.ID, n.MessageID)
		}
		out[n.MessageID] = n
	}
	return out
}

func storyOf(t *testing.T, s *postgres.Store, indicator string) *postgres.Story {
	t.Helper()
	ids, err := s.Find(t.Context(), indicator)
	if err != nil {
		t.Fatal(err)
	}
	if len(ids) != 1 {
		t.Fatalf("%s has %d cases, want 1", indicator, len(ids))
	}
	st, err := s.Story(t.Context(), ids[0])
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// leg returns the case's leg of a role.
func leg(t *testing.T, c *takedown.Case, role takedown.Role) *takedown.Leg {
	t.Helper()
	for _, l := range c.Legs {
		if l.Party.Role == role {
			return l
		}
	}
	t.Fatalf("%s has no %s leg", c.Indicator.Value, role)
	return nil
}

func count[T any](list []T, f func(T) bool) int {
	n := 0
	for _, v := range list {
		if f(v) {
			n++
		}
	}
	return n
}

// saidOnce fails if a Message-ID arrived twice although no leg's outcome was
// unknown, if one was reused for another notice of the same leg, or if a mail
// arrived that is not on record.
func saidOnce(t *testing.T, s *postgres.Store, mails []simnet.Mail) {
	t.Helper()
	recorded := notices(t, s)
	type place struct {
		leg int64
		seq int
	}
	places := make(map[place]string)
	for id, n := range recorded {
		at := place{n.LegID, n.Seq}
		if other, ok := places[at]; ok {
			t.Errorf("notice %d of leg %d has two Message-IDs, %s and %s", n.Seq, n.LegID, id, other)
		}
		places[at] = id
	}
	arrived := make(map[string]int)
	for _, m := range mails {
		id := strings.Trim(m.MessageID, "<>")
		arrived[id]++
		if _, ok := recorded[id]; !ok {
			t.Errorf("a mail arrived at %s whose notice is not on record: %s", m.Recipient, id)
		}
	}
	for id, n := range arrived {
		if n > 1 {
			t.Errorf("%s arrived %d times", id, n)
		}
	}
}

// audited fails unless every chain of events is whole.
func audited(t *testing.T, s *postgres.Store) {
	t.Helper()
	result, err := s.Audit(t.Context(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Breaks) > 0 || result.Cases == 0 {
		t.Errorf("the record of %d cases has breaks: %v", result.Cases, result.Breaks)
	}
}
