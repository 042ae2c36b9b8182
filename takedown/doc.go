// Package takedown holds the nouns of the service: indicators, submissions,
// cases, parties, contacts, legs, notices, deliveries, replies, checks and the
// append-only events that record them, with the states they may be in and the
// closed vocabulary of errors.
//
// It imports only the standard library and does no I/O. Everything else in the
// tree imports it; it imports nothing of ours. A value that violates its own
// rules (an unknown state, a forbidden transition) is an error where it would
// be made, so that neither the database nor a screen ever has to show one.
//
// Events are hash-chained per case (see Event.Seal). The construction follows
// the idea of RFC 6962 section 2 (append-only logs) with a plain SHA-256 chain
// instead of a tree, because a single case is read from its first event to its
// last.
package takedown
