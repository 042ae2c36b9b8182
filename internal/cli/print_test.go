package cli

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// golden compares got with a file, or rewrites the file with -update.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// newPrinter prints into a buffer as a terminal of the given width would show.
func newPrinter(width int) (*printer, func() string) {
	var b bytes.Buffer
	out := &printer{w: bufio.NewWriter(&b), width: width, tty: true}
	return out, func() string {
		_ = out.flush() // a buffer takes everything
		return b.String()
	}
}

func TestSafe(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"plain ünïcode", "plain ünïcode"},
		{"\x1b[31mred", "�[31mred"},
		{"two\r\nlines", "two  lines"},
		{"a\u202eb\u2028c\x00d\u009be", "a�b�c�d�e"},
		{"bad\xff", "bad�"},
	} {
		if got := safe(c.in); got != c.want {
			t.Errorf("safe(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

// Wrapping loses nothing but space, and keeps to the width.
func TestWrapKeepsEverything(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := rapid.StringMatching(`([a-zä€]{1,30} {0,3}){0,20}`).Draw(rt, "text")
		width := rapid.IntRange(1, 40).Draw(rt, "width")
		lines := wrap(s, width)
		for _, line := range lines {
			if utf8.RuneCountInString(line) > width {
				rt.Fatalf("%q is longer than %d", line, width)
			}
		}
		bare := func(s string) string { return strings.ReplaceAll(s, " ", "") }
		if got := bare(strings.Join(lines, "")); got != bare(s) {
			rt.Fatalf("got %q, want %q", got, bare(s))
		}
	})
}

func TestTableFitsTheTerminal(t *testing.T) {
	rows := [][]string{{"DSI-000001", "active", strings.Repeat("long-name-", 20)}, {"DSI-000002", "held", "b\x1b]0;title\a"}}
	for _, width := range []int{40, 60, 400} {
		out, text := newPrinter(width)
		out.table(table{head: []string{"CASE", "STATE", "REASON"}, rows: rows, flex: []int{2}})
		for line := range strings.Lines(text()) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > width {
				t.Errorf("width %d: a line has %d: %q", width, n, line)
			}
			if strings.ContainsAny(line, "\x1b\a") {
				t.Errorf("control characters in %q", line)
			}
		}
	}
}

func TestColourOnlyWhereWanted(t *testing.T) {
	out, text := newPrinter(80)
	out.printf("%s", out.paint(red, "x"))
	if got := text(); got != "x" {
		t.Errorf("without colour: %q", got)
	}
	out, text = newPrinter(80)
	out.color = true
	out.printf("%s", out.paint(red, "x"))
	if got := text(); got != "\x1b[31mx\x1b[0m" {
		t.Errorf("with colour: %q", got)
	}
}

func TestLasting(t *testing.T) {
	for _, c := range []struct {
		d    time.Duration
		want string
	}{{0, "0s"}, {59 * time.Second, "59s"}, {61 * time.Second, "1m01s"}, {3*time.Hour + 5*time.Minute, "3h05m"}, {50 * time.Hour, "2d02h"}, {-time.Minute, "-1m00s"}} {
		if got := lasting(c.d); got != c.want {
			t.Errorf("lasting(%s) = %q, want %q", c.d, got, c.want)
		}
	}
}

func TestMoment(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		in   string
		want time.Time
	}{
		{"2026-02-01", time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)},
		{"2026-02-01T10:00:00+02:00", time.Date(2026, 2, 1, 8, 0, 0, 0, time.UTC)},
		{"2026-02-01 10:00", time.Date(2026, 2, 1, 10, 0, 0, 0, time.UTC)},
		{"36h", now.Add(-36 * time.Hour)},
		{"1.5d", now.Add(-36 * time.Hour)},
	} {
		var m moment
		if err := m.UnmarshalText([]byte(c.in)); err != nil || !m.or(now, time.Time{}).Equal(c.want) {
			t.Errorf("%q: %s, %v; want %s", c.in, m.or(now, time.Time{}), err, c.want)
		}
	}
	for _, in := range []string{"", "yesterday", "-3h", "3 d", "1e400d", "99999999999999d", "NaNd"} {
		var m moment
		if err := m.UnmarshalText([]byte(in)); err == nil {
			t.Errorf("%q was read as %+v", in, m)
		}
	}
	if got := (moment{}).or(now, now); !got.Equal(now) {
		t.Errorf("no moment: %s", got)
	}
}

func TestNumber(t *testing.T) {
	for in, want := range map[string]int64{"DSI-000123": 123, "dsi-7": 7, "42\n": 42, "DSI-1234567": 1234567} {
		if got, ok := number(in); !ok || got != want {
			t.Errorf("number(%q) = %d, %v", in, got, ok)
		}
	}
	for _, in := range []string{"", "0", "DSI-", "DSI-0", "1.2.3.4", "12a", "99999999999999999999", "-1"} {
		if got, ok := number(in); ok {
			t.Errorf("number(%q) = %d", in, got)
		}
	}
}
