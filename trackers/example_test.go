package trackers_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"time"

	"desist/takedown"
	"desist/trackers"
	"desist/trackers/dns"
	"desist/trackers/web"
)

// names is a Lookup without a network.
type names map[string]dns.Answer

func (n names) Lookup(_ context.Context, name string) (dns.Answer, error) {
	if name == "lame.example" {
		return dns.Answer{}, errors.New("SERVFAIL")
	}
	return n[name], nil
}

func at(address string) dns.Answer {
	return dns.Answer{Exists: true, Addresses: []netip.Addr{netip.MustParseAddr(address)}}
}

// Name and web probe together: the web probe resolves through the name probe,
// so a sinkhole that serves a page is still a sinkhole.
func Example() {
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Host {
		case "up.example":
			fmt.Fprint(w, "<title>Sign in</title><form><input type=password></form>")
		case "suspended.example":
			fmt.Fprint(w, "<title>Account Suspended</title><p>This account has been suspended.</p>")
		case "guarded.example":
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, "<title>Just a moment...</title>")
		default:
			http.NotFound(w, r)
		}
	}))
	defer site.Close()
	_, port, _ := net.SplitHostPort(site.Listener.Addr().String())

	name, err := dns.New(dns.Config{
		Vantages: []dns.Vantage{{Name: "here", Lookup: names{
			"up.example": at("127.0.0.1"), "suspended.example": at("127.0.0.1"), "guarded.example": at("127.0.0.1"),
			"empty.example": at("127.0.0.1"), "seized.example": at("127.0.0.9"),
		}}},
		Sinkholes: []netip.Prefix{netip.MustParsePrefix("127.0.0.9/32")},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	page, err := web.New(web.Config{
		Resolver: name, DialContext: new(net.Dialer).DialContext, HTTPPort: port, HTTPSPort: "1",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	indicator := func(host string) takedown.Indicator {
		return takedown.Indicator{Kind: takedown.KindDomain, Value: host, Host: host}
	}
	tracker, err := trackers.New(trackers.Config{
		Probes: []trackers.Probe{name, page},
		Canary: trackers.ProbeCanary(page, trackers.Target{Indicator: indicator("up.example")}),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, host := range []string{"up.example", "suspended.example", "guarded.example", "empty.example", "seized.example", "absent.example", "lame.example"} {
		check := tracker.Check(context.Background(), trackers.Target{Indicator: indicator(host)})
		fmt.Printf("%s: %s at %s\n", host, check.Verdict, check.Layer)
	}
	// Output:
	// up.example: up at content
	// suspended.example: gone at content
	// guarded.example: unclear at content
	// empty.example: gone at content
	// seized.example: gone at name
	// absent.example: gone at name
	// lame.example: unclear at host
}

func ExampleSchedule() {
	next := trackers.Schedule(trackers.ScheduleConfig{Jitter: -1})
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, round := range []trackers.Round{
		{Age: time.Hour, Verdict: takedown.VerdictUp},
		{Age: 3 * 24 * time.Hour, Verdict: takedown.VerdictUp},
		{Age: 3 * 24 * time.Hour, Verdict: takedown.VerdictGone},
		{Age: 3 * 24 * time.Hour, Verdict: takedown.VerdictGone, Removed: true},
	} {
		round.Now = now
		fmt.Println(next(round).Format(time.TimeOnly))
	}
	// Output:
	// 12:15:00
	// 13:00:00
	// 12:30:00
	// 18:00:00
}
