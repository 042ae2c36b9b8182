package config

import _ "embed"

// Reference is the commented file with every key at its default.
//
//go:embed desist.yaml
var Reference string
