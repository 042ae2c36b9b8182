package takedown

import (
	"fmt"
	"time"
)

// Role is what a party does for the target. It decides the legal basis before
// the country does.
type Role string

// The roles a party can have.
const (
	RoleHost      Role = "host"
	RoleISP       Role = "isp"
	RoleCDN       Role = "cdn"
	RolePlatform  Role = "platform"
	RoleUpstream  Role = "upstream"
	RoleRegistrar Role = "registrar"
	RoleRegistry  Role = "registry"
	RoleCSIRT     Role = "csirt"
)

// Roles lists every role in the order of the ladder.
func Roles() []Role {
	return []Role{RoleHost, RoleISP, RoleCDN, RolePlatform, RoleUpstream, RoleRegistrar, RoleRegistry, RoleCSIRT}
}

// Validate reports an unknown role.
func (r Role) Validate() error {
	for _, known := range Roles() {
		if r == known {
			return nil
		}
	}
	return fmt.Errorf("role %q is not one of host, isp, cdn, platform, upstream, registrar, registry, csirt", string(r))
}

// A Finding is one fact from one source, with the raw answer and the time.
// Resolvers return findings; only the merge turns them into parties.
type Finding struct {
	Fact    Fact   `json:"fact"`
	Subject string `json:"subject"` // the name, address or handle that the fact is about
	Value   string `json:"value"`
	// Attrs holds details of the fact, such as cidr, handle, role, iana_id.
	Attrs  map[string]string `json:"attrs,omitempty"`
	Source string            `json:"source"` // the resolver: dns, rdap, whois, asn, …
	Server string            `json:"server"` // whom it asked
	At     time.Time         `json:"at"`
	TTL    time.Duration     `json:"ttl"`
	// Raw is the answer as it came, shared by the findings made from it. It is
	// bytes because outside answers are not always text.
	Raw []byte `json:"-"`
}

// Fact names what a finding states.
type Fact string

// The facts that resolvers establish.
const (
	FactAddress    Fact = "address"    // subject host, value IP
	FactCNAME      Fact = "cname"      // subject alias, value target
	FactNameserver Fact = "nameserver" // subject domain, value host
	FactPTR        Fact = "ptr"        // subject IP, value name
	FactAbsent     Fact = "absent"     // subject name, value nxdomain or nodata
	FactNetwork    Fact = "network"    // subject IP, value network name; attrs cidr, handle, org, registry
	FactASN        Fact = "asn"        // subject IP, value AS number; attrs cidr, name, registry
	FactCountry    Fact = "country"    // subject IP, handle or registrar, value ISO 3166-1 alpha-2; attrs from
	FactRegistrar  Fact = "registrar"  // subject domain, value name; attrs iana_id, url
	FactRegistry   Fact = "registry"   // subject TLD, value name
	FactStatus     Fact = "status"     // subject domain, value EPP status
	FactRegistered Fact = "registered" // subject domain, value RFC 3339 date
	FactContact    Fact = "contact"    // subject party key, value address or form URL; attrs role, channel, handle, kind
)

// A Gap says what was not learned, from whom, and why, so that a case never
// presents silence as an answer.
type Gap struct {
	Source string `json:"source"`
	Server string `json:"server,omitempty"`
	Query  string `json:"query"`
	Reason string `json:"reason"`
}

// A Party is an organisation in a role.
type Party struct {
	ID   int64 `json:"id,omitempty"`
	Role Role  `json:"role"`
	// Key identifies the organisation across cases: asn:64496, iana:9999,
	// platform:github.io, net:192.0.2.0/24.
	Key     string `json:"key"`
	Name    string `json:"name"`
	Country string `json:"country,omitempty"` // ISO 3166-1 alpha-2; empty when unknown
	ASN     uint32 `json:"asn,omitempty"`
	// CountryConflicts lists what other sources said of the country.
	CountryConflicts []string  `json:"country_conflicts,omitempty"`
	GTLD             bool      `json:"gtld,omitempty"` // registrar or registry acting under an ICANN contract
	Contacts         []Contact `json:"contacts"`       // best first; empty means that none was found
	// Why states in one sentence why the first contact won and what lost.
	Why string `json:"why"`
}

// Channel is how a contact is reached.
type Channel string

// The channels.
const (
	ChannelEmail   Channel = "email"
	ChannelWebhook Channel = "webhook"
	ChannelManual  Channel = "manual" // a form or an instruction; a person does it
)

// A Contact is a channel to a party, with confidence and the sources that back
// it.
type Contact struct {
	ID         int64    `json:"id,omitempty"`
	Channel    Channel  `json:"channel"`
	Address    string   `json:"address"` // mailbox with A-label domain, or URL
	Confidence float64  `json:"confidence"`
	Sources    []string `json:"sources"`
	Why        string   `json:"why,omitempty"`
}

// A Resolution is what is known of who can switch a target off.
type Resolution struct {
	Findings []Finding `json:"findings"`
	Parties  []Party   `json:"parties"`
	Gaps     []Gap     `json:"gaps,omitempty"`
	// Absent is true when the name does not exist at all.
	Absent bool `json:"absent,omitempty"`
}
