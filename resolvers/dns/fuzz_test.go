package dns

import (
	"testing"

	mdns "github.com/miekg/dns"
)

// FuzzReply feeds bytes to the handling of answers: nothing may be taken from a
// reply to another question, and nothing may panic.
func FuzzReply(f *testing.F) {
	q := new(mdns.Msg)
	q.SetQuestion("www.example.", mdns.TypeA)
	q.Id = 1
	good := new(mdns.Msg)
	good.SetReply(q)
	for _, s := range []string{"www.example. 60 IN CNAME a.example.", "a.example. 60 IN A 192.0.2.1", "b.example. 60 IN CNAME b.example."} {
		rr, err := mdns.NewRR(s)
		if err != nil {
			f.Fatal(err)
		}
		good.Answer = append(good.Answer, rr)
	}
	packed, err := good.Pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packed)
	f.Add(packed[:20])
	f.Fuzz(func(t *testing.T, raw []byte) {
		m := new(mdns.Msg)
		if err := readReply(raw, q, m); err != nil {
			return
		}
		a := newAnswer("www.example", mdns.TypeA, server{}, m, raw)
		for _, rr := range a.Records {
			if h := rr.Header(); h.Rrtype != mdns.TypeA && h.Rrtype != mdns.TypeCNAME {
				t.Errorf("kept a record of type %d", h.Rrtype)
			}
		}
		_ = a.addrs()
		_ = a.lastName()
	})
}
