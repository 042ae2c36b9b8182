package asn

import (
	"context"
	"fmt"
	"strings"

	"desist/resolvers"
	"desist/resolvers/mailbox"
	"desist/takedown"
)

// ContactsConfig says where the contact zone is.
type ContactsConfig struct {
	Zone   string
	Lookup LookupTXT
}

// Contacts finds the abuse contact of an address.
type Contacts struct {
	zone   string
	lookup LookupTXT
}

var _ resolvers.Source = (*Contacts)(nil)

// NewContacts returns a source for the zone.
func NewContacts(c ContactsConfig) *Contacts {
	return &Contacts{strings.ToLower(strings.Trim(c.Zone, ".")), c.Lookup}
}

// Name is "contact-zone".
func (c *Contacts) Name() string { return "contact-zone" }

// Find asks for the contact of an address; of a name it knows nothing.
func (c *Contacts) Find(ctx context.Context, t resolvers.Target) ([]takedown.Finding, []takedown.Gap, error) {
	a, ok := t.Indicator.Addr()
	if !ok {
		return nil, nil, nil
	}
	texts, ttl, err := c.lookup(ctx, ReverseName(a.Unmap())+"."+c.zone)
	if err != nil {
		return nil, nil, fmt.Errorf("contact-zone: contact of %s: %w", a, err)
	}
	raw := strings.Join(texts, "\n")
	var candidates []mailbox.Candidate
	for _, email := range mailbox.FindAll(raw) {
		candidates = append(candidates, mailbox.Candidate{Email: email, Roles: []string{"abuse"}, Source: "zone " + c.zone, Kind: mailbox.Zone})
	}
	ranked, _ := mailbox.Rank(candidates)
	var findings []takedown.Finding
	for _, candidate := range ranked {
		findings = append(findings, takedown.Finding{
			Fact: takedown.FactContact, Subject: a.Unmap().String(), Value: candidate.Email, Attrs: resolvers.ContactAttrs(candidate),
			Source: c.Name(), Server: c.zone, At: t.Now, TTL: ttl, Raw: []byte(raw),
		})
	}
	return findings, nil, nil
}
