package simnet

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const smallWorld = `name: small
behaviours:
  prompt: {act: {median: 1h}, ends: {notfound: 1}}
registries:
  - {name: reg, org: Reg, domain: sim-reg.net, country: US, tlds: [com], desk: {}}
registrars:
  - {name: rar, org: Rar, domain: sim-rar.com, country: US, iana_id: 1, desk: {}}
networks:
  - name: net
    org: Net
    domain: sim-net.com
    country: DE
    rir: ripe
    asn: 64496
    prefixes: [192.0.2.0/28]
    desk: {abuse: abuse@sim-net.com, behaviour: prompt}
sites:
  - host: sim-a.com
    class: phishing
    network: net
    registrar: rar
`

func TestLoadWorld(t *testing.T) {
	w, err := LoadWorld(strings.NewReader(smallWorld), "small.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(w.Sites) != 1 || len(w.Sites[0].Addresses) != 1 || w.Sites[0].State != stateLive {
		t.Fatalf("sites = %+v", w.Sites)
	}
}

func TestLoadWorldErrors(t *testing.T) {
	for _, test := range []struct{ name, old, new, want string }{
		{"unknown key", "class: phishing", "klass: phishing", "small.yaml:19:"},
		{"not yaml", "class: phishing", "class: [", "small.yaml:"},
		{"unknown network", "network: net", "network: nte", `small.yaml:20: sites[0].network: there is no network "nte"`},
		{"unknown registrar", "registrar: rar", "registrar: raw", `small.yaml:21: sites[0].registrar: there is no registrar "raw"`},
		{"unknown class", "class: phishing", "class: fishing", "small.yaml:19: sites[0].class"},
		{"top-level domain", "sim-a.com", "sim-a.org", "small.yaml:18: sites[0].host: no registry runs .org"},
		{"real address", "192.0.2.0/28", "8.8.8.0/28", "small.yaml:15: networks[0].prefixes[0]: 8.8.8.0/28 is not a prefix of documentation space"},
		{"host bits", "192.0.2.0/28", "192.0.2.1/28", "small.yaml:15: networks[0].prefixes[0]"},
		{"rir", "rir: ripe", "rir: ripencc", "small.yaml:13: networks[0].rir"},
		{"behaviour", "behaviour: prompt}", "behaviour: quick}", `small.yaml:16: networks[0].desk.behaviour: there is no behaviour "quick"`},
		{"end", "ends: {notfound: 1}", "ends: {vanish: 1}", "small.yaml:3: behaviours.prompt.ends"},
		{"prefix", "192.0.2.0/28", "192.0.2.0/99", "small.yaml:15:"},
		{"duration", "median: 1h", "median: soon", "small.yaml:3"},
	} {
		t.Run(test.name, func(t *testing.T) {
			src := strings.Replace(smallWorld, test.old, test.new, 1)
			_, err := LoadWorld(strings.NewReader(src), "small.yaml")
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error = %v, want %q in it", err, test.want)
			}
		})
	}
}

func TestInternetScales(t *testing.T) {
	for _, n := range []int{1, 7, 300, 20_000} {
		w, err := Internet(InternetOptions{Indicators: n})
		if err != nil {
			t.Fatal(err)
		}
		hosts := map[string]bool{}
		for _, s := range w.Sites {
			hosts[s.Host] = true
			for _, a := range s.Addresses {
				if !documentation(a) {
					t.Fatalf("%s is at %s", s.Host, a)
				}
				if got, _ := w.networkFor(a); got == nil || got.Name != s.Network {
					t.Fatalf("%s at %s is not in its network %s", s.Host, a, s.Network)
				}
			}
		}
		if len(hosts) != n {
			t.Fatalf("%d distinct sites, want %d", len(hosts), n)
		}
	}
}

func TestInternetFollowsItsSeed(t *testing.T) {
	draw := func(seed uint64) *World {
		w, err := Internet(InternetOptions{Indicators: 100, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	sites := cmpopts.EquateComparable()
	if diff := cmp.Diff(fmt.Sprint(draw(3).Sites), fmt.Sprint(draw(3).Sites), sites); diff != "" {
		t.Fatal(diff)
	}
	if fmt.Sprint(draw(3).Sites) == fmt.Sprint(draw(4).Sites) {
		t.Fatal("another seed drew the same world")
	}
}

func TestFeed(t *testing.T) {
	w, err := Internet(InternetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	a, b := w.Feed(300, FeedOptions{Seed: 5}), w.Feed(300, FeedOptions{Seed: 5})
	if diff := cmp.Diff(a, b); diff != "" {
		t.Fatalf("the same seed gave another feed:\n%s", diff)
	}
	if cmp.Equal(a, w.Feed(300, FeedOptions{Seed: 6})) {
		t.Fatal("another seed gave the same feed")
	}
	notes := map[string]int{}
	for _, row := range a {
		for _, note := range strings.Fields(row.Note) {
			notes[note]++
		}
	}
	if len(a) != 300 || notes["duplicate"] < 60 || notes["duplicate"] > 120 || notes["refused"] == 0 || notes["defanged"] == 0 {
		t.Fatalf("%d rows, notes %v", len(a), notes)
	}
	plain := w.Feed(300, FeedOptions{Plain: true})
	seen := map[string]bool{}
	for _, row := range plain {
		if row.Note != "" || seen[row.Indicator] {
			t.Fatalf("plain feed has %+v", row)
		}
		seen[row.Indicator] = true
	}
	if len(plain) != 300 {
		t.Fatalf("plain feed has %d rows", len(plain))
	}
}

func TestRegistrable(t *testing.T) {
	for host, want := range map[string][2]string{
		"a.b.sim-x.com":         {"sim-x.com", ""},
		"sim-x.co.uk":           {"sim-x.co.uk", ""},
		"user.github.io":        {"github.io", "github.io"},
		"x.s3.amazonaws.com":    {"amazonaws.com", "s3.amazonaws.com"},
		"com":                   {"", ""},
		"sim-x.test":            {"sim-x.test", ""},
		"deep.user.pages.dev":   {"pages.dev", "pages.dev"},
		"www.sim-phish-0001.de": {"sim-phish-0001.de", ""},
	} {
		domain, platform := registrable(host)
		if domain != want[0] || platform != want[1] {
			t.Errorf("registrable(%s) = %q, %q, want %q", host, domain, platform, want)
		}
	}
}

func TestWorldForIndicators(t *testing.T) {
	w, err := WorldForIndicators([]string{
		"hxxp://sim-a[.]example-tld[.]com/login", "http://sim-a.example-tld.com/other", "45.67.89.10", "http://45.67.89.11:8080/x.bin",
		"2a00:1450::1", "sim-user.github.io", "sim-b.museum", "10.0.0.1", "", "not an indicator", "http://",
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(w.Sites) != 6 || len(w.Skipped) != 4 {
		t.Fatalf("%d sites, skipped %q", len(w.Sites), w.Skipped)
	}
	n := startWorld(t, w)
	for _, url := range []string{"http://45.67.89.11:8080/x.bin", "http://45.67.89.10/"} {
		if code, body := get(t, n.client(), url, "test"); code != 200 {
			t.Errorf("%s: %d %s", url, code, body)
		}
	}
	if code, body := get(t, n.client(), "http://sim-a.example-tld.com/other", "test"); code != 200 || !strings.Contains(body, "password") {
		t.Errorf("second path of a foreign host: %d %s", code, body)
	}
}

func FuzzLoadWorld(f *testing.F) {
	f.Add(smallWorld)
	f.Add("name: x\nsites:\n - {host: a}\n")
	f.Fuzz(func(t *testing.T, src string) {
		w, err := LoadWorld(strings.NewReader(src), "fuzz")
		if err == nil && w.Name == "" {
			t.Fatal("a world without a name was accepted")
		}
	})
}
