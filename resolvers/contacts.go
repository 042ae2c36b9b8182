package resolvers

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"desist/resolvers/mailbox"
	"desist/takedown"
)

// The precedence of contacts is that of mailbox.Kind: operator override, provider
// rule, verified reply, the registry's abuse contact, RDAP role abuse, security
// .txt, contact zone, WHOIS abuse line, remarks, enclosing network. On top of it:
//
//   - a statement by two sources counts a little more, never as much as the next
//     kind of statement;
//   - place-holders, registries' own mailboxes, mailboxes for other purposes and
//     mailboxes inside the accused domain are left aside;
//   - a person's mailbox is left aside when a desk is known at least as surely.

const (
	// keepFrom is the confidence below which a contact is left aside.
	keepFrom = 0.4
	// agreement is added when a second source names the same contact. It is
	// less than the distance between two kinds.
	agreement = 0.02
	maxListed = 4 // of the contacts left aside, in the sentence for people
)

// candidate is one contact of a party and the statements that back it.
type candidate struct {
	takedown.Contact
	kind  mailbox.Kind
	aside string // why it is not used; empty when it is
}

// contacts ranks what the findings say under any of the subjects.
func (m *merger) contacts(p *takedown.Party, subjects []string, bits int, preferred []takedown.Contact, only bool) {
	var all []*candidate
	at := make(map[string]*candidate)
	for _, c := range preferred {
		if key := strings.ToLower(c.Address); at[key] == nil {
			at[key] = &candidate{Contact: c, kind: mailbox.Override}
			all = append(all, at[key])
		}
	}
	for _, subject := range subjects {
		for _, f := range m.about[subject] {
			if f.Fact != takedown.FactContact {
				continue
			}
			c := m.candidate(f, subject, bits, p.Role)
			if only && c.aside == "" {
				c.aside = "the operator's override excludes others"
			}
			key := strings.ToLower(c.Address)
			known := at[key]
			if known == nil {
				at[key] = c
				all = append(all, c)
				continue
			}
			known.join(c)
		}
	}
	for _, c := range all {
		if len(c.Sources) > 1 && c.Confidence < mailbox.Provider.Confidence() {
			c.Confidence += agreement
		}
		if c.aside == "" && c.Confidence < keepFrom {
			c.aside = "too unsure: " + c.Why
		}
	}
	leavePersonsAside(all)
	slices.SortStableFunc(all, func(a, b *candidate) int {
		return cmp.Or(
			cmp.Compare(b.Confidence, a.Confidence),
			cmp.Compare(channelOrder(a.Channel), channelOrder(b.Channel)),
			cmp.Compare(desk(b.Contact), desk(a.Contact)),
		)
	})
	p.Contacts = []takedown.Contact{}
	for _, c := range all {
		if c.aside == "" {
			p.Contacts = append(p.Contacts, c.Contact)
		}
	}
	p.Why = explain(all)
}

// candidate judges one finding.
func (m *merger) candidate(f takedown.Finding, subject string, bits int, role takedown.Role) *candidate {
	c := &candidate{
		Contact: takedown.Contact{
			Channel: takedown.Channel(f.Attrs["channel"]), Address: f.Value, Confidence: confidenceOf(f),
			Sources: []string{f.Source}, Why: cmp.Or(f.Attrs["why"], f.Attrs["kind"]),
		},
		kind: mailbox.Kind(f.Attrs["kind"]),
	}
	if f.Server != "" {
		c.Why += " at " + f.Server
	}
	if net, ok := strings.CutPrefix(subject, "net:"); ok {
		if p, err := netip.ParsePrefix(net); err == nil && p.Bits() < bits && c.Confidence > mailbox.Parent.Confidence() {
			c.kind, c.Confidence = mailbox.Parent, mailbox.Parent.Confidence()
			c.Why += "; it answers for the enclosing network " + net
		}
	}
	if c.Channel != takedown.ChannelEmail {
		return c
	}
	clean, ok := mailbox.Clean(f.Value)
	switch {
	case !ok:
		c.aside = "not a mail address"
		return c
	case mailbox.Junk(clean):
		c.aside = "a place-holder"
	case mailbox.Registry(clean) && c.kind != mailbox.Override:
		c.aside = "the mailbox of an internet registry"
	case m.indicator.Registrable != "" && role != takedown.RolePlatform && under(mailbox.Domain(clean), m.indicator.Registrable):
		c.aside = "inside the accused domain"
	}
	c.Address = clean
	return c
}

// confidenceOf reads how sure the source was, else what its kind is worth.
func confidenceOf(f takedown.Finding) float64 {
	if v, err := strconv.ParseFloat(f.Attrs["confidence"], 64); err == nil && v >= 0 && v <= 1 {
		return v
	}
	return mailbox.Kind(f.Attrs["kind"]).Confidence()
}

// join adds another statement of the same contact. What speaks for using it
// outweighs a reason against it only if that was uncertainty.
func (c *candidate) join(other *candidate) {
	if other.Confidence > c.Confidence {
		c.Confidence, c.Why, c.kind = other.Confidence, other.Why, other.kind
	}
	for _, s := range other.Sources {
		if !slices.Contains(c.Sources, s) {
			c.Sources = append(c.Sources, s)
		}
	}
}

func leavePersonsAside(all []*candidate) {
	surest := 0.0
	for _, c := range all {
		if c.aside == "" && desk(c.Contact) > mailbox.Person {
			surest = max(surest, c.Confidence)
		}
	}
	for _, c := range all {
		if c.aside == "" && desk(c.Contact) == mailbox.Person && c.kind != mailbox.Override && c.kind != mailbox.Reply && c.Confidence <= surest {
			c.aside = "a person's mailbox, where a desk is known"
		}
	}
}

// desk classifies a contact; what is no mailbox counts as a function.
func desk(c takedown.Contact) mailbox.Desk {
	if c.Channel != takedown.ChannelEmail {
		return mailbox.Role
	}
	return mailbox.DeskOf(c.Address)
}

func channelOrder(c takedown.Channel) int {
	return slices.Index([]takedown.Channel{takedown.ChannelWebhook, takedown.ChannelEmail, takedown.ChannelManual}, c)
}

// explain says in one sentence why the first contact won and what lost.
func explain(all []*candidate) string {
	var used, aside []string
	for _, c := range all {
		if c.aside != "" {
			aside = append(aside, c.Address+" ("+c.aside+")")
			continue
		}
		if len(used) == 0 {
			used = append(used, fmt.Sprintf("%s won: %s, by %s, confidence %.2f", c.Address, c.Why, strings.Join(c.Sources, " and "), c.Confidence))
			continue
		}
		used = append(used, fmt.Sprintf("%s (%.2f)", c.Address, c.Confidence))
	}
	var b strings.Builder
	switch {
	case len(used) == 0 && len(aside) == 0:
		return "no source names a contact"
	case len(used) == 0:
		b.WriteString("no contact can be used")
	default:
		b.WriteString(used[0])
		if rest := used[1:]; len(rest) > 0 {
			b.WriteString("; then " + listed(rest))
		}
	}
	if len(aside) > 0 {
		b.WriteString("; left aside: " + listed(aside))
	}
	return takedown.CleanText(b.String())
}

func listed(items []string) string {
	if len(items) > maxListed {
		return strings.Join(items[:maxListed], ", ") + fmt.Sprintf(" and %d more", len(items)-maxListed)
	}
	return strings.Join(items, ", ")
}
