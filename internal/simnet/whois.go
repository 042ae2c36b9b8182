package simnet

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

const (
	whoisTimeout  = 10 * time.Second
	maxWHOISQuery = 512
)

// startWHOIS opens one port per server, because RFC 3912 has no way to say
// which server is meant.
func (n *Net) startWHOIS(ctx context.Context) error {
	for server := range whoisHosts(n.world) {
		ln, err := n.listen(ctx, 0)
		if err != nil {
			return fmt.Errorf("simnet: whois %s: %w", server, err)
		}
		n.whois[server] = ln.Addr().String()
		n.acceptLoop(ln, func(c net.Conn) { n.serveWHOIS(c, server) })
	}
	return nil
}

// acceptLoop serves each connection in a goroutine that Close waits for, and
// ends it when the world ends.
func (n *Net) acceptLoop(ln net.Listener, serve func(net.Conn)) {
	n.onClose(ln.Close)
	n.spawn(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				if n.ctx.Err() == nil && !errors.Is(err, net.ErrClosed) {
					n.log.Error("accept", "listener", ln.Addr().String(), "error", err)
				}
				return
			}
			n.spawn(func() {
				stop := context.AfterFunc(n.ctx, func() { _ = c.Close() }) // unblocks a pending read
				defer stop()
				defer func() { _ = c.Close() }() // the peer may have closed first
				serve(c)
			})
		}
	})
}

func (n *Net) serveWHOIS(c net.Conn, server string) {
	// The deadline is real time on purpose: it guards the socket.
	if err := c.SetDeadline(time.Now().Add(whoisTimeout)); err != nil {
		return
	}
	line, err := bufio.NewReader(io.LimitReader(c, maxWHOISQuery)).ReadString('\n')
	if err != nil {
		return
	}
	query := strings.TrimSpace(line)
	var answer string
	switch n.faults.whois(server) {
	case "ratelimit":
		answer = n.whoisThrottled(server)
	case "empty":
	case "reset":
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // closes with RST
		}
		return
	default:
		n.mu.RLock()
		answer = n.whoisAnswer(server, query)
		n.mu.RUnlock()
	}
	// RFC 3912 section 2: lines end with CR LF, the server closes.
	_, _ = io.WriteString(c, strings.ReplaceAll(answer, "\n", "\r\n"))
}

// whoisThrottled is how each kind of server says "too many queries".
func (n *Net) whoisThrottled(server string) string {
	switch server {
	case "ripe", "afrinic", "apnic":
		return "%ERROR:201: access denied for 192.0.2.1\n%\n% Sorry, access from your host has been temporarily\n% denied because of a sequence of queries.\n\n"
	case "arin":
		return "#\n# Query rate limit exceeded. Please try again later.\n#\n"
	}
	if r := n.world.registryNamed(server); r != nil && r.WHOIS == "denic" {
		return "%% rate limit\n% Error: 55000000002 Connection refused; access control limit exceeded.\n"
	}
	return "%% rate limit\nNumber of allowed queries exceeded. Try again in 60 seconds.\n"
}

func (w *World) registryNamed(name string) *Registry {
	i := slices.IndexFunc(w.Registries, func(r Registry) bool { return r.Name == name })
	if i < 0 {
		return nil
	}
	return &w.Registries[i]
}

func (n *Net) whoisAnswer(server, query string) string {
	// Flags such as "-B" (RIPE) or "n + " (ARIN) and "domain " come before the key.
	fields := strings.Fields(query)
	if len(fields) == 0 {
		return "%ERROR:106: no search key specified\n"
	}
	key := strings.ToLower(strings.TrimSuffix(fields[len(fields)-1], "."))
	addr, _, err := parseAddrOrPrefix(key)
	isAddr := err == nil
	if server == "iana" {
		return n.whoisIANA(key, addr, isAddr)
	}
	for _, rir := range rirNames {
		if server == rir {
			return n.whoisRIR(rir, key, addr, isAddr)
		}
	}
	if r := n.world.registryNamed(server); r != nil {
		d := n.idx.domains[key]
		if d == nil || d.registry != r {
			return whoisNoMatch(r.WHOIS, key)
		}
		switch r.WHOIS {
		case "denic":
			return n.whoisDENIC(d)
		case "sidn":
			return n.whoisSIDN(d)
		}
		return n.whoisGTLD(d, r.Thin)
	}
	d := n.idx.domains[key]
	if d == nil || d.registrar == nil || d.registrar.Name != server {
		return whoisNoMatch("gtld", key)
	}
	return n.whoisGTLD(d, false)
}

func whoisNoMatch(style, key string) string {
	switch style {
	case "denic":
		return "Domain: " + key + "\nStatus: free\n"
	case "sidn":
		return key + " is free\n"
	}
	return "No match for \"" + strings.ToUpper(key) + "\".\n>>> Last update of whois database: 2026-01-05T08:00:00Z <<<\n"
}

func (n *Net) whoisIANA(key string, addr netip.Addr, isAddr bool) string {
	const head = "% IANA WHOIS server\n% for more information on IANA, visit http://www.iana.example\n\n"
	if isAddr {
		w, p := n.world.networkFor(addr)
		if w == nil {
			return head + "% This query returned 0 objects.\n"
		}
		return fmt.Sprintf("%srefer:        whois.sim-%s.net\n\ninetnum:      %s\norganisation: SIM-%s\nstatus:       ALLOCATED\nsource:       IANA\n", head, w.RIR, p, strings.ToUpper(w.RIR))
	}
	r := n.idx.registry[tldOf(key)]
	if r == nil {
		return head + "% This query returned 0 objects.\n"
	}
	return fmt.Sprintf("%srefer:        whois.%s\n\ndomain:       %s\n\norganisation: %s\naddress:      %s\n\nwhois:        whois.%s\n\nstatus:       ACTIVE\nsource:       IANA\n",
		head, r.Domain, strings.ToUpper(tldOf(key)), r.Org, countryName(r.Country), r.Domain)
}

// whoisGTLD is the text that ICANN's base agreement prescribes for registries
// and the registrar agreement for registrars.
func (n *Net) whoisGTLD(d *domainState, thin bool) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("Domain Name: %s", strings.ToUpper(d.name))
	line("Registry Domain ID: %x_DOMAIN-SIM", draw(n.world.Seed, "handle", d.name).Uint32())
	if r := d.registrar; r != nil {
		desk := n.idx.registrar[r.Name]
		line("Registrar WHOIS Server: whois.%s", r.Domain)
		line("Registrar URL: https://www.%s", r.Domain)
		line("Updated Date: %s", d.registered.Format(time.RFC3339))
		line("Creation Date: %s", d.registered.Format(time.RFC3339))
		line("Registry Expiry Date: %s", d.registered.AddDate(1, 0, 0).Format(time.RFC3339))
		line("Registrar: %s", r.Org)
		line("Registrar IANA ID: %d", r.IANAID)
		line("Registrar Abuse Contact Email: %s", desk.decl.Abuse)
		line("Registrar Abuse Contact Phone: %s", desk.decl.Phone)
	}
	switch d.hold {
	case "client hold":
		line("Domain Status: clientHold https://icann.org/epp#clientHold")
	case "server hold":
		line("Domain Status: serverHold https://icann.org/epp#serverHold")
	default:
		line("Domain Status: clientTransferProhibited https://icann.org/epp#clientTransferProhibited")
	}
	if !thin {
		line("Registry Registrant ID: REDACTED FOR PRIVACY")
		line("Registrant Name: REDACTED FOR PRIVACY")
		line("Registrant Organization: ")
		line("Registrant Country: %s", "XX")
		line("Registrant Email: Please query the RDDS service of the Registrar of Record")
	}
	line("Name Server: NS1.%s", strings.ToUpper(n.domainOrg(d)))
	line("Name Server: NS2.%s", strings.ToUpper(n.domainOrg(d)))
	line("DNSSEC: unsigned")
	line("URL of the ICANN Whois Inaccuracy Complaint Form: https://www.icann.org/wicf/")
	line(">>> Last update of WHOIS database: %s <<<", n.clock.Now().UTC().Format(time.RFC3339))
	line("")
	line("NOTICE: This is a simulated registration.")
	return b.String()
}

func (n *Net) whoisDENIC(d *domainState) string {
	status := "connect"
	if d.hold != "" {
		status = "failed"
	}
	org := n.domainOrg(d)
	return fmt.Sprintf("%% Restricted rights.\n%%\n\nDomain: %s\nNserver: ns1.%s\nNserver: ns2.%s\nStatus: %s\nChanged: %s\n",
		d.name, org, org, status, d.registered.Format(time.RFC3339))
}

func (n *Net) whoisSIDN(d *domainState) string {
	status := "active"
	if d.hold != "" {
		status = "inactive"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Domain name: %s\nStatus:      %s\n\n", d.name, status)
	if r := d.registrar; r != nil {
		desk := n.idx.registrar[r.Name]
		fmt.Fprintf(&b, "Registrar:\n   %s\n   1 Example Street\n   00000 Sampletown\n   %s\n\nAbuse Contact:\n   %s\n   %s\n\n", r.Org, countryName(r.Country), desk.decl.Phone, desk.decl.Abuse)
	}
	org := n.domainOrg(d)
	fmt.Fprintf(&b, "Creation Date: %s\n\nDNSSEC:      no\n\nDomain nameservers:\n   ns1.%s\n   ns2.%s\n\nRecord maintained by: SIM\n", d.registered.Format("2006-01-02"), org, org)
	return b.String()
}

func (n *Net) whoisRIR(rir, key string, addr netip.Addr, isAddr bool) string {
	var w *Network
	var p netip.Prefix
	if isAddr {
		w, p = n.world.networkFor(addr)
	} else {
		for i := range n.world.Networks {
			if strings.EqualFold(key, fmt.Sprintf("as%d", n.world.Networks[i].ASN)) {
				w = &n.world.Networks[i]
			}
		}
	}
	if w == nil || w.RIR != rir {
		if rir == "arin" {
			return "#\n# ARIN WHOIS data\n#\n\nNo match found for " + key + ".\n"
		}
		return "%ERROR:101: no entries found\n%\n% No entries found in source SIM.\n"
	}
	if rir == "arin" {
		return n.whoisARIN(w, p)
	}
	return n.whoisRPSL(w, p)
}

// whoisRPSL is the object form of RIPE, APNIC, AFRINIC and LACNIC.
func (n *Net) whoisRPSL(w *Network, p netip.Prefix) string {
	var b strings.Builder
	line := func(key, value string) { fmt.Fprintf(&b, "%-16s%s\n", key+":", value) }
	abuse := w.Desk.Abuse
	fmt.Fprintf(&b, "%% This is the SIM %s database.\n%% Objects are in RPSL format.\n\n", strings.ToUpper(w.RIR))
	if p.IsValid() {
		rng := p.Addr().String() + " - " + lastOf(p).String()
		object := "inetnum"
		if p.Addr().Is6() {
			object, rng = "inet6num", p.String()
		}
		switch {
		case w.RIR == "lacnic":
			rng = p.String()
		case abuse != "":
			fmt.Fprintf(&b, "%% Abuse contact for '%s' is '%s'\n\n", rng, abuse)
		case w.RIR == "ripe":
			fmt.Fprintf(&b, "%% No abuse contact registered for %s\n\n", rng)
		}
		line(object, rng)
		line("netname", strings.ToUpper(w.Name)+"-NET")
		if w.RIR == "lacnic" {
			line("owner", w.Org)
		} else {
			line("descr", w.Org)
		}
		line("country", w.Country)
		line("org", "ORG-"+strings.ToUpper(w.Name)+"-SIM")
		line("admin-c", "SIM1-"+strings.ToUpper(w.RIR))
		line("tech-c", "SIM1-"+strings.ToUpper(w.RIR))
		if w.RIR == "lacnic" && abuse != "" {
			line("abuse-c", "SIMAB")
		}
		if w.RIR == "apnic" && abuse != "" {
			line("mnt-irt", "IRT-"+strings.ToUpper(w.Name)+"-SIM")
		}
		if w.RIR == "afrinic" && abuse != "" {
			line("remarks", "Report abuse to "+abuse)
		}
		line("status", "ASSIGNED PA")
		line("source", strings.ToUpper(w.RIR))
		b.WriteString("\n")
	} else {
		if abuse != "" {
			fmt.Fprintf(&b, "%% Abuse contact for 'AS%d' is '%s'\n\n", w.ASN, abuse)
		}
		line("aut-num", fmt.Sprintf("AS%d", w.ASN))
		line("as-name", asName(w))
		line("org", "ORG-"+strings.ToUpper(w.Name)+"-SIM")
		line("source", strings.ToUpper(w.RIR))
		b.WriteString("\n")
	}
	switch {
	case abuse == "":
	case w.RIR == "apnic":
		line("irt", "IRT-"+strings.ToUpper(w.Name)+"-SIM")
		line("address", "1 Example Street, Sampletown")
		line("e-mail", abuse)
		line("abuse-mailbox", abuse)
		line("source", "APNIC")
	case w.RIR == "lacnic":
		line("nic-hdl", "SIMAB")
		line("person", "Abuse Desk")
		line("e-mail", abuse)
		line("country", w.Country)
	default:
		line("role", w.Org+" Abuse")
		line("address", "1 Example Street")
		line("address", countryName(w.Country))
		line("abuse-mailbox", abuse)
		line("nic-hdl", "SIM1-"+strings.ToUpper(w.RIR))
		line("source", strings.ToUpper(w.RIR))
	}
	if p.IsValid() {
		b.WriteString("\n")
		line("route", p.String())
		line("origin", fmt.Sprintf("AS%d", w.ASN))
		line("source", strings.ToUpper(w.RIR))
	}
	return b.String()
}

func (n *Net) whoisARIN(w *Network, p netip.Prefix) string {
	var b strings.Builder
	line := func(key, value string) { fmt.Fprintf(&b, "%-16s%s\n", key+":", value) }
	b.WriteString("#\n# ARIN WHOIS data and services are subject to the Terms of Use\n#\n\n")
	if p.IsValid() {
		line("NetRange", p.Addr().String()+" - "+lastOf(p).String())
		line("CIDR", p.String())
		line("NetName", strings.ToUpper(w.Name)+"-NET")
		line("NetHandle", networkHandle(w, p))
		line("NetType", "Direct Allocation")
		line("OriginAS", fmt.Sprintf("AS%d", w.ASN))
	} else {
		line("ASNumber", fmt.Sprint(w.ASN))
		line("ASName", asName(w))
	}
	line("Organization", w.Org+" (SIM-"+strings.ToUpper(w.Name)+")")
	b.WriteString("\n")
	line("OrgName", w.Org)
	line("OrgId", "SIM-"+strings.ToUpper(w.Name))
	line("Address", "1 Example Street")
	line("City", "Sampletown")
	line("Country", w.Country)
	if w.Desk.Abuse != "" {
		b.WriteString("\n")
		line("OrgAbuseHandle", "ABUSE-SIM")
		line("OrgAbuseName", "Abuse Desk")
		line("OrgAbusePhone", w.Desk.Phone)
		line("OrgAbuseEmail", w.Desk.Abuse)
	}
	return b.String()
}
