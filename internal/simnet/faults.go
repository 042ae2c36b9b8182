package simnet

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
)

// Faults is the body of POST /sim/faults: misbehaviour on demand. A part that
// is present replaces the fault of the same name; mode "" (or status 0) ends it.
type Faults struct {
	DNS   *DNSFault   `json:"dns,omitempty"`
	RDAP  *RDAPFault  `json:"rdap,omitempty"`
	WHOIS *WHOISFault `json:"whois,omitempty"`
	SMTP  *SMTPFault  `json:"smtp,omitempty"`
	Site  *SiteFault  `json:"site,omitempty"`
}

// A DNSFault makes one name, or "*" all names, answer wrongly.
type DNSFault struct {
	Name string `json:"name"`
	// Mode is servfail, refused, truncate (over UDP), wrongquestion (over UDP),
	// drop or delay.
	Mode string `json:"mode"`
	// DelayMS is the real time that mode delay waits.
	DelayMS int `json:"delay_ms,omitempty"`
}

func (f DNSFault) delay() time.Duration { return time.Duration(f.DelayMS) * time.Millisecond }

// An RDAPFault makes a share of a server's answers fail. Server "*" is all.
type RDAPFault struct {
	Server string `json:"server"`
	// Status is the HTTP status to answer with, such as 429 or 503.
	Status int `json:"status"`
	// Rate is the share of requests that fail, 0 to 1, evenly spread. Zero: all.
	Rate float64 `json:"rate,omitempty"`
	// RetryAfter is the header's value in real seconds, for 429 and 503.
	RetryAfter int `json:"retry_after,omitempty"`
}

// A WHOISFault makes a server, or "*" all, answer with a rate limit message
// ("ratelimit"), nothing ("empty") or an early end ("reset").
type WHOISFault struct {
	Server string `json:"server"`
	Mode   string `json:"mode"`
}

// An SMTPFault makes a mailbox, a mail domain or "*" misbehave in one of the
// modes of [Behaviour.SMTP].
type SMTPFault struct {
	Recipient string `json:"recipient"`
	Mode      string `json:"mode"`
}

// A SiteFault makes connections to an address behave: "timeout" or "refused".
type SiteFault struct {
	Address string `json:"address"`
	Mode    string `json:"mode"`
}

type rdapFault struct {
	RDAPFault
	debt float64
}

type faultTable struct {
	mu     sync.Mutex
	byDNS  map[string]DNSFault
	byRDAP map[string]*rdapFault
	byWho  map[string]string
	bySMTP map[string]string
	bySite map[string]string
}

func newFaultTable() *faultTable {
	return &faultTable{
		byDNS: map[string]DNSFault{}, byRDAP: map[string]*rdapFault{}, byWho: map[string]string{},
		bySMTP: map[string]string{}, bySite: map[string]string{},
	}
}

// set applies a request, or says what is wrong with it and changes nothing.
func (t *faultTable) set(f Faults) error {
	checks := []struct {
		what, value string
		known       []string
	}{
		{what: "dns.mode", known: []string{"servfail", "refused", "truncate", "wrongquestion", "drop", "delay"}},
		{what: "whois.mode", known: []string{"ratelimit", "empty", "reset"}},
		{what: "smtp.mode", known: smtpNames},
		{what: "site.mode", known: []string{"timeout", "refused"}},
	}
	if f.DNS != nil {
		checks[0].value = f.DNS.Mode
	}
	if f.WHOIS != nil {
		checks[1].value = f.WHOIS.Mode
	}
	if f.SMTP != nil {
		checks[2].value = f.SMTP.Mode
	}
	if f.Site != nil {
		checks[3].value = f.Site.Mode
	}
	for _, c := range checks {
		if c.value != "" && !slices.Contains(c.known, c.value) {
			return fmt.Errorf("%s: %q is not one of %s", c.what, c.value, strings.Join(c.known, ", "))
		}
	}
	if f.RDAP != nil && f.RDAP.Status != 0 && (f.RDAP.Status < 400 || f.RDAP.Status > 599) {
		return fmt.Errorf("rdap.status: %d is not an HTTP error", f.RDAP.Status)
	}
	if f.RDAP != nil && (f.RDAP.Rate < 0 || f.RDAP.Rate > 1 || math.IsNaN(f.RDAP.Rate)) {
		return fmt.Errorf("rdap.rate: %g is not between 0 and 1", f.RDAP.Rate)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if f.DNS != nil {
		name := strings.ToLower(strings.TrimSuffix(f.DNS.Name, "."))
		t.byDNS[name] = *f.DNS
		if f.DNS.Mode == "" {
			delete(t.byDNS, name)
		}
	}
	if f.RDAP != nil {
		t.byRDAP[f.RDAP.Server] = &rdapFault{RDAPFault: *f.RDAP}
		if f.RDAP.Status == 0 {
			delete(t.byRDAP, f.RDAP.Server)
		}
	}
	if f.WHOIS != nil {
		replace(t.byWho, f.WHOIS.Server, f.WHOIS.Mode)
	}
	if f.SMTP != nil {
		replace(t.bySMTP, strings.ToLower(f.SMTP.Recipient), f.SMTP.Mode)
	}
	if f.Site != nil {
		replace(t.bySite, f.Site.Address, f.Site.Mode)
	}
	return nil
}

func replace(m map[string]string, key, mode string) {
	if mode == "" {
		delete(m, key)
		return
	}
	m[key] = mode
}

func (t *faultTable) dns(name string) DNSFault {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f, ok := t.byDNS[name]; ok {
		return f
	}
	return t.byDNS["*"]
}

// rdap says whether this request fails, spreading the share evenly instead of
// by chance, so that tests can count.
func (t *faultTable) rdap(server string) (RDAPFault, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.byRDAP[server]
	if f == nil {
		f = t.byRDAP["*"]
	}
	if f == nil {
		return RDAPFault{}, false
	}
	rate := f.Rate
	if rate == 0 {
		rate = 1
	}
	f.debt += rate
	if f.debt < 1 {
		return RDAPFault{}, false
	}
	f.debt--
	return f.RDAPFault, true
}

func (t *faultTable) whois(server string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if m, ok := t.byWho[server]; ok {
		return m
	}
	return t.byWho["*"]
}

func (t *faultTable) smtp(recipient string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, domain, _ := strings.Cut(recipient, "@")
	for _, key := range []string{recipient, domain, "*"} {
		if m, ok := t.bySMTP[key]; ok {
			return m
		}
	}
	return ""
}

func (t *faultTable) site(address string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.bySite[address]
}

// Fault sets misbehaviour on demand; see [Faults].
func (n *Net) Fault(f Faults) error {
	if err := n.faults.set(f); err != nil {
		return fmt.Errorf("simnet: fault: %w", err)
	}
	return nil
}
