package takedown

import (
	"fmt"
	"slices"
	"strings"
)

// CaseState is where a case stands. The table below is the only place that says
// what may follow what; the SQL CHECK and the diagram in docs/ARCHITECTURE.md
// are compared with it by tests.
type CaseState string

// The states of a case.
const (
	CaseSubmitted    CaseState = "submitted"     // accepted, not yet screened
	CaseHeld         CaseState = "held"          // waits for a person
	CaseScreened     CaseState = "screened"      // policy allows it; parties unknown
	CaseResolved     CaseState = "resolved"      // parties known; legs not planned
	CaseActive       CaseState = "active"        // legs run, target is tracked
	CaseRemoved      CaseState = "removed"       // confirmed gone; relapse watch may still run
	CaseRefused      CaseState = "refused"       // policy refuses it
	CaseWithdrawn    CaseState = "withdrawn"     // taken back by us
	CaseNotMalicious CaseState = "not_malicious" // found to be a false accusation
	CaseExpired      CaseState = "expired"       // the ladder ran out and the target is still there
)

type caseEdge struct {
	from CaseState
	to   []CaseState
}

// caseTable is ordered as people read the flow.
var caseTable = []caseEdge{
	{CaseSubmitted, []CaseState{CaseScreened, CaseHeld, CaseRefused, CaseWithdrawn, CaseNotMalicious}},
	{CaseHeld, []CaseState{CaseSubmitted, CaseScreened, CaseActive, CaseRefused, CaseWithdrawn, CaseNotMalicious}},
	{CaseScreened, []CaseState{CaseResolved, CaseHeld, CaseWithdrawn, CaseNotMalicious}},
	{CaseResolved, []CaseState{CaseActive, CaseHeld, CaseWithdrawn, CaseNotMalicious}},
	{CaseActive, []CaseState{CaseRemoved, CaseHeld, CaseExpired, CaseScreened, CaseWithdrawn, CaseNotMalicious}},
	{CaseRemoved, []CaseState{CaseActive, CaseScreened, CaseWithdrawn, CaseNotMalicious}},
	{CaseRefused, nil},
	{CaseWithdrawn, nil},
	{CaseNotMalicious, nil},
	{CaseExpired, []CaseState{CaseWithdrawn, CaseNotMalicious}},
}

// CaseStates lists every state in the order of the table.
func CaseStates() []CaseState {
	states := make([]CaseState, len(caseTable))
	for i, e := range caseTable {
		states[i] = e.from
	}
	return states
}

// Next lists the states that may follow s.
func (s CaseState) Next() []CaseState {
	for _, e := range caseTable {
		if e.from == s {
			return slices.Clone(e.to)
		}
	}
	return nil
}

// Closed reports whether no work is left except a relapse watch.
func (s CaseState) Closed() bool {
	switch s {
	case CaseRemoved, CaseRefused, CaseWithdrawn, CaseNotMalicious, CaseExpired:
		return true
	}
	return false
}

// Validate reports an unknown state.
func (s CaseState) Validate() error {
	if slices.Contains(CaseStates(), s) {
		return nil
	}
	return fmt.Errorf("case state %q is not in the table", string(s))
}

// LegState is where one leg stands.
type LegState string

// The states of a leg.
const (
	LegPlanned     LegState = "planned"     // will be written at its due time
	LegWaiting     LegState = "waiting"     // cannot start yet, such as a host behind a CDN
	LegHeld        LegState = "held"        // waits for a person
	LegComposed    LegState = "composed"    // a sealed notice waits to be sent
	LegSending     LegState = "sending"     // an attempt is on record, its outcome is not
	LegDrafted     LegState = "drafted"     // dry run: sealed, deliberately not sent
	LegNotified    LegState = "notified"    // the next hop accepted the notice, no more
	LegUnknown     LegState = "unknown"     // the link broke where the outcome cannot be known
	LegManual      LegState = "manual"      // a person has to use a form
	LegDisputed    LegState = "disputed"    // the recipient contests; nothing escalates
	LegUnreachable LegState = "unreachable" // no contact, or every contact failed
	LegExhausted   LegState = "exhausted"   // told and reminded; nothing left to say
	LegClosed      LegState = "closed"      // the case is over
)

type legEdge struct {
	from LegState
	to   []LegState
}

var legTable = []legEdge{
	{LegPlanned, []LegState{LegComposed, LegManual, LegHeld, LegUnreachable, LegClosed}},
	{LegWaiting, []LegState{LegPlanned, LegManual, LegUnreachable, LegClosed}},
	{LegHeld, []LegState{LegPlanned, LegClosed}},
	{LegComposed, []LegState{LegSending, LegDrafted, LegHeld, LegPlanned, LegUnreachable, LegClosed}},
	{LegSending, []LegState{LegNotified, LegComposed, LegPlanned, LegUnknown, LegUnreachable, LegDrafted}},
	{LegDrafted, []LegState{LegClosed}},
	{LegNotified, []LegState{LegPlanned, LegDisputed, LegExhausted, LegUnreachable, LegClosed}},
	{LegUnknown, []LegState{LegNotified, LegPlanned, LegDisputed, LegUnreachable, LegExhausted, LegClosed}},
	{LegManual, []LegState{LegNotified, LegDisputed, LegUnreachable, LegClosed}},
	{LegDisputed, []LegState{LegNotified, LegPlanned, LegClosed}},
	{LegUnreachable, []LegState{LegPlanned, LegManual, LegClosed}},
	{LegExhausted, []LegState{LegDisputed, LegPlanned, LegUnreachable, LegClosed}},
	{LegClosed, []LegState{LegPlanned}},
}

// LegStates lists every leg state in the order of the table.
func LegStates() []LegState {
	states := make([]LegState, len(legTable))
	for i, e := range legTable {
		states[i] = e.from
	}
	return states
}

// Next lists the states that may follow s.
func (s LegState) Next() []LegState {
	for _, e := range legTable {
		if e.from == s {
			return slices.Clone(e.to)
		}
	}
	return nil
}

// Validate reports an unknown state.
func (s LegState) Validate() error {
	if slices.Contains(LegStates(), s) {
		return nil
	}
	return fmt.Errorf("leg state %q is not in the table", string(s))
}

// Told reports whether the party has, as far as we know, been handed a notice.
func (s LegState) Told() bool {
	switch s {
	case LegNotified, LegUnknown, LegExhausted, LegDisputed:
		return true
	}
	return false
}

// StateDiagram returns both tables as Mermaid state diagrams, the text that
// docs/ARCHITECTURE.md holds.
func StateDiagram() string {
	var b strings.Builder
	b.WriteString("```mermaid\nstateDiagram-v2\n    [*] --> " + string(CaseSubmitted) + "\n")
	for _, e := range caseTable {
		for _, to := range e.to {
			fmt.Fprintf(&b, "    %s --> %s\n", e.from, to)
		}
		if len(e.to) == 0 {
			fmt.Fprintf(&b, "    %s --> [*]\n", e.from)
		}
	}
	b.WriteString("```\n\n```mermaid\nstateDiagram-v2\n    [*] --> " + string(LegPlanned) + "\n    [*] --> " + string(LegWaiting) + "\n")
	for _, e := range legTable {
		for _, to := range e.to {
			fmt.Fprintf(&b, "    %s --> %s\n", e.from, to)
		}
	}
	b.WriteString("```\n")
	return b.String()
}
