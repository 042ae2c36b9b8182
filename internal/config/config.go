package config

import (
	"net/netip"
	"time"

	"desist/takedown"
)

// Config is every setting. The field tags are the keys of the file; desist.yaml
// says what each means. A field tagged path is made relative to the folder of
// the file that sets it.
type Config struct {
	DataDir        string        `key:"data_dir" path:"true"`
	Database       Database      `key:"database"`
	NATS           NATS          `key:"nats"`
	Listen         string        `key:"listen"`
	PublicURL      string        `key:"public_url"`
	Roles          []string      `key:"roles"`
	StartupTimeout time.Duration `key:"startup_timeout"`
	Log            Log           `key:"log"`
	Auth           Auth          `key:"auth"`

	Sending string  `key:"sending"`
	Sender  Sender  `key:"sender"`
	SMTP    SMTP    `key:"smtp"`
	Inbox   Inbox   `key:"inbox"`
	Notify  Notify  `key:"notify"`
	Deliver Deliver `key:"deliver"`

	Resolve  Resolve  `key:"resolve"`
	DNS      DNS      `key:"dns"`
	RDAP     RDAP     `key:"rdap"`
	WHOIS    WHOIS    `key:"whois"`
	Contacts Contacts `key:"contacts"`
	// CDN is a file of rules that tell content delivery networks.
	CDN string `key:"cdn" path:"true"`

	Policy    Policy    `key:"policy"`
	Ladder    Ladder    `key:"ladder"`
	Track     Track     `key:"track"`
	Templates Templates `key:"templates"`
	Pipeline  Pipeline  `key:"pipeline"`
	Netguard  Netguard  `key:"netguard"`
	Simnet    Simnet    `key:"simnet"`
}

// The values of Config.Sending.
const (
	SendingDryRun = "dry-run" // notices end as sealed drafts
	SendingLive   = "live"
)

// Database is PostgreSQL. Without a URL a private server runs in DataDir.
type Database struct {
	URL      SecretURL `key:"url"`
	MaxConns int       `key:"max_conns"`
}

// NATS is the broker. Without a URL JetStream runs inside the process.
type NATS struct {
	URL SecretURL `key:"url"`
	// Listen lets the server inside the process take outside clients.
	Listen      string `key:"listen"`
	Username    string `key:"username"`
	Password    Secret `key:"password"`
	Credentials string `key:"credentials" path:"true"` // a .creds file
	Replicas    int    `key:"replicas"`
}

// Log says how the program logs on standard error.
type Log struct {
	Level  string `key:"level"`
	Format string `key:"format"`
}

// Auth says who may use the API, beside the tokens that the database holds.
type Auth struct {
	Tokens []Token `key:"tokens"`
}

// A Token is a bearer token that the operator set.
type Token struct {
	Name   string   `key:"name"`
	Token  Secret   `key:"token"`
	Scopes []string `key:"scopes"`
}

// Sender is who signs the notices.
type Sender struct {
	LegalName    string `key:"legal_name"`
	Organisation string `key:"organisation"`
	Address      string `key:"address"`
	Email        string `key:"email"`
	Telephone    string `key:"telephone"`
	Capacity     string `key:"capacity"`
	Country      string `key:"country"` // ISO 3166-1 alpha-2
	PrivacyURL   string `key:"privacy_url"`
}

// Notices returns the sender as notices need it.
func (s Sender) Notices() takedown.Sender {
	return takedown.Sender{
		LegalName: s.LegalName, Organisation: s.Organisation, Address: s.Address, Email: s.Email,
		Telephone: s.Telephone, Capacity: s.Capacity, Country: s.Country, PrivacyURL: s.PrivacyURL,
	}
}

// SMTP is how mail leaves. Without a relay it goes to the recipients' mail
// exchangers.
type SMTP struct {
	Relay       string        `key:"relay"`
	TLS         string        `key:"tls"`
	Username    string        `key:"username"`
	Password    Secret        `key:"password"`
	Connections int           `key:"connections"`
	Timeout     time.Duration `key:"timeout"`
	// Helo is the name in EHLO; empty: the name of the machine.
	Helo string `key:"helo"`
	// ReplyDomain is where bounces and answers arrive; empty: the domain of
	// Sender.Email.
	ReplyDomain string `key:"reply_domain"`
	DKIM        DKIM   `key:"dkim"`
}

// The values of SMTP.TLS.
const (
	TLSNone          = "none"
	TLSOpportunistic = "opportunistic" // STARTTLS where it is offered
	TLSStartTLS      = "starttls"      // STARTTLS or nothing
	TLSImplicit      = "tls"           // TLS from the first byte, on port 465
)

// DKIM signs mail (RFC 6376). All three are set, or none.
type DKIM struct {
	Domain   string `key:"domain"`
	Selector string `key:"selector"`
	Key      Secret `key:"key"` // PEM
}

// Inbox is where replies arrive; any number of the three may be set.
type Inbox struct {
	LMTP    string `key:"lmtp"`
	Maildir string `key:"maildir" path:"true"`
	IMAP    IMAP   `key:"imap"`
}

// IMAP is a mailbox that is read and emptied.
type IMAP struct {
	Address  string        `key:"address"`
	TLS      string        `key:"tls"` // as SMTP.TLS, without opportunistic
	Username string        `key:"username"`
	Password Secret        `key:"password"`
	Mailbox  string        `key:"mailbox"`
	Interval time.Duration `key:"interval"`
}

// Notify says how notices to one recipient are put together.
type Notify struct {
	Digest Digest `key:"digest"`
}

// Digest collects the cases of one recipient into one message. A Window of zero
// sends one message a case at once. In the file and the environment a bare
// duration stands for the window.
type Digest struct {
	Window time.Duration `key:"window"`
	Size   int           `key:"size"`
}

// Deliver is the sending stage.
type Deliver struct {
	// Lease is how long a delivery belongs to the process that took it.
	Lease time.Duration `key:"lease"`
	Retry Retry         `key:"retry"`
}

// Retry is the wait after a deferred delivery. It doubles from First to Max.
type Retry struct {
	First  time.Duration `key:"first"`
	Max    time.Duration `key:"max"`
	GiveUp time.Duration `key:"give_up"` // counted from the first attempt
}

// Resolve is the search for who is responsible.
type Resolve struct {
	Sources []string `key:"sources"`
	// Timeout bounds one case, QueryTimeout one question to one server.
	Timeout      time.Duration `key:"timeout"`
	QueryTimeout time.Duration `key:"query_timeout"`
	Concurrency  int           `key:"concurrency"`
	ContactZone  string        `key:"contact_zone"`
	ASNZone      string        `key:"asn_zone"`
	Budget       Budget        `key:"budget"`
}

// Budget spares the servers that are asked.
type Budget struct {
	Rate      float64            `key:"rate"` // requests a second to one server
	Burst     int                `key:"burst"`
	PerServer map[string]float64 `key:"per_server"`
	// Patience is the longest that a query waits for its turn.
	Patience time.Duration `key:"patience"`
	// Failures in a row open the breaker, for Cooldown at first.
	Failures int           `key:"failures"`
	Cooldown time.Duration `key:"cooldown"`
}

// DNS names the recursive resolvers. Empty: those of /etc/resolv.conf.
type DNS struct {
	Servers []string      `key:"servers"`
	Timeout time.Duration `key:"timeout"`
}

// RDAP says where the IANA bootstrap files are (RFC 9224).
type RDAP struct {
	Bootstrap string `key:"bootstrap" path:"true"`
}

// WHOIS overrides the servers (RFC 3912) that referral would find.
type WHOIS struct {
	Servers map[string]string `key:"servers"`
}

// Contacts is what the operator knows better.
type Contacts struct {
	Overrides string `key:"overrides" path:"true"`
}

// Policy is what may be said.
type Policy struct {
	Warninglists string         `key:"warninglists" path:"true"`
	MaxAge       time.Duration  `key:"max_age"`
	OwnPrefixes  []netip.Prefix `key:"own_prefixes"`
	OwnDomains   []string       `key:"own_domains"`
	Review       Review         `key:"review"`
}

// Review is what a person must approve.
type Review struct {
	Classes          []takedown.Class `key:"classes"`
	Grades           []string         `key:"grades"`
	MinConfidence    float64          `key:"min_confidence"`
	DistinctApprover bool             `key:"distinct_approver"`
}

// Ladder says when each role is told.
type Ladder struct {
	Host      Rung `key:"host"`
	Platform  Rung `key:"platform"`
	CDN       Rung `key:"cdn"`
	ISP       Rung `key:"isp"`
	Upstream  Rung `key:"upstream"`
	Registrar Rung `key:"registrar"`
	Registry  Rung `key:"registry"`
	CSIRT     Rung `key:"csirt"`

	// ManualAfter is how long a task for a person may stay open before the next
	// rung starts without it.
	ManualAfter time.Duration `key:"manual_after"`
	// FinalWait is how long after the last step the target is still watched.
	FinalWait time.Duration `key:"final_wait"`
}

// A Rung is the part of one role.
type Rung struct {
	Enabled       bool             `key:"enabled"`
	After         time.Duration    `key:"after"` // counted from planning
	ReminderAfter time.Duration    `key:"reminder_after"`
	Reminders     int              `key:"reminders"`
	Classes       []takedown.Class `key:"classes"` // empty: every class
}

// Rung returns the rung of a role; that of an unknown role is not enabled.
func (l Ladder) Rung(role takedown.Role) Rung {
	switch role {
	case takedown.RoleHost:
		return l.Host
	case takedown.RolePlatform:
		return l.Platform
	case takedown.RoleCDN:
		return l.CDN
	case takedown.RoleISP:
		return l.ISP
	case takedown.RoleUpstream:
		return l.Upstream
	case takedown.RoleRegistrar:
		return l.Registrar
	case takedown.RoleRegistry:
		return l.Registry
	case takedown.RoleCSIRT:
		return l.CSIRT
	}
	return Rung{}
}

// Track is the watch over targets.
type Track struct {
	First     time.Duration `key:"first"`      // between checks on the first day
	AfterDay  time.Duration `key:"after_day"`  // from then to the seventh day
	AfterWeek time.Duration `key:"after_week"` // after that

	// ConfirmRounds agreeing rounds, ConfirmInterval apart, close a case.
	ConfirmInterval time.Duration `key:"confirm_interval"`
	ConfirmRounds   int           `key:"confirm_rounds"`
	// Watch is how long a closed case is looked at again, each WatchInterval.
	Watch         time.Duration `key:"watch"`
	WatchInterval time.Duration `key:"watch_interval"`
	GiveUp        time.Duration `key:"give_up"`
	// LookFirst makes the first check come before the first notice.
	LookFirst bool `key:"look_first"`
	// Canary is a URL that must answer, else we are the ones who are offline.
	Canary      string `key:"canary"`
	Concurrency int    `key:"concurrency"`
}

// Templates is the operator's own wording.
type Templates struct {
	Dir string `key:"dir" path:"true"`
}

// Pipeline is how the stages take work.
type Pipeline struct {
	Batch      int           `key:"batch"`
	SweepAfter time.Duration `key:"sweep_after"`
}

// Netguard is the guard over outbound connections.
type Netguard struct {
	Allow []netip.Prefix `key:"allow"`
}

// Simnet puts the service into the simulated internet.
type Simnet struct {
	Dial        string    `key:"dial"`         // its CONNECT gateway, host:port
	ClockFactor float64   `key:"clock_factor"` // how much faster time runs
	Epoch       time.Time `key:"epoch"`        // its time at the start; zero: now
}
