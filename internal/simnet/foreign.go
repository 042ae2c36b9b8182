package simnet

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// WorldForIndicators returns a world in which the given domains, URLs and
// addresses exist: each is put, by hash, on one of the default world's
// networks, with a registrar, perhaps behind its CDN. Public addresses keep
// their number: the world makes networks around them. All of it is still
// served on loopback only. Inputs that name nothing on a public network are in
// World.Skipped.
func WorldForIndicators(indicators []string) (*World, error) {
	w, err := embedded("internet.yaml")
	if err != nil {
		return nil, err
	}
	var hosts, registrars Shares
	for _, p := range w.Populations {
		if p.Name == "gtld" {
			hosts, registrars = p.Networks, p.Registrars
		}
	}
	w.Name, w.Populations, w.foreign = "indicators", nil, true
	seen := make(map[string]int, len(indicators))
	platforms, tlds := map[string]bool{}, map[string]bool{}
	for _, p := range w.Platforms {
		platforms[p.Suffix] = true
	}
	for _, r := range w.Registries {
		for _, t := range r.TLDs {
			tlds[t] = true
		}
	}
	var generic, country []string
	for _, raw := range indicators {
		s, ok := foreignSite(raw)
		if !ok {
			w.Skipped = append(w.Skipped, raw)
			continue
		}
		if _, dup := seen[s.Host]; dup {
			continue
		}
		seen[s.Host] = len(w.Sites)
		r := draw(w.Seed, "foreign", s.Host)
		if addr, err := netip.ParseAddr(s.Host); err == nil {
			n, _ := w.networkFor(addr)
			if n == nil {
				w.Skipped = append(w.Skipped, raw)
				continue
			}
			s.Network, s.Addresses = n.Name, []netip.Addr{addr}
			w.Sites = append(w.Sites, s)
			continue
		}
		_, suffix := registrable(s.Host)
		if suffix != "" {
			if !platforms[suffix] {
				platforms[suffix] = true
				w.Platforms = append(w.Platforms, Platform{Name: "platform " + suffix, Suffix: suffix, Network: w.Platforms[0].Network, Registrar: w.Platforms[0].Registrar})
			}
			s.Platform = "platform " + suffix
			for _, p := range w.Platforms {
				if p.Suffix == suffix {
					s.Platform = p.Name
				}
			}
		} else {
			s.Network, s.Registrar = hosts.pick(r), registrars.pick(r)
			if r.Float64() < 0.27 { // the published share behind reverse proxies
				s.CDN = w.CDNs[0].Name
			}
		}
		if tld := tldOf(s.Host); !tlds[tld] {
			tlds[tld] = true
			if len(tld) == 2 {
				country = append(country, tld)
			} else {
				generic = append(generic, tld)
			}
		}
		w.Sites = append(w.Sites, s)
	}
	w.addForeignRegistries(generic, country)
	if err := w.expand(); err != nil {
		return nil, fmt.Errorf("simnet: world for indicators: %w", err)
	}
	return w, nil
}

// addForeignRegistries runs the top-level domains that the default world does not.
func (w *World) addForeignRegistries(generic, country []string) {
	desk := w.Registries[0].Desk
	for _, r := range []Registry{
		{Name: "reg-other", Org: "Simulated Other Registry", Domain: "sim-registry-other.net", Country: "US", TLDs: generic, WHOIS: "gtld"},
		{Name: "reg-country", Org: "Simulated Country Registry", Domain: "sim-registry-country.net", Country: "GB", TLDs: country, WHOIS: "gtld", NoRDAP: true},
	} {
		if len(r.TLDs) > 0 {
			r.Desk = desk
			r.Desk.Abuse = "abuse@" + r.Domain
			w.Registries = append(w.Registries, r)
		}
	}
}

// foreignSite reads one indicator as people write them. The class is a guess by
// form, for the page that the site shows.
func foreignSite(raw string) (Site, bool) {
	text := refanger.Replace(strings.TrimSpace(raw))
	host := hostOf(text)
	if addr, err := netip.ParseAddr(host); err == nil {
		if !public(addr) {
			return Site{}, false
		}
		s := Site{Host: addr.String(), Class: "c2"}
		if strings.Contains(text, "://") {
			s.Class, s.URL, s.Path = "malware", true, urlPath(text)
		}
		return s, true
	}
	if domain, _ := registrable(host); domain == "" || !strings.Contains(host, ".") || strings.ContainsAny(host, " /\\\"'") || len(host) > 253 {
		return Site{}, false
	}
	for _, label := range strings.Split(host, ".") {
		if label == "" || len(label) > 63 {
			return Site{}, false
		}
	}
	s := Site{Host: host, Class: "phishing"}
	if strings.Contains(text, "://") {
		s.URL, s.Path = true, urlPath(text)
	}
	return s, true
}

func urlPath(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Path == "" {
		return "/"
	}
	return u.Path
}
