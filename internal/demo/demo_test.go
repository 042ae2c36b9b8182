package demo_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"desist/internal/demo"
	"desist/internal/pgserver"
	"desist/takedown"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// dataDir is a new directory that the user of PostgreSQL can enter; that of
// testing.TB.TempDir is closed to it when the test runs as root.
func dataDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "desist-demo")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func options(dir string, out io.Writer) demo.Options {
	return demo.Options{
		Indicators: 25, Speed: 120_000, DataDir: dir, Listen: "127.0.0.1:0", Exit: true, JSON: true, Out: out, Err: io.Discard,
		Logger: slog.New(slog.DiscardHandler),
	}
}

// A small rehearsal, twice in the same folder: every case comes to an end, and
// the record is whole.
func TestDemoEndsTwice(t *testing.T) {
	if _, err := pgserver.Find(); err != nil && os.Getenv("CI") == "" {
		t.Skipf("This test needs PostgreSQL: %v", err)
	}
	dir := filepath.Join(dataDir(t), "data")
	for range 2 {
		var out bytes.Buffer
		if err := demo.Run(t.Context(), options(dir, &out)); err != nil {
			t.Fatal(err)
		}
		var s demo.Summary
		if err := json.Unmarshal(out.Bytes(), &s); err != nil {
			t.Fatalf("the summary is no JSON: %v\n%s", err, out.Bytes())
		}
		if s.Indicators != 25 || s.Submissions+s.Refused != 25 || s.Told == 0 || s.Gone == 0 || s.FirstNoticeS <= 0 {
			t.Errorf("summary %s", out.Bytes())
		}
		if len(s.Audit.Breaks) > 0 || s.Audit.Events == 0 {
			t.Errorf("audit %+v", s.Audit)
		}
		for state, n := range s.Cases {
			if !takedown.CaseState(state).Closed() && state != string(takedown.CaseHeld) {
				t.Errorf("%d cases are still %s", n, state)
			}
		}
	}
}

// The demo empties only what a demo has filled.
func TestDemoSparesOtherFolders(t *testing.T) {
	dir := dataDir(t)
	precious := filepath.Join(dir, "precious.txt")
	if err := os.WriteFile(precious, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := demo.Run(t.Context(), options(dir, io.Discard))
	var own *takedown.Error
	if !errors.As(err, &own) || own.Kind != takedown.KindPermanent {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(precious); err != nil {
		t.Errorf("the demo touched what it does not own: %v", err)
	}
}
