package email

import (
	"errors"
	"io"
	"net/textproto"
	"strings"
	"testing"

	"desist/takedown"
)

func TestResultOf(t *testing.T) {
	for _, tc := range []struct {
		at         phase
		code       int
		message    string
		outcome    takedown.Outcome
		badAddress bool
	}{
		{phaseDot, 250, "2.0.0 Ok: queued as 1", takedown.OutcomeAccepted, false},
		{phaseDot, 251, "forwarded", takedown.OutcomeAccepted, false},
		{phaseRecipient, 550, "5.1.1 no such user", takedown.OutcomeRejected, true},
		{phaseDot, 550, "5.1.1 no such user", takedown.OutcomeRejected, true},
		{phaseRecipient, 550, "5.1.10 null MX", takedown.OutcomeRejected, true},
		{phaseRecipient, 556, "domain does not take mail", takedown.OutcomeRejected, true},
		{phaseRecipient, 550, "No such user here", takedown.OutcomeRejected, true},
		{phaseRecipient, 550, "Requested action not taken", takedown.OutcomeRejected, false},
		{phaseRecipient, 552, "5.2.2 mailbox full", takedown.OutcomeRejected, false},
		{phaseRecipient, 550, "5.7.1 user unknown to our policy", takedown.OutcomeRejected, false},
		{phaseRecipient, 550, "5.1.8 bad sender", takedown.OutcomeRejected, false},
		{phaseSender, 550, "5.1.1 your sender is unknown", takedown.OutcomeRejected, false},
		{phaseRecipient, 450, "4.1.1 not now", takedown.OutcomeDeferred, false},
		{phaseData, 354, "what?", takedown.OutcomeDeferred, false},
	} {
		r := resultOf(tc.at, &textproto.Error{Code: tc.code, Msg: tc.message})
		if r.outcome != tc.outcome || r.badAddress != tc.badAddress || !strings.Contains(r.text, tc.message) {
			t.Errorf("%v %d %s: got %s, bad address %v, %q", tc.at, tc.code, tc.message, r.outcome, r.badAddress, r.text)
		}
	}
	for at, want := range map[phase]takedown.Outcome{
		phaseSender: takedown.OutcomeDeferred, phaseRecipient: takedown.OutcomeDeferred,
		phaseData: takedown.OutcomeDeferred, phaseDot: takedown.OutcomeUnknown,
	} {
		for _, err := range []error{io.EOF, textproto.ProtocolError("short response"), errors.New("reset"), &textproto.Error{Code: 0, Msg: "000"}} {
			if r := resultOf(at, err); r.outcome != want || r.keep || r.badAddress {
				t.Errorf("%v, %v: got %+v, want %s", at, err, r, want)
			}
		}
	}
}

func FuzzReplied(f *testing.F) {
	f.Add(550, "5.1.1 a\nb")
	f.Fuzz(func(t *testing.T, code int, message string) {
		if r := replied(code, message); len(r.text) > maxReply+3 || strings.ContainsRune(r.text, 0) {
			t.Errorf("%q cannot be stored", r.text)
		}
	})
}
