// Command desist takes malicious domains, URLs and addresses, tells whoever can
// switch them off, and watches until they are gone. "desist --help" lists what
// it does; package internal/cli does it.
package main

import (
	"os"

	"desist/internal/cli"
)

func main() { os.Exit(cli.Main()) }
