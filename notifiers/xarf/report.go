package xarf

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"desist/takedown"
)

// Version is the specification that the reports follow.
const Version = "4.2.0"

// Limits of the core schema and of the specification.
const (
	maxOrg         = 200
	maxDescription = 1000
)

// contact is the core schema's contact_info, which allows no other key.
type contact struct {
	Org     string `json:"org"`
	Contact string `json:"contact"`
	Domain  string `json:"domain"`
}

// report holds the core fields and those of the types that we use.
type report struct {
	Version          string   `json:"xarf_version"`
	ReportID         string   `json:"report_id"`
	Timestamp        string   `json:"timestamp"`
	Reporter         contact  `json:"reporter"`
	Sender           contact  `json:"sender"`
	SourceIdentifier string   `json:"source_identifier"`
	SourcePort       int      `json:"source_port,omitempty"`
	Category         string   `json:"category"`
	Type             string   `json:"type"`
	EvidenceSource   string   `json:"evidence_source,omitempty"`
	Evidence         []item   `json:"evidence,omitempty"`
	Tags             []string `json:"tags,omitempty"`
	Description      string   `json:"description,omitempty"`
	FirstSeen        string   `json:"first_seen,omitempty"`
	LastSeen         string   `json:"last_seen,omitempty"`

	// content/*
	URL                string  `json:"url,omitempty"`
	Domain             string  `json:"domain,omitempty"`
	VerifiedAt         string  `json:"verified_at,omitempty"`
	VerificationMethod string  `json:"verification_method,omitempty"`
	FraudType          string  `json:"fraud_type,omitempty"`
	CompromiseType     string  `json:"compromise_type,omitempty"`
	FileHashes         *hashes `json:"file_hashes,omitempty"`
	// messaging/* and connection/*
	Protocol        string `json:"protocol,omitempty"`
	DestinationIP   string `json:"destination_ip,omitempty"`
	DestinationPort int    `json:"destination_port,omitempty"`
	// infrastructure/*
	CompromiseEvidence string `json:"compromise_evidence,omitempty"`
	CompromiseMethod   string `json:"compromise_method,omitempty"`
	C2Server           string `json:"c2_server,omitempty"`
	// reputation/*
	ThreatType string `json:"threat_type,omitempty"`
}

type hashes struct {
	SHA256 string `json:"sha256"`
}

// Build returns the report as an attachment named xarf.json. domain is the
// sender's domain, by which receivers verify the report; empty takes it from
// the sender's mail address.
//
// The type follows from class and kind of indicator:
//
//	phishing      content/phishing
//	malware       content/malware
//	c2            infrastructure/botnet
//	compromised   content/remote_compromise for a URL, else
//	              infrastructure/compromised_server
//	spam          messaging/spam, protocol "other": "smtp" demands the envelope
//	              sender and the source port
//	attack        connection/login_attack, /ddos or /port_scan when a log line
//	              of the evidence names protocol and source port, else
//	              reputation/threat_intelligence
//	fraudshop     content/fraud
//
// The content types require a URL. For a bare domain or address it is
// http://<host>/, what a browser tries first; the description says that the
// scheme was not observed.
func Build(req takedown.NoticeRequest, domain string) (takedown.Attachment, error) {
	r, err := build(&req, domain)
	if err != nil {
		return takedown.Attachment{}, fmt.Errorf("xarf: report for %s: %w", req.Reference, err)
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return takedown.Attachment{}, takedown.Permanent(fmt.Errorf("xarf: encode report for %s: %w", req.Reference, err))
	}
	return takedown.Attachment{Name: "xarf.json", MediaType: "application/json", Data: append(data, '\n')}, nil
}

func build(req *takedown.NoticeRequest, domain string) (*report, error) {
	if req.Kind == takedown.NoticeWithdrawal {
		return nil, takedown.Denied(errors.New("a withdrawal reports no abuse and carries no report"))
	}
	if err := errors.Join(req.Class.Validate(), req.Indicator.Kind.Validate()); err != nil {
		return nil, takedown.Permanent(err)
	}
	if id, err := uuid.Parse(req.ReportID); err != nil || len(req.ReportID) != 36 || id.Version() != 4 {
		return nil, takedown.Permanent(fmt.Errorf("report id %q is not a version 4 UUID", clean(req.ReportID, 40)))
	}
	if req.Indicator.Host == "" || req.Indicator.Value == "" {
		return nil, takedown.Permanent(errors.New("the indicator has no host"))
	}
	sender, err := senderContact(req.Sender, domain)
	if err != nil {
		return nil, takedown.Denied(err)
	}
	r := &report{
		Version: Version, ReportID: strings.ToLower(req.ReportID), Reporter: sender, Sender: sender,
		SourceIdentifier: source(req), Timestamp: stamp(lastSeen(req)),
		FirstSeen: stamp(req.FirstSeenAt), LastSeen: stamp(req.CheckedAt),
		Tags: []string{"class:" + string(req.Class)},
	}
	if req.Kind != "" {
		r.Tags = append(r.Tags, "notice:"+string(req.Kind))
	}
	r.classify(req)
	r.describe(req)
	r.Evidence = items(req.Evidence)
	return r, nil
}

// classify sets category, type and the fields that the type requires.
func (r *report) classify(req *takedown.NoticeRequest) {
	content := func(kind string) {
		r.Category, r.Type = "content", kind
		r.URL = contentURL(req.Indicator)
		if domainPattern.MatchString(req.Indicator.Host) {
			r.Domain = req.Indicator.Host
		}
		if !req.CheckedAt.IsZero() {
			r.VerifiedAt, r.VerificationMethod = stamp(req.CheckedAt), "automated_crawler"
		}
	}
	switch req.Class {
	case takedown.ClassPhishing:
		content("phishing")
	case takedown.ClassMalware:
		content("malware")
		if sum := sampleHash(req.Evidence); sum != "" {
			r.FileHashes = &hashes{sum}
		}
	case takedown.ClassFraudshop:
		content("fraud")
		r.FraudType = "shopping"
	case takedown.ClassCompromised:
		if req.Indicator.Kind == takedown.KindURL {
			content("remote_compromise")
			r.CompromiseType = "other"
		} else {
			r.Category, r.Type = "infrastructure", "compromised_server"
			r.CompromiseMethod = "not known to the reporter"
		}
	case takedown.ClassC2:
		r.Category, r.Type = "infrastructure", "botnet"
		r.C2Server = req.Indicator.Host
		r.CompromiseEvidence = "reported as a command-and-control server"
		if said := prose(append([]string{req.Observation}, req.Descriptions...)); said != "" {
			r.CompromiseEvidence = said
		}
	case takedown.ClassSpam:
		r.Category, r.Type, r.Protocol = "messaging", "spam", "other"
	case takedown.ClassAttack:
		if flow, ok := findFlow(req.Evidence, req.Indicator.Host); ok {
			r.Category, r.Type = "connection", flow.attack()
			r.SourceIdentifier, r.SourcePort, r.Protocol = flow.source, flow.sourcePort, flow.protocol
			r.DestinationPort = flow.destinationPort
			r.EvidenceSource = "firewall_logs"
			if r.FirstSeen == "" {
				r.FirstSeen = r.Timestamp // required by the connection types
			}
		} else {
			r.Category, r.Type, r.ThreatType = "reputation", "threat_intelligence", "attack_source"
		}
	}
}

// describe joins what people said.
func (r *report) describe(req *takedown.NoticeRequest) {
	var parts []string
	if r.URL != "" && req.Indicator.Kind != takedown.KindURL {
		parts = append(parts, "The URL was formed from the host name or address; its scheme was not observed.")
	}
	r.Description = prose(append(append(parts, req.Observation), req.Descriptions...))
}

// mailbox finds mail addresses, which name persons and prove nothing.
var mailbox = regexp.MustCompile(`[^\s<>"'(),;:=/?&]+@[^\s<>"'(),;:=/?&]+`)

// prose joins sentences within the bound of the core schema.
func prose(parts []string) string {
	var kept []string
	for _, p := range parts {
		if p = clean(mailbox.ReplaceAllString(p, "(mail address removed)"), 600); p != "" {
			kept = append(kept, p)
		}
	}
	return clean(strings.Join(kept, " "), maxDescription)
}

// domainPattern is the schema's own pattern for content.domain.
var domainPattern = regexp.MustCompile(`^([a-z0-9]+(-[a-z0-9]+)*\.)+[a-z]{2,}$`)

// contentURL returns the exact URL, or the root of the host.
func contentURL(i takedown.Indicator) string {
	if i.Kind == takedown.KindURL {
		return i.Value
	}
	host := i.Host
	if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
		host = "[" + a.String() + "]"
	}
	return (&url.URL{Scheme: "http", Host: host, Path: "/"}).String()
}

// source identifies what the recipient runs: an address for those who run
// networks, the name for those who run names.
func source(req *takedown.NoticeRequest) string {
	if a, ok := req.Indicator.Addr(); ok {
		return a.String()
	}
	if req.Role != takedown.RoleRegistrar && req.Role != takedown.RoleRegistry && len(req.Addresses) > 0 {
		if a, err := netip.ParseAddr(req.Addresses[0]); err == nil {
			return a.String()
		}
	}
	return req.Indicator.Host
}

func lastSeen(req *takedown.NoticeRequest) time.Time {
	switch {
	case req.CheckedAt.After(req.FirstSeenAt):
		return req.CheckedAt
	case !req.FirstSeenAt.IsZero():
		return req.FirstSeenAt
	}
	return req.Now
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// senderContact makes the contact of the core schema.
func senderContact(s takedown.Sender, domain string) (contact, error) {
	org := clean(s.Organisation, maxOrg)
	if org == "" {
		org = clean(s.LegalName, maxOrg)
	}
	if org == "" {
		return contact{}, errors.New("sender.organisation is empty; set it in the configuration")
	}
	address, err := mail.ParseAddress(s.Email)
	if err != nil {
		return contact{}, fmt.Errorf("sender.email %q is not a mail address; set it in the configuration", clean(s.Email, 254))
	}
	if domain == "" {
		domain = address.Address[strings.LastIndexByte(address.Address, '@')+1:]
	}
	domain = strings.ToLower(strings.TrimSuffix(domain, "."))
	if !hostname.MatchString(domain) || len(domain) > 253 {
		return contact{}, fmt.Errorf("sender domain %q is not a host name", clean(domain, 254))
	}
	return contact{Org: org, Contact: address.Address, Domain: domain}, nil
}

var hostname = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$`)

// clean makes s one line of printable text of at most limit characters.
func clean(s string, limit int) string {
	var b strings.Builder
	n, space := 0, false
	for _, r := range s {
		if unicode.IsSpace(r) {
			space = n > 0
			continue
		}
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			continue
		}
		if space {
			if n+1 >= limit {
				break
			}
			b.WriteByte(' ')
			n++
			space = false
		}
		if n >= limit {
			break
		}
		b.WriteRune(r)
		n++
	}
	return b.String()
}
