package whois

import (
	"strings"
	"time"

	"desist/resolvers/mailbox"
)

// Outcome says what an answer is.
type Outcome string

// The outcomes.
const (
	Found       Outcome = "found"
	NotFound    Outcome = "notfound"
	Throttled   Outcome = "throttled"
	Unavailable Outcome = "unavailable"
	Reserved    Outcome = "reserved"
)

// Registrar is what an answer says of the registrar.
type Registrar struct {
	Name   string `json:"name"`
	IANAID string `json:"iana_id"`
	URL    string `json:"url"`
	// AbuseEmail is the mailbox of the abuse line, else the general one that
	// the answer gives for the registrar.
	AbuseEmail string `json:"abuse_email"`
	AbusePhone string `json:"abuse_phone"`
}

// A Record is what one answer says, in the form that `desist inspect whois`
// prints. Times are RFC 3339, empty when unknown.
type Record struct {
	Outcome     Outcome             `json:"outcome"`
	RetryAfterS int                 `json:"retry_after_s"`
	Referral    string              `json:"referral"` // the next server to ask
	Registrar   Registrar           `json:"registrar"`
	Nameservers []string            `json:"nameservers"`
	Statuses    []string            `json:"statuses"`
	Created     string              `json:"created"`
	Updated     string              `json:"updated"`
	Expires     string              `json:"expires"`
	Country     string              `json:"country"` // of the network, or of the registrar
	Contacts    []mailbox.Candidate `json:"contacts"`
	Chosen      string              `json:"chosen"`

	// Network is set for answers about addresses.
	Network Network `json:"-"`
}

// Network is what an answer about an address says of the network.
type Network struct {
	CIDRs  []string
	Name   string
	Handle string
	Org    string
	ASN    string
}

// Parse reads the answer of server to query, a domain or an address. It never
// fails; an answer that it cannot read at all is unavailable.
func Parse(server, query string, body []byte) Record {
	r := Record{Nameservers: []string{}, Statuses: []string{}, Contacts: []mailbox.Candidate{}}
	text := decode(body)
	doc := parseBlocks(text)
	p := parser{record: &r, doc: doc, server: server, query: strings.ToLower(strings.TrimSpace(query))}
	switch {
	case p.isNetwork():
		p.network()
		r.Outcome = Found
	case p.registered():
		r.Outcome = Found
	default:
		r = Record{Nameservers: []string{}, Statuses: []string{}, Contacts: []mailbox.Candidate{}, Referral: r.Referral}
		r.Outcome, r.RetryAfterS = judge(text)
		return r
	}
	r.Contacts, r.Chosen = mailbox.Rank(p.candidates)
	return r
}

// parser fills a record from the blocks of an answer.
type parser struct {
	record     *Record
	doc        document
	server     string
	query      string
	candidates []mailbox.Candidate
}

func (p *parser) candidate(email, source string, kind mailbox.Kind, roles ...string) {
	p.candidates = append(p.candidates, mailbox.Candidate{Email: email, Roles: roles, Source: source, Kind: kind})
}

func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}
