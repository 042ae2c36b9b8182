// Package email writes notices as sealed mails and hands them to a mail server.
//
// A [Sealer] turns wording into the complete message of RFC 5322, once, before
// anything is sent: equal input gives equal bytes, so that composing again
// after a crash cannot produce a second, different notice. Every notice has an
// own Message-ID and an own return path, both authenticated by a key that only
// we hold ([Tokens]), so that what comes back can prove that it answers us.
//
// A [Notifier] speaks SMTP (RFC 5321) to a relay, or to the mail exchangers of
// the recipient's domain. It transmits the sealed bytes unchanged and returns
// what became of them as a value, never as an error:
//
//   - accepted: the next hop took responsibility (2xx after the final dot);
//   - deferred: it said 4xx, or the link failed before the final dot, so
//     that nothing can have been sent;
//   - rejected: it said 5xx. Only a reply that means "no such mailbox" marks
//     the address as bad; the class digit alone does not;
//   - unknown: the link failed between the final dot and the reply
//     (RFC 5321 section 4.5.3.2.6 explains why nobody can tell).
package email
