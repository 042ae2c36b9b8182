// Package config holds the settings of the service: one YAML file, overridden by
// the environment, over defaults that run as they are.
//
// The file is strict. An unknown key, a key given twice, a value of the wrong
// kind is a fault with file, line and column, and all faults are reported at
// once. A key without a value keeps its default. Anchors, aliases and tags are
// refused, because a setting should be readable where it stands.
//
// Every key except the entries of auth.tokens has a variable, DESIST_ and the
// path in capitals with _ for each dot: DESIST_DATABASE_URL is database.url.
// Lists are separated by commas, and so are the name=value pairs of maps. An
// empty variable counts as not set. Durations are those of Go, and d for days.
//
// Every secret can also stand in a file that <key>_file names; giving both in
// one place is a fault. The environment beats the file, whichever of the two
// forms each of them uses. Secrets print as "…hidden…".
//
// desist.yaml beside this text is the commented reference, and a test compares
// it with Default. Load returns every fault it can find and never a
// configuration that is only half valid.
package config
