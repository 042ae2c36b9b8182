// Package app wires the service together: configuration in, a running service
// out, stopped in two phases. Nothing decides here; every decision stands in
// the package that owns it.
//
// A start that fails closes what it had opened. A stop first stops fetching
// and lets what is in hand finish, then cancels it; parts close in the
// opposite order of their opening, each within its own time.
package app
