package simnet

import (
	"net/netip"
	"time"
)

// A World is everything that exists in the simulated internet. It is data:
// [LoadWorld] checks it, [Start] gives it sockets. It is not changed by running.
type World struct {
	Name string `yaml:"name" json:"name"`
	// Seed decides every draw.
	Seed uint64 `yaml:"seed" json:"seed"`
	// Epoch is the world's time when it starts.
	Epoch time.Time `yaml:"epoch" json:"epoch"`
	// CloakAgent is a regular expression: a cloaked site is live for the
	// User-Agents that match and 404 for the others.
	CloakAgent string `yaml:"cloak_agent" json:"cloak_agent"`
	// ProviderMailboxes maps mail domains of real providers, as the product's
	// own directory may know them, to the network whose desk reads that mail here.
	ProviderMailboxes map[string]string `yaml:"provider_mailboxes" json:"provider_mailboxes,omitempty"`

	Behaviours  map[string]Behaviour `yaml:"behaviours" json:"behaviours"`
	Registries  []Registry           `yaml:"registries" json:"registries"`
	Registrars  []Registrar          `yaml:"registrars" json:"registrars"`
	Networks    []Network            `yaml:"networks" json:"networks"`
	CDNs        []CDN                `yaml:"cdns" json:"cdns"`
	Platforms   []Platform           `yaml:"platforms" json:"platforms"`
	Sites       []Site               `yaml:"sites" json:"-"`
	Populations []Population         `yaml:"populations" json:"populations"`

	// foreign worlds hold indicators that were given from outside; addresses
	// outside the declared networks belong to one chosen by hash.
	foreign bool
	// Skipped lists the inputs of [WorldForIndicators] that name nothing on a
	// public network.
	Skipped []string `yaml:"-" json:"-"`
}

// A Desk is how a party is told about abuse and what it does then.
type Desk struct {
	// Abuse is the mailbox; empty with an empty Form: there is no contact at all.
	Abuse string `yaml:"abuse" json:"abuse,omitempty"`
	// Form is the path of a web form on the organisation's site, such as /abuse.
	Form string `yaml:"form" json:"form,omitempty"`
	// Phone is printed in RDAP and WHOIS; nobody picks up.
	Phone string `yaml:"phone" json:"phone,omitempty"`
	// Behaviour names one of the world's behaviours.
	Behaviour string `yaml:"behaviour" json:"behaviour"`
}

// A Behaviour says what a desk does with notices. Shares are probabilities per
// case, drawn from the seed, the desk and the target.
type Behaviour struct {
	// Class labels the behaviour in statistics: fast, normal, slow, unresponsive.
	Class string `yaml:"class" json:"class"`
	// Act is the time from an accepted notice to the act. Absent: never acts.
	Act *Delay `yaml:"act" json:"act,omitempty"`
	// Ends are the ways in which a host takes a site down: notfound, gone,
	// suspended, parking, refused, nodns. Registrars and registries hold the name.
	Ends Shares `yaml:"ends" json:"ends,omitempty"`
	// Natural is the life of a site on this network that nobody ends.
	Natural *Delay `yaml:"natural" json:"natural,omitempty"`
	// SMTP are shares of answers at RCPT or DATA other than acceptance: nouser,
	// quota, greylist, unavailable, drop.
	SMTP Shares `yaml:"smtp" json:"smtp,omitempty"`
	// BounceLater accepts the mail and then returns a delivery status notification.
	BounceLater float64 `yaml:"bounce_later" json:"bounce_later,omitempty"`
	// Filtered mail is accepted and never read.
	Filtered float64 `yaml:"filtered" json:"filtered,omitempty"`
	// AutoAck is the share of read notices that get an automatic answer, Ticket
	// the share of those answers that carry a ticket number.
	AutoAck float64 `yaml:"auto_ack" json:"auto_ack,omitempty"`
	Ticket  float64 `yaml:"ticket" json:"ticket,omitempty"`
	// Resolved is the share of acts that a person reports.
	Resolved float64 `yaml:"resolved" json:"resolved,omitempty"`
	// NotOurs is the share refused although the target is theirs.
	NotOurs float64 `yaml:"not_ours" json:"not_ours,omitempty"`
	// NeedEvidence is the share that acts only on a second notice.
	NeedEvidence float64 `yaml:"need_evidence" json:"need_evidence,omitempty"`
	// Answer is the time a person takes to write back. Absent: 2 hours.
	Answer *Delay `yaml:"answer" json:"answer,omitempty"`
	// Reveal is the share of notices that a CDN answers with the origin's host.
	Reveal float64 `yaml:"reveal" json:"reveal,omitempty"`
	// Relapse is the share of sites that come back, RelapseAfter the time until then.
	Relapse      float64 `yaml:"relapse" json:"relapse,omitempty"`
	RelapseAfter *Delay  `yaml:"relapse_after" json:"relapse_after,omitempty"`
	// Hop is the share of sites that, instead of coming back, appear on another
	// network after RelapseAfter.
	Hop float64 `yaml:"hop" json:"hop,omitempty"`
	// Spoofed is the share of notices after which a stranger sends a forged bounce.
	Spoofed float64 `yaml:"spoofed" json:"spoofed,omitempty"`
}

// A Registry runs top-level domains.
type Registry struct {
	Name    string   `yaml:"name" json:"name"`
	Org     string   `yaml:"org" json:"org"`
	Domain  string   `yaml:"domain" json:"domain"`
	Country string   `yaml:"country" json:"country"`
	TLDs    []string `yaml:"tlds" json:"tlds"`
	// NoRDAP leaves the TLDs out of the bootstrap, as some ccTLDs are.
	NoRDAP bool `yaml:"no_rdap" json:"no_rdap,omitempty"`
	// Thin answers carry no registrant, only the registrar and a link to its server.
	Thin bool `yaml:"thin" json:"thin,omitempty"`
	// WHOIS is the style of the text: gtld, denic or sidn.
	WHOIS string `yaml:"whois" json:"whois"`
	// Limit is the number of RDAP requests answered per real second; then 429.
	Limit  int      `yaml:"limit" json:"limit,omitempty"`
	Quirks []string `yaml:"quirks" json:"quirks,omitempty"`
	Desk   Desk     `yaml:"desk" json:"desk"`
}

// A Registrar sells names.
type Registrar struct {
	Name    string   `yaml:"name" json:"name"`
	Org     string   `yaml:"org" json:"org"`
	Domain  string   `yaml:"domain" json:"domain"`
	Country string   `yaml:"country" json:"country"`
	IANAID  int      `yaml:"iana_id" json:"iana_id"`
	Limit   int      `yaml:"limit" json:"limit,omitempty"`
	Quirks  []string `yaml:"quirks" json:"quirks,omitempty"`
	Desk    Desk     `yaml:"desk" json:"desk"`
}

// A Network is an organisation with addresses. Documentation space only.
type Network struct {
	Name     string         `yaml:"name" json:"name"`
	Org      string         `yaml:"org" json:"org"`
	Domain   string         `yaml:"domain" json:"domain"`
	Country  string         `yaml:"country" json:"country"`
	RIR      string         `yaml:"rir" json:"rir"` // ripe, arin, apnic, lacnic, afrinic
	ASN      uint32         `yaml:"asn" json:"asn"`
	Prefixes []netip.Prefix `yaml:"prefixes" json:"prefixes"`
	// Upstream names the network that routes for this one.
	Upstream string   `yaml:"upstream" json:"upstream,omitempty"`
	Quirks   []string `yaml:"quirks" json:"quirks,omitempty"`
	Desk     Desk     `yaml:"desk" json:"desk"`
}

// A CDN fronts sites from its own network; that network's desk is the CDN's desk.
type CDN struct {
	Name    string `yaml:"name" json:"name"`
	Network string `yaml:"network" json:"network"`
	// Edge is the name under which fronted sites get their CNAME target.
	Edge string `yaml:"edge" json:"edge"`
}

// A Platform lets customers publish under its suffix; its network's desk is its desk.
type Platform struct {
	Name      string `yaml:"name" json:"name"`
	Suffix    string `yaml:"suffix" json:"suffix"`
	Network   string `yaml:"network" json:"network"`
	Registrar string `yaml:"registrar" json:"registrar"`
}

// A Site is one host name or bare address with something on it.
type Site struct {
	Host string `yaml:"host" json:"host"`
	// Class is the accusation: phishing, malware, c2, compromised, spam, attack,
	// fraudshop; empty for a site that nobody should report.
	Class string `yaml:"class" json:"class"`
	// Page is what it shows while live: phishing, malware, c2, clean, parking,
	// challenge. Empty: by class.
	Page string `yaml:"page" json:"page"`
	// Path is where the page is; empty: /.
	Path string `yaml:"path" json:"path,omitempty"`
	// URL says that feeds name it by URL and not by host.
	URL       bool         `yaml:"url" json:"url,omitempty"`
	Network   string       `yaml:"network" json:"network"`
	Registrar string       `yaml:"registrar" json:"registrar,omitempty"`
	CDN       string       `yaml:"cdn" json:"cdn,omitempty"`
	Platform  string       `yaml:"platform" json:"platform,omitempty"`
	Addresses []netip.Addr `yaml:"addresses" json:"addresses,omitempty"`
	Cloaked   bool         `yaml:"cloaked" json:"cloaked,omitempty"`
	// State is how it starts: live, or one of the ends of [Behaviour].
	State string `yaml:"state" json:"state,omitempty"`
}

// Indicator returns how a feed names the site.
func (s *Site) Indicator() string {
	if !s.URL {
		return s.Host
	}
	host := s.Host
	if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
		host = "[" + host + "]"
	}
	path := s.Path
	if path == "" {
		path = "/"
	}
	return "http://" + host + path
}

// A Population describes many sites at once.
type Population struct {
	Name  string `yaml:"name" json:"name"`
	Count int    `yaml:"count" json:"count"`
	// Classes, TLDs, Networks and Registrars are chosen by weight.
	Classes    Shares `yaml:"classes" json:"classes"`
	TLDs       Shares `yaml:"tlds" json:"tlds,omitempty"`
	Networks   Shares `yaml:"networks" json:"networks,omitempty"`
	Registrars Shares `yaml:"registrars" json:"registrars,omitempty"`
	// CDNs are probabilities; the rest has none.
	CDNs Shares `yaml:"cdns" json:"cdns,omitempty"`
	// Platforms, when given, put every site under a platform's suffix.
	Platforms Shares `yaml:"platforms" json:"platforms,omitempty"`
	// BareIP sites have an address and no name.
	BareIP bool `yaml:"bare_ip" json:"bare_ip,omitempty"`
	// URLs is the share named by URL, Cloaked the share that hides, IPv6 the
	// share with an address of its own in 2001:db8::/32 besides the shared IPv4 one.
	URLs    float64 `yaml:"urls" json:"urls,omitempty"`
	Cloaked float64 `yaml:"cloaked" json:"cloaked,omitempty"`
	IPv6    float64 `yaml:"ipv6" json:"ipv6,omitempty"`
	// States are probabilities of not being live at the start.
	States Shares `yaml:"states" json:"states,omitempty"`
}
