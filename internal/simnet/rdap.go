package simnet

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// rdapLimits are the request budgets of the RDAP servers that have one. They
// run on real time: they protect a server, not a case.
type rdapLimits struct{ byServer map[string]*rate.Limiter }

func newRDAPLimits(w *World) *rdapLimits {
	l := &rdapLimits{byServer: map[string]*rate.Limiter{}}
	for _, r := range w.Registries {
		if r.Limit > 0 {
			l.byServer[r.Name] = rate.NewLimiter(rate.Limit(r.Limit), r.Limit)
		}
	}
	for _, r := range w.Registrars {
		if r.Limit > 0 {
			l.byServer[r.Name] = rate.NewLimiter(rate.Limit(r.Limit), r.Limit)
		}
	}
	return l
}

func (l *rdapLimits) allow(server string) bool {
	limiter := l.byServer[server]
	return limiter == nil || limiter.Allow()
}

// object is a JSON object. RDAP answers are built from plain maps, straight
// from RFC 9083, so that nothing here depends on how the product reads them.
type object = map[string]any

// serveRDAP answers /rdap/{server}/... with the paths of RFC 9082 section 3.1.
func (n *Net) serveRDAP(rw http.ResponseWriter, req *http.Request) {
	server, query := req.PathValue("server"), req.PathValue("query")
	if fault, yes := n.faults.rdap(server); yes {
		rdapError(rw, fault.Status, fault.RetryAfter, "fault on demand")
		return
	}
	if !n.limits.allow(server) {
		// RFC 7480 section 5.5.
		rdapError(rw, http.StatusTooManyRequests, 1, "too many queries")
		return
	}
	kind, value, _ := strings.Cut(query, "/")
	n.mu.RLock()
	doc := n.rdapObject(server, kind, value, req)
	n.mu.RUnlock()
	if doc == nil {
		rdapError(rw, http.StatusNotFound, 0, "no such "+kind+" here")
		return
	}
	writeRDAP(rw, http.StatusOK, doc)
}

func (n *Net) rdapObject(server, kind, value string, req *http.Request) object {
	self := n.apiBase() + req.URL.EscapedPath()
	switch kind {
	case "help":
		return conform(object{"notices": []object{{"title": "About", "description": []string{"RDAP server " + server + " of a simulated internet."}}}})
	case "domain":
		return n.rdapDomain(server, strings.ToLower(strings.TrimSuffix(value, ".")), self)
	case "ip":
		addr, prefix, err := parseAddrOrPrefix(value)
		if err != nil {
			return nil
		}
		w, p := n.world.networkFor(addr)
		if w == nil || w.RIR != server || prefix.Bits() < p.Bits() {
			return nil
		}
		return n.rdapNetwork(w, p, self)
	case "autnum":
		number, err := strconv.ParseUint(value, 10, 32)
		if err != nil {
			return nil
		}
		for i := range n.world.Networks {
			if w := &n.world.Networks[i]; w.ASN == uint32(number) && w.RIR == server {
				return n.rdapAutnum(w, self)
			}
		}
	case "entity":
		for _, d := range n.idx.desks {
			if rdapHandle(d) == value && (d.name == server || d.network != nil && d.network.RIR == server) {
				return conform(n.orgEntity(d, "registrant", self, true))
			}
		}
	}
	return nil
}

// parseAddrOrPrefix reads the two forms of RFC 9082 section 3.1.1.
func parseAddrOrPrefix(s string) (netip.Addr, netip.Prefix, error) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		return p.Addr(), p, err
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return a, netip.Prefix{}, err
	}
	return a, netip.PrefixFrom(a, a.BitLen()), nil
}

// rdapDomain answers for a registry or for the registrar of the name.
func (n *Net) rdapDomain(server, name, self string) object {
	d := n.idx.domains[name]
	if d == nil {
		return n.rdapInfraDomain(server, name, self)
	}
	var registry *Registry
	var quirks []string
	switch {
	case d.registry != nil && d.registry.Name == server && !d.registry.NoRDAP:
		registry, quirks = d.registry, d.registry.Quirks
	case d.registrar != nil && d.registrar.Name == server:
		quirks = d.registrar.Quirks
	default:
		return nil
	}
	statuses := []string{"active"}
	if d.hold != "" {
		statuses = []string{d.hold} // RFC 8056 section 2
	}
	doc := object{
		"objectClassName": "domain",
		"handle":          strings.ToUpper(fmt.Sprintf("%x_DOMAIN-SIM", draw(n.world.Seed, "handle", name).Uint32())),
		"ldhName":         strings.ToUpper(name),
		"status":          statuses,
		"secureDNS":       object{"delegationSigned": false},
		"events": []object{
			{"eventAction": "registration", "eventDate": d.registered.Format(time.RFC3339)},
			{"eventAction": "expiration", "eventDate": d.registered.AddDate(1, 0, 0).Format(time.RFC3339)},
			{"eventAction": "last update of RDAP database", "eventDate": n.clock.Now().UTC().Format(time.RFC3339)},
		},
		"links": []object{{"value": self, "rel": "self", "href": self, "type": "application/rdap+json"}},
	}
	org := n.domainOrg(d)
	doc["nameservers"] = []object{
		{"objectClassName": "nameserver", "ldhName": "NS1." + strings.ToUpper(org)},
		{"objectClassName": "nameserver", "ldhName": "NS2." + strings.ToUpper(org)},
	}
	var entities []object
	if d.registrar != nil {
		entities = append(entities, n.registrarEntity(d.registrar, slices.Contains(quirks, "oddjcard")))
		if registry != nil {
			related := n.RDAPURL(d.registrar.Name) + "domain/" + name
			doc["links"] = append(doc["links"].([]object), object{"value": self, "rel": "related", "href": related, "type": "application/rdap+json"})
		}
	}
	if registry == nil || !registry.Thin {
		entities = append(entities, redactedRegistrant())
		doc["redacted"] = redactions()
	}
	if slices.Contains(quirks, "redacted") {
		entities = []object{redactedRegistrant()}
		doc["redacted"] = append(redactions(), object{
			"name":     object{"type": "Registrar Abuse Contact"},
			"prePath":  "$.entities[?(@.roles[0]=='registrar')]",
			"pathLang": "jsonpath", "method": "removal",
		})
	}
	doc["entities"] = entities
	if slices.Contains(quirks, "noclass") {
		delete(doc, "objectClassName")
	}
	return conform(doc)
}

// rdapInfraDomain answers for the domains of the machinery: they exist, too.
func (n *Net) rdapInfraDomain(server, name, self string) object {
	h := n.idx.infra[name]
	r := n.idx.registry[tldOf(name)]
	if h == nil || !h.ns || r == nil || r.Name != server || r.NoRDAP {
		return nil
	}
	return conform(object{
		"objectClassName": "domain", "ldhName": strings.ToUpper(name), "status": []string{"active"},
		"events": []object{{"eventAction": "registration", "eventDate": n.world.Epoch.AddDate(-9, 0, 0).Format(time.RFC3339)}},
		"links":  []object{{"value": self, "rel": "self", "href": self, "type": "application/rdap+json"}},
	})
}

// domainOrg is who runs the name servers of a registered name.
func (n *Net) domainOrg(d *domainState) string {
	switch {
	case len(d.sites) > 0:
		return n.dnsHost(d.sites[0])
	case d.registrar != nil:
		return d.registrar.Domain
	}
	return d.registry.Domain
}

func redactedRegistrant() object {
	return object{
		"objectClassName": "entity", "roles": []string{"registrant"},
		"vcardArray": []any{"vcard", []any{
			[]any{"version", object{}, "text", "4.0"},
			[]any{"fn", object{}, "text", ""},
			[]any{"adr", object{"cc": "XX"}, "text", []any{"", "", "", "", "", "", ""}},
		}},
	}
}

// redactions lists what RFC 9537 section 4.2 wants listed.
func redactions() []object {
	return []object{
		{
			"name": object{"description": "Registrant Name"}, "pathLang": "jsonpath", "method": "emptyValue",
			"postPath": "$.entities[?(@.roles[0]=='registrant')].vcardArray[1][?(@[0]=='fn')][3]",
			"reason":   object{"description": "Server policy"},
		},
		{
			"name": object{"description": "Registrant Email"}, "pathLang": "jsonpath", "method": "removal",
			"prePath": "$.entities[?(@.roles[0]=='registrant')].vcardArray[1][?(@[0]=='email')]",
			"reason":  object{"description": "Server policy"},
		},
	}
}

// conform adds what every top-level answer carries (RFC 9083 section 4.1).
func conform(doc object) object {
	levels := []string{"rdap_level_0"}
	if _, ok := doc["redacted"]; ok {
		levels = append(levels, "redacted")
	}
	doc["rdapConformance"] = levels
	return doc
}

// rdapError answers as RFC 9083 section 6 shows.
func rdapError(rw http.ResponseWriter, status, retryAfter int, text string) {
	if retryAfter > 0 {
		rw.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	}
	writeRDAP(rw, status, conform(object{"errorCode": status, "title": http.StatusText(status), "description": []string{text}}))
}

func writeRDAP(rw http.ResponseWriter, status int, doc object) {
	rw.Header().Set("Content-Type", "application/rdap+json")
	writeJSON(rw, status, doc)
}

func writeJSON(rw http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusInternalServerError)
		return
	}
	if rw.Header().Get("Content-Type") == "" {
		rw.Header().Set("Content-Type", "application/json")
	}
	rw.WriteHeader(status)
	// A client that went away is its own business.
	_, _ = rw.Write(append(body, '\n'))
}
