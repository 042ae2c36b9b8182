// Package migrations holds the schema as numbered SQL files, embedded in the
// binary and applied by goose (see internal/postgres). A migration that was
// released is never edited; the next one repairs it. Each file runs in a
// transaction, so a failure leaves the schema as it was.
package migrations

import "embed"

// Files holds NNNN_name.sql in the form that goose reads.
//
//go:embed *.sql
var Files embed.FS
