// Package simnet is the internet that Desist is rehearsed in: DNS, RDAP,
// WHOIS, SMTP and web servers, abuse desks and a clock, all on loopback.
//
// A declared world (YAML, see README.md) says which registries, registrars,
// networks and sites exist and how the people at each abuse desk behave. The
// servers speak the real protocols over real sockets; documentation address
// space (RFC 5737, RFC 3849) and synthetic names are only the content of the
// answers. A notice that reaches the right desk makes its target go away after
// a time drawn from the world's seed, in the way that is proper to the desk's
// role; some targets come back.
//
// The package shares no code with the product, so that a misreading of a
// standard cannot be wrong in the same way on both sides. It follows RFC 1035
// and 2308 (DNS), 9082, 9083, 9224, 9537 and 7095 (RDAP), 3912 (WHOIS), 5321,
// 3463, 3464 and 3834 (mail), 9110 section 9.3.6 (the CONNECT gateway).
//
// On failure: a world that does not make sense is refused with file and line
// before anything listens; a listener that cannot be opened ends Start; a
// reply that cannot be handed to the product is kept and counted, never
// retried for ever. Close joins every goroutine.
package simnet
