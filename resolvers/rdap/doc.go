// Package rdap asks registration data servers about networks and domains
// (RFC 7480 to RFC 7484, RFC 9082, RFC 9083) and reads their answers.
//
// The server is found by the IANA bootstrap registries (RFC 9224). A thin
// registry's answer is completed by one hop to the registrar's server, if it
// links to one. Servers deviate: documents without objectClassName are
// classified by their members, a malformed jCard property loses only itself,
// and addresses may be zero-padded or carry a prefix length.
//
// All requests go through the given client, which must be guarded, and the given
// budget. 404 is an error of kind not_found, 429 and 503 with Retry-After are of
// kind snooze, other server failures are temporary. Parse never fails on a
// document that is an RDAP object, however incomplete.
package rdap
