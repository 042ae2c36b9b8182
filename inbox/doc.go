// Package inbox receives what comes back: bounces (RFC 3464), automatic
// answers (RFC 3834), feedback reports (RFC 5965) and what people write.
//
// A [Listener] speaks SMTP (RFC 5321) or LMTP (RFC 2033) and says 250 only when
// its [Sink] has stored the mail; otherwise it says 451 and the sending side
// keeps the mail. [Classify] reads a mail without trusting it: it never fails,
// whatever the bytes are, and what it cannot understand is a human answer with
// the raw bytes kept, because a person can read it.
//
// A reply is authentic only if it carries both proofs of ours: the token in the
// address that it came to, and the Message-ID of the same notice. What is dead
// is decided by the reason that a server gives, never by the class digit 5
// alone.
package inbox
