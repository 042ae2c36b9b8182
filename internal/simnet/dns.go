package simnet

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Zones of the machinery. The first has the form of origin.asn.cymru.com: TXT
// "AS | prefix | country | registry | date"; the AS names stand beside it.
const (
	asnZone     = "asn.sim."
	originZone  = "origin.asn.sim."
	origin6Zone = "origin6.asn.sim."
	contactZone = "abuse-contacts.sim."
	dnsTTL      = 60
)

// dnsHandler answers as every authoritative server of the world at once.
type dnsHandler struct{ n *Net }

// ServeDNS implements dns.Handler.
func (h dnsHandler) ServeDNS(rw dns.ResponseWriter, req *dns.Msg) {
	m := new(dns.Msg)
	m.SetReply(req)
	m.Authoritative, m.RecursionAvailable = true, true
	if len(req.Question) != 1 || req.Question[0].Qclass != dns.ClassINET {
		m.Rcode = dns.RcodeRefused
		h.write(rw, req, m)
		return
	}
	q := req.Question[0]
	name := strings.ToLower(q.Name)
	_, udp := rw.RemoteAddr().(*net.UDPAddr)
	switch fault := h.n.faults.dns(strings.TrimSuffix(name, ".")); fault.Mode {
	case "servfail":
		m.Rcode = dns.RcodeServerFailure
		h.write(rw, req, m)
		return
	case "refused":
		m.Rcode = dns.RcodeRefused
		h.write(rw, req, m)
		return
	case "truncate":
		if udp {
			m.Truncated = true
			h.write(rw, req, m)
			return
		}
	case "wrongquestion":
		if udp {
			m.Question[0].Name = "wrong-question.example."
			m.Answer = []dns.RR{&dns.A{Hdr: header("wrong-question.example.", dns.TypeA), A: net.IPv4(192, 0, 2, 254)}}
			h.write(rw, req, m)
			return
		}
	case "drop":
		return
	case "delay":
		if !h.n.pause(fault.delay()) {
			return
		}
	}
	h.n.mu.RLock()
	h.n.resolve(m, name, q.Qtype)
	h.n.mu.RUnlock()
	h.write(rw, req, m)
}

// pause waits for d and reports false when the network is being closed.
func (n *Net) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-n.ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func (h dnsHandler) write(rw dns.ResponseWriter, req, m *dns.Msg) {
	if opt := req.IsEdns0(); opt != nil {
		m.SetEdns0(1232, opt.Do())
	}
	if _, udp := rw.RemoteAddr().(*net.UDPAddr); udp {
		size := dns.MinMsgSize
		if opt := req.IsEdns0(); opt != nil {
			size = max(size, int(opt.UDPSize()))
		}
		m.Truncate(min(size, 1232))
	}
	if err := rw.WriteMsg(m); err != nil && h.n.ctx.Err() == nil {
		h.n.log.Debug("dns answer not written", "error", err)
	}
}

func header(name string, rrtype uint16) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: rrtype, Class: dns.ClassINET, Ttl: dnsTTL}
}

func addressRRs(name string, qtype uint16, addrs []netip.Addr) []dns.RR {
	var out []dns.RR
	for _, a := range addrs {
		switch {
		case a.Is4() && qtype == dns.TypeA:
			out = append(out, &dns.A{Hdr: header(name, dns.TypeA), A: a.AsSlice()})
		case a.Is6() && qtype == dns.TypeAAAA:
			out = append(out, &dns.AAAA{Hdr: header(name, dns.TypeAAAA), AAAA: a.AsSlice()})
		}
	}
	return out
}

func soa(zone, primary string) dns.RR {
	return &dns.SOA{
		Hdr: header(zone, dns.TypeSOA), Ns: "ns1." + primary + ".", Mbox: "hostmaster." + primary + ".",
		Serial: 2026010501, Refresh: 7200, Retry: 900, Expire: 1209600, Minttl: dnsTTL,
	}
}

func nameServers(zone, org string) []dns.RR {
	return []dns.RR{
		&dns.NS{Hdr: header(zone, dns.TypeNS), Ns: "ns1." + org + "."},
		&dns.NS{Hdr: header(zone, dns.TypeNS), Ns: "ns2." + org + "."},
	}
}

func txt(name, text string) dns.RR {
	return &dns.TXT{Hdr: header(name, dns.TypeTXT), Txt: []string{text}}
}

// resolve fills m. Negative answers carry the SOA of their zone (RFC 2308
// section 3). Net.mu is held for reading.
func (n *Net) resolve(m *dns.Msg, name string, qtype uint16) {
	host := strings.TrimSuffix(name, ".")
	switch {
	case strings.HasSuffix(name, "."+asnZone):
		n.resolveASN(m, name, qtype)
	case strings.HasSuffix(name, "."+contactZone):
		n.resolveContact(m, name, qtype)
	case strings.HasSuffix(name, ".arpa."):
		n.resolveReverse(m, name, qtype)
	case n.idx.sites[host] != nil:
		n.resolveSite(m, n.idx.sites[host], name, qtype)
	case n.idx.infra[host] != nil:
		n.resolveInfra(m, n.idx.infra[host], host, qtype)
	case n.resolveEdge(m, host, name, qtype):
	default:
		n.resolveOther(m, host, name, qtype)
	}
}

func (n *Net) resolveSite(m *dns.Msg, s *siteState, name string, qtype uint16) {
	d := s.domain
	if d == nil { // a bare address is not a name
		m.Rcode = dns.RcodeNameError
		return
	}
	if d.hold != "" {
		n.noSuchDomain(m, d.name)
		return
	}
	apex := s.Host == d.name
	zone, org := dns.Fqdn(d.name), n.dnsHost(s)
	if s.serves == stateNoDNS && !apex {
		m.Rcode = dns.RcodeNameError
		m.Ns = []dns.RR{soa(zone, org)}
		return
	}
	if s.cdn != nil && !apex && s.serves != stateNoDNS {
		target := s.Host + "." + s.cdn.Edge + "."
		m.Answer = append(m.Answer, &dns.CNAME{Hdr: header(name, dns.TypeCNAME), Target: target})
		if qtype != dns.TypeCNAME {
			m.Answer = append(m.Answer, addressRRs(target, qtype, n.edgeAddrs(s))...)
		}
		return
	}
	switch {
	case (qtype == dns.TypeA || qtype == dns.TypeAAAA) && s.serves != stateNoDNS:
		addrs := s.addrs
		if s.cdn != nil {
			addrs = n.edgeAddrs(s)
		}
		m.Answer = addressRRs(name, qtype, addrs)
	case apex && qtype == dns.TypeNS:
		m.Answer = nameServers(zone, org)
	case apex && qtype == dns.TypeSOA:
		m.Answer = []dns.RR{soa(zone, org)}
	case apex && qtype == dns.TypeTXT:
		m.Answer = []dns.RR{txt(name, "v=spf1 -all")}
	}
	if len(m.Answer) == 0 {
		m.Ns = []dns.RR{soa(zone, org)}
	}
}

// dnsHost is the organisation that runs a site's zone.
func (n *Net) dnsHost(s *siteState) string {
	switch {
	case s.cdn != nil:
		return n.idx.networks[s.cdn.Network].domain
	case s.domain != nil && s.domain.registrar != nil:
		return s.domain.registrar.Domain
	}
	return s.network.Domain
}

// edgeAddrs are the CDN's addresses for a site; the origin stays hidden.
func (n *Net) edgeAddrs(s *siteState) []netip.Addr {
	r := draw(n.world.Seed, "edge", s.Host)
	return append(n.world.shared(s.cdn.Network, r), n.world.own6(s.cdn.Network, r.Uint64()>>32))
}

// resolveEdge answers for <site>.<edge of its CDN>.
func (n *Net) resolveEdge(m *dns.Msg, host, name string, qtype uint16) bool {
	for edge, c := range n.idx.edges {
		if host == edge || strings.HasSuffix(host, "."+edge) {
			if s := n.idx.sites[strings.TrimSuffix(host, "."+edge)]; s != nil && s.cdn == c {
				m.Answer = addressRRs(name, qtype, n.edgeAddrs(s))
			} else if host != edge {
				m.Rcode = dns.RcodeNameError
			}
			if len(m.Answer) == 0 {
				m.Ns = []dns.RR{soa(dns.Fqdn(edge), n.idx.networks[c.Network].domain)}
			}
			return true
		}
	}
	return false
}

func (n *Net) resolveInfra(m *dns.Msg, h *infraHost, host string, qtype uint16) {
	name := dns.Fqdn(host)
	org := host
	if !h.ns {
		_, org, _ = strings.Cut(host, ".")
	} else if d := n.idx.domains[host]; d != nil && d.registrar != nil {
		org = d.registrar.Domain
	}
	switch qtype {
	case dns.TypeA, dns.TypeAAAA:
		m.Answer = addressRRs(name, qtype, h.addrs)
	case dns.TypeMX:
		if h.mail {
			m.Answer = []dns.RR{&dns.MX{Hdr: header(name, dns.TypeMX), Preference: 10, Mx: "mail." + name}}
			m.Extra = addressRRs("mail."+name, dns.TypeA, []netip.Addr{mxAddr})
		}
	case dns.TypeNS:
		if h.ns {
			m.Answer = nameServers(name, org)
		}
	case dns.TypeSOA:
		if h.ns {
			m.Answer = []dns.RR{soa(name, org)}
		}
	case dns.TypeTXT:
		if h.mail {
			m.Answer = []dns.RR{txt(name, "v=spf1 mx -all")}
		}
	}
	if len(m.Answer) == 0 {
		m.Ns = []dns.RR{soa(dns.Fqdn(org), org)}
	}
}

// resolveOther answers for names that nothing stands for: apexes without a
// site, top-level domains, the root, and everything that does not exist.
func (n *Net) resolveOther(m *dns.Msg, host, name string, qtype uint16) {
	if host == "" || n.idx.registry[host] != nil {
		org := "sim-iana.net"
		if host != "" {
			org = n.idx.registry[host].Domain
		}
		switch qtype {
		case dns.TypeNS:
			m.Answer = nameServers(name, org)
		case dns.TypeSOA:
			m.Answer = []dns.RR{soa(name, org)}
		default:
			m.Ns = []dns.RR{soa(name, org)}
		}
		return
	}
	d := n.idx.findDomain(host)
	if d == nil || d.hold != "" || len(d.sites) == 0 {
		n.noSuchDomain(m, host)
		return
	}
	zone, org := dns.Fqdn(d.name), n.dnsHost(d.sites[0])
	switch {
	case host != d.name && !n.above(host, d):
		m.Rcode = dns.RcodeNameError
	case host == d.name && qtype == dns.TypeNS:
		m.Answer = nameServers(zone, org)
	case host == d.name && qtype == dns.TypeSOA:
		m.Answer = []dns.RR{soa(zone, org)}
	}
	if len(m.Answer) == 0 {
		m.Ns = []dns.RR{soa(zone, org)}
	}
}

// above says whether a name stands between a site and its apex: such a name
// exists, without records (RFC 8020).
func (n *Net) above(host string, d *domainState) bool {
	return slices.ContainsFunc(d.sites, func(s *siteState) bool { return strings.HasSuffix(s.Host, "."+host) })
}

// noSuchDomain is the answer of the parent zone.
func (n *Net) noSuchDomain(m *dns.Msg, host string) {
	m.Rcode = dns.RcodeNameError
	tld := tldOf(host)
	if r := n.idx.registry[tld]; r != nil {
		m.Ns = []dns.RR{soa(dns.Fqdn(tld), r.Domain)}
		return
	}
	m.Ns = []dns.RR{soa(".", "sim-iana.net")}
}

// resolveASN answers for the IP origin zones and for AS<number>.asn.sim.
func (n *Net) resolveASN(m *dns.Msg, name string, qtype uint16) {
	negative := []dns.RR{soa(asnZone, "sim-iana.net")}
	var addr netip.Addr
	ok := false
	switch {
	case strings.HasSuffix(name, "."+originZone):
		addr, ok = reversed(strings.TrimSuffix(name, "."+originZone))
	case strings.HasSuffix(name, "."+origin6Zone):
		addr, ok = reversed(strings.TrimSuffix(name, "."+origin6Zone))
	default:
		number, err := strconv.ParseUint(strings.TrimPrefix(strings.TrimSuffix(name, "."+asnZone), "as"), 10, 32)
		if err == nil {
			for i := range n.world.Networks {
				if w := &n.world.Networks[i]; w.ASN == uint32(number) && qtype == dns.TypeTXT {
					m.Answer = []dns.RR{txt(name, fmt.Sprintf("%d | %s | %s | 2020-01-01 | %s, %s", w.ASN, w.Country, cymruRIR(w.RIR), asName(w), w.Country))}
					return
				}
			}
		}
	}
	if ok {
		if w, prefix := n.world.networkFor(addr); w != nil {
			if qtype == dns.TypeTXT {
				m.Answer = []dns.RR{txt(name, fmt.Sprintf("%d | %s | %s | %s | 2020-01-01", w.ASN, prefix, w.Country, cymruRIR(w.RIR)))}
			} else {
				m.Ns = negative
			}
			return
		}
	}
	m.Rcode, m.Ns = dns.RcodeNameError, negative
}

// asName is how an autonomous system is called in registries.
func asName(w *Network) string { return strings.ToUpper(w.Name) + "-AS" }

func cymruRIR(rir string) string {
	if rir == "ripe" {
		return "ripencc"
	}
	return rir
}

func (n *Net) resolveContact(m *dns.Msg, name string, qtype uint16) {
	negative := []dns.RR{soa(contactZone, "sim-iana.net")}
	if addr, ok := reversed(strings.TrimSuffix(name, "."+contactZone)); ok {
		if w, _ := n.world.networkFor(addr); w != nil && w.Desk.Abuse != "" {
			if qtype == dns.TypeTXT {
				m.Answer = []dns.RR{txt(name, w.Desk.Abuse)}
			} else {
				m.Ns = negative
			}
			return
		}
	}
	m.Rcode, m.Ns = dns.RcodeNameError, negative
}

func (n *Net) resolveReverse(m *dns.Msg, name string, qtype uint16) {
	zone, labels := "in-addr.arpa.", strings.TrimSuffix(name, ".in-addr.arpa.")
	if strings.HasSuffix(name, ".ip6.arpa.") {
		zone, labels = "ip6.arpa.", strings.TrimSuffix(name, ".ip6.arpa.")
	}
	if addr, ok := reversed(labels); ok {
		if w, _ := n.world.networkFor(addr); w != nil {
			if qtype == dns.TypePTR {
				label := strings.NewReplacer(".", "-", ":", "-").Replace(addr.StringExpanded())
				m.Answer = []dns.RR{&dns.PTR{Hdr: header(name, dns.TypePTR), Ptr: "host-" + label + "." + w.Domain + "."}}
			} else {
				m.Ns = []dns.RR{soa(zone, "sim-iana.net")}
			}
			return
		}
	}
	m.Rcode = dns.RcodeNameError
	m.Ns = []dns.RR{soa(zone, "sim-iana.net")}
}

// reversed reads "7.2.0.192" or 32 reversed nibbles (RFC 1035 section 3.5,
// RFC 3596 section 2.5).
func reversed(labels string) (netip.Addr, bool) {
	parts := strings.Split(labels, ".")
	slices.Reverse(parts)
	switch len(parts) {
	case 4:
		a, err := netip.ParseAddr(strings.Join(parts, "."))
		return a, err == nil
	case 32:
		var b strings.Builder
		for i, p := range parts {
			if i > 0 && i%4 == 0 {
				b.WriteByte(':')
			}
			b.WriteString(p)
		}
		a, err := netip.ParseAddr(b.String())
		return a, err == nil
	}
	return netip.Addr{}, false
}

// startDNS opens UDP and TCP on one port.
func (n *Net) startDNS(ctx context.Context) error {
	pc, ln, err := listenBoth(ctx, n.cfg.Listen)
	if err != nil {
		return fmt.Errorf("simnet: dns: %w", err)
	}
	n.dnsAddr = ln.Addr().String()
	for _, srv := range []*dns.Server{
		{PacketConn: pc, Handler: dnsHandler{n}},
		{Listener: ln, Handler: dnsHandler{n}, ReadTimeout: 10 * time.Second},
	} {
		started := make(chan struct{})
		srv.NotifyStartedFunc = func() { close(started) }
		n.spawn(func() {
			if err := srv.ActivateAndServe(); err != nil && n.ctx.Err() == nil {
				n.log.Error("dns server ended", "error", err)
			}
		})
		select {
		case <-started: // Shutdown before this would be refused
		case <-ctx.Done():
			return ctx.Err()
		}
		n.onClose(func() error { return srv.ShutdownContext(context.Background()) })
	}
	return nil
}

// listenBoth finds a port that is free for UDP and TCP.
func listenBoth(ctx context.Context, host string) (net.PacketConn, net.Listener, error) {
	var lc net.ListenConfig
	var last error
	for range 16 {
		ln, err := lc.Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			return nil, nil, err
		}
		pc, err := lc.ListenPacket(ctx, "udp", ln.Addr().String())
		if err == nil {
			return pc, ln, nil
		}
		last = err
		if err := ln.Close(); err != nil {
			return nil, nil, err
		}
	}
	return nil, nil, last
}
