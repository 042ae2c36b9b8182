package policy_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"desist/internal/policy"
	"desist/takedown"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return now }

// reserved stands for the guard's table.
func reserved(a netip.Addr) (string, bool) {
	switch {
	case a.IsPrivate():
		return "RFC 1918", true
	case a.IsLoopback():
		return "loopback", true
	}
	return "", false
}

func newPolicy(t testing.TB, change func(*policy.Config)) *policy.Policy {
	t.Helper()
	cfg := policy.Config{
		Reserved: reserved, Now: clock,
		OwnPrefixes: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}, OwnDomains: []string{"desk.ours.net"},
	}
	if change != nil {
		change(&cfg)
	}
	p, err := policy.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// indicator makes one without the canonicaliser, for names that need none.
func indicator(value string) takedown.Indicator {
	if a, err := netip.ParseAddr(value); err == nil {
		kind := takedown.KindIPv4
		if a.Is6() {
			kind = takedown.KindIPv6
		}
		return takedown.Indicator{Kind: kind, Value: value, Host: value}
	}
	if u, err := url.Parse(value); err == nil && u.Host != "" {
		return takedown.Indicator{Kind: takedown.KindURL, Value: value, Host: u.Hostname()}
	}
	return takedown.Indicator{Kind: takedown.KindDomain, Value: value, Host: value, Registrable: value}
}

func under(i takedown.Indicator, platform string) takedown.Indicator {
	i.Platform = platform
	return i
}

// good is an input to which nothing objects.
func good(i takedown.Indicator) policy.Input {
	return policy.Input{Indicator: i, Class: takedown.ClassPhishing, SeenAt: now.Add(-time.Hour), Submissions: 1, Evidence: 1}
}

func codes(d policy.Decision) []string {
	list := []string{}
	for _, r := range d.Reasons {
		list = append(list, string(r.Outcome)+" "+string(r.Code))
	}
	return list
}

func file(t testing.TB, name, kind string, attributes, entries []string) *fstest.MapFile {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"name": name, "type": kind, "matching_attributes": attributes, "list": entries})
	if err != nil {
		t.Fatal(err)
	}
	return &fstest.MapFile{Data: raw}
}

var (
	nameAttributes    = []string{"hostname", "domain", "domain|ip"}
	addressAttributes = []string{"ip-src", "ip-dst", "ip-dst|port"}
)

func someLists(t testing.TB) fs.FS {
	return fstest.MapFS{
		"top.json":                    file(t, "Top sites", "hostname", nameAttributes, []string{"popular.net", "shared-pages.net", "someplatform.net", "Someplatform.net"}),
		"bank-website.json":           file(t, "Banks", "hostname", nameAttributes, []string{".bank.net"}),
		"dynamic-dns.json":            file(t, "Dynamic DNS", "hostname", nameAttributes, []string{".dyn.net"}),
		"url-shortener.json":          file(t, "Shorteners", "string", []string{"url"}, []string{"short.net"}),
		"resolvers/list.json":         file(t, "Resolvers", "cidr", addressAttributes, []string{"192.0.2.53", "2001:db8:53::/48"}),
		"microsoft-azure.json":        file(t, "A cloud", "cidr", addressAttributes, []string{"198.51.100.0/24"}),
		"patterns.json":               file(t, "Patterns", "regex", nameAttributes, []string{`/^safe[0-9]+\.net$/i`}),
		"parts.json":                  file(t, "Parts", "substring", nameAttributes, []string{"Wholesome"}),
		"addresses-only-attribs.json": file(t, "Wrong attributes", "hostname", addressAttributes, []string{"unlisted.net"}),
	}
}

func TestScreenPlace(t *testing.T) {
	tests := []struct {
		name string
		i    takedown.Indicator
		want []string
	}{
		{"a name", indicator("bad.net"), []string{}},
		{"a page", indicator("http://bad.net/login"), []string{}},
		{"an address", indicator("192.0.2.1"), []string{}},
		{"private address", indicator("10.1.2.3"), []string{"refuse reserved_address"}},
		{"page at a private address", indicator("http://127.0.0.1/x"), []string{"refuse reserved_address"}},
		{"private address, mapped", indicator("::ffff:10.1.2.3"), []string{"refuse reserved_address"}},
		{"own address", indicator("203.0.113.9"), []string{"refuse own"}},
		{"own name", indicator("www.desk.ours.net"), []string{"refuse own"}},
		{"beside our own name", indicator("notdesk.ours.net"), []string{}},
		{"special use", indicator("shop.test"), []string{"refuse reserved_name"}},
		{"special use, second level", indicator("www.example.com"), []string{"refuse reserved_name"}},
		{"onion", indicator("abcdef.onion"), []string{"refuse reserved_name"}},
		{"reverse zone", indicator("1.2.0.192.in-addr.arpa"), []string{"refuse reserved_name"}},
		{"a top-level domain", indicator("com"), []string{"refuse shared_platform"}},
		{"the apex of a platform", indicator("github.io"), []string{"refuse shared_platform"}},
		{"a customer of a platform", under(indicator("bad.github.io"), "github.io"), []string{}},
		{"root infrastructure", indicator("a.root-servers.net"), []string{"refuse infrastructure"}},
		{"page at a registry of numbers", indicator("https://www.iana.org/x"), []string{"refuse infrastructure"}},
		{"public resolver", indicator("8.8.8.8"), []string{"refuse infrastructure"}},
		{"page at a public resolver", indicator("http://[2001:4860:4860::8888]/x"), []string{"refuse infrastructure"}},
		{"well-known platform", indicator("www.dropbox.com"), []string{"refuse shared_platform"}},
		{"well-known platform, bare URL", indicator("https://dropbox.com/"), []string{"refuse shared_platform"}},
		{"page on a well-known platform", indicator("https://www.dropbox.com/s/x.exe"), []string{}},
		{"allow-list", indicator("popular.net"), []string{"hold allow_list"}},
		{"allow-list, www", indicator("www.popular.net"), []string{"hold allow_list"}},
		{"allow-list, page", indicator("http://popular.net/x"), []string{"hold allow_list"}},
		{"subdomain of a listed site", indicator("customer.shared-pages.net"), []string{}},
		{"customer of a listed platform", under(indicator("bad.someplatform.net"), "someplatform.net"), []string{}},
		{"page of a customer of a listed platform", under(indicator("http://bad.someplatform.net/x"), "someplatform.net"), []string{}},
		{"leading dot: itself", indicator("bank.net"), []string{"hold allow_list"}},
		{"leading dot: below", indicator("online.bank.net"), []string{"hold allow_list"}},
		{"leading dot: beside", indicator("evilbank.net"), []string{}},
		{"dynamic DNS itself", indicator("dyn.net"), []string{"refuse shared_platform"}},
		{"a customer's name under dynamic DNS", indicator("bad.dyn.net"), []string{}},
		{"shortener", indicator("http://short.net/"), []string{"refuse shared_platform"}},
		{"short link", indicator("http://short.net/abc"), []string{}},
		{"listed address", indicator("192.0.2.53"), []string{"hold allow_list"}},
		{"listed network", indicator("2001:db8:53::1"), []string{"hold allow_list"}},
		{"address in a cloud", indicator("198.51.100.7"), []string{}},
		{"regular expression", indicator("safe42.net"), []string{"hold allow_list"}},
		{"substring", indicator("very-wholesome.net"), []string{"hold allow_list"}},
		{"list for other attributes", indicator("unlisted.net"), []string{}},
	}
	p := newPolicy(t, func(c *policy.Config) { c.Warninglists = someLists(t) })
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := p.Screen(good(tt.i))
			if diff := cmp.Diff(tt.want, codes(d)); diff != "" {
				t.Errorf("reasons for %s (-want +got):\n%s\n%s", tt.i.Value, diff, d.Texts())
			}
		})
	}
}

func TestScreenInput(t *testing.T) {
	base := good(indicator("bad.net"))
	tests := []struct {
		name   string
		change func(*policy.Input)
		want   []string
	}{
		{"nothing wrong", func(*policy.Input) {}, []string{}},
		{"old", func(in *policy.Input) { in.SeenAt = now.Add(-15 * 24 * time.Hour) }, []string{"refuse too_old"}},
		{"future", func(in *policy.Input) { in.SeenAt = now.Add(time.Hour) }, []string{"hold in_the_future"}},
		{"a clock a little fast", func(in *policy.Input) { in.SeenAt = now.Add(time.Minute) }, []string{}},
		{"undated", func(in *policy.Input) { in.SeenAt = time.Time{} }, []string{"hold undated"}},
		{"a reference is support", func(in *policy.Input) { in.Evidence, in.References = 0, 1 }, []string{}},
		{"no support", func(in *policy.Input) { in.Evidence = 0 }, []string{"hold evidence_missing"}},
		{"a second submission is support", func(in *policy.Input) { in.Evidence, in.Submissions = 0, 2 }, []string{}},
		{"a trusted source", func(in *policy.Input) { in.Evidence, in.Source = 0, "honeypot" }, []string{}},
		{"a trusted source without the evidence of the class", func(in *policy.Input) { in.Class, in.Source = takedown.ClassC2, "honeypot" }, []string{"hold evidence_missing"}},
		{"evidence for the class", func(in *policy.Input) { in.Class = takedown.ClassC2 }, []string{"hold evidence_missing"}},
		{"class for a person", func(in *policy.Input) { in.Class = takedown.ClassFraudshop }, []string{"hold needs_person"}},
		{"unknown class", func(in *policy.Input) { in.Class = "libel" }, []string{"refuse invalid"}},
		{"no indicator", func(in *policy.Input) { in.Indicator = takedown.Indicator{} }, []string{"refuse invalid", "refuse invalid"}},
		{"all the reasons, gravest first", func(in *policy.Input) {
			in.SeenAt, in.Evidence, in.Class, in.Indicator = time.Time{}, 0, takedown.ClassFraudshop, indicator("203.0.113.1")
		}, []string{"refuse own", "hold undated", "hold evidence_missing", "hold needs_person"}},
	}
	p := newPolicy(t, func(c *policy.Config) {
		c.EvidenceRequired = map[takedown.Class]policy.Evidence{takedown.ClassC2: {Items: 2}}
		c.TrustedSources = []string{"honeypot"}
	})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := base
			tt.change(&in)
			d := p.Screen(in)
			if diff := cmp.Diff(tt.want, codes(d)); diff != "" {
				t.Errorf("reasons (-want +got):\n%s", diff)
			}
			want := policy.OutcomeSend
			if len(d.Reasons) > 0 {
				want = d.Reasons[0].Outcome
			}
			if d.Outcome != want {
				t.Errorf("outcome %s, want %s", d.Outcome, want)
			}
		})
	}
}

func TestExemptions(t *testing.T) {
	p := newPolicy(t, func(c *policy.Config) {
		c.ExemptPrefixes = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		c.ExemptDomains = []string{"test"}
	})
	for _, value := range []string{"10.1.2.3", "bad.test", "http://bad.test/x"} {
		if d := p.Screen(good(indicator(value))); d.Outcome != policy.OutcomeSend {
			t.Errorf("%s in the laboratory: %s", value, d.Texts())
		}
	}
	if d := p.Screen(good(indicator("192.168.1.1"))); d.Outcome != policy.OutcomeRefuse {
		t.Error("the exemption reaches beyond its network")
	}
}

func TestScreenLeg(t *testing.T) {
	leg := func(role takedown.Role, address string, confidence float64) takedown.Leg {
		return takedown.Leg{Party: takedown.Party{Role: role, Contacts: []takedown.Contact{{Channel: takedown.ChannelEmail, Address: address, Confidence: confidence}}}}
	}
	tests := []struct {
		name  string
		leg   takedown.Leg
		i     takedown.Indicator
		class takedown.Class
		want  []string
	}{
		{"host", leg(takedown.RoleHost, "abuse@host.net", 0.9), indicator("bad.net"), takedown.ClassCompromised, []string{}},
		{"registrar", leg(takedown.RoleRegistrar, "abuse@registrar.net", 0.9), indicator("bad.net"), takedown.ClassPhishing, []string{}},
		{"compromised at the registrar", leg(takedown.RoleRegistrar, "abuse@registrar.net", 0.9), indicator("bad.net"), takedown.ClassCompromised, []string{"hold needs_person"}},
		{"platform's registrar", leg(takedown.RoleRegistrar, "abuse@registrar.net", 0.9), under(indicator("bad.github.io"), "github.io"), takedown.ClassPhishing, []string{"refuse shared_platform"}},
		{"registry of a listed platform", leg(takedown.RoleRegistry, "abuse@registry.net", 0.9), indicator("https://dropbox.com/s/x"), takedown.ClassMalware, []string{"refuse shared_platform"}},
		{"platform's own desk", leg(takedown.RolePlatform, "abuse@dropbox.com", 0.9), indicator("https://dropbox.com/s/x"), takedown.ClassMalware, []string{}},
		{"weak contact", leg(takedown.RoleHost, "abuse@host.net", 0.2), indicator("bad.net"), takedown.ClassPhishing, []string{"hold low_confidence"}},
		{"recipient at the accused domain", leg(takedown.RoleHost, "abuse@mail.bad.net", 0.9), indicator("bad.net"), takedown.ClassPhishing, []string{"refuse recipient_involved"}},
		{"recipient is ourselves", leg(takedown.RoleHost, "abuse@desk.ours.net", 0.9), indicator("bad.net"), takedown.ClassPhishing, []string{"refuse recipient_involved"}},
		{"fraud shop", leg(takedown.RoleHost, "abuse@host.net", 0.9), indicator("bad.net"), takedown.ClassFraudshop, []string{"hold needs_person"}},
		{"no contact", takedown.Leg{Party: takedown.Party{Role: takedown.RoleHost}}, indicator("bad.net"), takedown.ClassPhishing, []string{}},
	}
	p := newPolicy(t, func(c *policy.Config) { c.ReviewConfidence = 0.4 })
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := p.ScreenLeg(tt.leg, tt.i, tt.class)
			if diff := cmp.Diff(tt.want, codes(d)); diff != "" {
				t.Errorf("reasons (-want +got):\n%s\n%s", diff, d.Texts())
			}
		})
	}
}

func TestScreenSend(t *testing.T) {
	base := policy.Send{
		Kind: takedown.NoticeFirst, Contact: takedown.Contact{Channel: takedown.ChannelEmail, Address: "abuse@host.net"},
		Indicator: indicator("bad.net"), SealedAt: now.Add(-time.Minute), Verdict: takedown.VerdictUp, CheckedAt: now,
	}
	tests := []struct {
		name   string
		change func(*policy.Send)
		want   []string
	}{
		{"nothing wrong", func(*policy.Send) {}, []string{}},
		{"suppressed", func(s *policy.Send) { s.SuppressedFor = "bounced" }, []string{"refuse recipient_suppressed"}},
		{"duplicate", func(s *policy.Send) { s.SameAt = now.Add(-time.Hour) }, []string{"refuse duplicate_notice"}},
		{"second reminder", func(s *policy.Send) { s.Kind, s.SameAt = takedown.NoticeReminder, now.Add(-time.Hour) }, []string{}},
		{"stale", func(s *policy.Send) { s.SealedAt = now.Add(-25 * time.Hour) }, []string{"hold stale_notice"}},
		{"never sealed", func(s *policy.Send) { s.SealedAt = time.Time{} }, []string{"hold stale_notice"}},
		{"gone", func(s *policy.Send) { s.Verdict = takedown.VerdictGone }, []string{"refuse target_gone"}},
		{"never checked", func(s *policy.Send) { s.Verdict, s.CheckedAt = "", time.Time{} }, []string{}},
		{"withdrawal of what is gone and old", func(s *policy.Send) {
			s.Kind, s.Verdict, s.SealedAt = takedown.NoticeWithdrawal, takedown.VerdictGone, now.Add(-48*time.Hour)
		}, []string{}},
		{"unknown kind", func(s *policy.Send) { s.Kind = "threat" }, []string{"refuse invalid"}},
	}
	p := newPolicy(t, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := base
			tt.change(&s)
			if diff := cmp.Diff(tt.want, codes(p.ScreenSend(s))); diff != "" {
				t.Errorf("reasons (-want +got):\n%s", diff)
			}
		})
	}
}

func TestListFaults(t *testing.T) {
	for name, tt := range map[string]struct {
		fs   fs.FS
		want string
	}{
		"no list":        {fstest.MapFS{"readme.txt": {}}, "policy.warninglists"},
		"not JSON":       {fstest.MapFS{"broken.json": {Data: []byte("{")}}, "broken.json"},
		"not a list":     {fstest.MapFS{"other/list.json": {Data: []byte(`{"a":1}`)}}, "other/list.json"},
		"bad address":    {fstest.MapFS{"a.json": file(t, "A", "cidr", nil, []string{"192.0.2.0/24", "192.0.2.300"})}, `entry 2, "192.0.2.300"`},
		"bad expression": {fstest.MapFS{"a.json": file(t, "A", "regex", nil, []string{"("})}, "entry 1"},
		"everything":     {fstest.MapFS{"a.json": file(t, "A", "hostname", nil, []string{"."})}, "every name"},
		"empty entry":    {fstest.MapFS{"a.json": file(t, "A", "string", nil, []string{" "})}, "empty"},
		"unknown type":   {fstest.MapFS{"a.json": file(t, "A", "fuzzy", nil, []string{"x"})}, `"fuzzy"`},
		"ignored but bad": {
			fstest.MapFS{"cloudflare.json": file(t, "A", "cidr", nil, []string{"x"})}, "cloudflare.json",
		},
	} {
		_, err := policy.New(policy.Config{Reserved: reserved, Warninglists: tt.fs})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one with %s", name, err, tt.want)
		}
	}
	if _, err := policy.New(policy.Config{}); err == nil {
		t.Error("a policy without Reserved was accepted")
	}
	_, err := policy.New(policy.Config{Reserved: reserved, Warninglists: someLists(t), ListEffects: map[string]policy.Effect{"top": "maybe"}})
	if err == nil || !strings.Contains(err.Error(), `"maybe"`) {
		t.Errorf("unknown effect: %v", err)
	}
}

func TestListEffectOverride(t *testing.T) {
	p := newPolicy(t, func(c *policy.Config) {
		c.Warninglists, c.ListEffects = someLists(t), map[string]policy.Effect{"top": policy.EffectIgnore, "resolvers": policy.EffectRefuse}
	})
	if d := p.Screen(good(indicator("popular.net"))); d.Outcome != policy.OutcomeSend {
		t.Errorf("ignored list: %s", d.Texts())
	}
	if d := p.Screen(good(indicator("192.0.2.53"))); d.Outcome != policy.OutcomeRefuse {
		t.Errorf("refusing list: %s", d.Outcome)
	}
}

// The decision is the gravest reason, and a customer of a platform is never
// stopped by a list that names the platform.
func TestInvariants(t *testing.T) {
	p := newPolicy(t, func(c *policy.Config) { c.Warninglists = someLists(t) })
	label := rapid.StringMatching("[a-z][a-z0-9]{0,8}")
	rapid.Check(t, func(t *rapid.T) {
		platform := rapid.SampledFrom([]string{"someplatform.net", "popular.net", "dyn.net", "shared-pages.net"}).Draw(t, "platform")
		host := label.Filter(func(s string) bool { return s != "www" }).Draw(t, "customer") + "." + platform
		i := under(indicator(host), platform)
		if rapid.Bool().Draw(t, "url") {
			i = under(indicator("https://"+host+"/"+label.Draw(t, "path")), platform)
		}
		in := good(i)
		in.Evidence = rapid.IntRange(0, 1).Draw(t, "evidence")
		in.SeenAt = now.Add(-time.Duration(rapid.IntRange(-100, 1000).Draw(t, "hours")) * time.Hour)
		d := p.Screen(in)
		gravest := policy.OutcomeSend
		for _, r := range d.Reasons {
			if r.Code == policy.CodeAllowList || r.Code == policy.CodePlatform {
				t.Fatalf("%s: %s", host, r.Text)
			}
			if r.Outcome == policy.OutcomeRefuse || gravest == policy.OutcomeSend {
				gravest = r.Outcome
			}
		}
		if d.Outcome != gravest {
			t.Fatalf("outcome %s, gravest reason %s", d.Outcome, gravest)
		}
	})
}

func FuzzWarninglist(f *testing.F) {
	f.Add([]byte(`{"name":"a","type":"cidr","list":["192.0.2.1","2001:db8::/32"]}`), "http://192.0.2.1/x")
	f.Add([]byte(`{"name":"a","type":"regex","list":["/a+$/i"]}`), "aaa.net")
	f.Add([]byte(`{"name":"a","type":"hostname","list":[".a.net","b.net"]}`), "x.a.net")
	f.Fuzz(func(t *testing.T, raw []byte, value string) {
		p, err := policy.New(policy.Config{Reserved: reserved, Now: clock, Warninglists: fstest.MapFS{"a.json": {Data: raw}}})
		if err != nil {
			if !strings.Contains(err.Error(), "a.json") {
				t.Errorf("error %v does not name the file", err)
			}
			return
		}
		p.Screen(good(indicator(value)))
	})
}

// corpus is the folder of real data, by DESIST_CORPORA or beside the project.
func corpus(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("DESIST_CORPORA")
	if dir == "" {
		root, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for ; root != filepath.Dir(root); root = filepath.Dir(root) {
			if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
				break
			}
		}
		dir = filepath.Join(root, "..", "shared", "corpora")
	}
	dir = filepath.Join(dir, name)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the corpus %s is not here; set DESIST_CORPORA to measure against it", name)
	}
	return dir
}

// The published lists load, and do what is said of them.
func TestPublishedLists(t *testing.T) {
	p := newPolicy(t, func(c *policy.Config) { c.Warninglists = os.DirFS(corpus(t, "warninglists")) })
	total := 0
	for _, n := range p.Lists() {
		total += n
	}
	if total < 50_000 {
		t.Errorf("%d entries were read, want more than 50,000", total)
	}
	for _, tt := range []struct {
		i    takedown.Indicator
		want policy.Outcome
	}{
		{indicator("wikipedia.org"), policy.OutcomeRefuse},
		{indicator("10086.cn"), policy.OutcomeHold},
		{indicator("www.10086.cn"), policy.OutcomeHold},
		{indicator("login.02bancorp.com"), policy.OutcomeHold},
		{indicator("bad-shop-4711.net"), policy.OutcomeSend},
		{under(indicator("phish.weebly.com"), "weebly.com"), policy.OutcomeSend},
		{indicator("phish.000webhostapp.com"), policy.OutcomeSend},
		{indicator("https://www.dropbox.com/s/abc/x.exe"), policy.OutcomeSend},
		{indicator("https://2ly.link/abc"), policy.OutcomeSend},
		{indicator("2ly.link"), policy.OutcomeRefuse},
		{indicator("host7.0000004.xyz"), policy.OutcomeSend},
		{indicator("0000004.xyz"), policy.OutcomeRefuse},
		{indicator("104.155.11.149"), policy.OutcomeHold},             // a sinkhole
		{indicator("103.21.244.9"), policy.OutcomeSend},               // behind a CDN
		{indicator("2001:148f:fffe::1"), policy.OutcomeHold},          // a resolver
		{indicator("http://103.224.182.10/x"), policy.OutcomeHold},    // parking
		{indicator("https://alllink.io/someone"), policy.OutcomeSend}, // one page of many
	} {
		if d := p.Screen(good(tt.i)); d.Outcome != tt.want {
			t.Errorf("%s: %s (%s), want %s", tt.i.Value, d.Outcome, d.Texts(), tt.want)
		}
	}
}

func BenchmarkScreen(b *testing.B) {
	entries := make([]string, 100_000)
	for i := range entries {
		entries[i] = fmt.Sprintf("site-%d.net", i)
	}
	p := newPolicy(b, func(c *policy.Config) {
		c.Warninglists = fstest.MapFS{"top.json": file(b, "Top", "hostname", nameAttributes, entries)}
	})
	in := good(indicator("https://www.bad-shop.co.uk/a/b/c?d=e"))
	b.ReportAllocs()
	for b.Loop() {
		p.Screen(in)
	}
}

func TestCoreListsAreSorted(t *testing.T) {
	files, err := filepath.Glob("core/*.json")
	if err != nil || len(files) != 3 {
		t.Fatalf("core lists: %v, %v", files, err)
	}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var l struct {
			Type string
			List []string
		}
		if err := json.Unmarshal(raw, &l); err != nil {
			t.Fatal(err)
		}
		if l.Type == "hostname" && !slices.IsSorted(l.List) {
			t.Errorf("%s is not sorted, which makes repeats hard to see", f)
		}
	}
}
