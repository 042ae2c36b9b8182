// Package netguard is the only door through which the service talks to hosts
// that somebody else named: RDAP and WHOIS servers, redirects, the targets
// themselves. It refuses special-purpose addresses after the name was
// resolved, so that neither an indicator, nor a redirect, nor a DNS answer can
// turn the service against the network it stands in (server-side request
// forgery, DNS rebinding).
//
// What counts as special purpose is the table in reserved.go, taken from the
// IANA special-purpose registries that RFC 6890 and RFC 8190 define. Forms that
// carry an IPv4 address inside an IPv6 one (mapped, NAT64, 6to4) are unwrapped
// first.
//
// A refusal is an error of kind takedown.KindDenied that names the registry
// entry; it is never tried again. A failure to connect stays as the network
// reported it.
package netguard
