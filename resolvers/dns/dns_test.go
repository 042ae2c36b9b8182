package dns_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	mdns "github.com/miekg/dns"
	"go.uber.org/goleak"

	"desist/resolvers"
	"desist/resolvers/dns"
	"desist/resolvers/resolvertest"
	"desist/takedown"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// zone answers from records; how it misbehaves is by name.
type zone struct {
	mu      sync.Mutex
	records []mdns.RR
	asked   []string // network and name
}

func newZone(t *testing.T, records ...string) *zone {
	t.Helper()
	z := &zone{}
	for _, r := range records {
		rr, err := mdns.NewRR(r)
		if err != nil {
			t.Fatal(err)
		}
		z.records = append(z.records, rr)
	}
	return z
}

func (z *zone) ServeDNS(w mdns.ResponseWriter, q *mdns.Msg) {
	name := strings.ToLower(q.Question[0].Name)
	network := w.LocalAddr().Network()
	z.mu.Lock()
	z.asked = append(z.asked, network+" "+name)
	z.mu.Unlock()
	m := new(mdns.Msg)
	m.SetReply(q)
	switch label, _, _ := strings.Cut(name, "."); {
	case label == "silent":
		return
	case label == "servfail":
		m.Rcode = mdns.RcodeServerFailure
	case label == "truncated" && network == "udp":
		m.Truncated = true
	case label == "garbage" && network == "udp":
		_, _ = w.Write([]byte{byte(q.Id >> 8), byte(q.Id), 0x81, 0x80, 0, 1, 0, 9, 0xff, 0xff})
		return
	case label == "short" && network == "udp":
		_, _ = w.Write([]byte{1, 2, 3})
		return
	case label == "other" && network == "udp":
		m.Question[0].Name = "evil.example."
		rr, _ := mdns.NewRR("evil.example. 60 IN A 203.0.113.66")
		m.Answer = append(m.Answer, rr)
	case label == "stranger":
		rr, _ := mdns.NewRR("elsewhere.example. 60 IN A 203.0.113.66")
		m.Answer = append(m.Answer, rr)
	default:
		z.answer(m, name, q.Question[0].Qtype)
	}
	if label := name[:strings.IndexByte(name, '.')]; network == "tcp" && slices.Contains([]string{"truncated", "garbage", "short", "other"}, label) {
		z.answer(m, name, q.Question[0].Qtype)
	}
	_ = w.WriteMsg(m)
}

func (z *zone) answer(m *mdns.Msg, name string, qtype uint16) {
	exists := false
	m.Answer = nil
	for _, rr := range z.records {
		if strings.EqualFold(rr.Header().Name, name) {
			exists = true
			if t := rr.Header().Rrtype; t == qtype || t == mdns.TypeCNAME {
				m.Answer = append(m.Answer, rr)
			}
		}
	}
	if len(m.Answer) == 0 {
		soa, _ := mdns.NewRR("test. 300 IN SOA ns.test. hostmaster.test. 1 2 3 4 120")
		m.Ns = append(m.Ns, soa)
	}
	if !exists {
		m.Rcode = mdns.RcodeNameError
	}
}

// serve starts a server on UDP and TCP.
func serve(t *testing.T, h mdns.Handler) string {
	t.Helper()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	udp, err := net.ListenPacket("udp", tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*mdns.Server{{PacketConn: udp, Handler: h}, {Listener: tcp, Handler: h}} {
		run(t, s)
	}
	return tcp.Addr().String()
}

func run(t *testing.T, s *mdns.Server) {
	t.Helper()
	started, ended := make(chan struct{}), make(chan struct{})
	s.NotifyStartedFunc = func() { close(started) }
	go func() {
		defer close(ended)
		_ = s.ActivateAndServe()
	}()
	<-started
	t.Cleanup(func() { _ = s.Shutdown(); <-ended })
}

func newClient(t *testing.T, c dns.Config) *dns.Client {
	t.Helper()
	client, err := dns.NewClient(c)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

var now = time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)

func domain(host string) resolvers.Target {
	labels := strings.Split(host, ".")
	registrable := strings.Join(labels[max(0, len(labels)-2):], ".")
	return resolvers.Target{Indicator: takedown.Indicator{Kind: takedown.KindDomain, Value: host, Host: host, Registrable: registrable}, Now: now}
}

func TestSource(t *testing.T) {
	z := newZone(t,
		"www.shop.test. 300 IN CNAME edge.cdn.test.", "edge.cdn.test. 60 IN A 192.0.2.10", "edge.cdn.test. 60 IN AAAA 2001:db8::10",
		"shop.test. 300 IN NS ns1.dns.test.", "shop.test. 300 IN NS ns2.dns.test.", "shop.test. 300 IN MX 10 mx.shop.test.",
		"1.2.0.192.in-addr.arpa. 300 IN PTR host1.isp.test.",
	)
	client := newClient(t, dns.Config{Servers: []string{serve(t, z)}, Timeout: 5 * time.Second})
	source := dns.NewSource(dns.SourceConfig{Client: client, MX: true})
	hanging, unknown := domain("silent.test"), domain("nothing.test")
	resolvertest.Run(t, resolvertest.Config{Source: source, Known: domain("www.shop.test"), Unknown: &unknown, Hanging: &hanging})

	findings, gaps, err := source.Find(context.Background(), domain("www.shop.test"))
	if err != nil || len(gaps) > 0 {
		t.Fatal(err, gaps)
	}
	var got []string
	for _, f := range findings {
		got = append(got, string(f.Fact)+" "+f.Subject+" "+f.Value)
	}
	slices.Sort(got)
	want := []string{
		"address www.shop.test 192.0.2.10", "address www.shop.test 2001:db8::10", "cname www.shop.test edge.cdn.test",
		"nameserver shop.test mx.shop.test", "nameserver shop.test ns1.dns.test", "nameserver shop.test ns2.dns.test",
	}
	if !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
	ip := resolvers.Target{Indicator: takedown.Indicator{Kind: takedown.KindIPv4, Value: "192.0.2.1", Host: "192.0.2.1"}, Now: now}
	findings, _, err = source.Find(context.Background(), ip)
	if err != nil || len(findings) != 1 || findings[0].Value != "host1.isp.test" {
		t.Errorf("reverse name: %+v, %v", findings, err)
	}
}

func TestAbsence(t *testing.T) {
	z := newZone(t, "empty.test. 300 IN TXT x", "alias.test. 300 IN CNAME nowhere.test.", "loop.test. 300 IN CNAME loop2.test.", "loop2.test. 300 IN CNAME loop.test.")
	source := dns.NewSource(dns.SourceConfig{Client: newClient(t, dns.Config{Servers: []string{serve(t, z)}})})
	for host, want := range map[string]string{"gone.test": "nxdomain", "empty.test": "nodata", "alias.test": "nodata", "stranger.test": "nodata"} {
		findings, _, err := source.Find(context.Background(), domain(host))
		if err != nil {
			t.Errorf("%s: %v", host, err)
			continue
		}
		got := ""
		for _, f := range findings {
			if f.Fact == takedown.FactAddress {
				t.Errorf("%s: has address %s", host, f.Value)
			}
			if f.Fact == takedown.FactAbsent {
				got = f.Value
				if f.TTL != 2*time.Minute && host == "gone.test" {
					t.Errorf("negative TTL %s, want that of the SOA", f.TTL)
				}
			}
		}
		if got != want {
			t.Errorf("%s: absent %q, want %q", host, got, want)
		}
	}
	_, gaps, err := source.Find(context.Background(), domain("loop.test"))
	if err != nil || len(gaps) == 0 || !strings.Contains(gaps[0].Reason, "loop") {
		t.Errorf("alias loop: gaps %+v, %v", gaps, err)
	}
}

// TestDoubtfulReplies asks names for which the UDP reply must not be believed.
func TestDoubtfulReplies(t *testing.T) {
	z := newZone(t, "truncated.test. 60 IN A 192.0.2.1", "garbage.test. 60 IN A 192.0.2.1", "short.test. 60 IN A 192.0.2.1", "other.test. 60 IN A 192.0.2.1")
	client := newClient(t, dns.Config{Servers: []string{serve(t, z)}})
	for _, name := range []string{"truncated.test", "garbage.test", "short.test", "other.test"} {
		a, err := client.Query(context.Background(), name, mdns.TypeA)
		if err != nil || len(a.Records) != 1 || a.Records[0].(*mdns.A).A.String() != "192.0.2.1" {
			t.Errorf("%s: %+v, %v", name, a.Records, err)
		}
	}
}

func TestFailover(t *testing.T) {
	broken := serve(t, mdns.HandlerFunc(func(w mdns.ResponseWriter, q *mdns.Msg) {
		m := new(mdns.Msg)
		m.SetRcode(q, mdns.RcodeServerFailure)
		_ = w.WriteMsg(m)
	}))
	good := newZone(t, "www.test. 60 IN A 192.0.2.1")
	client := newClient(t, dns.Config{Servers: []string{broken, serve(t, good)}})
	addrs, err := client.LookupAddrs(context.Background(), "www.test")
	if err != nil || !slices.Equal(addrs, []netip.Addr{netip.MustParseAddr("192.0.2.1")}) {
		t.Errorf("addresses %v, %v", addrs, err)
	}
	_, err = newClient(t, dns.Config{Servers: []string{broken}}).Query(context.Background(), "www.test", mdns.TypeA)
	if takedown.KindOf(err) != takedown.KindTemporary || !strings.Contains(err.Error(), "SERVFAIL") {
		t.Errorf("only a broken server: %v", err)
	}
	if _, err := client.LookupAddrs(context.Background(), "none.test"); takedown.KindOf(err) != takedown.KindNotFound {
		t.Errorf("no address: %v", err)
	}
}

func TestCancel(t *testing.T) {
	client := newClient(t, dns.Config{Servers: []string{serve(t, newZone(t))}, Timeout: time.Minute})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := client.Query(ctx, "silent.test", mdns.TypeA); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled query: %v", err)
	}
	ctx, cancel = context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := client.Query(ctx, "silent.test", mdns.TypeA); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("query past its deadline: %v", err)
	}
}

func TestDoT(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"resolver.example"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	run(t, &mdns.Server{Listener: l, Handler: newZone(t, "www.test. 60 IN A 192.0.2.1")})
	for name, ok := range map[string]bool{"resolver.example": true, "other.example": false} {
		client := newClient(t, dns.Config{Servers: []string{"tls://" + l.Addr().String() + "#" + name}, TLS: &tls.Config{RootCAs: roots}})
		if _, err := client.Query(context.Background(), "www.test", mdns.TypeA); (err == nil) != ok {
			t.Errorf("certificate name %s: %v", name, err)
		}
	}
}

func TestBadInput(t *testing.T) {
	for _, spec := range []string{"", "http://192.0.2.1", "tls://", "a b:53"} {
		if _, err := dns.NewClient(dns.Config{Servers: []string{spec}}); err == nil {
			t.Errorf("server %q was accepted", spec)
		}
	}
	client := newClient(t, dns.Config{Servers: []string{"192.0.2.1"}})
	for _, name := range []string{"", "münchen.test", "a b.test", "a..test", strings.Repeat("a", 64) + ".test", strings.Repeat("a.", 130) + "test"} {
		if _, err := client.Query(context.Background(), name, mdns.TypeA); takedown.KindOf(err) != takedown.KindPermanent {
			t.Errorf("name %q: %v", name, err)
		}
	}
}
