package indicator_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"desist/takedown"
	"desist/takedown/indicator"
)

func domain(value, registrable, platform string) takedown.Indicator {
	return takedown.Indicator{Kind: takedown.KindDomain, Value: value, Host: value, Registrable: registrable, Platform: platform}
}

func link(value, host, registrable, platform string) takedown.Indicator {
	return takedown.Indicator{Kind: takedown.KindURL, Value: value, Host: host, Registrable: registrable, Platform: platform}
}

func ip4(value string) takedown.Indicator {
	return takedown.Indicator{Kind: takedown.KindIPv4, Value: value, Host: value}
}

func ip6(value string) takedown.Indicator {
	return takedown.Indicator{Kind: takedown.KindIPv6, Value: value, Host: value}
}

func TestParse(t *testing.T) {
	plain := domain("login.example.com", "example.com", "")
	tests := map[string]takedown.Indicator{
		"login.example.com":         plain,
		"Login.EXAMPLE.com.":        plain,
		"  <login.example.com>, ":   plain,
		"“login.example.com”;":      plain,
		"login[.]example[.]com":     plain,
		"login(.)example{.}com":     plain,
		"login[dot]example(DOT)com": plain,
		"login dot example dot com": plain,
		`login\.example\.com`:       plain,
		"login．example。com":         plain,
		"login[[.]]example[.com":    plain,
		"login.example.[com]":       plain,
		"login.example.com:8443":    plain,
		"login[.]example.com[:]80":  plain,

		"bücher.example":                    domain("xn--bcher-kva.example", "xn--bcher-kva.example", ""),
		"XN--BCHER-KVA.example":             domain("xn--bcher-kva.example", "xn--bcher-kva.example", ""),
		"faß.test":                          domain("xn--fa-hia.test", "xn--fa-hia.test", ""),
		"раypal.example":                    domain("xn--ypal-43d9g.example", "xn--ypal-43d9g.example", ""),
		"banana.рф":                         domain("banana.xn--p1ai", "banana.xn--p1ai", ""),
		"a.b.co.uk":                         domain("a.b.co.uk", "b.co.uk", ""),
		"a.b.ck":                            domain("a.b.ck", "a.b.ck", ""),
		"_dmarc.my_host.example.com":        domain("_dmarc.my_host.example.com", "example.com", ""),
		"r3---sn-4g5e.example.com":          domain("r3---sn-4g5e.example.com", "example.com", ""),
		"somebody.github.io":                domain("somebody.github.io", "github.io", "github.io"),
		"a.somebody.github.io":              domain("a.somebody.github.io", "github.io", "github.io"),
		"github.io":                         domain("github.io", "github.io", ""),
		"x.test":                            domain("x.test", "x.test", ""),
		"printer.local":                     domain("printer.local", "printer.local", ""),
		"1.2.0.192.in-addr.arpa":            domain("1.2.0.192.in-addr.arpa", "192.in-addr.arpa", ""),
		"192.0.2.1":                         ip4("192.0.2.1"),
		"192[.]0[.]2[.]1:8080":              ip4("192.0.2.1"),
		"192.0.2.1.":                        ip4("192.0.2.1"),
		"hxxp: //example.com":               link("http://example.com/", "example.com", "example.com", ""),
		"192.0.2 dot 1":                     ip4("192.0.2.1"),
		"::ffff:192.0.2.1":                  ip4("192.0.2.1"),
		"2001:DB8:0:0::1":                   ip6("2001:db8::1"),
		"[2001:db8::1]":                     ip6("2001:db8::1"),
		"[2001:db8::1]:443":                 ip6("2001:db8::1"),
		"(2001:db8::1)":                     ip6("2001:db8::1"),
		"http://example.com":                link("http://example.com/", "example.com", "example.com", ""),
		"example.com/login":                 link("http://example.com/login", "example.com", "example.com", ""),
		"//example.com/x":                   link("http://example.com/x", "example.com", "example.com", ""),
		"hxxps://login[.]example[.]com/":    link("https://login.example.com/", "login.example.com", "example.com", ""),
		"hXXp[:]//example[.]com/a[.]php":    link("http://example.com/a.php", "example.com", "example.com", ""),
		"h__p[://]example.com/a[.]php":      link("http://example.com/a.php", "example.com", "example.com", ""),
		"hzzzps:// example.com":             link("https://example.com/", "example.com", "example.com", ""),
		"http[s]://example.com":             link("https://example.com/", "example.com", "example.com", ""),
		"meow://example.com":                link("http://example.com/", "example.com", "example.com", ""),
		"fxp://example.com/f":               link("ftp://example.com/f", "example.com", "example.com", ""),
		`http:\\example.com\a`:              link("http://example.com/a", "example.com", "example.com", ""),
		`http:\/\/example.com\/a`:           link("http://example.com//a", "example.com", "example.com", ""),
		"http:example.com":                  link("http://example.com/", "example.com", "example.com", ""),
		"http://example.com/a[.]php":        link("http://example.com/a[.]php", "example.com", "example.com", ""),
		"http://example.com/a_(b)":          link("http://example.com/a_(b)", "example.com", "example.com", ""),
		"(http://example.com/a)":            link("http://example.com/a", "example.com", "example.com", ""),
		"HTTP://Example.COM:80/A/../B?Q#f":  link("http://example.com/B?Q#f", "example.com", "example.com", ""),
		"http://example.com.:8080/":         link("http://example.com:8080/", "example.com", "example.com", ""),
		"https://bank.example@evil.test/":   link("https://bank.example@evil.test/", "evil.test", "evil.test", ""),
		"http://3221225985/":                link("http://192.0.2.1/", "192.0.2.1", "", ""),
		"http://0xC0.0.02.1/":               link("http://192.0.2.1/", "192.0.2.1", "", ""),
		"http://[2001:DB8::1]:8080/":        link("http://[2001:db8::1]:8080/", "2001:db8::1", "", ""),
		"http://[::ffff:192.0.2.1]/":        link("http://[::ffff:c000:201]/", "192.0.2.1", "", ""),
		"http://192.0.2.1/24":               link("http://192.0.2.1/24", "192.0.2.1", "", ""),
		"192.0.2.1/gate.php":                link("http://192.0.2.1/gate.php", "192.0.2.1", "", ""),
		"http://exa\nmple.com/\tx":          link("http://example.com/x", "example.com", "example.com", ""),
		"https://bucket.s3.amazonaws.com/x": link("https://bucket.s3.amazonaws.com/x", "bucket.s3.amazonaws.com", "amazonaws.com", "s3.amazonaws.com"),
	}
	for in, want := range tests {
		got, err := indicator.Parse(in)
		if err != nil {
			t.Errorf("Parse(%q): %v", in, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Parse(%q) (-want +got):\n%s", in, diff)
		}
		again, err := indicator.Parse(got.Value)
		if err != nil || again != got {
			t.Errorf("Parse(%q) = %+v, %v after Parse(%q) = %+v", got.Value, again, err, in, got)
		}
		if strings.Contains(got.Value, "[.]") {
			continue // in a defanged URL this cannot be told from a mark
		}
		if back, err := indicator.Parse(got.Defang()); err != nil || back != got {
			t.Errorf("Parse(%q) = %+v, %v, want what was defanged: %+v", got.Defang(), back, err, got)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	tests := map[string]string{
		"":                                 "it is empty",
		" ,; ":                             "it is empty",
		"\"\"":                             "it is empty",
		strings.Repeat("a", 10<<20):        "it is 10485760 bytes long and the limit is 8192",
		"exam\x00ple.com":                  "control character U+0000",
		"example\xff.com":                  "not valid UTF-8",
		"http://example.com/\u202egpj.exe": "direction control U+202E",
		"192.0.2.0/24":                     "address range",
		"2001:db8::/32":                    "address range",
		"192[.]0[.]2[.]0/24":               "address range",
		"fe80::1%eth0":                     `the zone "eth0"`,
		"192.0.2":                          "looks like an IPv4 address",
		"192.0.2.256":                      "looks like an IPv4 address",
		"192.0.02.1":                       "looks like an IPv4 address",
		"0xC0000201":                       "looks like an IPv4 address",
		"somebody@example.com":             "e-mail address",
		"somebody[at]example[.]com":        "e-mail address",
		"com":                              `"com" is a public suffix`,
		"co.uk":                            `"co.uk" is a public suffix`,
		"localhost":                        `"localhost" is a public suffix`,
		"http://co.uk/":                    `"co.uk" is a public suffix`,
		"report.doc":                       `"doc" is not a top-level domain`,
		"http://report.doc/":               `"doc" is not a top-level domain`,
		"word":                             `"word" is not a top-level domain`,
		"a..example.com":                   "empty label",
		".example.com":                     "empty label",
		"example.com..":                    "empty label",
		"-a.example.com":                   "begins or ends with a hyphen",
		"my_shop.com":                      `"my_shop.com" cannot be registered`,
		"exam ple.com":                     `contains " "`,
		"exam!ple.com":                     `contains "!"`,
		strings.Repeat("a", 64) + ".com":   "the limit is 63",
		strings.Repeat("abc.", 70) + "com": "the limit is 253",
		"xn--a.example":                    "not a valid host name",
		"javascript://example.com/":        `the scheme "javascript" is not http, https or ftp`,
		"habcp://example.com/":             `the scheme "habcp"`,
		"mailto:somebody@example.com":      "e-mail address",
		"data:text/html,x":                 "check host and port",
		"http://a%00.example/" + strings.Repeat("a", 5000): "check host and port",
		"data:text":                        "neither an address nor a URL",
		"example.com:99999":                `"99999" is not a port number`,
		"http://example.com:99999/":        "check host and port",
		"http://":                          "check host and port",
		"http://:80/":                      "check host and port",
		"/etc/passwd":                      "begins with a path",
		"http://exa mple.com/":             "check host and port",
		"d41d8cd98f00b204e9800998ecf8427e": "is not a top-level domain",
		"http://[2001:db8::1%25eth0]/":     "check host and port",
		"http://example.com/" + strings.Repeat("é", 4000): "canonical form is",
	}
	for in, want := range tests {
		got, err := indicator.Parse(in)
		if err == nil {
			t.Errorf("Parse(%.80q) = %+v, want an error with %q", in, got, want)
			continue
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%.80q): %v, want an error with %q", in, err, want)
		}
		if takedown.KindOf(err) != takedown.KindPermanent || len(err.Error()) > 600 || got != (takedown.Indicator{}) {
			t.Errorf("Parse(%.80q) = %+v, %v (%s): want no indicator and a short, permanent error", in, got, err, takedown.KindOf(err))
		}
	}
}

// TestParseRefangs writes a host in every mixture of marks and expects it back.
func TestParseRefangs(t *testing.T) {
	dots := []string{".", "[.]", "(.)", "{.}", "[dot]", "(DOT)", " dot ", " [.] ", `\.`, "[[.]]", "．", "<.>"}
	schemes := []string{"", "http://", "hxxp://", "hXXps://", "h**p[:]//", "hzzp[://]", "ftp://", "f_p://", "hxxps:\\\\"}
	rapid.Check(t, func(t *rapid.T) {
		labels := rapid.SliceOfN(rapid.StringMatching(`[a-z]([a-z0-9]{0,5}[a-z0-9])?`), 1, 4).Draw(t, "labels")
		labels = append(labels, rapid.SampledFrom([]string{"com", "example", "co.uk", "github.io"}).Draw(t, "suffix"))
		text := rapid.SampledFrom(schemes).Draw(t, "scheme")
		for i, label := range labels {
			if i > 0 {
				text += rapid.SampledFrom(dots).Draw(t, "dot")
			}
			text += label
		}
		got, err := indicator.Parse(text)
		if err != nil || got.Host != strings.Join(labels, ".") {
			t.Fatalf("Parse(%q) = %+v, %v, want the host %s", text, got, err, strings.Join(labels, "."))
		}
	})
}

func TestInspect(t *testing.T) {
	got := indicator.Inspect("hxxp://a.github[.]io")
	want := indicator.Inspection{
		Input: "hxxp://a.github[.]io", Kind: "url", Value: "http://a.github.io/", Host: "a.github.io",
		Registrable: "github.io", Platform: "github.io",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if bad := indicator.Inspect("x"); bad.Error == "" || bad.Input != "x" || bad.Value != "" {
		t.Errorf("Inspect of nonsense = %+v", bad)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"hxxp://a[.]example/x_(y)", "http://example.com/(/../x)", "[2001:db8::1]:80", "a dot example dot com", "http://0x7f.1/",
		"faß.example", "http://a.example/x,\t,", `h\.example`, "https://u:p@example.com:443/?q#f", "«example.com»",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := indicator.Parse(s)
		if err != nil {
			if takedown.KindOf(err) != takedown.KindPermanent {
				t.Fatalf("Parse(%q): %v is not permanent", s, err)
			}
			return
		}
		if err := got.Kind.Validate(); err != nil {
			t.Fatal(err)
		}
		again, err := indicator.Parse(got.Value)
		if err != nil || again != got {
			t.Fatalf("Parse(%q) = %+v, but parsing its value gives %+v, %v", s, got, again, err)
		}
	})
}
