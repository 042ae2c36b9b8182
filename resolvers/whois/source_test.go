package whois_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"desist/internal/netguard"
	"desist/resolvers"
	"desist/resolvers/budget"
	"desist/resolvers/resolvertest"
	"desist/resolvers/whois"
	"desist/takedown"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve starts a WHOIS server; the answer "hang" never comes.
func serve(t *testing.T, answers map[string]string) (addr string, asked func() []string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var queries []string
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer func() { _ = conn.Close() }()
				line, err := bufio.NewReader(conn).ReadString('\n')
				if err != nil {
					return
				}
				query := strings.TrimSpace(line)
				mu.Lock()
				queries = append(queries, query)
				mu.Unlock()
				answer, ok := answers[query]
				switch {
				case answer == "hang":
					_, _ = io.Copy(io.Discard, conn) // until the client leaves
				case ok:
					_, _ = io.WriteString(conn, answer)
				default:
					_, _ = io.WriteString(conn, "No match for \""+query+"\".\r\n")
				}
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	return l.Addr().String(), func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(queries)
	}
}

var now = time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)

func newSource(servers map[string]string) *whois.Source {
	guard := netguard.New(netguard.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	return whois.New(whois.Config{
		Dial: guard.DialContext, Servers: servers, Timeout: 5 * time.Second,
		Budget: budget.New(budget.Config{Rate: 1000, Burst: 1000}), Now: func() time.Time { return now },
	})
}

func domain(name string) resolvers.Target {
	return resolvers.Target{Indicator: takedown.Indicator{Kind: takedown.KindDomain, Value: name, Host: name, Registrable: name}, Now: now}
}

func address(a string) resolvers.Target {
	return resolvers.Target{Indicator: takedown.Indicator{Kind: takedown.KindIPv4, Value: a, Host: a}, Now: now}
}

func TestSource(t *testing.T) {
	registrar, _ := serve(t, map[string]string{
		"shop.test": "Domain Name: SHOP.TEST\r\nRegistrar: Other Spelling\r\nRegistrar IANA ID: 1\r\nRegistrar Abuse Contact Email: abuse@names.example\r\n",
	})
	registry, _ := serve(t, map[string]string{
		"shop.test":  "   Domain Name: SHOP.TEST\r\n   Registrar WHOIS Server: whois.names.example\r\n   Registrar: Example Names\r\n   Registrar IANA ID: 9999\r\n   Creation Date: 2025-01-02T03:04:05Z\r\n   Name Server: NS1.DNS.TEST\r\n>>> Last update <<<\r\n",
		"slow.test":  "hang",
		"much.test":  strings.Repeat("x: y\r\n", 1<<18),
		"quota.test": "% Query quota exceeded, please wait 90 seconds.\r\n",
		"down.test":  "",
	})
	regional, _ := serve(t, map[string]string{
		"192.0.2.1": "% Abuse contact for '192.0.2.0 - 192.0.2.255' is 'abuse@hoster.example'\r\n\r\ninetnum: 192.0.2.0 - 192.0.2.255\r\nnetname: EXAMPLE\r\ncountry: DE\r\norg: ORG-1\r\n\r\norganisation: ORG-1\r\norg-name: Example Hosting\r\n",
	})
	iana, ianaAsked := serve(t, map[string]string{
		"test":      "domain: TEST\nwhois: whois.registry.example\n",
		"192.0.2.1": "refer: whois.ripe.net\n\ninetnum: 192.0.0.0 - 192.255.255.255\n",
	})
	servers := map[string]string{"whois.registry.example": registry, "iana": iana, "ripencc": regional, "whois.names.example": registrar}
	source := newSource(servers)
	unknown, hanging := domain("unknown.test"), domain("slow.test")
	resolvertest.Run(t, resolvertest.Config{Source: source, Known: address("192.0.2.1"), Unknown: &unknown, Hanging: &hanging})
	if n := len(ianaAsked()); n > 8 {
		t.Errorf("IANA was asked %d times", n)
	}
	before := len(ianaAsked())
	if _, _, err := source.Find(context.Background(), address("192.0.2.1")); err != nil || len(ianaAsked()) != before {
		t.Errorf("the referral was not remembered: %v", err)
	}

	findings, gaps, err := source.Find(context.Background(), domain("shop.test"))
	if err != nil || len(gaps) > 0 {
		t.Fatal(err, gaps)
	}
	var contact, registrarName string
	for _, f := range findings {
		switch f.Fact {
		case takedown.FactContact:
			contact = f.Subject + " " + f.Value
		case takedown.FactRegistrar:
			registrarName = f.Value
		}
	}
	if contact != "iana:9999 abuse@names.example" || registrarName != "Example Names" {
		t.Errorf("contact %q, registrar %q", contact, registrarName)
	}
	for name, want := range map[string]takedown.ErrorKind{"quota.test": takedown.KindSnooze, "down.test": takedown.KindTemporary, "much.test": takedown.KindPermanent} {
		if _, _, err := newSource(servers).Find(context.Background(), domain(name)); takedown.KindOf(err) != want {
			t.Errorf("%s: kind %s, want %s: %v", name, takedown.KindOf(err), want, err)
		} else if name == "quota.test" && takedown.RetryAfter(err) != 90*time.Second {
			t.Errorf("quota.test: wait %s", takedown.RetryAfter(err))
		}
	}
	if _, _, err := newSource(map[string]string{"test": "10.0.0.1"}).Find(context.Background(), domain("shop.test")); takedown.KindOf(err) != takedown.KindDenied {
		t.Errorf("a private server: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	if _, _, err := source.Find(ctx, domain("slow.test")); err == nil || errors.Is(ctx.Err(), context.Canceled) {
		t.Errorf("past the deadline: %v", err)
	}
}
