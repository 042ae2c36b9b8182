// Package xarf writes the machine-readable part of a notice: one XARF v4 report
// (specification 4.2.0, https://xarf.org, JSON Schema draft 2020-12) about one
// incident.
//
// The report states facts only. A type whose required fields we cannot know is
// not chosen: connection/* and messaging/spam over SMTP demand the source port
// (and the transport or the envelope sender) of the traffic, so they are used
// when evidence in the form of packet-filter log lines proves them, and
// otherwise the report takes a type that can be filled truthfully (see Build).
// Values are exact: nothing is defanged or masked, because this part is read
// by programs. Samples of malware are never embedded, only their hashes, and
// the recipients of a message are removed from its headers.
//
// Build fails with takedown.KindDenied where no report should exist (a
// withdrawal) or the sender lacks what the core schema requires, and with
// takedown.KindPermanent when the request is malformed. It does no I/O.
package xarf
