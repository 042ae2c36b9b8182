package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	mdns "github.com/miekg/dns"

	"desist/internal/config"
	"desist/internal/netguard"
	"desist/internal/policy"
	"desist/internal/postgres"
	"desist/notifiers/dryrun"
	"desist/notifiers/email"
	"desist/pipeline"
	"desist/takedown"
	"desist/takedown/indicator"
	"desist/templates"
	"desist/trackers"
	trackdns "desist/trackers/dns"
	"desist/trackers/web"
)

// NewIntake returns the front door.
func NewIntake(store *postgres.Store, clock Clock, cfg config.Config, log *slog.Logger) (*pipeline.Intake, error) {
	rules, err := newPolicy(cfg, clock)
	if err != nil {
		return nil, err
	}
	return &pipeline.Intake{
		Store: store, Parse: indicator.Parse, Policy: screener{rules}, Now: clock.Now, SweepAfter: clock.Real(cfg.Pipeline.SweepAfter), Logger: log,
	}, nil
}

// NewActions returns what people do with cases.
func NewActions(store *postgres.Store, clock Clock, cfg config.Config) *pipeline.Actions {
	a := &pipeline.Actions{Store: store, Now: clock.Now, SweepAfter: clock.Real(cfg.Pipeline.SweepAfter)}
	if cfg.Policy.Review.DistinctApprover {
		a.Submissions = store
	}
	return a
}

// review says what a person must look at before it is sealed.
func review(cfg config.Config) func(takedown.Draft, takedown.Contact) string {
	r := cfg.Policy.Review
	return func(d takedown.Draft, to takedown.Contact) string {
		regime, _, _ := strings.Cut(d.Grade, "/")
		switch {
		case slices.Contains(r.Grades, regime):
			return fmt.Sprintf("a person must approve notices of grade %s (policy.review.grades)", regime)
		case to.Confidence < r.MinConfidence:
			return fmt.Sprintf("a person must approve %s: confidence %.2f is below %.2f (policy.review.min_confidence)", to.Address, to.Confidence, r.MinConfidence)
		}
		return ""
	}
}

// NewLibrary loads the packs and wording, with the operator's own.
func NewLibrary(cfg config.Config, log *slog.Logger) (*templates.Library, error) {
	o := templates.Options{Logger: log}
	if cfg.Templates.Dir != "" {
		o.Override = os.DirFS(cfg.Templates.Dir)
	}
	lib, err := templates.Load(o)
	if err != nil {
		return nil, takedown.Permanent(fmt.Errorf("templates: %w", err))
	}
	return lib, nil
}

// mailKey names the secret that signs return paths and Message-IDs.
const mailKey = "mail_key"

// sender is the configured sender. A dry run may go without one: its drafts
// never leave, and an address that cannot exist shows what they are.
func sender(cfg config.Config) takedown.Sender {
	s := cfg.Sender.Notices()
	if s.Email == "" && cfg.Sending != config.SendingLive {
		s.Email = "unset@sender.invalid"
		if s.LegalName == "" {
			s.LegalName = "(sender.legal_name is not set)"
		}
	}
	return s
}

func newSealer(ctx context.Context, store *postgres.Store, cfg config.Config, clock Clock) (*email.Sealer, error) {
	key, err := store.Secret(ctx, mailKey)
	if err != nil {
		return nil, err
	}
	return email.NewSealer(email.SealConfig{Sender: sender(cfg), Domain: cfg.SMTP.ReplyDomain, Key: key, KeyVersion: 1, Now: clock.Now})
}

// NewTokens returns the verifier of our return paths and Message-IDs.
func NewTokens(ctx context.Context, store *postgres.Store, cfg config.Config) (*email.Tokens, error) {
	s, err := newSealer(ctx, store, cfg, NewClock(time.Time{}, time.Now(), 1))
	if err != nil {
		return nil, err
	}
	return s.Tokens(), nil
}

// newGuard returns the guard over outbound connections. In the simulated
// internet its gateway takes them.
func newGuard(cfg config.Config, dial netguard.DialFunc, lookup netguard.LookupFunc) *netguard.Guard {
	if dial == nil && cfg.Simnet.Dial != "" {
		dial = netguard.ConnectProxyDialer(cfg.Simnet.Dial)
	}
	return netguard.New(netguard.Config{Allow: cfg.Netguard.Allow, Dial: dial, Lookup: lookup})
}

// newPolicy returns the one place that may refuse.
func newPolicy(cfg config.Config, clock Clock) (*policy.Policy, error) {
	pc := policy.Config{
		Reserved: netguard.IsReserved, OwnPrefixes: cfg.Policy.OwnPrefixes, OwnDomains: cfg.Policy.OwnDomains, ExemptPrefixes: reportable(cfg.Netguard.Allow),
		MaxAge: cfg.Policy.MaxAge, ReviewClasses: cfg.Policy.Review.Classes, ReviewConfidence: cfg.Policy.Review.MinConfidence, Now: clock.Now,
		// Our own look at the target supports every class that shows itself;
		// an attack that is over does not.
		EvidenceRequired: map[takedown.Class]policy.Evidence{
			takedown.ClassPhishing: {}, takedown.ClassMalware: {}, takedown.ClassC2: {}, takedown.ClassCompromised: {}, takedown.ClassSpam: {},
			takedown.ClassAttack: {Support: 1}, takedown.ClassFraudshop: {Support: 1},
		},
	}
	if cfg.Track.LookFirst {
		// Our own look before the first notice decides instead; see
		// pipeline.Compose.MaxAge.
		pc.MaxAge = 100 * 365 * 24 * time.Hour
	}
	if at := strings.LastIndexByte(cfg.Sender.Email, '@'); at >= 0 {
		pc.OwnDomains = append(append([]string(nil), pc.OwnDomains...), cfg.Sender.Email[at+1:])
	}
	if dir := cfg.Policy.Warninglists; dir != "" {
		if _, err := os.Stat(dir); err != nil {
			return nil, takedown.Permanent(fmt.Errorf("policy.warninglists: %w", err))
		}
		pc.Warninglists = os.DirFS(dir)
	}
	p, err := policy.New(pc)
	if err != nil {
		return nil, takedown.Permanent(err)
	}
	return p, nil
}

// reportable leaves out loopback networks: a laboratory has its servers there,
// but nobody holds them who could be told.
func reportable(allowed []netip.Prefix) []netip.Prefix {
	return slices.DeleteFunc(slices.Clone(allowed), func(p netip.Prefix) bool { return p.Addr().IsLoopback() })
}

// screener shows policy as the pipeline knows it.
type screener struct{ policy *policy.Policy }

func (s screener) Screen(c *takedown.Case, subs []takedown.Submission, _ time.Time) pipeline.Ruling {
	in := policy.Input{Indicator: c.Indicator, Class: c.Class, SeenAt: c.FirstSeenAt, Submissions: len(subs)}
	for _, sub := range subs {
		if sub.SeenAt.After(in.SeenAt) {
			in.SeenAt = sub.SeenAt
		}
		in.Evidence += len(sub.Evidence)
		in.References += len(sub.References)
		if sub.Description != "" {
			in.Descriptions++
		}
		in.Source = sub.Source
	}
	d := s.policy.Screen(in)
	r := pipeline.Ruling{Outcome: pipeline.Permission(d.Outcome)}
	for _, reason := range d.Reasons {
		r.Reasons = append(r.Reasons, reason.Text)
		r.Codes = append(r.Codes, string(reason.Code))
	}
	return r
}

// newNotifier returns the sender of mail, or in a dry run one that sends
// nothing.
func newNotifier(cfg config.Config, guard *netguard.Guard, lookupMX func(context.Context, string) ([]*net.MX, error), clock Clock, log *slog.Logger) (pipeline.Notifier, func() error, error) {
	if cfg.Sending != config.SendingLive {
		return dryrun.New(clock.Now), func() error { return nil }, nil
	}
	ec := email.Config{
		Relay: cfg.SMTP.Relay, Username: cfg.SMTP.Username, Password: cfg.SMTP.Password.Reveal(), Hello: cfg.SMTP.Helo,
		Connections: cfg.SMTP.Connections, Timeout: cfg.SMTP.Timeout, LookupMX: lookupMX, Logger: log, Now: clock.Now,
	}
	switch cfg.SMTP.TLS {
	case config.TLSNone:
		ec.TLS = email.TLSNone
	case config.TLSStartTLS, config.TLSImplicit:
		ec.TLS = email.TLSRequire
	default:
		ec.TLS = email.TLSOpportunistic
	}
	if cfg.SMTP.Relay == "" {
		ec.Dial = guard.DialContext // the recipient's DNS names the host
	}
	n, err := email.New(ec)
	if err != nil {
		return nil, nil, err
	}
	return n, n.Close, nil
}

// newTracker returns the watch over targets.
func newTracker(cfg config.Config, guard *netguard.Guard, servers []string, clock Clock) (*trackers.Tracker, error) {
	client, err := trackdns.NewClient(trackdns.ClientConfig{Servers: plainServers(servers), Timeout: cfg.DNS.Timeout})
	if err != nil {
		return nil, err
	}
	names, err := trackdns.New(trackdns.Config{
		Vantages: []trackdns.Vantage{{Name: "resolver", Lookup: client}}, Now: clock.Now,
		Reserved: func(a netip.Addr) (string, bool) {
			if guard.CheckAddr(a) == nil {
				return "", false
			}
			return netguard.IsReserved(a)
		},
	})
	if err != nil {
		return nil, err
	}
	pages, err := web.New(web.Config{Resolver: names, DialContext: guard.DialContext, Now: clock.Now})
	if err != nil {
		return nil, err
	}
	tc := trackers.Config{Probes: []trackers.Probe{names, pages}, Now: clock.Now}
	if cfg.Track.Canary != "" {
		ind, err := indicator.Parse(cfg.Track.Canary)
		if err != nil {
			return nil, takedown.Permanent(fmt.Errorf("track.canary: %w", err))
		}
		tc.Canary = trackers.ProbeCanary(pages, trackers.Target{Indicator: ind})
	}
	return trackers.New(tc)
}

// tracker shows the watch as the pipeline knows it.
type tracker struct{ *trackers.Tracker }

func (t tracker) Check(ctx context.Context, target pipeline.Target) takedown.Check {
	return t.Tracker.Check(ctx, trackers.Target(target))
}

// schedule is when a target is looked at again.
func schedule(cfg config.Config) func(*takedown.Case, time.Time) time.Time {
	next := trackers.Schedule(trackers.ScheduleConfig{
		Fresh: cfg.Track.First, Young: cfg.Track.AfterDay, Old: cfg.Track.AfterWeek, Confirm: cfg.Track.ConfirmInterval, Watch: cfg.Track.WatchInterval,
	})
	return func(c *takedown.Case, now time.Time) time.Time {
		return next(trackers.Round{
			CaseID: c.ID, Now: now, Age: now.Sub(c.SubmittedAt), Verdict: c.Track.Verdict, Track: c.Track, Removed: c.State == takedown.CaseRemoved,
		})
	}
}

// ladder turns the configured rungs into those of the pipeline.
func ladder(cfg config.Config) pipeline.Ladder {
	l := pipeline.Ladder{ManualAfter: cfg.Ladder.ManualAfter, FinalWait: cfg.Ladder.FinalWait}
	for _, role := range takedown.Roles() {
		if r := cfg.Ladder.Rung(role); r.Enabled {
			l.Rungs = append(l.Rungs, pipeline.Rung{Role: role, After: r.After, ReminderAfter: r.ReminderAfter, Reminders: r.Reminders, Classes: r.Classes})
		}
	}
	return l
}

// dnsServers returns the configured resolvers, or those of the system.
func dnsServers(cfg config.Config) ([]string, error) {
	if len(cfg.DNS.Servers) > 0 {
		return cfg.DNS.Servers, nil
	}
	const file = "/etc/resolv.conf"
	system, err := mdns.ClientConfigFromFile(file)
	if err != nil || len(system.Servers) == 0 {
		return nil, takedown.Permanent(fmt.Errorf("dns.servers is empty and %s names no server (%w); set dns.servers to host:port", file, errors.Join(err, fs.ErrNotExist)))
	}
	servers := make([]string, len(system.Servers))
	for i, s := range system.Servers {
		servers[i] = net.JoinHostPort(s, system.Port)
	}
	return servers, nil
}

// plainServers leaves out encrypted resolvers, which the watch does not speak;
// if there are no others it uses their plain side.
func plainServers(servers []string) []string {
	var plain, other []string
	for _, s := range servers {
		if rest, ok := strings.CutPrefix(s, "tls://"); ok {
			host, _, _ := strings.Cut(rest, "#")
			if h, _, err := net.SplitHostPort(host); err == nil {
				host = h
			}
			other = append(other, net.JoinHostPort(host, "53"))
			continue
		}
		plain = append(plain, s)
	}
	if len(plain) == 0 {
		return other
	}
	return plain
}

func cacheDir(cfg config.Config, name string) string {
	return filepath.Join(cfg.DataDir, "cache", name)
}
