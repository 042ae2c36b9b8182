// Package dns asks recursive resolvers about names and addresses (RFC 1034,
// RFC 1035) and returns what they say as findings: addresses, the alias chain,
// name servers, reverse names, and absence.
//
// Queries go out over UDP with an EDNS buffer of 1232 bytes (RFC 9715), and
// again over TCP when the answer was truncated, malformed, or belongs to another
// question; servers given as tls:// are asked over TLS (RFC 7858). The next
// server is tried on time-out, SERVFAIL and refusal. NXDOMAIN and an empty
// answer are results (RFC 2308), not failures; everything else that fails is an
// error of kind temporary.
package dns
