package simnet

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// rdapHandle is the handle of a desk's organisation.
func rdapHandle(d *desk) string {
	return "ORG-" + strings.ToUpper(strings.ReplaceAll(d.name, " ", "-")) + "-SIM"
}

// vcard builds a jCard (RFC 7095 section 3.2): an array of [name, parameters,
// type, value...].
func vcard(kind, name string, properties ...[]any) []any {
	list := []any{
		[]any{"version", object{}, "text", "4.0"},
		[]any{"fn", object{}, "text", name},
		[]any{"kind", object{}, "text", kind},
	}
	for _, p := range properties {
		list = append(list, p)
	}
	return []any{"vcard", list}
}

// address writes the country as the registry's region does: ISO code in the
// cc parameter (RFC 8605), a name in the last element, or only a label.
func address(flavour, city, country string) []any {
	empty := []any{"", "", "", "", "", "", ""}
	switch flavour {
	case "arin":
		return []any{"adr", object{"label": "1 Example Street\n" + city + "\n" + strings.ToUpper(countryName(country))}, "text", empty}
	case "registrar":
		return []any{"adr", object{"cc": country}, "text", []any{"", "", "1 Example Street", city, "", "00000", ""}}
	case "odd": // the street as a list, which shifts naive readers by one
		return []any{"adr", object{}, "text", []any{"", "", []string{"1 Example Street", "Floor 2"}, city, "", "00000", countryName(country)}}
	}
	return []any{"adr", object{"label": "1 Example Street\n" + city + "\n" + countryName(country)}, "text", []any{"", "", "1 Example Street", city, "", "00000", countryName(country)}}
}

func countryName(code string) string {
	switch code {
	case "DE":
		return "Germany"
	case "NL":
		return "Netherlands"
	case "FR":
		return "France"
	case "US":
		return "United States"
	case "GB":
		return "United Kingdom"
	case "BR":
		return "Brazil"
	case "SG":
		return "Singapore"
	case "ZA":
		return "South Africa"
	case "RO":
		return "Romania"
	case "JP":
		return "Japan"
	case "PL":
		return "Poland"
	}
	return code
}

// abuseEntity is the contact with the role "abuse" (RFC 9083 section 10.2.4),
// or nil if the desk has none.
func (n *Net) abuseEntity(d *desk, handle string, odd bool) object {
	if d.decl.Abuse == "" && d.decl.Form == "" {
		return nil
	}
	var properties [][]any
	if odd {
		// A preferred second address, an unusual type and a value that is a list.
		properties = append(properties, []any{"email", object{"pref": "2"}, "text", "noc@" + d.domain})
	}
	if d.decl.Abuse != "" {
		properties = append(properties, []any{"email", object{"pref": "1"}, "text", d.decl.Abuse})
	}
	if d.decl.Form != "" {
		properties = append(properties, []any{"contact-uri", object{}, "uri", "https://www." + d.domain + d.decl.Form}) // RFC 8605 section 2.1
	}
	if d.decl.Phone != "" {
		properties = append(properties, []any{"tel", object{"type": []string{"work", "voice"}}, "uri", "tel:" + d.decl.Phone})
	}
	if odd {
		properties = append(properties, []any{"org", object{}, "text", []any{d.org, "Abuse"}})
	}
	return object{
		"objectClassName": "entity", "handle": handle, "roles": []string{"abuse"},
		"vcardArray": vcard("group", d.org+" Abuse", properties...),
	}
}

// registrarEntity nests the abuse contact in the registrar (as RFC 9083
// section 5.3 shows), with the IANA number as its public identifier.
func (n *Net) registrarEntity(r *Registrar, odd bool) object {
	d := n.idx.registrar[r.Name]
	flavour := "registrar"
	if odd {
		flavour = "odd"
	}
	e := object{
		"objectClassName": "entity", "handle": fmt.Sprint(r.IANAID), "roles": []string{"registrar"},
		"vcardArray": vcard("org", r.Org, address(flavour, "Sampletown", r.Country), []any{"url", object{}, "uri", "https://www." + r.Domain}),
	}
	if r.IANAID > 0 {
		e["publicIds"] = []object{{"type": "IANA Registrar ID", "identifier": fmt.Sprint(r.IANAID)}}
	}
	if abuse := n.abuseEntity(d, "", odd); abuse != nil {
		delete(abuse, "handle")
		e["entities"] = []object{abuse}
	}
	return e
}

// orgEntity is an organisation with its abuse contact nested when nest is set.
func (n *Net) orgEntity(d *desk, role, self string, nest bool) object {
	flavour := ""
	if d.network != nil {
		flavour = d.network.RIR
	}
	e := object{
		"objectClassName": "entity", "handle": rdapHandle(d), "roles": []string{role},
		"vcardArray": vcard("org", d.org, address(flavour, "Sampletown", d.country)),
		"links":      []object{{"value": self, "rel": "self", "href": self, "type": "application/rdap+json"}},
	}
	if abuse := n.abuseEntity(d, "ABUSE-"+rdapHandle(d), false); nest && abuse != nil {
		e["entities"] = []object{abuse}
	}
	return e
}

// rdapNetwork is an IP network as the region's server would answer
// (RFC 9083 section 5.4).
func (n *Net) rdapNetwork(w *Network, p netip.Prefix, self string) object {
	d := n.idx.networks[w.Name]
	version := "v4"
	if p.Addr().Is6() {
		version = "v6"
	}
	doc := object{
		"objectClassName": "ip network",
		"handle":          networkHandle(w, p),
		"startAddress":    p.Addr().String(),
		"endAddress":      lastOf(p).String(),
		"ipVersion":       version,
		"name":            strings.ToUpper(w.Name) + "-NET",
		"type":            "ASSIGNED PA",
		"status":          []string{"active"},
		"cidr0_cidrs":     []object{{version + "prefix": p.Addr().String(), "length": p.Bits()}},
		"events":          []object{{"eventAction": "registration", "eventDate": "2020-01-01T00:00:00Z"}},
		"links":           []object{{"value": self, "rel": "self", "href": self, "type": "application/rdap+json"}},
		"port43":          "whois.sim-" + w.RIR + ".net",
	}
	if w.Upstream != "" {
		up := n.world.network(w.Upstream)
		parent := up.Prefixes[0]
		doc["parentHandle"] = networkHandle(up, parent)
		doc["links"] = append(doc["links"].([]object), object{
			"value": self, "rel": "up", "type": "application/rdap+json", // RFC 9083 section 4.2
			"href": n.RDAPURL(up.RIR) + "ip/" + parent.String(),
		})
	}
	if w.RIR != "arin" { // ARIN gives no country on the network
		doc["country"] = w.Country
	}
	entity := n.orgEntity(d, "registrant", n.RDAPURL(w.RIR)+"entity/"+rdapHandle(d), w.RIR == "arin" || w.RIR == "lacnic")
	entities := []object{entity}
	abuse := n.abuseEntity(d, "ABUSE-"+rdapHandle(d), slices.Contains(w.Quirks, "oddjcard"))
	switch {
	case abuse == nil:
	case w.RIR == "apnic": // the incident response team object
		abuse["handle"] = "IRT-" + strings.ToUpper(w.Name) + "-SIM"
		abuse["remarks"] = []object{{"title": "remarks", "description": []string{d.decl.Abuse + " was validated on 2025-11-02"}}}
		entities = append(entities, abuse)
	case w.RIR == "ripe":
		entities = append(entities, abuse)
	case w.RIR == "afrinic": // nested under a technical contact, and in the remarks
		entities = append(entities, object{
			"objectClassName": "entity", "handle": "TC1-SIM", "roles": []string{"technical", "administrative"},
			"vcardArray": vcard("individual", "Technical Contact"), "entities": []object{abuse},
		})
		doc["remarks"] = []object{{"description": []string{"Report abuse to " + d.decl.Abuse}}}
	}
	doc["entities"] = entities
	if slices.Contains(w.Quirks, "redacted") {
		delete(doc, "entities")
	}
	if slices.Contains(w.Quirks, "noclass") {
		delete(doc, "objectClassName")
	}
	doc = conform(doc)
	doc["rdapConformance"] = append(doc["rdapConformance"].([]string), "cidr0")
	return doc
}

// rdapAutnum is RFC 9083 section 5.5.
func (n *Net) rdapAutnum(w *Network, self string) object {
	d := n.idx.networks[w.Name]
	doc := object{
		"objectClassName": "autnum", "handle": fmt.Sprintf("AS%d", w.ASN),
		"startAutnum": w.ASN, "endAutnum": w.ASN, "name": asName(w), "status": []string{"active"},
		"entities": []object{n.orgEntity(d, "registrant", n.RDAPURL(w.RIR)+"entity/"+rdapHandle(d), true)},
		"links":    []object{{"value": self, "rel": "self", "href": self, "type": "application/rdap+json"}},
	}
	if w.RIR != "arin" {
		doc["country"] = w.Country
	}
	return conform(doc)
}

func networkHandle(w *Network, p netip.Prefix) string {
	if w.RIR == "arin" {
		return "NET-" + strings.NewReplacer(".", "-", ":", "-").Replace(p.Addr().String()) + "-1"
	}
	if p.Addr().Is6() {
		return p.String()
	}
	return p.Addr().String() + " - " + lastOf(p).String()
}

// lastOf returns the highest address of a prefix.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().As16()
	host := p.Addr().BitLen() - p.Bits()
	high, low := binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
	if host >= 64 {
		low = ^uint64(0)
		high |= 1<<(host-64) - 1
	} else {
		low |= 1<<host - 1
	}
	binary.BigEndian.PutUint64(b[:8], high)
	binary.BigEndian.PutUint64(b[8:], low)
	a := netip.AddrFrom16(b)
	if p.Addr().Is4() {
		return a.Unmap()
	}
	return a
}
