package config

import (
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"desist/takedown"
)

// minToken is the least length of a token that an operator may set, in
// characters: 128 bits as hexadecimal digits.
const minToken = 32

// Validate returns every fault of the settings, joined, or nil. Each says which
// key, what is wrong, and what to do. It touches neither network nor files.
func (c Config) Validate() error {
	var v faults
	v.service(c)
	v.sender(c.Sender, c.Sending)
	v.smtp(c.SMTP)
	v.inbox(c.Inbox)
	v.deliver(c)
	v.resolve(c)
	v.policy(c.Policy)
	v.ladder(c.Ladder)
	v.track(c.Track)
	v.simnet(c)
	return errors.Join(v...)
}

// Unbuilt reports settings that are sound but that this version does not follow
// yet. A service must not start with one: a setting that silently does nothing
// would be a broken promise to whoever wrote it.
func (c Config) Unbuilt() error {
	var v faults
	for _, s := range []struct {
		key string
		set bool
	}{
		{"smtp.dkim", c.SMTP.DKIM != DKIM{}},
		{"inbox.maildir", c.Inbox.Maildir != ""},
		{"inbox.imap", c.Inbox.IMAP.Address != ""},
		{"notify.digest.window", c.Notify.Digest.Window != 0},
	} {
		if s.set {
			v.add(s.key, "is not followed by this version yet; leave it out")
		}
	}
	return errors.Join(v...)
}

type faults []error

func (v *faults) add(key, format string, args ...any) {
	*v = append(*v, fmt.Errorf("%s: %w", key, fmt.Errorf(format, args...)))
}

func (v *faults) service(c Config) {
	v.address("listen", c.Listen, true)
	v.webURL("public_url", c.PublicURL)
	v.oneOf("sending", c.Sending, SendingDryRun, SendingLive)
	v.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	v.oneOf("log.format", c.Log.Format, "text", "json")
	if len(c.Roles) == 0 {
		v.add("roles", "names nothing to run; leave the key out to run everything")
	}
	for _, r := range c.Roles {
		v.oneOf("roles", r, Roles()...)
	}
	v.positive("startup_timeout", c.StartupTimeout)

	if u := c.Database.URL.Reveal(); u != "" && !strings.HasPrefix(u, "postgres://") && !strings.HasPrefix(u, "postgresql://") && !strings.Contains(u, "=") {
		v.add("database.url", "is not a PostgreSQL address; write it as in postgres://user@host:5432/desist")
	}
	v.between("database.max_conns", c.Database.MaxConns, 2, 1000)

	n := c.NATS
	v.between("nats.replicas", n.Replicas, 1, 5)
	if n.URL != "" && n.Listen != "" {
		v.add("nats.listen", "is for the server inside the process, but nats.url is set; drop one of them")
	}
	v.address("nats.listen", n.Listen, false)
	if (n.Username == "") != (n.Password == "") {
		v.add("nats.username", "goes with nats.password; set both or neither")
	}
	if n.Credentials != "" && n.URL == "" {
		v.add("nats.credentials", "logs in to nats.url, which is not set; set it or drop the credentials")
	}
	if n.Listen != "" && n.Password == "" && !loopback(n.Listen) {
		v.add("nats.listen", "%s can be reached from outside; set nats.username and nats.password, or listen on 127.0.0.1", n.Listen)
	}

	names := map[string]bool{}
	for i, t := range c.Auth.Tokens {
		key := fmt.Sprintf("auth.tokens[%d]", i)
		if t.Name == "" || names[t.Name] {
			v.add(key+".name", "must be a name that no other token has, so that the record can tell them apart")
		}
		names[t.Name] = true
		if len(t.Token) < minToken {
			v.add(key+".token", "has fewer than %d characters; make one with: openssl rand -hex 32", minToken)
		}
		if len(t.Scopes) == 0 {
			v.add(key+".scopes", "is empty; name some of %s", strings.Join(Scopes(), ", "))
		}
		for _, s := range t.Scopes {
			v.oneOf(key+".scopes", s, Scopes()...)
		}
	}
	v.between("pipeline.batch", c.Pipeline.Batch, 1, 10_000)
	v.positive("pipeline.sweep_after", c.Pipeline.SweepAfter)
}

func (v *faults) sender(s Sender, sending string) {
	if sending == SendingLive {
		for _, f := range []struct{ key, value, why string }{
			{"sender.legal_name", s.LegalName, "a notice without a name is not valid under most regimes"},
			{"sender.email", s.Email, "recipients answer to it"},
			{"sender.country", s.Country, "it decides which law we act under"},
		} {
			if strings.TrimSpace(f.value) == "" {
				v.add(f.key, "is needed for sending: live, because %s; set it, or go back to sending: dry-run", f.why)
			}
		}
	}
	if a, err := mail.ParseAddress(s.Email); s.Email != "" && (err != nil || a.Address != s.Email) {
		v.add("sender.email", "%q is not a mail address; write it as in abuse@example.org, without a name", s.Email)
	}
	if s.Country != "" && (len(s.Country) != 2 || strings.Trim(s.Country, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "") {
		v.add("sender.country", "%q is not a country code; write the two capitals of ISO 3166-1, such as NL", s.Country)
	}
	v.webURL("sender.privacy_url", s.PrivacyURL)
	for _, f := range [][2]string{
		{"legal_name", s.LegalName},
		{"organisation", s.Organisation},
		{"email", s.Email},
		{"telephone", s.Telephone},
		{"capacity", s.Capacity},
	} {
		if strings.ContainsAny(f[1], "\r\n") {
			v.add("sender."+f[0], "must stand on one line; take the line breaks out")
		}
	}
}

func (v *faults) smtp(s SMTP) {
	v.address("smtp.relay", s.Relay, false)
	v.oneOf("smtp.tls", s.TLS, TLSNone, TLSOpportunistic, TLSStartTLS, TLSImplicit)
	// RFC 8314 section 3.3 gives TLS from the first byte a port of its own.
	if s.TLS == TLSImplicit && !strings.HasSuffix(s.Relay, ":465") {
		v.add("smtp.tls", "tls needs a relay on port 465, but smtp.relay is %q; change the port, or set smtp.tls to %s", s.Relay, TLSStartTLS)
	}
	v.between("smtp.connections", s.Connections, 1, 1000)
	v.positive("smtp.timeout", s.Timeout)
	v.login("smtp", s.Relay, "smtp.relay", s.TLS, s.Username, s.Password)
	v.domain("smtp.helo", s.Helo)
	v.domain("smtp.reply_domain", s.ReplyDomain)
	v.domain("smtp.dkim.domain", s.DKIM.Domain)
	if set := []bool{s.DKIM.Domain != "", s.DKIM.Selector != "", s.DKIM.Key != ""}; slices.Contains(set, true) && slices.Contains(set, false) {
		v.add("smtp.dkim", "needs domain, selector and key together; set all three or none")
	}
}

// login checks the account at a server.
func (v *faults) login(section, server, serverKey, tls, username string, password Secret) {
	if (username == "") != (password == "") {
		v.add(section+".username", "goes with %s.password; set both or neither", section)
	}
	if username == "" {
		return
	}
	if server == "" {
		v.add(section+".username", "logs in to %s, which is not set; set it or drop the account", serverKey)
		return
	}
	// With opportunistic TLS the client itself sends no password in clear.
	if tls == TLSNone && !loopback(server) {
		v.add(section+".tls", "none would show the password to the network; set it to %s or %s", TLSStartTLS, TLSImplicit)
	}
}

func (v *faults) inbox(in Inbox) {
	v.address("inbox.lmtp", in.LMTP, false)
	v.address("inbox.imap.address", in.IMAP.Address, false)
	v.oneOf("inbox.imap.tls", in.IMAP.TLS, TLSNone, TLSStartTLS, TLSImplicit)
	v.login("inbox.imap", in.IMAP.Address, "inbox.imap.address", in.IMAP.TLS, in.IMAP.Username, in.IMAP.Password)
	v.positive("inbox.imap.interval", in.IMAP.Interval)
	if in.IMAP.Mailbox == "" {
		v.add("inbox.imap.mailbox", "is empty; leave the key out for INBOX")
	}
}

func (v *faults) deliver(c Config) {
	v.notNegative("notify.digest.window", c.Notify.Digest.Window)
	v.between("notify.digest.size", c.Notify.Digest.Size, 1, 10_000)
	v.positive("deliver.lease", c.Deliver.Lease)
	r := c.Deliver.Retry
	v.positive("deliver.retry.first", r.First)
	if r.Max < r.First {
		v.add("deliver.retry.max", "%s is shorter than deliver.retry.first; make it at least %s", formatDuration(r.Max), formatDuration(r.First))
	}
	if r.GiveUp < r.Max {
		v.add("deliver.retry.give_up", "%s is shorter than deliver.retry.max; make it at least %s", formatDuration(r.GiveUp), formatDuration(r.Max))
	}
}

func (v *faults) resolve(c Config) {
	r := c.Resolve
	if len(r.Sources) == 0 {
		v.add("resolve.sources", "is empty, so that nobody would ever be found; name some of %s", strings.Join(Sources(), ", "))
	}
	seen := map[string]bool{}
	for _, s := range r.Sources {
		v.oneOf("resolve.sources", s, Sources()...)
		if seen[s] {
			v.add("resolve.sources", "names %s twice; take one out", s)
		}
		seen[s] = true
	}
	v.positive("resolve.timeout", r.Timeout)
	v.positive("resolve.query_timeout", r.QueryTimeout)
	v.between("resolve.concurrency", r.Concurrency, 1, 10_000)
	v.domain("resolve.contact_zone", r.ContactZone)
	v.domain("resolve.asn_zone", r.ASNZone)
	b := r.Budget
	if b.Rate <= 0 {
		v.add("resolve.budget.rate", "must be more than 0 requests a second")
	}
	for server, rate := range b.PerServer {
		if rate <= 0 {
			v.add("resolve.budget.per_server."+server, "must be more than 0 requests a second")
		}
	}
	v.between("resolve.budget.burst", b.Burst, 1, 100_000)
	v.between("resolve.budget.failures", b.Failures, 1, 1000)
	v.notNegative("resolve.budget.patience", b.Patience)
	v.positive("resolve.budget.cooldown", b.Cooldown)

	v.positive("dns.timeout", c.DNS.Timeout)
	for _, s := range c.DNS.Servers {
		server, isTLS := strings.CutPrefix(s, "tls://")
		if isTLS {
			server, _, _ = strings.Cut(server, "#")
		}
		if !hostPort(server, false) {
			v.add("dns.servers", "%q is not a DNS server; write it as in 192.0.2.53:53 or tls://192.0.2.53:853#dns.example", s)
		}
	}
	for name, server := range c.WHOIS.Servers {
		v.address("whois.servers."+name, server, false)
		if server == "" {
			v.add("whois.servers."+name, "is empty; write it as in 192.0.2.43:43, or take it out")
		}
	}
	if strings.Contains(c.RDAP.Bootstrap, "://") {
		v.webURL("rdap.bootstrap", c.RDAP.Bootstrap)
	}
}

func (v *faults) policy(p Policy) {
	v.positive("policy.max_age", p.MaxAge)
	for _, d := range p.OwnDomains {
		v.domain("policy.own_domains", d)
	}
	v.classes("policy.review.classes", p.Review.Classes)
	for _, g := range p.Review.Grades {
		v.oneOf("policy.review.grades", g, "A", "B", "C")
	}
	if m := p.Review.MinConfidence; m < 0 || m > 1 {
		v.add("policy.review.min_confidence", "%v is not between 0 and 1", m)
	}
}

func (v *faults) ladder(l Ladder) {
	for _, role := range takedown.Roles() {
		r, key := l.Rung(role), "ladder."+string(role)
		v.notNegative(key+".after", r.After)
		v.notNegative(key+".reminder_after", r.ReminderAfter)
		v.between(key+".reminders", r.Reminders, 0, 10)
		if r.Reminders > 0 && r.ReminderAfter <= 0 {
			v.add(key+".reminder_after", "must be longer than 0 if there are reminders; set it, or set %s.reminders to 0", key)
		}
		v.classes(key+".classes", r.Classes)
	}
	v.positive("ladder.manual_after", l.ManualAfter)
	v.notNegative("ladder.final_wait", l.FinalWait)
}

func (v *faults) track(t Track) {
	v.positive("track.first", t.First)
	v.positive("track.after_day", t.AfterDay)
	v.positive("track.after_week", t.AfterWeek)
	v.positive("track.confirm_interval", t.ConfirmInterval)
	v.between("track.confirm_rounds", t.ConfirmRounds, 1, 100)
	v.notNegative("track.watch", t.Watch)
	v.positive("track.watch_interval", t.WatchInterval)
	v.positive("track.give_up", t.GiveUp)
	v.webURL("track.canary", t.Canary)
	v.between("track.concurrency", t.Concurrency, 1, 10_000)
}

func (v *faults) simnet(c Config) {
	v.address("simnet.dial", c.Simnet.Dial, false)
	if c.Simnet.ClockFactor <= 0 || c.Simnet.ClockFactor > 1e6 {
		v.add("simnet.clock_factor", "%v is not more than 0 and at most 1000000", c.Simnet.ClockFactor)
	}
	// On a fast clock real recipients would be reminded within minutes.
	if c.Simnet.Dial == "" && (c.Simnet.ClockFactor != 1 || !c.Simnet.Epoch.IsZero()) {
		v.add("simnet.clock_factor", "and simnet.epoch change the clock, which only the simulated internet may; set simnet.dial, or drop them")
	}
}

func (v *faults) oneOf(key, value string, known ...string) {
	if !slices.Contains(known, value) {
		v.add(key, "%q is not one of %s", value, strings.Join(known, ", "))
	}
}

func (v *faults) classes(key string, classes []takedown.Class) {
	for _, c := range classes {
		if err := c.Validate(); err != nil {
			v.add(key, "%w", err)
		}
	}
}

func (v *faults) between(key string, n, least, most int) {
	if n < least || n > most {
		v.add(key, "%d is not between %d and %d", n, least, most)
	}
}

func (v *faults) positive(key string, d time.Duration) {
	if d <= 0 {
		v.add(key, "must be longer than 0; write it as in 90s, 15m or 30d")
	}
}

func (v *faults) notNegative(key string, d time.Duration) {
	if d < 0 {
		v.add(key, "must not be negative")
	}
}

// address checks a host:port, which may be empty unless it must be. Only an
// address to listen on may leave the host out.
func (v *faults) address(key, address string, must bool) {
	if address == "" && !must {
		return
	}
	if !hostPort(address, strings.HasSuffix(key, "listen") || key == "inbox.lmtp") {
		v.add(key, "%q is not host:port; write it as in 127.0.0.1:8080 or [::1]:8080", address)
	}
}

func hostPort(address string, mayOmitHost bool) bool {
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" && !mayOmitHost || strings.ContainsAny(host, " /") {
		return false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && (n > 0 || mayOmitHost) // port 0 lets the system choose
}

// loopback reports whether only this machine can reach a host:port.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

func (v *faults) webURL(key, s string) {
	if s == "" {
		return
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		v.add(key, "%q is not a web address; write it as in https://desist.example.org", s)
	}
}

// domain checks the form of a DNS name (RFC 1035 section 2.3.1, with the
// underscore that service labels use); empty is fine.
func (v *faults) domain(key, name string) {
	if name == "" {
		return
	}
	trimmed := strings.TrimSuffix(name, ".")
	ok := len(trimmed) <= 253
	for label := range strings.SplitSeq(trimmed, ".") {
		ok = ok && label != "" && len(label) <= 63 && !strings.HasPrefix(label, "-") && !strings.HasSuffix(label, "-") &&
			strings.Trim(strings.ToLower(label), "abcdefghijklmnopqrstuvwxyz0123456789-_") == ""
	}
	if !ok {
		v.add(key, "%q is not a domain name; write it as in example.org, in its xn-- form if it has other letters", name)
	}
}
