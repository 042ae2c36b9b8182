// Package asn finds, through DNS zones keyed by address, the autonomous system
// that announces an address and the abuse contact of its network.
//
// The origin zone has the form of origin.asn.cymru.com: the TXT record at the
// reversed address reads "AS | prefix | country | registry | date", and the one
// at AS<number> beside the zone reads "AS | country | registry | date | name".
// The contact zone holds mail addresses in TXT records at the reversed address,
// as DNS lists do (RFC 5782 section 2.1).
//
// An address that a zone does not know yields nothing, without an error. What
// does not have the form of the zone is a permanent error.
package asn
