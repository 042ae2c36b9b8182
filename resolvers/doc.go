// Package resolvers answers who can switch a target off. It asks sources (DNS,
// RDAP, WHOIS, origin and contact zones) for findings, and merges the findings
// into parties and contacts, each with the reason why it was chosen.
//
// Sources return findings, never contacts to use; only merge.go decides, by the
// precedence written there. Everything raw is kept in the findings.
//
// The phases follow from what each needs: the name first (addresses, aliases,
// name servers), then the network of each address and the registration of the
// domain, concurrently. Answers are cached for what they answer for: a network
// answer for every address in its prefix, a registration for its domain. A
// failed query is remembered too, briefly, so that a source that is down is not
// asked again for each case.
//
// What could not be learned becomes a takedown.Gap. Resolve returns an error, of
// kind temporary, only when nothing at all could be learned.
package resolvers
