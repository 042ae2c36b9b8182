package web

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
	japaneseenc "golang.org/x/text/encoding/japanese"

	"desist/takedown"
)

// loginKit is a phishing page as kits write them.
const loginKit = `<!doctype html><html><head><title>Example Bank 24 - Sign in</title>
<script src="/js/app.js?v=%[1]d"></script><link rel="stylesheet" href="/c.css?%[1]d"><meta name="csrf" content="%[1]d"></head>
<body><div class="top"><img src="/logo.png?%[1]d"></div>
<p>Your account has been suspended. Sign in to restore it. Session %[1]d</p>
<form method="post" action="/login/%[1]d/check.php?sid=%[1]d"><input type="hidden" name="token" value="%[1]d">
<input type="text" name="user"><input type="password" name="pass"><button type="submit">Sign in</button></form>
<ul>%[2]s</ul></body></html>`

func kit(visit, items int) string {
	return fmt.Sprintf(loginKit, visit, strings.Repeat("<li>Offer</li>", items))
}

func page(title, body string) string {
	return "<!doctype html><html><head><title>" + title + "</title></head><body>" + body + "</body></html>"
}

func TestFingerprint(t *testing.T) {
	base := Analyse("text/html", []byte(kit(1, 3))).Fingerprint
	same := map[string]string{
		"other tokens, counters and sessions": kit(987654, 3),
		"one more row in a list":              kit(1, 9),
		"other case in the title":             strings.Replace(kit(1, 3), "Example Bank", "EXAMPLE  bank", 1),
		"one more tracker":                    strings.Replace(kit(1, 3), "</head>", "<script>track()</script></head>", 1),
	}
	for name, body := range same {
		if Analyse("text/html; charset=utf-8", []byte(body)).Fingerprint != base {
			t.Errorf("%s: the fingerprint changed", name)
		}
	}
	other := map[string]string{
		"another title":       strings.Replace(kit(1, 3), "Example Bank", "Example Post", 1),
		"another form target": strings.Replace(kit(1, 3), "check.php", "card.php", 1),
		"another field":       strings.Replace(kit(1, 3), `name="user"`, `name="card"`, 1),
		"suspension":          page("Account Suspended", "<h1>Account Suspended</h1>"),
		"nothing":             "",
	}
	for name, body := range other {
		if Analyse("text/html", []byte(body)).Fingerprint == base {
			t.Errorf("%s: the fingerprint did not change", name)
		}
	}
	first, second := Analyse("application/octet-stream", []byte("MZ\x90\x00one")), Analyse("application/octet-stream", []byte("MZ\x90\x00two"))
	if first.Fingerprint != second.Fingerprint {
		t.Error("two builds of one kind of file have different fingerprints")
	}
}

func TestVerdict(t *testing.T) {
	const up, gone, unclear = takedown.VerdictUp, takedown.VerdictGone, takedown.VerdictUnclear
	seen := Analyse("text/html", []byte(kit(1, 3))).Fingerprint
	suspended := page("Account Suspended", "<h1>Account Suspended</h1><p>This Account has been suspended.<br>Contact your hosting provider for more information.</p>")
	tests := []struct {
		name     string
		status   int
		body     string
		baseline string
		want     takedown.Verdict
	}{
		{"kit at first sight", 200, kit(1, 3), "", up},
		{"kit as before", 200, kit(2, 4), seen, up},
		{"kit behind a 404", 404, kit(2, 4), seen, up},
		{"kit behind a 404, never seen before", 404, kit(2, 4), "", unclear},
		{"another page, no sign of removal", 200, page("Recipes", "<p>Bread and soup.</p>"), seen, up},
		{"not found", 404, page("404", "<h1>Not Found</h1>"), seen, gone},
		{"gone", 410, "", seen, gone},
		{"legal reasons", 451, "", "", gone},
		{"forbidden", 403, page("403 Forbidden", "<h1>Forbidden</h1>"), seen, unclear},
		{"login", 401, "", seen, unclear},
		{"too many requests", 429, "", seen, unclear},
		{"server error", 500, page("Error", "oops"), seen, unclear},
		{"bad gateway", 502, "", seen, unclear},
		{"checking your browser, 503", 503, page("Just a moment...", "<p>Checking your browser before you go on.</p>"), seen, unclear},
		{"checking your browser, 403", 403, page("Just a moment...", `<script src="/cdn-cgi/challenge-platform/x.js"></script>`), "", unclear},
		{"captcha alone", 200, page("", `<div class="h"></div><script src="https://hcaptcha.com/1/api.js"></script>`), seen, unclear},
		{"kit with a captcha", 200, strings.Replace(kit(1, 3), "</body>", `<script src="https://www.google.com/recaptcha/api.js"></script></body>`, 1), "", up},
		{"suspended", 200, suspended, seen, gone},
		{"suspended at first sight", 200, suspended, "", gone},
		{"suspended with 403", 403, suspended, "", gone},
		{"suspended with 503", 503, suspended, seen, gone},
		{"suspended, German", 200, page("Gesperrt", "<p>Diese Domain wurde gesperrt.</p>"), seen, gone},
		{"suspended, French", 200, page("Site", "<p>Ce site a été suspendu.</p>"), seen, gone},
		{"suspended, Spanish", 200, page("Aviso", "<p>Esta cuenta ha sido suspendida.</p>"), seen, gone},
		{"suspended, Polish", 200, page("Info", "<p>Ta strona została zawieszona.</p>"), seen, gone},
		{"suspended, Russian", 200, page("Сайт", "<p>Работа сайта приостановлена.</p>"), seen, gone},
		{"suspended, Turkish", 200, page("Bilgi", "<p>Bu hesap askıya alınmıştır.</p>"), seen, gone},
		{"suspended, Indonesian", 200, page("Info", "<p>Akun ini telah ditangguhkan.</p>"), seen, gone},
		{"suspended, Japanese", 200, page("お知らせ", "<p>このアカウントは停止されています。</p>"), seen, gone},
		{"suspended, Chinese", 200, page("提示", "<p>该网站已被暂停</p>"), seen, gone},
		{"lure: your account, with a form", 200, kit(1, 1), "", up},
		{"lure: your account, with a link", 200, page("Account suspended", `<p>Your account has been suspended.</p><a href="/verify">Verify now</a>`), seen, up},
		{"suspended in a long article", 200, page("News", "<p>This site has been suspended"+strings.Repeat(" and the story goes on", 200)+"</p>"), seen, up},
		{"parked", 200, page("bad.example", "<h1>This domain is for sale</h1>"), seen, gone},
		{"parked by source", 200, page("bad.example", `<iframe src="https://ww1.sedoparking.com/x"></iframe>`), "", gone},
		{"empty listing after a page", 200, page("Index of /", `<h1>Index of /</h1><a href="?C=N;O=D">Name</a> <a href="/">Parent Directory</a>`), seen, gone},
		{"full listing", 200, page("Index of /", `<h1>Index of /</h1><a href="?C=N;O=D">Name</a><a href="kit.zip">kit.zip</a>`), seen, up},
		{"default page after a page", 200, page("Welcome to nginx!", "<h1>Welcome to nginx!</h1>"), seen, gone},
		{"default page at first sight", 200, page("Welcome to nginx!", "<h1>Welcome to nginx!</h1>"), "", unclear},
		{"blank at first sight", 200, "", "", unclear},
		{"blank after a page", 200, "<html><body></body></html>", seen, gone},
		{"script only", 200, page("", `<script src="/app.js"></script>`), seen, up},
		{"not modified", 304, "", seen, unclear},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, detail := Analyse("text/html; charset=utf-8", []byte(tt.body)).verdict(tt.status, tt.baseline, false)
			if got != tt.want || detail == "" {
				t.Errorf("verdict %s (%s), want %s", got, detail, tt.want)
			}
		})
	}
}

// Old pages are not in UTF-8, and the ends of long ones are cut off.
func TestEncodings(t *testing.T) {
	russian := page("Сайт", "<p>Работа сайта приостановлена.</p>")
	cp1251, err := charmap.Windows1251.NewEncoder().String(russian)
	if err != nil {
		t.Fatal(err)
	}
	japanese := page("お知らせ", "<p>このアカウントは停止されています。</p>")
	sjis, err := japaneseenc.ShiftJIS.NewEncoder().String(japanese)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ contentType, body string }{
		"windows-1251 by header":       {"text/html; charset=windows-1251", cp1251},
		"Shift_JIS by the page itself": {"text/html", strings.Replace(sjis, "<title>", `<meta charset="shift_jis"><title>`, 1)},
		"UTF-8 under a false name":     {"text/html; charset=iso-8859-1", russian},
		"UTF-8 cut in a character":     {"text/html", russian + "\xd0"},
	} {
		if p := Analyse(tt.contentType, []byte(tt.body)); !p.Suspended {
			t.Errorf("%s: the suspension was not read; title %q", name, p.Title)
		}
	}
}

// The tables are compared with folded text, so they must be folded themselves.
func TestSignsAreFolded(t *testing.T) {
	for name, table := range map[string][]string{
		"suspendedSite": suspendedSite, "suspendedAccount": suspendedAccount, "possessives": possessives, "parkingSigns": parkingSigns,
		"parkingSources": parkingSources, "challengeSigns": challengeSigns, "challengeSources": challengeSources, "defaultSigns": defaultSigns,
	} {
		for _, sign := range table {
			if fold(sign) != sign || len(sign) < 6 {
				t.Errorf("%s: %q is not folded, or too short to mean anything; want %q", name, sign, fold(sign))
			}
		}
	}
}

func FuzzAnalyse(f *testing.F) {
	f.Add("text/html", []byte(kit(1, 2)))
	f.Add("", []byte("<title><form><input type=password"))
	f.Add("text/html; charset=\xff", []byte("<!--<script>"))
	f.Add("application/zip", []byte("PK"))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		p := Analyse(contentType, body)
		if len(p.Fingerprint) != 32 {
			t.Errorf("fingerprint %q", p.Fingerprint)
		}
		if p != Analyse(contentType, body) {
			t.Error("two readings of one page differ")
		}
		if takedown.CleanText(strings.ReplaceAll(p.Title, "\x00", "")) != strings.ReplaceAll(p.Title, "\x00", "") {
			t.Errorf("the title %q is not text", p.Title)
		}
		if p.Suspended && p.Password {
			t.Error("a page that asks for a password counts as suspended")
		}
		for _, status := range []int{200, 404, 503} {
			if verdict, _ := p.verdict(status, p.Fingerprint, false); verdict != takedown.VerdictUp {
				t.Errorf("the page first seen is %s with status %d", verdict, status)
			}
		}
	})
}
