package rdap_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"desist/internal/netguard"
	"desist/resolvers"
	"desist/resolvers/budget"
	"desist/resolvers/rdap"
	"desist/resolvers/resolvertest"
	"desist/takedown"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const networkJSON = `{"objectClassName":"ip network","handle":"NET-1","name":"EXAMPLE-NET","startAddress":"192.000.002.000","endAddress":"192.0.2.255/32","country":"DE",
"entities":[{"objectClassName":"entity","handle":"ORG-1","roles":["registrant"],"vcardArray":["vcard",[["version",{},"text","4.0"],["fn",{},"text","Example Hosting"],["adr",{"label":"Street 1\nBerlin\nGermany"},"text",["","","","","","",""]]]],
 "entities":[{"objectClassName":"entity","handle":"ABUSE-1","roles":["abuse"],"vcardArray":["vcard",[["version"],["email",{},"text","abuse@hoster.example"]]]}]}]}`

const thinJSON = `{"objectClassName":"domain","ldhName":"SHOP.TEST","status":["active"],"nameservers":[{"ldhName":"NS1.DNS.TEST"}],
"events":[{"eventAction":"registration","eventDate":"2025-01-02T03:04:05Z"}],
"entities":[{"objectClassName":"entity","roles":["registrar"],"publicIds":[{"type":"IANA Registrar ID","identifier":"9999"}],"vcardArray":["vcard",[["version",{},"text","4.0"],["fn",{},"text","Example Names"]]]}],
"links":[{"rel":"related","type":"application/rdap+json","href":"%s/registrar/domain/shop.test"}]}`

const registrarJSON = `{"objectClassName":"domain","ldhName":"shop.test","entities":[{"objectClassName":"entity","roles":["registrar"],"vcardArray":["vcard",[["fn",{},"text","Something Else"],["adr",{"cc":"nl"},"text",["","","","","","",""]]]],
"entities":[{"objectClassName":"entity","roles":["abuse"],"vcardArray":["vcard",[["email",{"pref":"2"},"text","second@names.example"],["email",{"pref":"1"},"text","abuse@names.example"]]]}]}]}`

// servers is a fake RDAP service, for addresses and domains alike.
type servers struct {
	url      string
	limited  atomic.Int32 // how many more requests get 429
	requests atomic.Int32
	release  chan struct{}
}

func start(t *testing.T) *servers {
	t.Helper()
	s := &servers{release: make(chan struct{})}
	mux := http.NewServeMux()
	reply := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			s.requests.Add(1)
			if s.limited.Add(-1) >= 0 {
				w.Header().Set("Retry-After", "2")
				w.WriteHeader(http.StatusTooManyRequests)
				return
			}
			_, _ = io.WriteString(w, body)
		}
	}
	mux.HandleFunc("/ip/192.0.2.1", reply(networkJSON))
	mux.HandleFunc("/ip/198.51.100.1", reply(networkJSON)) // about another network
	mux.HandleFunc("/domain/shop.test", func(w http.ResponseWriter, r *http.Request) { reply(fmt.Sprintf(thinJSON, s.url))(w, r) })
	mux.HandleFunc("/registrar/domain/shop.test", reply(registrarJSON))
	mux.HandleFunc("/domain/notjson.test", reply("<html>"))
	mux.HandleFunc("/domain/big.test", reply(`{"x":"`+strings.Repeat("x", 1<<20)+`"}`))
	mux.HandleFunc("/domain/broken.test", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	mux.Handle("/domain/redirect.test", http.RedirectHandler("http://127.0.0.1/latest/meta-data", http.StatusFound))
	mux.HandleFunc("/domain/hang.test", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-s.release:
		}
	})
	srv := httptest.NewServer(mux)
	s.url = srv.URL
	t.Cleanup(func() { close(s.release); srv.Close() })
	return s
}

type fixed struct{ base string }

func (f fixed) urls() ([]*url.URL, error) {
	u, err := url.Parse(f.base)
	return []*url.URL{u}, err
}
func (f fixed) Domain(context.Context, string) ([]*url.URL, error)   { return f.urls() }
func (f fixed) Addr(context.Context, netip.Addr) ([]*url.URL, error) { return f.urls() }

var now = time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)

func newSource(t *testing.T, base string, waited *[]time.Duration) *rdap.Source {
	t.Helper()
	guard := netguard.New(netguard.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	client := guard.HTTPClient(netguard.HTTPConfig{AllowHTTP: true, MaxBody: 100_000})
	t.Cleanup(client.CloseIdleConnections)
	limits := budget.New(budget.Config{Rate: 1000, Burst: 1000, Now: func() time.Time { return now }, Sleep: func(_ context.Context, d time.Duration) error {
		*waited = append(*waited, d)
		return nil
	}})
	return rdap.New(rdap.Config{HTTP: client, Locator: fixed{base}, Budget: limits, Now: func() time.Time { return now }})
}

func domain(name string) resolvers.Target {
	return resolvers.Target{Indicator: takedown.Indicator{Kind: takedown.KindDomain, Value: name, Host: name, Registrable: name}, Now: now}
}

func address(a string) resolvers.Target {
	return resolvers.Target{Indicator: takedown.Indicator{Kind: takedown.KindIPv4, Value: a, Host: a}, Now: now}
}

func TestConformance(t *testing.T) {
	s := start(t)
	var waited []time.Duration
	source := newSource(t, s.url, &waited)
	unknown, hanging := domain("unknown.test"), domain("hang.test")
	resolvertest.Run(t, resolvertest.Config{Source: source, Known: address("192.0.2.1"), Unknown: &unknown, Hanging: &hanging})
	resolvertest.Run(t, resolvertest.Config{Source: source, Known: domain("shop.test")})
}

func find(findings []takedown.Finding, fact takedown.Fact) (takedown.Finding, bool) {
	for _, f := range findings {
		if f.Fact == fact {
			return f, true
		}
	}
	return takedown.Finding{}, false
}

func TestNetwork(t *testing.T) {
	var waited []time.Duration
	source := newSource(t, start(t).url, &waited)
	findings, gaps, err := source.Find(context.Background(), address("192.0.2.1"))
	if err != nil || len(gaps) > 0 {
		t.Fatal(err, gaps)
	}
	network, _ := find(findings, takedown.FactNetwork)
	if network.Attrs["cidr"] != "192.0.2.0/24" || network.Attrs["org"] != "Example Hosting" {
		t.Errorf("network %+v", network.Attrs)
	}
	contact, _ := find(findings, takedown.FactContact)
	if contact.Subject != "net:192.0.2.0/24" || contact.Value != "abuse@hoster.example" || contact.Attrs["kind"] != "role-abuse" {
		t.Errorf("contact %+v", contact)
	}
	findings, gaps, err = source.Find(context.Background(), address("198.51.100.1"))
	if err != nil || len(findings) > 0 || len(gaps) != 1 {
		t.Errorf("answer about another network: %+v, %+v, %v", findings, gaps, err)
	}
}

func TestRegistrarHop(t *testing.T) {
	var waited []time.Duration
	findings, gaps, err := newSource(t, start(t).url, &waited).Find(context.Background(), domain("shop.test"))
	if err != nil || len(gaps) > 0 {
		t.Fatal(err, gaps)
	}
	registrar, _ := find(findings, takedown.FactRegistrar)
	contact, _ := find(findings, takedown.FactContact)
	if registrar.Value != "Example Names" || registrar.Attrs["iana_id"] != "9999" {
		t.Errorf("registrar %+v: the registry's word must stand", registrar)
	}
	if contact.Subject != "iana:9999" || contact.Value != "abuse@names.example" {
		t.Errorf("contact %+v", contact)
	}
	if f, _ := find(findings, takedown.FactRegistered); f.Value != "2025-01-02T03:04:05Z" {
		t.Errorf("registered %q", f.Value)
	}
}

func TestRateLimited(t *testing.T) {
	s := start(t)
	var waited []time.Duration
	source := newSource(t, s.url, &waited)
	s.limited.Store(1)
	if _, _, err := source.Find(context.Background(), address("192.0.2.1")); err != nil {
		t.Fatalf("a short wait was not taken: %v", err)
	}
	if len(waited) != 1 || waited[0] != 2*time.Second {
		t.Errorf("waited %v, want the 2 s of Retry-After", waited)
	}
	s.limited.Store(100)
	_, _, err := newSource(t, s.url, &waited).Find(context.Background(), address("192.0.2.1"))
	if takedown.KindOf(err) != takedown.KindSnooze || takedown.RetryAfter(err) != 2*time.Second {
		t.Errorf("limited twice: %v after %s", err, takedown.RetryAfter(err))
	}
}

func TestMisbehaviour(t *testing.T) {
	var waited []time.Duration
	source := newSource(t, start(t).url, &waited)
	for name, want := range map[string]takedown.ErrorKind{
		"notjson.test": takedown.KindPermanent, "broken.test": takedown.KindTemporary, "redirect.test": takedown.KindDenied, "unknown.test": takedown.KindNotFound,
	} {
		if _, _, err := source.Find(context.Background(), domain(name)); takedown.KindOf(err) != want {
			t.Errorf("%s: kind %s, want %s: %v", name, takedown.KindOf(err), want, err)
		}
	}
	if _, _, err := source.Find(context.Background(), domain("big.test")); !errors.Is(err, netguard.ErrTooLarge) {
		t.Errorf("big.test: %v", err)
	}
}

const (
	dnsJSON = `{"version":"1.0","publication":"2026-01-01T00:00:00Z","services":[[["test"],["http://plain.example/","https://rdap.example/"]]]}`
	ipJSON  = `{"version":"1.0","publication":"2026-01-01T00:00:00Z","services":[[["%s"],["https://rdap.example/"]]]}`
)

func writeBootstrap(t *testing.T, dir string) {
	t.Helper()
	for name, body := range map[string]string{"dns.json": dnsJSON, "ipv4.json": fmt.Sprintf(ipJSON, "192.0.0.0/8"), "ipv6.json": fmt.Sprintf(ipJSON, "2001:db8::/32")} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBootstrap(t *testing.T) {
	dir := t.TempDir()
	writeBootstrap(t, dir)
	srv := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer srv.Close()
	clock := now
	cache := filepath.Join(t.TempDir(), "rdap")
	open := func(location string) *rdap.Bootstrap {
		b, err := rdap.NewBootstrap(rdap.BootstrapConfig{Location: location, CacheDir: cache, HTTP: srv.Client(), Now: func() time.Time { return clock }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(b.Close)
		return b
	}
	ctx := context.Background()
	// The URL is gone the second time: the copy in the cache answers.
	for _, location := range []string{dir, srv.URL, "http://127.0.0.1:1/"} {
		b := open(location)
		urls, err := b.Domain(ctx, "shop.test")
		if err != nil || len(urls) != 2 || urls[0].Scheme != "https" {
			t.Errorf("%s: %v, %v", location, urls, err)
		}
		if _, err := b.Addr(ctx, netip.MustParseAddr("2001:db8::1")); err != nil {
			t.Errorf("%s: %v", location, err)
		}
		if _, err := b.Domain(ctx, "shop.example"); takedown.KindOf(err) != takedown.KindNotFound {
			t.Errorf("%s: unknown TLD: %v", location, err)
		}
	}
	// Without any copy the error says what to do, and is not asked for again at once.
	cache = t.TempDir()
	b := open(t.TempDir())
	_, err := b.Domain(ctx, "shop.test")
	if takedown.KindOf(err) != takedown.KindTemporary || !strings.Contains(err.Error(), "rdap.bootstrap") {
		t.Errorf("no files: %v", err)
	}
	// A day later the files are read again in the background; gone or not, the
	// old ones stay.
	b = open(dir)
	if _, err := b.Domain(ctx, "shop.test"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"dns.json", "ipv4.json", "ipv6.json"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	clock = clock.Add(25 * time.Hour)
	for range 2 {
		if _, err := b.Domain(ctx, "shop.test"); err != nil {
			t.Errorf("after the files went away: %v", err)
		}
	}
	b.Close()
	if _, err := rdap.NewBootstrap(rdap.BootstrapConfig{Location: "ftp://files.example/"}); err == nil {
		t.Error("an ftp URL was accepted")
	}
}
