package whois

import (
	"cmp"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"desist/resolvers/country"
	"desist/resolvers/mailbox"
	"desist/resolvers/prefix"
)

var networkKeys = []string{"inetnum", "inet6num", "netrange", "cidr", "network:network", "ipv4 address", "ipv6 address", "[network number]", "network number"}

// abuseComment is how the RIPE database, and AFRINIC's and APNIC's, name the
// abuse contact that they found by abuse-c.
var abuseComment = regexp.MustCompile(`(?i)abuse contact for .* is '([^']+)'`)

func (p *parser) isNetwork() bool {
	return slices.ContainsFunc(p.doc.blocks, func(b block) bool { return b.get(networkKeys...) != "" })
}

// network reads an answer about an address. Of several network objects the most
// specific is taken, which the server gives first or, in ARIN's form, last.
func (p *parser) network() {
	r := p.record
	var network block
	bits := -1
	for _, b := range p.doc.blocks {
		value := b.get(networkKeys...)
		if value == "" {
			continue
		}
		cidrs := prefixesOf(cmp.Or(b.get("cidr"), value), p.query)
		if len(cidrs) == 0 {
			cidrs = prefixesOf(value, p.query)
		}
		if len(cidrs) > 0 && cidrs[0].Bits() > bits {
			network, bits = b, cidrs[0].Bits()
			r.Network.CIDRs = nil
			for _, c := range cidrs {
				r.Network.CIDRs = append(r.Network.CIDRs, c.String())
			}
		}
	}
	r.Network.Name = network.get("netname", "network name")
	r.Network.Handle = cmp.Or(network.get("nethandle"), network.get("inetnum", "inet6num", "netrange"))
	r.Network.Org = p.organisation(network)
	r.Network.ASN = strings.TrimPrefix(strings.ToUpper(network.get("originas", "aut-num")), "AS")
	if strings.Trim(r.Network.ASN, "0123456789") != "" {
		r.Network.ASN = ""
	}
	if code, ok := country.Code(network.get("country")); ok {
		r.Country = code
	} else {
		r.Country = p.organisationCountry(network)
	}
	r.Statuses = append(r.Statuses, network.all("status")...)
	r.Created = formatTime(parseTime(network.get("created", "regdate")))
	r.Updated = formatTime(parseTime(network.get("last-modified", "changed", "updated")))
	if ref := network.get("referralserver"); ref != "" {
		r.Referral = serverName(ref)
	}
	p.referralServer()
	p.networkContacts(network)
}

// prefixesOf reads a range, a list of prefixes or an address, the prefix that
// holds the query first.
func prefixesOf(s, query string) []netip.Prefix {
	var found []netip.Prefix
	if from, to, ok := strings.Cut(s, " - "); ok {
		start, err1 := netip.ParseAddr(strings.TrimSpace(from))
		end, err2 := netip.ParseAddr(strings.TrimSpace(to))
		if err1 == nil && err2 == nil {
			found = prefix.Range(start, end)
		}
	} else {
		for part := range strings.FieldsFuncSeq(s, func(c rune) bool { return c == ',' || c == ' ' }) {
			if p, err := netip.ParsePrefix(expand(part)); err == nil {
				found = append(found, p.Masked())
			}
		}
	}
	q, err := netip.ParseAddr(query)
	if err != nil {
		return found
	}
	slices.SortStableFunc(found, func(a, b netip.Prefix) int {
		switch inA, inB := a.Contains(q), b.Contains(q); {
		case inA == inB:
			return 0
		case inA:
			return -1
		}
		return 1
	})
	return found
}

// expand completes an IPv4 prefix that leaves out octets, as LACNIC writes it:
// 200.57.141/24.
func expand(s string) string {
	addr, bits, ok := strings.Cut(s, "/")
	if !ok || strings.Contains(addr, ":") {
		return s
	}
	for strings.Count(addr, ".") < 3 {
		addr += ".0"
	}
	return addr + "/" + bits
}

// organisation finds the name of who holds the network: the organisation object
// that it refers to, else its own fields.
func (p *parser) organisation(network block) string {
	if b := p.orgBlock(network); b != nil {
		if name := b.get("org-name", "orgname", "custname"); name != "" {
			return name
		}
	}
	name := network.get("owner", "organization", "org-name", "descr")
	if before, _, ok := strings.Cut(name, " ("); ok && network.get("organization") == name {
		return before // "Example Inc. (EXAMP)"
	}
	return name
}

func (p *parser) organisationCountry(network block) string {
	if b := p.orgBlock(network); b != nil {
		if code, ok := country.Code(b.get("country")); ok {
			return code
		}
	}
	return ""
}

func (p *parser) orgBlock(network block) block {
	handle := network.get("org")
	var last block
	for _, b := range p.doc.blocks {
		if handle != "" && strings.EqualFold(b.get("organisation"), handle) {
			return b
		}
		if b.get("orgname", "custname") != "" {
			last = b // ARIN lists the organisation after its network
		}
	}
	return last
}

// referralServer takes ARIN's referral, which stands in a block of its own.
func (p *parser) referralServer() {
	for _, b := range p.doc.blocks {
		if ref := b.get("referralserver"); ref != "" && p.record.Referral == "" {
			p.record.Referral = serverName(ref)
		}
	}
}

// networkContacts collects mailboxes by how plainly they are named for abuse.
func (p *parser) networkContacts(network block) {
	for _, c := range p.doc.comments {
		if m := abuseComment.FindStringSubmatch(c); m != nil {
			p.candidate(m[1], "whois abuse contact line", mailbox.AbuseC, "abuse")
		}
	}
	handle := strings.ToLower(network.get("abuse-c"))
	for _, b := range p.doc.blocks {
		id := strings.ToLower(b.get("nic-hdl", "irt"))
		what := cmp.Or(id, "network")
		// ARIN: the contact of the resource before that of its organisation.
		for _, key := range []string{"rabuseemail", "orgabuseemail"} {
			for _, email := range b.all(key) {
				p.candidate(email, "whois "+key, mailbox.AbuseC, "abuse")
			}
		}
		for _, value := range b.all("abuse-mailbox") {
			p.candidate(value, "whois abuse-mailbox of "+what, mailbox.AbuseC, "abuse")
		}
		for _, value := range append(b.all("e-mail"), b.all("email")...) {
			switch {
			case handle != "" && id == handle:
				p.candidate(value, "whois abuse-c "+id, mailbox.AbuseC, "abuse")
			case mailbox.DeskOf(value) == mailbox.Abuse:
				p.candidate(value, "whois e-mail of "+what, mailbox.Named)
			case b.get("irt") == "":
				p.candidate(value, "whois e-mail of "+what, mailbox.Other)
			}
		}
		for _, key := range []string{"remarks", "comment", "descr"} {
			for _, line := range b.all(key) {
				p.remark(line, what)
			}
		}
	}
}

// remark takes a mailbox out of a line that speaks of abuse. Other lines name
// mailboxes for other purposes.
func (p *parser) remark(line, of string) {
	if !strings.Contains(strings.ToLower(line), "abuse") {
		return
	}
	for _, email := range mailbox.FindAll(line) {
		p.candidate(email, "whois remarks of "+of, mailbox.Remarks)
	}
}
