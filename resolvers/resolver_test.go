package resolvers_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"desist/resolvers"
	"desist/resolvers/mailbox"
	"desist/takedown"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a source made of a function; it counts the calls.
type fake struct {
	name  string
	calls atomic.Int32
	find  func(ctx context.Context, t resolvers.Target) ([]takedown.Finding, []takedown.Gap, error)
}

func (f *fake) Name() string { return f.name }
func (f *fake) Find(ctx context.Context, t resolvers.Target) ([]takedown.Finding, []takedown.Gap, error) {
	f.calls.Add(1)
	return f.find(ctx, t)
}

// names answers every name with one address, by what the name begins with.
func names(addrs map[string]string) *fake {
	return &fake{name: "dns", find: func(_ context.Context, t resolvers.Target) ([]takedown.Finding, []takedown.Gap, error) {
		host := t.Indicator.Host
		label, _, _ := strings.Cut(host, ".")
		addr, ok := addrs[label]
		if !ok {
			return []takedown.Finding{{Fact: takedown.FactAbsent, Subject: host, Value: "nxdomain", Source: "dns", TTL: time.Minute}}, nil, nil
		}
		return []takedown.Finding{{Fact: takedown.FactAddress, Subject: host, Value: addr, Source: "dns", TTL: time.Minute}}, nil, nil
	}}
}

// networks answers with the enclosing prefix of the given length.
func networks(bits int) *fake {
	return &fake{name: "rdap", find: func(_ context.Context, t resolvers.Target) ([]takedown.Finding, []takedown.Gap, error) {
		a, ok := t.Indicator.Addr()
		if !ok {
			return registration(t)
		}
		p, err := a.Prefix(bits)
		if err != nil {
			return nil, nil, takedown.Permanent(err)
		}
		return []takedown.Finding{
			{Fact: takedown.FactNetwork, Subject: a.String(), Value: "NET", Attrs: map[string]string{"cidr": p.String()}, Source: "rdap", TTL: time.Hour},
			mail("net:"+p.String(), "abuse@h.example", "rdap", mailbox.AbuseC),
		}, nil, nil
	}}
}

func registration(t resolvers.Target) ([]takedown.Finding, []takedown.Gap, error) {
	f := fact(takedown.FactRegistrar, t.Indicator.Host, "Example Names", "rdap", "iana_id", "9999")
	f.TTL = time.Hour
	c := mail("iana:9999", "abuse@names.example", "rdap", mailbox.RoleAbuse)
	c.TTL = time.Hour
	return []takedown.Finding{f, c}, nil, nil
}

func failing(name string, err error) *fake {
	return &fake{name: name, find: func(context.Context, resolvers.Target) ([]takedown.Finding, []takedown.Gap, error) {
		return nil, nil, err
	}}
}

func newResolver(t testing.TB, c resolvers.Config) *resolvers.Resolver {
	t.Helper()
	r := resolvers.New(c)
	t.Cleanup(r.Close)
	return r
}

func site(host string) takedown.Indicator {
	labels := strings.Split(host, ".")
	return takedown.Indicator{Kind: takedown.KindDomain, Value: host, Host: host, Registrable: strings.Join(labels[len(labels)-2:], ".")}
}

func TestNetworkAnswersAreShared(t *testing.T) {
	clock := time.Unix(1000, 0)
	dns, rdap := names(map[string]string{"a": "192.0.2.1", "b": "192.0.2.2", "c": "192.0.2.200"}), networks(25)
	r := newResolver(t, resolvers.Config{Names: []resolvers.Source{dns}, Networks: []resolvers.Source{rdap}, Now: func() time.Time { return clock }})
	resolve := func(host, network string, calls int32) {
		t.Helper()
		res, err := r.Resolve(context.Background(), site(host))
		if err != nil || len(res.Parties) != 1 || res.Parties[0].Key != network {
			t.Errorf("%s: %+v, %v", host, res.Parties, err)
		}
		if got := rdap.calls.Load(); got != calls {
			t.Errorf("%s: RDAP was asked %d times, want %d", host, got, calls)
		}
	}
	resolve("a.one.test", "net:192.0.2.0/25", 1)
	resolve("b.two.test", "net:192.0.2.0/25", 1) // the same network
	resolve("c.one.test", "net:192.0.2.128/25", 2)
	resolve("a.one.test", "net:192.0.2.0/25", 2)
	clock = clock.Add(25 * time.Hour)
	resolve("a.one.test", "net:192.0.2.0/25", 3)
	if dns.calls.Load() != 4 {
		t.Errorf("DNS was asked %d times, want once a name and once after its TTL", dns.calls.Load())
	}
}

// TestLargeAllocations checks that an answer about a large block is not taken
// for all of it: inside it, customers have their own desks.
func TestLargeAllocations(t *testing.T) {
	rdap := networks(8)
	r := newResolver(t, resolvers.Config{Names: []resolvers.Source{names(map[string]string{"a": "10.0.0.1", "b": "10.0.0.2", "c": "10.9.0.1"})}, Networks: []resolvers.Source{rdap}})
	for _, host := range []string{"a.test.test", "b.test.test", "c.test.test"} {
		if _, err := r.Resolve(context.Background(), site(host)); err != nil {
			t.Error(err)
		}
	}
	if got := rdap.calls.Load(); got != 2 {
		t.Errorf("asked %d times, want 2", got)
	}
}

func TestConcurrentCasesShareQueries(t *testing.T) {
	rdap := networks(24)
	inner := rdap.find
	gate := make(chan struct{})
	rdap.find = func(ctx context.Context, t resolvers.Target) ([]takedown.Finding, []takedown.Gap, error) {
		<-gate
		return inner(ctx, t)
	}
	dns := names(map[string]string{"a": "192.0.2.1"})
	r := newResolver(t, resolvers.Config{Names: []resolvers.Source{dns}, Networks: []resolvers.Source{rdap}})
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if _, err := r.Resolve(context.Background(), site(fmt.Sprintf("a.n%d.test", i))); err != nil {
				t.Error(err)
			}
		})
	}
	close(gate)
	wg.Wait()
	if got := rdap.calls.Load(); got != 1 {
		t.Errorf("RDAP was asked %d times for one network", got)
	}
}

func TestFailures(t *testing.T) {
	temporary, missing := takedown.Temporary(errors.New("time-out")), takedown.NotFound(errors.New("no record"))
	tests := []struct {
		name     string
		cfg      resolvers.Config
		kind     takedown.ErrorKind
		findings bool
		gaps     int
	}{
		{"everything fails for now", resolvers.Config{Names: []resolvers.Source{failing("dns", temporary)}, Registrations: []resolvers.Source{failing("rdap", takedown.Snooze(time.Minute, errors.New("429")))}}, takedown.KindTemporary, false, 2},
		{"nothing is known", resolvers.Config{Names: []resolvers.Source{failing("dns", missing)}, Registrations: []resolvers.Source{failing("rdap", missing)}}, "", false, 2},
		{"half fails", resolvers.Config{Names: []resolvers.Source{names(map[string]string{"a": "192.0.2.1"})}, Networks: []resolvers.Source{failing("rdap", temporary)}}, "", true, 1},
		{"the second source helps", resolvers.Config{Registrations: []resolvers.Source{failing("whois", temporary), networks(24)}}, "", true, 1},
	}
	for _, tt := range tests {
		res, err := newResolver(t, tt.cfg).Resolve(context.Background(), site("a.one.test"))
		if takedown.KindOf(err) != tt.kind || (len(res.Findings) > 0) != tt.findings || len(res.Gaps) != tt.gaps {
			t.Errorf("%s: %v; %d findings, gaps %+v", tt.name, err, len(res.Findings), res.Gaps)
		}
	}
}

func TestFailuresAreRemembered(t *testing.T) {
	clock := time.Unix(1000, 0)
	dns := failing("dns", takedown.Temporary(errors.New("time-out")))
	r := newResolver(t, resolvers.Config{Names: []resolvers.Source{dns}, Now: func() time.Time { return clock }})
	for _, want := range []int32{1, 1, 2} {
		if _, err := r.Resolve(context.Background(), site("a.one.test")); err == nil {
			t.Error("no error")
		}
		if got := dns.calls.Load(); got != want {
			t.Errorf("asked %d times, want %d", got, want)
		}
		if want == 1 && dns.calls.Load() == 1 {
			clock = clock.Add(20 * time.Second) // twice: past the half minute
		}
	}
}

func TestSecondSourceOnlyWhenNeeded(t *testing.T) {
	rdap, whois := networks(24), failing("whois", errors.New("must not be asked"))
	r := newResolver(t, resolvers.Config{Registrations: []resolvers.Source{rdap, whois}})
	if _, err := r.Resolve(context.Background(), site("a.one.test")); err != nil || whois.calls.Load() != 0 {
		t.Errorf("%v; WHOIS was asked %d times although RDAP said all", err, whois.calls.Load())
	}
	platform := site("x.pages.test")
	platform.Platform = "pages.test"
	if _, err := r.Resolve(context.Background(), platform); err != nil || rdap.calls.Load() != 1 {
		t.Errorf("%v; the registration of a platform was asked for", err)
	}
}

func TestAbsentAndRefused(t *testing.T) {
	dns := names(map[string]string{"a": "192.0.2.1"})
	rdap := networks(24)
	r := newResolver(t, resolvers.Config{
		Names: []resolvers.Source{dns}, Networks: []resolvers.Source{rdap}, Registrations: []resolvers.Source{rdap},
		CheckAddr: func(a netip.Addr) error { return takedown.Denied(fmt.Errorf("%s is private", a)) },
	})
	res, err := r.Resolve(context.Background(), site("gone.one.test"))
	if err != nil || !res.Absent || len(res.Parties) != 1 || res.Parties[0].Role != takedown.RoleRegistrar {
		t.Errorf("absent: %+v, %v", res, err)
	}
	res, err = r.Resolve(context.Background(), site("a.one.test"))
	if err != nil || len(res.Gaps) != 1 || !strings.Contains(res.Gaps[0].Reason, "is private") {
		t.Errorf("refused address: %+v, %v", res.Gaps, err)
	}
	if _, err := r.Resolve(context.Background(), takedown.Indicator{}); takedown.KindOf(err) != takedown.KindPermanent {
		t.Errorf("no indicator: %v", err)
	}
}

func TestClose(t *testing.T) {
	started := make(chan struct{})
	dns := &fake{name: "dns", find: func(ctx context.Context, _ resolvers.Target) ([]takedown.Finding, []takedown.Gap, error) {
		close(started)
		<-ctx.Done()
		return nil, nil, ctx.Err()
	}}
	r := resolvers.New(resolvers.Config{Names: []resolvers.Source{dns}})
	done := make(chan error, 1)
	go func() {
		_, err := r.Resolve(context.Background(), site("a.one.test"))
		done <- err
	}()
	<-started
	r.Close()
	if err := <-done; takedown.KindOf(err) != takedown.KindTemporary {
		t.Errorf("closed under way: %v", err)
	}
	if _, err := r.Resolve(context.Background(), site("b.one.test")); takedown.KindOf(err) != takedown.KindTemporary {
		t.Errorf("closed before: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := newResolver(t, resolvers.Config{Names: []resolvers.Source{networks(24)}}).Resolve(ctx, site("a.one.test")); takedown.KindOf(err) != takedown.KindTemporary {
		t.Errorf("cancelled: %v", err)
	}
}

// BenchmarkWarm resolves ever new names of known networks and registrations: it
// measures what remains for each case.
func BenchmarkWarm(b *testing.B) {
	r := newResolver(b, resolvers.Config{
		Names: []resolvers.Source{names(map[string]string{"a": "192.0.2.1"})}, Networks: []resolvers.Source{networks(24)}, Registrations: []resolvers.Source{networks(24)},
	})
	var n atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := site(fmt.Sprintf("a.x%d.one.test", n.Add(1)))
			if _, err := r.Resolve(context.Background(), i); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "cases/s")
}
