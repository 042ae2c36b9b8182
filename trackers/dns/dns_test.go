package dns_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	mdns "github.com/miekg/dns"
	"go.uber.org/goleak"

	"desist/takedown"
	"desist/trackers"
	"desist/trackers/dns"
)

var (
	_ trackers.Probe = (*dns.Probe)(nil)
	_ dns.Lookup     = (*dns.Client)(nil)
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs handler on a UDP and a TCP port of the same number.
func serve(t *testing.T, handler mdns.HandlerFunc) string {
	t.Helper()
	var packet net.PacketConn
	var listener net.Listener
	for range 20 { // the TCP port of the same number may be taken
		var err error
		if packet, err = net.ListenPacket("udp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		if listener, err = net.Listen("tcp", packet.LocalAddr().String()); err == nil {
			break
		}
		_ = packet.Close()
	}
	if listener == nil {
		t.Fatal("no port is free for both UDP and TCP")
	}
	for _, server := range []*mdns.Server{{PacketConn: packet, Handler: handler}, {Listener: listener, Handler: handler}} {
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = server.ActivateAndServe()
		}()
		<-started
		t.Cleanup(func() {
			_ = server.Shutdown()
			<-done
		})
	}
	return packet.LocalAddr().String()
}

func rr(t *testing.T, s string) mdns.RR {
	t.Helper()
	r, err := mdns.NewRR(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// zone answers from records, NXDOMAIN for names without any.
func zone(t *testing.T, records ...string) mdns.HandlerFunc {
	t.Helper()
	var rrs []mdns.RR
	for _, s := range records {
		rrs = append(rrs, rr(t, s))
	}
	return func(w mdns.ResponseWriter, q *mdns.Msg) {
		m := new(mdns.Msg)
		m.SetReply(q)
		name, exists := q.Question[0].Name, false
		for range 8 {
			next := ""
			for _, r := range rrs {
				if !strings.EqualFold(r.Header().Name, name) {
					continue
				}
				exists = true
				if c, ok := r.(*mdns.CNAME); ok {
					next = c.Target
					m.Answer = append(m.Answer, r)
				} else if r.Header().Rrtype == q.Question[0].Qtype {
					m.Answer = append(m.Answer, r)
				}
			}
			if next == "" {
				break
			}
			name = next
		}
		if !exists {
			m.Rcode = mdns.RcodeNameError
		}
		_ = w.WriteMsg(m)
	}
}

func client(t *testing.T, servers ...string) *dns.Client {
	t.Helper()
	c, err := dns.NewClient(dns.ClientConfig{Servers: servers, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func addrs(list ...string) []netip.Addr {
	var out []netip.Addr
	for _, s := range list {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

func equalAddrs(a, b netip.Addr) bool { return a == b }

func TestClientLookup(t *testing.T) {
	server := serve(t, zone(t,
		"plain.example. 60 IN A 192.0.2.1",
		"plain.example. 60 IN AAAA 2001:db8::1",
		"alias.example. 60 IN CNAME edge.cdn.example.",
		"edge.cdn.example. 60 IN A 198.51.100.7",
		"mail.example. 60 IN TXT hello",
		"loop.example. 60 IN CNAME loop.example.",
	))
	tests := []struct {
		name string
		want dns.Answer
		kind takedown.ErrorKind
	}{
		{name: "plain.example", want: dns.Answer{Exists: true, Addresses: addrs("192.0.2.1", "2001:db8::1")}},
		{name: "PLAIN.example.", want: dns.Answer{Exists: true, Addresses: addrs("192.0.2.1", "2001:db8::1")}},
		{name: "alias.example", want: dns.Answer{Exists: true, Addresses: addrs("198.51.100.7"), Aliases: []string{"edge.cdn.example"}}},
		{name: "mail.example", want: dns.Answer{Exists: true}},
		{name: "absent.example", want: dns.Answer{}},
		{name: "loop.example", kind: takedown.KindTemporary},
		{name: "münchen.example", kind: takedown.KindPermanent},
		{name: "a b.example", kind: takedown.KindPermanent},
		{name: "a..example", kind: takedown.KindPermanent},
		{name: "", kind: takedown.KindPermanent},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := client(t, server).Lookup(t.Context(), tt.name)
			if takedown.KindOf(err) != tt.kind {
				t.Fatalf("error %v, want kind %q", err, tt.kind)
			}
			if diff := cmp.Diff(tt.want, got, cmp.Comparer(equalAddrs)); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

func TestClientFallsBackToTCP(t *testing.T) {
	good := zone(t, "big.example. 60 IN A 192.0.2.9")
	for name, udp := range map[string]mdns.HandlerFunc{
		"truncated": func(w mdns.ResponseWriter, q *mdns.Msg) {
			m := new(mdns.Msg)
			m.SetReply(q)
			m.Truncated = true
			m.Answer = []mdns.RR{rr(t, "big.example. 60 IN A 203.0.113.66")}
			_ = w.WriteMsg(m)
		},
		"damaged": func(w mdns.ResponseWriter, _ *mdns.Msg) {
			_, _ = w.Write([]byte{1, 2, 3, 4, 5, 6, 0, 9, 0, 9, 0, 0, 0, 0, 0xff})
		},
		"too short": func(w mdns.ResponseWriter, _ *mdns.Msg) { _, _ = w.Write([]byte{1, 2, 3}) },
	} {
		t.Run(name, func(t *testing.T) {
			server := serve(t, func(w mdns.ResponseWriter, q *mdns.Msg) {
				if _, overUDP := w.RemoteAddr().(*net.UDPAddr); overUDP {
					udp(w, q)
					return
				}
				good(w, q)
			})
			got, err := client(t, server).Lookup(t.Context(), "big.example")
			if err != nil || len(got.Addresses) != 1 || got.Addresses[0] != netip.MustParseAddr("192.0.2.9") {
				t.Errorf("got %v, %v; want the answer that came over TCP", got, err)
			}
		})
	}
}

// Answers to other questions, and with other IDs, are passed over until the
// true one comes; records about other names do not count.
func TestClientChecksTheQuestion(t *testing.T) {
	server := serve(t, func(w mdns.ResponseWriter, q *mdns.Msg) {
		forged := new(mdns.Msg)
		forged.SetReply(q)
		forged.Question[0].Name = "other.example."
		forged.Answer = []mdns.RR{rr(t, "other.example. 60 IN A 203.0.113.66")}
		_ = w.WriteMsg(forged)
		guessed := new(mdns.Msg)
		guessed.SetReply(q)
		guessed.Id++
		_ = w.WriteMsg(guessed)
		honest := new(mdns.Msg)
		honest.SetReply(q)
		if q.Question[0].Qtype == mdns.TypeA {
			honest.Answer = []mdns.RR{rr(t, "unasked.example. 60 IN A 203.0.113.67"), rr(t, "asked.example. 60 IN A 192.0.2.5")}
		}
		_ = w.WriteMsg(honest)
	})
	got, err := client(t, server).Lookup(t.Context(), "asked.example")
	if err != nil || len(got.Addresses) != 1 || got.Addresses[0] != netip.MustParseAddr("192.0.2.5") {
		t.Errorf("got %v, %v; want 192.0.2.5 alone", got, err)
	}
}

func TestClientNextServer(t *testing.T) {
	broken := serve(t, func(w mdns.ResponseWriter, q *mdns.Msg) {
		m := new(mdns.Msg)
		m.SetRcode(q, mdns.RcodeServerFailure)
		_ = w.WriteMsg(m)
	})
	good := serve(t, zone(t, "a.example. 60 IN A 192.0.2.1"))
	if got, err := client(t, broken, good).Lookup(t.Context(), "a.example"); err != nil || len(got.Addresses) != 1 {
		t.Errorf("got %v, %v; want the second server's answer", got, err)
	}
	_, err := client(t, broken).Lookup(t.Context(), "a.example")
	if takedown.KindOf(err) != takedown.KindTemporary || !strings.Contains(err.Error(), "SERVFAIL") {
		t.Errorf("got %v, want a temporary error that names SERVFAIL", err)
	}
}

// Half an answer gives addresses but denies none.
func TestClientHalfAnAnswer(t *testing.T) {
	server := serve(t, func(w mdns.ResponseWriter, q *mdns.Msg) {
		m := new(mdns.Msg)
		m.SetReply(q)
		if q.Question[0].Qtype == mdns.TypeAAAA {
			m.Rcode = mdns.RcodeServerFailure
		} else if q.Question[0].Name == "four.example." {
			m.Answer = []mdns.RR{rr(t, "four.example. 60 IN A 192.0.2.1")}
		}
		_ = w.WriteMsg(m)
	})
	if got, err := client(t, server).Lookup(t.Context(), "four.example"); err != nil || !got.Exists {
		t.Errorf("with an A record: %v, %v", got, err)
	}
	if _, err := client(t, server).Lookup(t.Context(), "none.example"); err == nil {
		t.Error("no A record and a failed AAAA was taken for an answer")
	}
}

func TestClientHonoursCancel(t *testing.T) {
	asked := make(chan struct{}, 4)
	server := serve(t, func(mdns.ResponseWriter, *mdns.Msg) { asked <- struct{}{} })
	c, err := dns.NewClient(dns.ClientConfig{Servers: []string{server}, Timeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	if _, err := c.Lookup(ctx, "silent.example"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the cancellation", err)
	}
}

func TestNewClientRefuses(t *testing.T) {
	for _, servers := range [][]string{nil, {"192.0.2.1"}} {
		if _, err := dns.NewClient(dns.ClientConfig{Servers: servers}); err == nil {
			t.Errorf("servers %q were accepted", servers)
		}
	}
}

type lookupFunc func(ctx context.Context, name string) (dns.Answer, error)

func (f lookupFunc) Lookup(ctx context.Context, name string) (dns.Answer, error) { return f(ctx, name) }

func answer(a dns.Answer, err error) dns.Lookup {
	return lookupFunc(func(context.Context, string) (dns.Answer, error) { return a, err })
}

func TestProbe(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	domain := takedown.Indicator{Kind: takedown.KindDomain, Value: "bad.example", Host: "bad.example"}
	tests := []struct {
		name      string
		indicator takedown.Indicator
		lookup    dns.Lookup
		verdict   takedown.Verdict // empty: no observation
		detail    string
	}{
		{"resolves", domain, answer(dns.Answer{Exists: true, Addresses: addrs("192.0.2.1")}, nil), takedown.VerdictUp, "192.0.2.1"},
		{"does not exist", domain, answer(dns.Answer{}, nil), takedown.VerdictGone, "NXDOMAIN"},
		{"no address", domain, answer(dns.Answer{Exists: true}, nil), takedown.VerdictGone, "no address"},
		{"sinkhole", domain, answer(dns.Answer{Exists: true, Addresses: addrs("198.51.100.99")}, nil), takedown.VerdictGone, "sinkhole"},
		{"sinkhole beside a server", domain, answer(dns.Answer{Exists: true, Addresses: addrs("198.51.100.99", "192.0.2.1")}, nil), takedown.VerdictUp, "192.0.2.1"},
		{"sinkhole by alias", domain, answer(dns.Answer{Exists: true, Addresses: addrs("192.0.2.1"), Aliases: []string{"x.Hole.example"}}, nil), takedown.VerdictGone, "sinkhole"},
		{"nowhere", domain, answer(dns.Answer{Exists: true, Addresses: addrs("0.0.0.0", "::")}, nil), takedown.VerdictGone, "nobody"},
		{"time-out", domain, answer(dns.Answer{}, errors.Join(errors.New("i/o timeout"), errors.New("again"))), takedown.VerdictUnclear, "i/o timeout; again"},
		{"address", takedown.Indicator{Kind: takedown.KindIPv4, Value: "192.0.2.1", Host: "192.0.2.1"}, answer(dns.Answer{}, nil), "", ""},
		{"URL at an address", takedown.Indicator{Kind: takedown.KindURL, Value: "http://[2001:db8::1]/", Host: "2001:db8::1"}, answer(dns.Answer{}, nil), "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			probe, err := dns.New(dns.Config{
				Vantages:      []dns.Vantage{{Name: "here", Lookup: tt.lookup}},
				Sinkholes:     []netip.Prefix{netip.MustParsePrefix("198.51.100.96/28")},
				SinkholeNames: []string{"hole.example"},
				Now:           func() time.Time { return now },
			})
			if err != nil {
				t.Fatal(err)
			}
			got := probe.Observe(t.Context(), trackers.Target{Indicator: tt.indicator})
			if tt.verdict == "" {
				if len(got) != 0 {
					t.Fatalf("observed %v, want nothing", got)
				}
				return
			}
			if len(got) != 1 {
				t.Fatalf("got %d observations, want 1", len(got))
			}
			o := got[0]
			if o.Verdict != tt.verdict || o.Layer != takedown.LayerName || !strings.Contains(o.Detail, tt.detail) || o.Profile != "here" || !o.At.Equal(now) {
				t.Errorf("observed %+v, want %s with %q", o, tt.verdict, tt.detail)
			}
		})
	}
}

func TestAddresses(t *testing.T) {
	up := dns.Vantage{Name: "up", Lookup: answer(dns.Answer{Exists: true, Addresses: addrs("192.0.2.1", "198.51.100.99")}, nil)}
	nx := dns.Vantage{Name: "nx", Lookup: answer(dns.Answer{}, nil)}
	slow := dns.Vantage{Name: "slow", Lookup: answer(dns.Answer{}, errors.New("timeout"))}
	for name, tt := range map[string]struct {
		vantages []dns.Vantage
		want     []netip.Addr
		kind     takedown.ErrorKind
	}{
		"sinkhole left out":        {[]dns.Vantage{up}, addrs("192.0.2.1"), ""},
		"gone":                     {[]dns.Vantage{nx}, nil, takedown.KindNotFound},
		"unclear":                  {[]dns.Vantage{slow}, nil, takedown.KindTemporary},
		"next when one is unclear": {[]dns.Vantage{slow, up}, addrs("192.0.2.1"), ""},
	} {
		probe, err := dns.New(dns.Config{Vantages: tt.vantages, Sinkholes: []netip.Prefix{netip.MustParsePrefix("198.51.100.96/28")}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := probe.Addresses(t.Context(), "bad.example")
		if takedown.KindOf(err) != tt.kind {
			t.Errorf("%s: error %v, want kind %q", name, err, tt.kind)
		}
		if diff := cmp.Diff(tt.want, got, cmp.Comparer(equalAddrs)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestProbeEndToEnd(t *testing.T) {
	server := serve(t, zone(t, "bad.example. 60 IN A 192.0.2.1"))
	probe, err := dns.New(dns.Config{Vantages: []dns.Vantage{{Name: "local", Lookup: client(t, server)}}})
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]takedown.Verdict{"bad.example": takedown.VerdictUp, "worse.example": takedown.VerdictGone} {
		got := probe.Observe(t.Context(), trackers.Target{Indicator: takedown.Indicator{Kind: takedown.KindDomain, Value: host, Host: host}})
		if len(got) != 1 || got[0].Verdict != want {
			t.Errorf("%s: %v, want %s", host, got, want)
		}
	}
}

func TestNewNeedsAVantage(t *testing.T) {
	if _, err := dns.New(dns.Config{}); err == nil {
		t.Error("a probe without vantages was accepted")
	}
}
