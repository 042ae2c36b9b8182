package dns

import (
	"testing"

	"github.com/miekg/dns"
)

func FuzzRead(f *testing.F) {
	m := new(dns.Msg)
	m.SetQuestion("bad.example.", dns.TypeA)
	m.Response = true
	for _, s := range []string{"bad.example. 60 IN CNAME edge.example.", "edge.example. 60 IN A 192.0.2.1"} {
		r, err := dns.NewRR(s)
		if err != nil {
			f.Fatal(err)
		}
		m.Answer = append(m.Answer, r)
	}
	raw, err := m.Pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw, "bad.example")
	f.Fuzz(func(t *testing.T, raw []byte, name string) {
		reply := new(dns.Msg)
		if reply.Unpack(raw) != nil {
			return
		}
		for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
			answer, err := read(reply, name, qtype)
			if err == nil && !answer.Exists && reply.Rcode == dns.RcodeSuccess {
				t.Error("a successful reply denies the name")
			}
			for _, a := range answer.Addresses {
				if !a.IsValid() || a.Is4() != (qtype == dns.TypeA) {
					t.Errorf("address %v of type %s", a, dns.TypeToString[qtype])
				}
			}
		}
		_ = checkName(name)
	})
}
