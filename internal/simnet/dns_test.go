package simnet

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

func ask(t *testing.T, w world, network, name string, qtype uint16) *dns.Msg {
	t.Helper()
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn(name), qtype)
	c := &dns.Client{Net: network, Timeout: 5 * time.Second}
	in, _, err := c.ExchangeContext(t.Context(), m, w.DNSAddr())
	if err != nil {
		t.Fatalf("%s %s: %v", name, dns.TypeToString[qtype], err)
	}
	return in
}

// values renders the answer's data without names and times.
func values(rrs []dns.RR) []string {
	var out []string
	for _, rr := range rrs {
		out = append(out, strings.TrimSpace(strings.TrimPrefix(rr.String(), rr.Header().String())))
	}
	slices.Sort(out)
	return out
}

func TestDNSAnswers(t *testing.T) {
	w := startTiny(t)
	for _, test := range []struct {
		name  string
		qtype uint16
		rcode int
		want  []string
	}{
		{"sim-phish-0001-amber.com", dns.TypeA, dns.RcodeSuccess, []string{"192.0.2.7"}},
		{"SIM-phish-0001-amber.COM", dns.TypeAAAA, dns.RcodeSuccess, []string{"2001:db8:100::7"}},
		{"sim-phish-0001-amber.com", dns.TypeNS, dns.RcodeSuccess, []string{"ns1.sim-namewell.com.", "ns2.sim-namewell.com."}},
		{"sim-phish-0001-amber.com", dns.TypeMX, dns.RcodeSuccess, nil},
		{"nothing.sim-phish-0001-amber.com", dns.TypeA, dns.RcodeNameError, nil},
		{"sim-shop-0005-ember.de", dns.TypeA, dns.RcodeSuccess, nil},
		{"sim-nowhere.com", dns.TypeA, dns.RcodeNameError, nil},
		{"sim-nowhere.invalid", dns.TypeA, dns.RcodeNameError, nil},
		{"com", dns.TypeNS, dns.RcodeSuccess, []string{"ns1.sim-registry-com.net.", "ns2.sim-registry-com.net."}},
		{"sim-prompt.de", dns.TypeMX, dns.RcodeSuccess, []string{"10 mail.sim-prompt.de."}},
		{"mail.sim-prompt.de", dns.TypeA, dns.RcodeSuccess, []string{"203.0.113.254"}},
		{"7.2.0.192.origin.asn.sim", dns.TypeTXT, dns.RcodeSuccess, []string{`"64496 | 192.0.2.0/28 | DE | ripencc | 2020-01-01"`}},
		{strings.Repeat("0.", 20) + "0.0.1.0.8.b.d.0.1.0.0.2.origin6.asn.sim", dns.TypeTXT, dns.RcodeSuccess, []string{`"64496 | 2001:db8:100::/48 | DE | ripencc | 2020-01-01"`}},
		{"AS64496.asn.sim", dns.TypeTXT, dns.RcodeSuccess, []string{`"64496 | DE | ripencc | 2020-01-01 | PROMPT-HOST-AS, DE"`}},
		{"7.2.0.192.abuse-contacts.sim", dns.TypeTXT, dns.RcodeSuccess, []string{`"abuse@sim-prompt.de"`}},
		{"50.113.0.203.abuse-contacts.sim", dns.TypeTXT, dns.RcodeNameError, nil},
		{"7.2.0.192.in-addr.arpa", dns.TypePTR, dns.RcodeSuccess, []string{"host-192-0-2-7.sim-prompt.de."}},
		{"1.1.1.1.in-addr.arpa", dns.TypePTR, dns.RcodeNameError, nil},
		{"sim-phish-0007-glade.github.io", dns.TypeA, dns.RcodeSuccess, []string{"198.51.100.200"}},
	} {
		for _, network := range []string{"udp", "tcp"} {
			in := ask(t, w, network, test.name, test.qtype)
			if in.Rcode != test.rcode || !slices.Equal(values(in.Answer), test.want) {
				t.Errorf("%s %s %s = %s %q, want %s %q", network, test.name, dns.TypeToString[test.qtype],
					dns.RcodeToString[in.Rcode], values(in.Answer), dns.RcodeToString[test.rcode], test.want)
			}
			if len(in.Answer) == 0 && (len(in.Ns) != 1 || in.Ns[0].Header().Rrtype != dns.TypeSOA) {
				t.Errorf("%s: a negative answer without SOA: %v", test.name, in.Ns)
			}
		}
	}
}

func TestDNSHidesTheOriginBehindACDN(t *testing.T) {
	w := startTiny(t)
	in := ask(t, w, "udp", "www.sim-phish-0006-fjord.com", dns.TypeA)
	if len(in.Answer) != 2 {
		t.Fatalf("answer %v", in.Answer)
	}
	cname, ok := in.Answer[0].(*dns.CNAME)
	if !ok || cname.Target != "www.sim-phish-0006-fjord.com.edge.sim-front.com." {
		t.Fatalf("answer %v", in.Answer)
	}
	a, ok := in.Answer[1].(*dns.A)
	if !ok || !strings.HasPrefix(a.A.String(), "198.51.100.1") {
		t.Fatalf("answer %v", in.Answer)
	}
	direct := ask(t, w, "udp", cname.Target, dns.TypeA)
	if !slices.Equal(values(direct.Answer), values(in.Answer[1:])) {
		t.Fatalf("edge answers %v", direct.Answer)
	}
}

func TestDNSMisbehaves(t *testing.T) {
	const name = "sim-phish-0001-amber.com"
	w := startTiny(t)
	set := func(mode string) {
		t.Helper()
		if err := w.Fault(Faults{DNS: &DNSFault{Name: name, Mode: mode, DelayMS: 1}}); err != nil {
			t.Fatal(err)
		}
	}
	set("servfail")
	if in := ask(t, w, "udp", name, dns.TypeA); in.Rcode != dns.RcodeServerFailure {
		t.Errorf("servfail: %v", in)
	}
	set("truncate")
	if in := ask(t, w, "udp", name, dns.TypeA); !in.Truncated || len(in.Answer) != 0 {
		t.Errorf("truncate: %v", in)
	}
	if in := ask(t, w, "tcp", name, dns.TypeA); in.Truncated || len(in.Answer) != 1 {
		t.Errorf("truncate over tcp: %v", in)
	}
	set("wrongquestion")
	if in := ask(t, w, "udp", name, dns.TypeA); in.Question[0].Name == name+"." {
		t.Errorf("wrongquestion: %v", in)
	}
	set("delay")
	if in := ask(t, w, "udp", name, dns.TypeA); len(in.Answer) != 1 {
		t.Errorf("delay: %v", in)
	}
	set("")
	if in := ask(t, w, "udp", name, dns.TypeA); len(in.Answer) != 1 {
		t.Errorf("after: %v", in)
	}
	if err := w.Fault(Faults{DNS: &DNSFault{Name: name, Mode: "explode"}}); err == nil {
		t.Error("an unknown mode was taken")
	}
}

func FuzzReversed(f *testing.F) {
	f.Add("7.2.0.192")
	f.Fuzz(func(t *testing.T, labels string) {
		if a, ok := reversed(labels); ok && !a.IsValid() {
			t.Fatalf("reversed(%q) = invalid", labels)
		}
	})
}
