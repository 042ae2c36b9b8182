package templates

import (
	"fmt"
	"strings"
	"time"

	"desist/takedown"
)

// A Selection is the pack and the basis that a notice rests on.
type Selection struct {
	Pack     string   `json:"pack"`
	Regime   string   `json:"regime"` // dsa16, raa3182, tkg169, registration, aup, csirt
	Grade    string   `json:"grade"`  // regime/offence
	Warnings []string `json:"warnings,omitempty"`
	// Denied says why there is no notice of this kind; Render refuses it.
	Denied string `json:"denied,omitempty"`
}

// Select picks the pack. The role decides first: a registrar or registry under
// an ICANN contract is told under that contract wherever it sits, any other
// role under the law of its country if that law has a notice for the role and
// class. Everything else, and every pack that is stale or not in force, ends
// at the fall-back.
func (l *Library) Select(country string, role takedown.Role, class takedown.Class, gtld bool, now time.Time) Selection {
	var s Selection
	p := l.byCountry[canonicalCountry(country)]
	if gtld && (role == takedown.RoleRegistrar || role == takedown.RoleRegistry) {
		p = l.gtld
	}
	if p != nil {
		if reason := p.denied(role, class); reason != "" {
			return Selection{Pack: p.ID, Grade: p.Grade.String(), Denied: reason}
		}
		if p.basis(role, class) == "" {
			p = nil
		}
	}
	if p != nil {
		if why := p.current(now, l.staleAfter); why != "" {
			s.Warnings = append(s.Warnings, why+"; the fall-back wording is used")
			p = nil
		}
	}
	if p == nil {
		p = l.packs[FallbackID]
		if reason := p.denied(role, class); reason != "" {
			return Selection{Pack: p.ID, Grade: p.Grade.String(), Denied: reason, Warnings: s.Warnings}
		}
		if why := p.current(now, l.staleAfter); why != "" {
			s.Warnings = append(s.Warnings, why)
		}
	}
	s.Pack, s.Grade, s.Regime = p.ID, p.Grade.String(), p.basis(role, class)
	if s.Regime == "" {
		s.Denied = fmt.Sprintf("no pack has a notice to a %s about %s", role, class)
	}
	return s
}

// canonicalCountry maps the codes that the European Union uses for two of its
// past and present members to ISO 3166-1.
func canonicalCountry(code string) string {
	switch code = strings.ToUpper(strings.TrimSpace(code)); code {
	case "EL":
		return "GR"
	case "UK":
		return "GB"
	}
	return code
}
