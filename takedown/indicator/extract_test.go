package indicator_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"desist/takedown/indicator"
)

func TestExtract(t *testing.T) {
	type want = indicator.Extraction
	none := []string{}
	tests := []struct {
		name, text string
		want       want
	}{
		{"nothing", "Nothing to see here. Or there...", want{none, none, none, none}},
		{
			"sentence", "We saw hxxps://login[.]example[.]com/a[.]php?x=1, and (see also 192[.]0[.]2[.]7).",
			want{[]string{"login.example.com"}, []string{"https://login.example.com/a.php?x=1"}, []string{"192.0.2.7"}, none},
		},
		{
			"table", "http://a.example/x,http://b.example/y|192.0.2.1;\"c.example\"",
			want{[]string{"a.example", "b.example", "c.example"}, []string{"http://a.example/x", "http://b.example/y"}, []string{"192.0.2.1"}, none},
		},
		{
			"repeats", "B.example b.example a.example",
			want{[]string{"a.example", "b.example"}, none, none, none},
		},
		{
			"mail", "Write to Sales [at] example [dot] com or desk@b.example.",
			want{[]string{"b.example", "example.com"}, none, none, []string{"desk@b.example", "sales@example.com"}},
		},
		{
			"brackets of a URL", "(http://a.example/x_(y)) [http://a.example/z]",
			want{[]string{"a.example"}, []string{"http://a.example/x_(y)", "http://a.example/z"}, none, none},
		},
		{
			"markup", `[the kit](http://a.example/x) <a href="http://b.example/y">b</a> http[s]://c.example`,
			want{
				[]string{"a.example", "b.example", "c.example"},
				[]string{"http://a.example/x", "http://b.example/y", "https://c.example"},
				none, none,
			},
		},
		{
			"ports", "192.0.2.1:8080 hxxp://a[.]example[:]8080/ [2001:DB8::1]:443",
			want{[]string{"a.example"}, []string{"http://a.example:8080/"}, []string{"192.0.2.1", "2001:db8::1"}, none},
		},
		{
			"ranges", "192.0.2.1-192.0.2.9, 198.51.100.0/24",
			want{none, none, []string{"192.0.2.1", "192.0.2.9", "198.51.100.0"}, none},
		},
		{"versions", "v1.2.3.4.5 1.2.3 std::vector ab::cd 12:30:45 00:11:22:33:44:55", want{none, none, none, none}},
		{
			"octal host", "http://0300.0.2.1/x",
			want{none, []string{"http://0300.0.2.1/x"}, []string{"192.0.2.1"}, none},
		},
		{
			"next sentence without a blank", "It was a.example.We left.",
			want{[]string{"a.example"}, none, none, none},
		},
		{
			"underscore", "http://x_y.a.example/",
			want{[]string{"x_y.a.example"}, []string{"http://x_y.a.example/"}, none, none},
		},
		{"full stops of other scripts", "a。example 你好。再见", want{[]string{"a.example"}, none, none, none}},
		{"invalid UTF-8", "a.example\xffb.example", want{[]string{"a.example", "b.example"}, none, none, none}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, indicator.Extract(tt.text)); diff != "" {
				t.Errorf("Extract(%q) (-want +got):\n%s", tt.text, diff)
			}
		})
	}
}

// TestExtractHostile gives a long text of whatever might make a search go back
// and forth. A quadratic step would run past the time limit of the tests.
func TestExtractHostile(t *testing.T) {
	const size = 64 << 10
	for _, unit := range []string{
		".", "[", "[.]", "(", ")", "-", "a", "a.", "a-", "@", "a@", " at ", " dot ", "http://", "http://a.example/)", "h", ":", "::", "1:", "1.",
		"http://a@", "\\", "[.", "a[.", " ", "\x00", "é", "http://a.example,", "http://[", "。", "%", "*@", "hxxp[:]//",
	} {
		text := strings.Repeat(unit, size/len(unit))
		indicator.Extract("http://a.example/" + text + " " + text)
	}
}

func FuzzExtract(f *testing.F) {
	f.Add("hxxp://a[.]example/x b at c dot example 192.0.2.1 2001:db8::1%eth0 x@y.example")
	f.Fuzz(func(t *testing.T, s string) {
		got := indicator.Extract(s)
		for _, list := range [][]string{got.Domains, got.URLs, got.IPs, got.Emails} {
			if list == nil || !slices.IsSorted(list) || len(slices.Compact(slices.Clone(list))) != len(list) {
				t.Fatalf("Extract(%q): %q is nil, unsorted or repeats itself", s, list)
			}
			for _, v := range list {
				if !utf8.ValidString(v) || strings.TrimSpace(v) != v || v == "" {
					t.Fatalf("Extract(%q) found %q", s, v)
				}
			}
		}
		for _, ip := range got.IPs {
			if _, err := indicator.Parse(ip); err != nil {
				t.Fatalf("Extract(%q) found %q: %v", s, ip, err)
			}
		}
	})
}
