// Package bus carries messages over NATS JetStream: indicators in, work between
// the stages, events out. PostgreSQL decides, the bus only carries: losing WORK
// and EVENTS is repaired from the database, and a duplicate is harmless. The one
// stream that holds what is nowhere else is INDICATORS, so that one is a file.
//
// Without a URL a server runs inside the process and syncs every write to disk
// before it acknowledges; with a URL the durability is that server's own
// setting. README.md beside this file is the reference: streams, subjects,
// settings, failure modes.
//
// # Failure
//
// Publishing returns an error unless the server has acknowledged. Open waits for
// a server that is away; a lost connection is re-made for ever, and streams that
// a restarted server forgot are made again on the next use. Fetch returns an
// error only after a pause, so that a loop around it does not spin. Errors carry
// the kinds of package takedown: what can never succeed (a body too large) is
// permanent, the rest temporary.
package bus
