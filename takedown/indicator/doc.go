// Package indicator turns what people type into canonical indicators, and finds
// indicators in running text.
//
// Parse reads one candidate. It undoes the usual defanging (hxxp, [.], " dot "),
// then canonicalises: URLs by the WHATWG URL Standard, because that is what the
// victim's browser does with them; host names by UTS 46 (non-transitional) to
// A-labels under the STD 3 rules of RFC 1123 section 2.1; addresses as net/netip
// prints them. The registrable domain comes from the ICANN section of the Public
// Suffix List alone; the private section names the shared platform.
//
// Extract reads text and returns what is written there, refanged but otherwise
// as written. Its cost grows linearly with the text.
//
// Input is hostile. Neither function panics. Parse refuses with a permanent
// error that names the part at fault and what to do; Extract passes over what it
// does not recognise.
package indicator
