package takedown_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"desist/takedown"
)

func chain(rt *rapid.T) []takedown.Event {
	var events []takedown.Event
	var prev takedown.Hash
	for i := range rapid.IntRange(1, 8).Draw(rt, "length") {
		e := takedown.Event{
			CaseID: 7, Seq: int64(i + 1), At: time.UnixMicro(rapid.Int64Range(0, 1e15).Draw(rt, "at")).UTC(),
			Kind: takedown.EventKind(rapid.StringN(1, 10, 20).Draw(rt, "kind")), Actor: rapid.String().Draw(rt, "actor"),
			Data: json.RawMessage(rapid.StringN(0, 20, 40).Draw(rt, "data")),
		}
		e.Seal(prev)
		prev = e.Hash
		events = append(events, e)
	}
	return events
}

// A whole chain verifies; any single alteration breaks it, and the error names
// the event.
func TestChainShowsEveryAlteration(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		events := chain(rt)
		last := events[len(events)-1]
		if err := takedown.VerifyChain(events, last.Seq, last.Hash); err != nil {
			rt.Fatal(err)
		}
		i := rapid.IntRange(0, len(events)-1).Draw(rt, "victim")
		altered := append([]takedown.Event(nil), events...)
		switch rapid.IntRange(0, 5).Draw(rt, "how") {
		case 0:
			altered[i].Actor += "x"
		case 1:
			altered[i].Data = append(json.RawMessage(nil), append(altered[i].Data, ' ')...)
		case 2:
			altered[i].At = altered[i].At.Add(time.Microsecond)
		case 3: // move a byte from one field to the next
			altered[i].Kind, altered[i].Actor = altered[i].Kind+"x", strings.TrimPrefix(altered[i].Actor, "x")
		case 4:
			altered = append(altered[:i:i], altered[i+1:]...)
		case 5: // rewrite an event and its own hash, but not what follows
			altered[i].Actor += "x"
			altered[i].Seal(altered[i].Prev)
		}
		if err := takedown.VerifyChain(altered, last.Seq, last.Hash); err == nil {
			rt.Fatalf("an alteration of event %d went unseen", i+1)
		}
	})
}

func TestCleanText(t *testing.T) {
	for in, want := range map[string]string{
		"plain": "plain", "a\x00b": "a\uFFFDb", "\xff": "\uFFFD", "é": "é",
	} {
		if got := takedown.CleanText(in); got != want {
			t.Errorf("CleanText(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestDefang(t *testing.T) {
	for in, want := range map[string]string{
		"evil.example":                   "evil[.]example",
		"https://evil.example/a.b?c=d.e": "hxxps://evil[.]example/a.b?c=d.e",
		"http://192.0.2.1:8080":          "hxxp://192[.]0[.]2[.]1:8080",
		"ftp://evil.example#frag.ment":   "ftp://evil[.]example#frag.ment",
	} {
		if got := takedown.Defang(in); got != want {
			t.Errorf("Defang(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestEveryErrorKindHasItsConsequences(t *testing.T) {
	for _, k := range []takedown.ErrorKind{
		takedown.KindTemporary, takedown.KindPermanent, takedown.KindSnooze, takedown.KindDenied, takedown.KindNotFound, takedown.KindUnknown,
	} {
		c := takedown.ConsequenceOf(&takedown.Error{Kind: k, Err: errors.New("x")})
		if c.Ack == "" || c.HTTP < 400 || c.ExitCode == 0 {
			t.Errorf("%s has no consequences: %+v", k, c)
		}
	}
}
