package policy

import (
	"net/netip"
	"slices"
	"strings"

	"desist/takedown"
)

// addresses objects to an address that is on a list.
func (ls *lists) addresses(rs *reasons, i takedown.Indicator, addr netip.Addr) {
	family := 0
	if addr.Is6() {
		family = 1
	}
	var hits []int32
	for _, bits := range ls.lengths[family] {
		prefix, err := addr.Prefix(bits)
		if err != nil {
			continue
		}
		for _, n := range ls.prefixes[prefix] {
			if ls.lists[n].ip {
				hits = appendOnce(hits, n)
			}
		}
	}
	ls.object(rs, hits, addr.String(), onePage(i))
}

// names objects to a name, or a URL at it, that is on a list.
func (ls *lists) names(rs *reasons, i takedown.Indicator, host string) {
	value := strings.ToLower(i.Value)
	var hits []int32
	take := func(ns []int32) {
		for _, n := range ns {
			l := ls.lists[n]
			if i.Kind == takedown.KindURL && l.url || i.Kind != takedown.KindURL && l.domain {
				hits = appendOnce(hits, n)
			}
		}
	}
	// "www." is the site itself; any other subdomain may be a customer's.
	take(ls.exact[host])
	take(ls.exact[strings.TrimPrefix(host, "www.")])
	if value != host {
		take(ls.exact[value])
	}
	for zone := range parents(host) {
		for _, n := range ls.suffix[zone] {
			// The subdomains of a platform are its customers'.
			if ls.lists[n].effect != EffectPlatform || zone == strings.TrimPrefix(host, "www.") {
				take([]int32{n})
			}
		}
	}
	for _, p := range ls.patterns {
		if p.expr != nil && (p.expr.MatchString(host) || p.expr.MatchString(value)) || p.expr == nil && strings.Contains(value, p.text) {
			take([]int32{p.list})
		}
	}
	// A list of well-known sites names the platform, never the customer below
	// it, nor a page that a customer put there.
	if i.Platform != "" && host != i.Platform || onePage(i) && ls.platform(host) != "" {
		hits = slices.DeleteFunc(hits, func(n int32) bool { return ls.lists[n].effect != EffectRefuse })
	}
	ls.object(rs, hits, host, onePage(i))
}

// platform returns the name of the list that calls host a shared platform, or
// nothing.
func (ls *lists) platform(host string) string {
	host = strings.TrimPrefix(strings.ToLower(host), "www.")
	for _, ns := range [][]int32{ls.exact[host], ls.suffix[host]} {
		for _, n := range ns {
			if ls.lists[n].effect == EffectPlatform {
				return ls.lists[n].name
			}
		}
	}
	return ""
}

func (ls *lists) object(rs *reasons, hits []int32, what string, page bool) {
	for _, n := range hits {
		switch l := ls.lists[n]; l.effect {
		case EffectRefuse:
			rs.refuse(CodeInfrastructure, "%s is on the list %q, which no evidence overrides", what, l.name)
		case EffectPlatform:
			if !page {
				rs.refuse(CodePlatform, "%s is a shared platform (list %q); report the page or the customer's name", what, l.name)
			}
		case EffectHold:
			rs.hold(CodeAllowList, "%s is on the allow-list %q; a second person must approve", what, l.name)
		}
	}
}
