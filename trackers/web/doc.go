// Package web observes the host and content layers of a target over HTTP/1.1
// (RFC 9110, RFC 9112), with several client profiles because phishing kits show
// visitors they distrust an empty page.
//
// Failure is the subject of this package, so it is sorted, not returned:
// connection refused and no route are gone at the host layer; a time-out, a
// reset, a broken reply, a challenge, a login or a server error are unclear; a
// missing page, a suspension page and a parking page are gone at the content
// layer. Certificates are not verified: an expired certificate does not take a
// phishing page down, and nothing secret is ever sent. Every connection goes
// through the injected dialer, to addresses that the injected resolver gave.
package web
