package templates

import (
	"strings"
	"testing"
	"unicode"

	"desist/takedown"
)

func TestMaskURL(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"https://a.example/x?id=7", "https://a.example/x?id=7"},
		{"https://a.example/x?email=v%40b.example&id=7", "https://a.example/x?email=***&id=7"},
		{"https://a.example/x?Token=abc", "https://a.example/x?Token=***"},
		{"https://a.example/x?q=v@b.example", "https://a.example/x?q=***"},
		{"https://a.example/#v@b.example", "https://a.example/#***"},
		{"https://a.example/#dkBiLmV4YW1wbGU=", "https://a.example/#***"},
		{"https://a.example/v@b.example/login", "https://a.example/***/login"},
		{"https://a.example/@handle", "https://a.example/@handle"},
		{"https://user:pw@a.example/", "https://***@a.example/"},
		{"a.example", "a.example"},
	} {
		got, masked := maskURL(tt.in)
		if got != tt.want || masked != (tt.in != tt.want) {
			t.Errorf("maskURL(%q) = %q, %v, want %q", tt.in, got, masked, tt.want)
		}
	}
}

func TestClean(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"  two\r\n\twords ", "two words"},
		{"a\u202eb\u200bc\x00d\x1b[31m", "abcd[31m"},
		{"bad \xff bytes", "bad bytes"},
		{"line\u2028separator", "line separator"},
		{strings.Repeat("x", 11), "xxxxxxxxxx…"},
		{strings.Repeat("x", 10), "xxxxxxxxxx"},
	} {
		limit := 10
		if len(tt.want) > 10 && !strings.HasSuffix(tt.want, "…") {
			limit = 100
		}
		if got := clean(tt.in, limit); got != tt.want {
			t.Errorf("clean(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestDefangProse(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"see HTTPS://Evil.example/x now", "see hxxpS://Evil[.]example/x now"},
		{"from 192.0.2.1, e.g. version 3.18.2", "from 192[.]0[.]2[.]1, e.g. version 3.18.2"},
		{"sent to victim@b.example.", "sent to (mail address removed)"},
		{"nothing here", "nothing here"},
		{"xn--bcher-kva.example and bücher.example", "xn--bcher-kva[.]example and bücher[.]example"},
	} {
		if got := defangProse(tt.in); got != tt.want {
			t.Errorf("defangProse(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestTargetHidesTheHostEverywhere(t *testing.T) {
	got, _ := target(takedown.Indicator{Kind: takedown.KindURL, Host: "a.example", Value: "https://a.example/go?u=https://a.example/x"})
	if want := "hxxps://a[.]example/go?u=hxxps://a[.]example/x"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestWrap(t *testing.T) {
	long := strings.Repeat("0123456789", 20)
	for _, p := range []string{"Label\t" + long, "- " + long, "word " + long + " word", strings.Repeat("ä ö ", 60), "\tvalue only", "https://a.example/" + long} {
		lines := wrap(nil, p)
		var joined strings.Builder
		for _, line := range lines {
			if n := len([]rune(line)); n > lineWidth && !strings.HasPrefix(p, "https://") {
				t.Errorf("%d columns: %q", n, line)
			}
			joined.WriteString(strings.Join(strings.Fields(line), ""))
		}
		if want := strings.Join(strings.Fields(p), ""); joined.String() != want {
			t.Errorf("wrap lost text: %q, want %q", &joined, want)
		}
	}
}

func FuzzOutsideText(f *testing.F) {
	f.Add("https://u:p@a.example/v@b.example?email=x#y", "text\u202e")
	f.Fuzz(func(t *testing.T, address, text string) {
		masked, _ := maskURL(address)
		clean(masked, 100)
		for _, r := range defangProse(clean(text, 200)) {
			if !unicode.IsPrint(r) {
				t.Errorf("%U survived", r)
			}
		}
		for _, line := range wrap(nil, clean(text, 200)) {
			if n := len([]rune(line)); n > lineWidth && !strings.Contains(line, "http") {
				t.Errorf("%d columns: %q", n, line)
			}
		}
	})
}
