// Command desist takes malicious domains, URLs and addresses, tells whoever can
// switch them off, and watches until they are gone. "desist --help" lists what
// it does; package internal/cli does it.
package main

import (
	"os"
	"runtime/debug"

	"desist/internal/cli"
)

// gcPercent lets the heap grow further between collections than Go's default:
// batches make much short-lived garbage, and the live heap is small. The
// environment variable GOGC overrides it.
const gcPercent = 200

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	os.Exit(cli.Main())
}
