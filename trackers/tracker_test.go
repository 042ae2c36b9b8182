package trackers_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"desist/takedown"
	"desist/trackers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type probeFunc func(ctx context.Context, target trackers.Target) []takedown.Observation

func (f probeFunc) Observe(ctx context.Context, target trackers.Target) []takedown.Observation {
	return f(ctx, target)
}

// says is a probe with a fixed answer.
func says(observations ...takedown.Observation) trackers.Probe {
	return probeFunc(func(context.Context, trackers.Target) []takedown.Observation { return observations })
}

func obs(probe, profile string, layer takedown.Layer, verdict takedown.Verdict) takedown.Observation {
	return takedown.Observation{Probe: probe, Profile: profile, Layer: layer, Verdict: verdict, Detail: string(verdict)}
}

func TestDecide(t *testing.T) {
	const up, gone, unclear = takedown.VerdictUp, takedown.VerdictGone, takedown.VerdictUnclear
	const name, host, content = takedown.LayerName, takedown.LayerHost, takedown.LayerContent
	tests := []struct {
		name    string
		seen    []takedown.Observation
		verdict takedown.Verdict
		layer   takedown.Layer
	}{
		{"nothing seen", nil, unclear, name},
		{"all profiles gone", []takedown.Observation{obs("dns", "a", name, up), obs("web", "desktop", content, gone), obs("web", "mobile", content, gone)}, gone, content},
		{"one profile is served", []takedown.Observation{obs("dns", "a", name, up), obs("web", "desktop", content, gone), obs("web", "mobile", content, up)}, up, content},
		{"served although a vantage denies the name", []takedown.Observation{obs("dns", "a", name, gone), obs("web", "desktop", content, up)}, up, content},
		{"one profile timed out", []takedown.Observation{obs("web", "desktop", content, gone), obs("web", "mobile", content, unclear)}, unclear, content},
		{"name gone everywhere", []takedown.Observation{obs("dns", "a", name, gone), obs("dns", "b", name, gone), obs("web", "connect", name, gone)}, gone, name},
		{"vantages disagree on the name", []takedown.Observation{obs("dns", "a", name, up), obs("dns", "b", name, gone), obs("web", "connect", name, gone)}, unclear, name},
		{"name resolves, host refuses", []takedown.Observation{obs("dns", "a", name, up), obs("web", "connect", host, gone)}, gone, host},
		{"refused and not found", []takedown.Observation{obs("web", "desktop", content, gone), obs("web", "connect", host, gone)}, gone, content},
		{"only the name was looked at", []takedown.Observation{obs("dns", "a", name, up)}, up, name},
		{"name could not be looked up", []takedown.Observation{obs("dns", "a", name, unclear), obs("web", "connect", host, gone)}, unclear, name},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			verdict, layer, detail := trackers.Decide(tt.seen)
			if verdict != tt.verdict || layer != tt.layer || detail == "" {
				t.Errorf("Decide = %s at %s (%q), want %s at %s", verdict, layer, detail, tt.verdict, tt.layer)
			}
		})
	}
}

// Whatever is seen: one profile that is served wins, gone needs everybody, and
// the order of the observations does not matter.
func TestDecideInvariants(t *testing.T) {
	layers := []takedown.Layer{takedown.LayerName, takedown.LayerHost, takedown.LayerContent}
	verdicts := []takedown.Verdict{takedown.VerdictUp, takedown.VerdictGone, takedown.VerdictUnclear}
	one := rapid.Custom(func(t *rapid.T) takedown.Observation {
		return obs("p", rapid.StringMatching("[a-c]").Draw(t, "profile"), rapid.SampledFrom(layers).Draw(t, "layer"), rapid.SampledFrom(verdicts).Draw(t, "verdict"))
	})
	rapid.Check(t, func(t *rapid.T) {
		seen := rapid.SliceOfN(one, 0, 8).Draw(t, "seen")
		verdict, layer, _ := trackers.Decide(seen)
		served, anyUnclear, anyGone := false, false, false
		for _, o := range seen {
			served = served || o.Verdict == takedown.VerdictUp && o.Layer != takedown.LayerName
			anyUnclear = anyUnclear || o.Verdict == takedown.VerdictUnclear
			anyGone = anyGone || o.Verdict == takedown.VerdictGone
		}
		if served && verdict != takedown.VerdictUp {
			t.Fatalf("served, but %s", verdict)
		}
		if verdict == takedown.VerdictGone && (!anyGone || anyUnclear || served) {
			t.Fatalf("gone without agreement: %v", seen)
		}
		again, layerAgain, _ := trackers.Decide(rapid.Permutation(seen).Draw(t, "order"))
		if again != verdict || layerAgain != layer {
			t.Fatalf("order matters: %s at %s, then %s at %s", verdict, layer, again, layerAgain)
		}
	})
}

var gonePage = obs("web", "desktop", takedown.LayerContent, takedown.VerdictGone)

func TestCheckCollectsEveryProbe(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	// Each probe waits for the other: they must run at the same time.
	var both sync.WaitGroup
	both.Add(2)
	meet := func(o takedown.Observation) trackers.Probe {
		return probeFunc(func(context.Context, trackers.Target) []takedown.Observation {
			both.Done()
			both.Wait()
			return []takedown.Observation{o}
		})
	}
	first := obs("dns", "a", takedown.LayerName, takedown.VerdictUp)
	tracker, err := trackers.New(trackers.Config{Probes: []trackers.Probe{meet(first), meet(gonePage)}, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	got := tracker.Check(t.Context(), trackers.Target{})
	second := gonePage
	first.At, second.At = now, now
	want := takedown.Check{
		At: now, Verdict: takedown.VerdictGone, Layer: takedown.LayerContent, Detail: "web/desktop: gone",
		Observations: []takedown.Observation{first, second},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("check (-want +got):\n%s", diff)
	}
}

func TestCanary(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var asked atomic.Int32
	var broken atomic.Bool
	broken.Store(true)
	tracker, err := trackers.New(trackers.Config{
		Probes: []trackers.Probe{says(gonePage)},
		Canary: func(context.Context) error {
			asked.Add(1)
			if broken.Load() {
				return errors.New("no route to anything")
			}
			return nil
		},
		CanaryFor: time.Minute,
		Now:       func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	check := tracker.Check(t.Context(), trackers.Target{})
	if check.Verdict != takedown.VerdictUnclear || !strings.Contains(check.Detail, "offline") {
		t.Errorf("while we are offline: %s (%s), want unclear", check.Verdict, check.Detail)
	}
	broken.Store(false)
	if check := tracker.Check(t.Context(), trackers.Target{}); check.Verdict != takedown.VerdictUnclear {
		t.Errorf("the canary's answer was not kept: %s", check.Verdict)
	}
	now = now.Add(2 * time.Minute)
	if check := tracker.Check(t.Context(), trackers.Target{}); check.Verdict != takedown.VerdictGone {
		t.Errorf("back online: %s (%s), want gone", check.Verdict, check.Detail)
	}
	if n := asked.Load(); n != 2 {
		t.Errorf("the canary was asked %d times, want 2", n)
	}
}

func TestCanaryIsNotAskedForAnythingButGone(t *testing.T) {
	up := obs("web", "desktop", takedown.LayerContent, takedown.VerdictUp)
	tracker, err := trackers.New(trackers.Config{
		Probes: []trackers.Probe{says(up)},
		Canary: func(context.Context) error { t.Error("asked"); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	tracker.Check(t.Context(), trackers.Target{})
}

// Many rounds at once share one canary, and one that hangs ends with its round.
func TestCanaryShared(t *testing.T) {
	var asked atomic.Int32
	tracker, err := trackers.New(trackers.Config{
		Probes: []trackers.Probe{says(gonePage)},
		Canary: func(context.Context) error { asked.Add(1); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if c := tracker.Check(context.Background(), trackers.Target{}); c.Verdict != takedown.VerdictGone {
				t.Errorf("got %s (%s)", c.Verdict, c.Detail)
			}
		})
	}
	wg.Wait()
	if n := asked.Load(); n != 1 {
		t.Errorf("the canary was asked %d times, want once", n)
	}

	hanging, err := trackers.New(trackers.Config{
		Probes:  []trackers.Probe{says(gonePage)},
		Canary:  func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
		Timeout: 20 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	if c := hanging.Check(t.Context(), trackers.Target{}); c.Verdict != takedown.VerdictUnclear {
		t.Errorf("hanging canary: %s, want unclear", c.Verdict)
	}
}

func TestProbeCanary(t *testing.T) {
	target := trackers.Target{Indicator: takedown.Indicator{Kind: takedown.KindDomain, Value: "up.example", Host: "up.example"}}
	good := trackers.ProbeCanary(says(obs("dns", "", takedown.LayerName, takedown.VerdictUp)), target)
	if err := good(t.Context()); err != nil {
		t.Errorf("canary that is up: %v", err)
	}
	for _, p := range []trackers.Probe{says(), says(gonePage)} {
		if err := trackers.ProbeCanary(p, target)(t.Context()); err == nil {
			t.Error("canary that is not up gave no error")
		}
	}
}

func TestNewNeedsProbes(t *testing.T) {
	if _, err := trackers.New(trackers.Config{}); err == nil {
		t.Error("a tracker without probes was accepted")
	}
}

func TestSchedule(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	next := trackers.Schedule(trackers.ScheduleConfig{Jitter: -1})
	tests := []struct {
		name  string
		round trackers.Round
		want  time.Duration
	}{
		{"new", trackers.Round{Age: time.Hour, Verdict: takedown.VerdictUp}, 15 * time.Minute},
		{"a day old", trackers.Round{Age: 24 * time.Hour, Verdict: takedown.VerdictUp}, time.Hour},
		{"a week old", trackers.Round{Age: 8 * 24 * time.Hour, Verdict: takedown.VerdictUp}, 3 * time.Hour},
		{"gone seen", trackers.Round{Age: 8 * 24 * time.Hour, Verdict: takedown.VerdictGone}, 30 * time.Minute},
		{"unclear between gone rounds", trackers.Round{Age: 8 * 24 * time.Hour, Verdict: takedown.VerdictUnclear, Track: takedown.Track{GoneRounds: 1}}, 30 * time.Minute},
		{"unclear", trackers.Round{Age: 2 * 24 * time.Hour, Verdict: takedown.VerdictUnclear}, time.Hour},
		{"watched", trackers.Round{Age: time.Hour, Verdict: takedown.VerdictGone, Removed: true}, 6 * time.Hour},
		{"relapsed", trackers.Round{Age: time.Hour, Verdict: takedown.VerdictUp, Removed: true}, 15 * time.Minute},
	}
	for _, tt := range tests {
		tt.round.Now = now
		if got := next(tt.round).Sub(now); got != tt.want {
			t.Errorf("%s: next check after %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestScheduleBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		duration := rapid.Custom(func(t *rapid.T) time.Duration {
			return time.Duration(rapid.Int64Range(-int64(time.Hour), int64(240*time.Hour)).Draw(t, "d"))
		})
		cfg := trackers.ScheduleConfig{
			Fresh: duration.Draw(t, "fresh"), FreshFor: duration.Draw(t, "freshFor"), Young: duration.Draw(t, "young"), YoungFor: duration.Draw(t, "youngFor"),
			Old: duration.Draw(t, "old"), Confirm: duration.Draw(t, "confirm"), Watch: duration.Draw(t, "watch"), Jitter: rapid.Float64().Draw(t, "jitter"),
		}
		round := trackers.Round{
			CaseID: rapid.Int64().Draw(t, "case"), Now: time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "now"), 0), Age: duration.Draw(t, "age"),
			Verdict: rapid.SampledFrom([]takedown.Verdict{takedown.VerdictUp, takedown.VerdictGone, takedown.VerdictUnclear, ""}).Draw(t, "verdict"),
			Track:   takedown.Track{Checks: rapid.Int().Draw(t, "checks"), GoneRounds: rapid.IntRange(0, 3).Draw(t, "rounds")},
			Removed: rapid.Bool().Draw(t, "removed"),
		}
		next := trackers.Schedule(cfg)
		at := next(round)
		longest := max(cfg.Fresh, cfg.Young, cfg.Old, cfg.Confirm, cfg.Watch, 6*time.Hour)
		if !at.After(round.Now) || at.After(round.Now.Add(longest+longest/2)) {
			t.Fatalf("next check %v after now, longest interval %v", at.Sub(round.Now), longest)
		}
		if again := next(round); !again.Equal(at) {
			t.Fatalf("equal rounds gave %v and %v", at, again)
		}
	})
}

// A feed's cases, all taken in at once, spread out.
func TestScheduleSpreads(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	next := trackers.Schedule(trackers.ScheduleConfig{})
	buckets := map[string]int{}
	for id := range int64(1800) {
		d := next(trackers.Round{CaseID: id + 1, Now: now, Verdict: takedown.VerdictUp}).Sub(now)
		buckets[fmt.Sprint(d/(10*time.Second))]++ // 18 buckets in ±90 s
	}
	for b, n := range buckets {
		if n > 200 {
			t.Errorf("%d of 1800 cases fall into the same ten seconds (%s), want about 100", n, b)
		}
	}
	if len(buckets) < 17 {
		t.Errorf("cases fall into %d slots of 18", len(buckets))
	}
}
