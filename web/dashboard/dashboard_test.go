package dashboard

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jba/templatecheck"

	"desist/internal/stats"
	"desist/takedown"
)

// TestTemplatesFitTheirData type-checks every page against what it is given.
func TestTemplatesFitTheirData(t *testing.T) {
	pages, err := parse()
	if err != nil {
		t.Fatal(err)
	}
	data := map[string]any{
		"overview": overviewPage{}, "cases": casesPage{}, "case": casePage{}, "notice": noticePage{}, "verify": verifyPage{}, "login": loginPage{}, "fault": faultPage{},
	}
	for _, name := range pageNames() {
		if err := templatecheck.CheckHTML(pages[name], data[name]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"plain ü":                         "plain ü",
		"two\r\nlines\tand a tab":         "two\nlines\tand a tab",
		"moc.\u202eelpmaxe":               "moc.\ufffdelpmaxe",
		"zero\u200bwidth\ufeff":           "zero\ufffdwidth\ufffd",
		"bell\a null\x00 bad\xff esc\x1b": "bell\ufffd null\ufffd bad\ufffd esc\ufffd",
	} {
		if got := text(in); got != want {
			t.Errorf("text(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestLasting(t *testing.T) {
	for in, want := range map[time.Duration]string{
		0: "0 s", 59 * time.Second: "59 s", time.Minute: "1 min", 61 * time.Second: "1 min 1 s", time.Hour: "1 h",
		25*time.Hour + 59*time.Minute: "1 d 1 h", 48 * time.Hour: "2 d", -time.Minute: "−1 min",
	} {
		if got := lasting(in); got != want {
			t.Errorf("lasting(%v) = %q, want %q", in, got, want)
		}
	}
}

func TestDefanger(t *testing.T) {
	r := defanger(takedown.Indicator{Value: "https://a.b.example/x", Host: "a.b.example", Registrable: "b.example"})
	got := r.Replace("see https://a.b.example/x on a.b.example of b.example, and http://c.example/")
	want := "see hxxps://a[.]b[.]example/x on a[.]b[.]example of b[.]example, and hxxp://c.example/"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestCurveStaysInItsFrame(t *testing.T) {
	var spans []stats.Span
	for i := range 5000 {
		spans = append(spans, stats.Span{Duration: time.Duration(i*i) * time.Second, Observed: i%3 != 0})
	}
	c := drawCurve(stats.KaplanMeier(spans))
	if c == nil || c.Median == nil {
		t.Fatal("no curve, or no median on it")
	}
	if len(c.XTicks) < 2 || len(c.XTicks) > 7 {
		t.Errorf("%d ticks: %v", len(c.XTicks), c.XTicks)
	}
	if n := len(c.Line); n > 20_000 {
		t.Errorf("the path has %d bytes", n)
	}
	coordinate := regexp.MustCompile(`([HVLM])(-?[\d.]+)(?: (-?[\d.]+))?`)
	for _, path := range []string{c.Line, c.Band} {
		for _, m := range coordinate.FindAllStringSubmatch(path, -1) {
			x, y := m[2], m[3]
			if m[1] == "V" {
				x, y = "", m[2]
			}
			inside(t, x, c.Left, c.Right)
			inside(t, y, c.Top, c.Bottom)
		}
	}
	if drawCurve(stats.KaplanMeier(nil)) != nil || drawCurve(stats.KaplanMeier([]stats.Span{{Observed: true}})) != nil {
		t.Error("a curve without length was drawn")
	}
}

func inside(t *testing.T, s string, low, high int) {
	t.Helper()
	if s == "" {
		return
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(v) || v < float64(low) || v > float64(high) {
		t.Fatalf("coordinate %s is outside %d to %d", s, low, high)
	}
}

func TestDataFields(t *testing.T) {
	got := dataFields(json.RawMessage(`{"reason":"x","id":12345678901234567,"list":["a","b"],"deep":{"k":true},"none":null}`))
	want := []field{{"deep", "k true"}, {"id", "12345678901234567"}, {"list", "a, b"}, {"reason", "x"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if got := dataFields(json.RawMessage(`[1]`)); len(got) != 1 || got[0].Value != "[1]" {
		t.Errorf("data that is no object: %v", got)
	}
}

func TestOwnPath(t *testing.T) {
	for in, want := range map[string]string{
		"/cases?state=held": "/cases?state=held", "": "/", "https://evil.example/": "/", "//evil.example/": "/", "/\\evil.example": "/",
		"javascript:alert(1)": "/", "/%2f/evil.example": "/", "cases": "/", "/a\r\nb": "/",
	} {
		if got := ownPath(in); got != want {
			t.Errorf("ownPath(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestEveryEventHasWords(t *testing.T) {
	for _, k := range []takedown.EventKind{"", "x", "leg.planned", "new.kind_of_event", takedown.EventRemoved} {
		if got := happened(k); strings.Contains(got, "_") || strings.Contains(got, ".") {
			t.Errorf("happened(%q) = %q", k, got)
		}
	}
}

func FuzzReadMessage(f *testing.F) {
	f.Add([]byte("Subject: a\r\n\r\ntext"))
	f.Add([]byte("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nx\r\n--c--\r\n--b--\r\n"))
	f.Add([]byte("Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!"))
	f.Add([]byte("\r\n\r\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := readMessage(raw)
		if err == nil && len(m.parts) > maxParts {
			t.Errorf("%d parts", len(m.parts))
		}
		p := newNoticePage(takedown.Notice{Sealed: raw, Draft: takedown.Draft{Elements: []takedown.Element{{ID: "a", Line: 3, Quote: "x"}, {ID: "b", Line: -1}}}})
		for _, e := range p.Elements {
			if e.At < 0 || e.At > len(p.Lines) {
				t.Errorf("element at line %d of %d", e.At, len(p.Lines))
			}
		}
	})
}
