package bus

import (
	"fmt"
	"strings"
)

// Prefixes of the subjects, part of the outside contract.
const (
	indicatorsPrefix = "desist.indicators."
	workPrefix       = "desist.work."
	eventsPrefix     = "desist.events."
)

// maxToken bounds the name of a source in a subject, in bytes.
const maxToken = 64

// SourceToken makes one subject token of the name of a source: lower-case ASCII
// letters, digits, '-' and '_', everything else becomes '_', at most 64 bytes.
// A name without anything left is "unknown".
func SourceToken(source string) string {
	var token strings.Builder
	for _, r := range strings.TrimSpace(source) {
		if token.Len() == maxToken {
			break
		}
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-':
			token.WriteRune(r)
		case r >= 'A' && r <= 'Z':
			token.WriteRune(r + 'a' - 'A')
		default:
			token.WriteByte('_')
		}
	}
	if strings.Trim(token.String(), "_") == "" {
		return "unknown"
	}
	return token.String()
}

// SourceOf returns the source that a subject of INDICATORS names. Other clients
// may use several tokens.
func SourceOf(subject string) string { return strings.TrimPrefix(subject, indicatorsPrefix) }

// checkStage refuses what is not one plain token.
func checkStage(stage string) error {
	if stage == "" || stage != SourceToken(stage) {
		return fmt.Errorf("bus: stage %q must be of a-z, 0-9, - and _", stage)
	}
	return nil
}

// checkKind refuses an event kind that is not plain tokens joined by dots.
func checkKind(kind string) error {
	for token := range strings.SplitSeq(kind, ".") {
		if token == "" || token != SourceToken(token) {
			return fmt.Errorf("bus: event kind %q must be tokens of a-z, 0-9, - and _, joined by dots", kind)
		}
	}
	return nil
}
