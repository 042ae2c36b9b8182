package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"desist/internal/pgserver/pgservertest"
	"desist/takedown"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Every benchmark must print figures; how good they are is for people to judge.
func TestFigures(t *testing.T) {
	server := pgservertest.Start(t)
	dir := t.TempDir()
	steps := 0
	report, err := Run(t.Context(), All, Options{
		N: 50, Connections: 4, Dir: dir, Server: server, Progress: func(string, int, int) { steps++ },
	})
	if err != nil {
		t.Fatal(err)
	}
	checkRate(t, "floor jetstream", report.Floor.JetStream)
	checkRate(t, "floor postgresql", report.Floor.PostgreSQL)
	checkRate(t, "floor smtp", report.Floor.SMTP)
	checkRate(t, "intake batches", report.Intake.Batches)
	checkRate(t, "intake published", report.Intake.Published)
	checkRate(t, "compose", report.Compose.Rate)
	checkRate(t, "smtp", report.SMTP.Rate)
	checkRate(t, "pipeline", report.Pipeline.Rate)
	for name, v := range map[string]float64{
		"floor": report.Floor.PerSecond, "mail bytes": float64(report.Floor.MailBytes), "stored": report.Intake.Stored.PerSecond,
		"ratio": report.Pipeline.Ratio, "composed bytes": float64(report.Compose.MailBytes), "steps": float64(steps),
	} {
		if v <= 0 {
			t.Errorf("%s = %v, want a positive figure", name, v)
		}
	}
	if report.Pipeline.Floor != *report.Floor {
		t.Error("the pipeline was not compared with the floor of the same run")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	var text bytes.Buffer
	if err := report.Write(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"floor:", "intake:", "compose:", "smtp:", "pipeline:", "of the floor", "no look at the target"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, &text)
		}
	}
	raw, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	var flat struct {
		Pipeline struct {
			PerSecond float64 `json:"per_second"`
			Ratio     float64 `json:"ratio"`
		} `json:"pipeline"`
	}
	if err := json.Unmarshal(raw, &flat); err != nil {
		t.Fatal(err)
	}
	if flat.Pipeline.PerSecond != report.Pipeline.PerSecond || flat.Pipeline.Ratio != report.Pipeline.Ratio {
		t.Errorf("the JSON reads as %+v, want %v and %v", flat, report.Pipeline.PerSecond, report.Pipeline.Ratio)
	}
}

func checkRate(t *testing.T, name string, r Rate) {
	t.Helper()
	if r.N != 50 || r.Seconds <= 0 || r.PerSecond <= 0 || r.P50 <= 0 || r.P99 < r.P50 || r.CPU < 0 || r.Of == "" {
		t.Errorf("%s: %+v", name, r)
	}
}

// An interrupt ends a benchmark, whatever it does, and leaves nothing behind.
func TestInterrupt(t *testing.T) {
	server := pgservertest.Start(t)
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			dir := t.TempDir()
			_, err := Run(ctx, name, Options{
				N: 20_000, Connections: 2, Dir: dir, Server: server, Progress: func(string, int, int) { cancel() },
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("error %v, want that it was cancelled", err)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

func TestWrongUse(t *testing.T) {
	for name, o := range map[string]Options{"nothing": {N: 1, Connections: 1}, "smtp": {N: 0, Connections: 1}, "floor": {N: 1}} {
		if _, err := Run(t.Context(), name, o); takedown.KindOf(err) != takedown.KindPermanent {
			t.Errorf("%s with %+v: error %v, want a permanent one", name, o, err)
		}
	}
}

func TestPercentile(t *testing.T) {
	var each []time.Duration
	for i := 100; i > 0; i-- {
		each = append(each, time.Duration(i)*time.Millisecond)
	}
	for _, tt := range []struct {
		each []time.Duration
		p    int
		want float64
	}{{each, 50, 50}, {each, 99, 99}, {each[:1], 50, 100}, {each[:1], 99, 100}, {each[98:], 50, 1}, {each[98:], 99, 2}, {nil, 50, 0}} {
		if got := percentile(tt.each, tt.p); got != tt.want {
			t.Errorf("percentile %d of %d values = %v ms, want %v", tt.p, len(tt.each), got, tt.want)
		}
	}
}

func TestReadStat(t *testing.T) {
	file := t.TempDir() + "/stat"
	for _, tt := range []struct {
		text string
		want procStat
		ok   bool
	}{
		{"17 (odd ) name() S 4 17 17 0 -1 4194560 1 2 3 4 100 20 3 1 20 0 1 0 9 0\n", procStat{17, 4, 124}, true},
		{"17 (short) S 4 17\n", procStat{}, false},
		{"17 no name\n", procStat{}, false},
		{")(", procStat{}, false},
		{"", procStat{}, false},
	} {
		if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, ok := readStat(file); ok != tt.ok || got != tt.want {
			t.Errorf("%q reads as %+v, %v; want %+v, %v", tt.text, got, ok, tt.want, tt.ok)
		}
	}
}
