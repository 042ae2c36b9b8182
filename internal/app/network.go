package app

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"

	"github.com/goccy/go-yaml"
	mdns "github.com/miekg/dns"

	"desist/internal/config"
	"desist/internal/netguard"
	"desist/resolvers"
	"desist/resolvers/asn"
	"desist/resolvers/budget"
	resolvedns "desist/resolvers/dns"
	"desist/resolvers/rdap"
	"desist/resolvers/whois"
	"desist/takedown"
)

// A network is the way out: the guard, the name servers, and the sources of
// who is responsible.
type network struct {
	guard    *netguard.Guard
	names    *resolvedns.Client
	resolver *resolvers.Resolver
	closers  []func()
}

func (n *network) close() {
	for _, f := range n.closers {
		f()
	}
}

// NewResolver returns the resolution of parties by itself, with what closes it.
func NewResolver(cfg config.Config, clock Clock, log *slog.Logger) (*resolvers.Resolver, func(), error) {
	n, err := newNetwork(cfg, nil, clock, log)
	if err != nil {
		return nil, nil, err
	}
	return n.resolver, n.close, nil
}

func newNetwork(cfg config.Config, dial netguard.DialFunc, clock Clock, _ *slog.Logger) (*network, error) {
	servers, err := dnsServers(cfg)
	if err != nil {
		return nil, err
	}
	n := &network{}
	if n.names, err = resolvedns.NewClient(resolvedns.Config{Servers: servers, Timeout: cfg.DNS.Timeout}); err != nil {
		return nil, takedown.Permanent(err)
	}
	n.guard = newGuard(cfg, dial, n.names.LookupAddrs)
	limits := budget.New(budget.Config{
		Rate: cfg.Resolve.Budget.Rate, Burst: cfg.Resolve.Budget.Burst, PerServer: cfg.Resolve.Budget.PerServer,
		Patience: cfg.Resolve.Budget.Patience, Failures: cfg.Resolve.Budget.Failures, Cooldown: cfg.Resolve.Budget.Cooldown,
	})
	rules, err := mergeRules(cfg)
	if err != nil {
		return nil, err
	}
	rc := resolvers.Config{Rules: rules, Timeout: cfg.Resolve.QueryTimeout, MaxInFlight: cfg.Resolve.Concurrency * 4, CheckAddr: n.guard.CheckAddr, Now: clock.Now}
	for _, name := range cfg.Resolve.Sources {
		switch name {
		case "dns":
			rc.Names = append(rc.Names, resolvedns.NewSource(resolvedns.SourceConfig{Client: n.names}))
		case "rdap":
			// The registries' bootstrap may name plain HTTP only inside a
			// laboratory.
			client := n.guard.HTTPClient(netguard.HTTPConfig{Timeout: cfg.Resolve.QueryTimeout, AllowHTTP: len(cfg.Netguard.Allow) > 0})
			boot, err := rdap.NewBootstrap(rdap.BootstrapConfig{Location: cfg.RDAP.Bootstrap, CacheDir: cacheDir(cfg, "rdap"), HTTP: client})
			if err != nil {
				n.close()
				return nil, takedown.Permanent(err)
			}
			n.closers = append(n.closers, boot.Close, client.CloseIdleConnections)
			source := rdap.New(rdap.Config{HTTP: client, Locator: boot, Budget: limits, UserAgent: "desist", Now: clock.Now})
			rc.Networks = append(rc.Networks, source)
			rc.Registrations = append(rc.Registrations, source)
		case "whois":
			source := whois.New(whois.Config{Dial: n.guard.DialContext, Budget: limits, Servers: cfg.WHOIS.Servers, Timeout: cfg.Resolve.QueryTimeout, Now: clock.Now})
			rc.Networks = append(rc.Networks, source)
			rc.Registrations = append(rc.Registrations, source)
		case "asn":
			if cfg.Resolve.ASNZone != "" {
				rc.Networks = append(rc.Networks, asn.NewOrigin(asn.OriginConfig{Zone: cfg.Resolve.ASNZone, Lookup: n.names.LookupTXT}))
			}
			if cfg.Resolve.ContactZone != "" {
				rc.Networks = append(rc.Networks, asn.NewContacts(asn.ContactsConfig{Zone: cfg.Resolve.ContactZone, Lookup: n.names.LookupTXT}))
			}
		default:
			n.close()
			return nil, takedown.Permanent(fmt.Errorf("resolve.sources: %q is not one of dns, rdap, whois, asn", name))
		}
	}
	n.resolver = resolvers.New(rc)
	n.closers = append([]func(){n.resolver.Close}, n.closers...)
	return n, nil
}

// mergeRules reads what the operator knows better than the sources.
func mergeRules(cfg config.Config) (resolvers.Rules, error) {
	var rules resolvers.Rules
	if cfg.CDN != "" {
		data, err := os.ReadFile(cfg.CDN)
		if err != nil {
			return rules, takedown.Permanent(fmt.Errorf("cdn: %w", err))
		}
		if err := yaml.UnmarshalWithOptions(data, &rules.CDNs, yaml.Strict()); err != nil {
			return rules, takedown.Permanent(fmt.Errorf("cdn: %s: %w", cfg.CDN, err))
		}
	}
	if cfg.Contacts.Overrides != "" {
		o, err := resolvers.LoadOverrides(cfg.Contacts.Overrides)
		if err != nil {
			return rules, takedown.Permanent(err)
		}
		rules.Overrides = o
	}
	return rules, nil
}

// lookupMX finds where mail for a domain goes (RFC 5321 section 5.1).
func (n *network) lookupMX(ctx context.Context, domain string) ([]*net.MX, error) {
	a, err := n.names.Query(ctx, domain, mdns.TypeMX)
	if err != nil {
		return nil, err
	}
	var out []*net.MX
	for _, rr := range a.Records {
		if mx, ok := rr.(*mdns.MX); ok {
			out = append(out, &net.MX{Host: mx.Mx, Pref: mx.Preference})
		}
	}
	return out, nil
}
