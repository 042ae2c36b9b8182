// Package whois asks WHOIS servers (RFC 3912) about domains and addresses and
// reads their answers, which have no common form.
//
// The server is the configured one for the top-level domain or registry, else
// the one that IANA's server refers to; a registry's referral to the registrar
// is followed once. Answers are brought to UTF-8 and cut into blocks of fields,
// whatever the layout: "key: value", "[Key] value", a heading with indented
// lines below. Names of fields are then looked up in tables. An answer that is
// no record is one of: not found, throttled, unavailable, reserved. Throttled is
// an error of kind snooze, not found of kind not_found, unavailable is
// temporary.
//
// Parse never fails: what it cannot read stays empty.
package whois
