package mailbox

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Kind is how a contact was stated. The kinds are in order of precedence.
type Kind string

// The kinds of statement, best first.
const (
	Override       Kind = "override"        // the operator's own word
	Provider       Kind = "provider"        // a rule about a known provider
	Reply          Kind = "reply"           // a verified answer: write to this desk
	AbuseC         Kind = "abuse-c"         // the registry's abuse contact of the resource
	RoleAbuse      Kind = "role-abuse"      // an RDAP entity with role abuse
	RegistrarAbuse Kind = "registrar-abuse" // the abuse line that the RAA section 3.18 demands
	SecurityTxt    Kind = "security-txt"    // RFC 9116
	Zone           Kind = "contact-zone"    // a DNS zone of abuse contacts
	AbuseLine      Kind = "abuse-line"      // any other line that says abuse
	Named          Kind = "abuse-named"     // a mailbox named abuse in another role
	Remarks        Kind = "remarks"         // free text that asks for abuse reports
	Registrar      Kind = "registrar"       // the registrar's general mailbox
	Parent         Kind = "parent"          // of the enclosing network
	Other          Kind = "other"           // a mailbox for another purpose
)

var confidence = map[Kind]float64{
	Override: 1, Provider: 0.95, Reply: 0.95, AbuseC: 0.9, RoleAbuse: 0.85, RegistrarAbuse: 0.8, SecurityTxt: 0.75,
	Zone: 0.7, AbuseLine: 0.65, Named: 0.6, Remarks: 0.55, Registrar: 0.5, Parent: 0.4, Other: 0.2,
}

// Usable is the confidence from which a contact may be written to.
const Usable = 0.5

// RegistryCeiling is the confidence that an internet registry's own mailbox can
// reach: a last resort, never a choice.
const RegistryCeiling = 0.3

// Confidence is how far a statement of this kind can be trusted, 0 to 1. Kinds
// without a figure, such as those in a later version's data, count as Other.
func (k Kind) Confidence() float64 {
	if c, ok := confidence[k]; ok {
		return c
	}
	return confidence[Other]
}

// A Candidate is a mail address that one document offers.
type Candidate struct {
	Email      string   `json:"email"`
	Roles      []string `json:"roles"`
	Source     string   `json:"source"` // where in the document
	Confidence float64  `json:"confidence"`
	Why        string   `json:"why"`

	Kind Kind `json:"-"`
	// Ambiguous marks one of several mailboxes that share a role without any
	// of them being named like a desk.
	Ambiguous bool `json:"-"`
}

// Rank cleans, merges and orders the candidates of one document, best first,
// and names the one to use: empty when none can be trusted enough.
func Rank(candidates []Candidate) (ranked []Candidate, chosen string) {
	at := make(map[string]int)
	ranked = []Candidate{}
	for _, c := range candidates {
		email, ok := Clean(c.Email)
		if !ok || Junk(email) {
			continue
		}
		c.Email = email
		c.score()
		if c.Roles == nil {
			c.Roles = []string{}
		}
		key := strings.ToLower(email)
		i, seen := at[key]
		if !seen {
			at[key] = len(ranked)
			ranked = append(ranked, c)
			continue
		}
		best := &ranked[i]
		roles := append(slices.Clone(best.Roles), c.Roles...)
		if c.Confidence > best.Confidence {
			*best = c
		}
		slices.Sort(roles)
		best.Roles = slices.Compact(roles)
	}
	slices.SortStableFunc(ranked, func(a, b Candidate) int {
		return cmp.Or(cmp.Compare(b.Confidence, a.Confidence), cmp.Compare(DeskOf(b.Email), DeskOf(a.Email)))
	})
	if len(ranked) > 0 && ranked[0].Confidence >= Usable {
		chosen = ranked[0].Email
	}
	return ranked, chosen
}

func (c *Candidate) score() {
	c.Confidence = c.Kind.Confidence()
	c.Why = fmt.Sprintf("%s (%s)", c.Source, c.Kind)
	switch {
	case Registry(c.Email) && c.Kind != Override:
		c.Confidence = min(c.Confidence, RegistryCeiling)
		c.Why += "; it belongs to an internet registry, which is a last resort"
	case c.Ambiguous && DeskOf(c.Email) == Person:
		c.Confidence = min(c.Confidence, 0.45)
		c.Why += "; one of several mailboxes there, none of them named like a desk"
	}
}
