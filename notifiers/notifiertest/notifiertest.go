// Package notifiertest holds what every notifier must do, as a test suite, and
// the misbehaving relay that it is done against. It is only for tests: failures
// end the test, and everything it starts ends with it.
package notifiertest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"testing"
	"time"

	"desist/takedown"
)

// Notifier hands one sealed notice over and says what became of it.
type Notifier interface {
	Send(ctx context.Context, notice takedown.Notice) takedown.Delivery
}

// Harness makes the notifier under test.
type Harness struct {
	// New returns a notifier that sends through the relay at addr, allows one
	// dialogue no more than timeout, and uses up to connections connections.
	New func(t *testing.T, addr string, timeout time.Duration, connections int) Notifier
	// Drafts is set for a notifier that never sends.
	Drafts bool
}

// patience bounds a dialogue that must succeed; impatience one that must not.
const (
	patience   = 30 * time.Second
	impatience = 150 * time.Millisecond
)

// Notice returns a sealed notice to a mailbox that the relay treats as b says.
func Notice(id int64, b Behaviour) takedown.Notice {
	sealed := fmt.Appendf(nil, "Message-ID: <notice-%d@sender.example>\r\nSubject: test\r\n\r\n.\r\n..leading dots\r\nbody %d\r\n", id, id)
	return takedown.Notice{
		ID: id, CaseID: id + 1000, LegID: id + 2000, Seq: 1, Kind: takedown.NoticeFirst,
		Recipient: string(b) + "@recipient.example", EnvelopeFrom: fmt.Sprintf("bounce+%d@sender.example", id),
		MessageID: fmt.Sprintf("notice-%d@sender.example", id), Sealed: sealed, SHA256: sha256.Sum256(sealed),
	}
}

// Run puts the notifier through the suite.
func Run(t *testing.T, h Harness) {
	t.Run("outcomes", func(t *testing.T) { runOutcomes(t, h) })
	t.Run("hang", func(t *testing.T) { runHang(t, h) })
	t.Run("cancel", func(t *testing.T) { runCancel(t, h) })
	t.Run("cancelled before", func(t *testing.T) { runCancelledBefore(t, h) })
	t.Run("altered", func(t *testing.T) { runAltered(t, h) })
	t.Run("concurrent", func(t *testing.T) { runConcurrent(t, h) })
}

func runOutcomes(t *testing.T, h Harness) {
	for i, tc := range []struct {
		behaviour  Behaviour
		outcome    takedown.Outcome
		code       int
		enhanced   string
		reply      string
		badAddress bool
		stored     int
	}{
		{Accept, takedown.OutcomeAccepted, 250, "2.0.0", "250 2.0.0 queued as 4XyZ11", false, 1},
		{Multiline, takedown.OutcomeAccepted, 250, "2.6.0", "250-Taken\n250 2.6.0 queued as 4XyZ12", false, 1},
		{NoSuchUser, takedown.OutcomeRejected, 550, "5.1.1", "550 5.1.1 No such user here", true, 0},
		{Policy, takedown.OutcomeRejected, 550, "5.7.1", "550-Refused by policy\n550 5.7.1 See https://relay.example/why", false, 0},
		{Spam, takedown.OutcomeRejected, 554, "5.7.1", "554 5.7.1 Looks like spam", false, 0},
		{Greylist, takedown.OutcomeDeferred, 451, "4.7.1", "451 4.7.1 Greylisted, come back later", false, 0},
		{Busy, takedown.OutcomeDeferred, 452, "4.3.1", "452 4.3.1 Insufficient storage", false, 0},
		{Shutdown, takedown.OutcomeDeferred, 421, "4.3.2", "421 4.3.2 Shutting down", false, 0},
		{DropAtRcpt, takedown.OutcomeDeferred, 0, "", "", false, 0},
		{DropAfterDot, takedown.OutcomeUnknown, 0, "", "", false, 1},
	} {
		t.Run(string(tc.behaviour), func(t *testing.T) {
			relay := NewRelay(t)
			n := h.New(t, relay.Addr, patience, 2)
			notice := Notice(int64(i+1), tc.behaviour)
			d := n.Send(t.Context(), notice)
			checkIDs(t, d, notice)
			if h.Drafts {
				checkDrafted(t, d, relay)
				return
			}
			if d.Outcome != tc.outcome || d.Code != tc.code || d.Enhanced != tc.enhanced || d.BadAddress != tc.badAddress {
				t.Errorf("got %s %d %q bad address %v, want %s %d %q %v (reply %q)", d.Outcome, d.Code, d.Enhanced,
					d.BadAddress, tc.outcome, tc.code, tc.enhanced, tc.badAddress, d.Reply)
			}
			if tc.reply != "" && d.Reply != tc.reply || d.Reply == "" {
				t.Errorf("reply is %q, want %q", d.Reply, tc.reply)
			}
			if d.Host == "" {
				t.Error("the delivery does not name the host")
			}
			mails := relay.Mails()
			if len(mails) != tc.stored {
				t.Fatalf("the relay holds %d mails, want %d", len(mails), tc.stored)
			}
			for _, mail := range mails {
				checkMail(t, mail, notice)
			}
			// Whatever happened, the next notice goes out, once.
			next := Notice(int64(i+101), Accept)
			if d := n.Send(t.Context(), next); d.Outcome != takedown.OutcomeAccepted {
				t.Errorf("the next notice was %s: %s", d.Outcome, d.Reply)
			}
			if got := len(relay.Mails()); got != tc.stored+1 {
				t.Errorf("the relay holds %d mails, want %d", got, tc.stored+1)
			}
		})
	}
}

func runHang(t *testing.T, h Harness) {
	for _, tc := range []struct {
		behaviour Behaviour
		outcome   takedown.Outcome
	}{
		{Hang, takedown.OutcomeDeferred},
		{HangAfterDot, takedown.OutcomeUnknown},
	} {
		t.Run(string(tc.behaviour), func(t *testing.T) {
			relay := NewRelay(t)
			notice := Notice(1, tc.behaviour)
			d := h.New(t, relay.Addr, impatience, 1).Send(t.Context(), notice)
			checkIDs(t, d, notice)
			if h.Drafts {
				checkDrafted(t, d, relay)
			} else if d.Outcome != tc.outcome {
				t.Errorf("got %s (%s), want %s", d.Outcome, d.Reply, tc.outcome)
			}
		})
	}
}

func runCancel(t *testing.T, h Harness) {
	if h.Drafts {
		t.Skip("a notifier that never sends has no dialogue to cancel")
	}
	for _, tc := range []struct {
		behaviour Behaviour
		outcome   takedown.Outcome
	}{
		{Hang, takedown.OutcomeDeferred},
		{HangAfterDot, takedown.OutcomeUnknown},
	} {
		t.Run(string(tc.behaviour), func(t *testing.T) {
			relay := NewRelay(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go func() {
				select {
				case <-relay.Reached():
					cancel()
				case <-ctx.Done():
				}
			}()
			d := h.New(t, relay.Addr, patience, 1).Send(ctx, Notice(1, tc.behaviour))
			if d.Outcome != tc.outcome {
				t.Errorf("got %s (%s), want %s", d.Outcome, d.Reply, tc.outcome)
			}
			if ctx.Err() == nil {
				t.Error("the dialogue ended before it was cancelled")
			}
		})
	}
}

func runCancelledBefore(t *testing.T, h Harness) {
	relay := NewRelay(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d := h.New(t, relay.Addr, patience, 1).Send(ctx, Notice(1, Accept))
	if h.Drafts {
		checkDrafted(t, d, relay)
	} else if d.Outcome != takedown.OutcomeDeferred {
		t.Errorf("got %s, want deferred", d.Outcome)
	}
	if n := len(relay.Mails()); n != 0 {
		t.Errorf("the relay holds %d mails, want none", n)
	}
}

func runAltered(t *testing.T, h Harness) {
	if h.Drafts {
		t.Skip("a notifier that never sends does not look at the bytes")
	}
	relay := NewRelay(t)
	n := h.New(t, relay.Addr, patience, 1)
	altered := Notice(1, Accept)
	altered.Sealed = append(bytes.Clone(altered.Sealed), "one more line\r\n"...)
	injected := Notice(2, Accept)
	injected.Recipient = "accept@recipient.example>\r\nRCPT TO:<other@recipient.example"
	for _, notice := range []takedown.Notice{altered, injected} {
		if d := n.Send(t.Context(), notice); d.Outcome != takedown.OutcomeRejected || d.BadAddress {
			t.Errorf("notice %d: got %s, want rejected without blaming the address", notice.ID, d.Outcome)
		}
	}
	if relay.Connections() != 0 {
		t.Error("the notifier connected for a notice that it must not send")
	}
}

func runConcurrent(t *testing.T, h Harness) {
	const senders, each, connections = 16, 25, 4
	relay := NewRelay(t)
	n := h.New(t, relay.Addr, patience, connections)
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for i := range each {
				behaviour, want := Accept, takedown.OutcomeAccepted
				if i%5 == 4 {
					behaviour, want = Policy, takedown.OutcomeRejected
				}
				if h.Drafts {
					want = takedown.OutcomeDrafted
				}
				notice := Notice(int64(s*each+i+1), behaviour)
				d := n.Send(t.Context(), notice)
				checkIDs(t, d, notice)
				if d.Outcome != want {
					t.Errorf("notice %d: got %s (%s), want %s", notice.ID, d.Outcome, d.Reply, want)
				}
			}
		})
	}
	wg.Wait()
	if h.Drafts {
		return
	}
	if got := relay.Connections(); got > connections {
		t.Errorf("%d connections were opened, at most %d are allowed", got, connections)
	}
	seen := map[string]int{}
	for _, mail := range relay.Mails() {
		seen[mail.From]++
	}
	if len(seen) != senders*each*4/5 {
		t.Errorf("the relay holds %d different mails, want %d", len(seen), senders*each*4/5)
	}
	for from, count := range seen {
		if count != 1 {
			t.Errorf("%s arrived %d times", from, count)
		}
	}
}

func checkIDs(t *testing.T, d takedown.Delivery, n takedown.Notice) {
	t.Helper()
	if d.NoticeID != n.ID || d.CaseID != n.CaseID || d.LegID != n.LegID {
		t.Errorf("the delivery is of notice %d, case %d, leg %d; want %d, %d, %d", d.NoticeID, d.CaseID, d.LegID, n.ID, n.CaseID, n.LegID)
	}
	if d.StartedAt.IsZero() || d.FinishedAt.Before(d.StartedAt) {
		t.Errorf("the delivery lasted from %v to %v", d.StartedAt, d.FinishedAt)
	}
}

func checkDrafted(t *testing.T, d takedown.Delivery, relay *Relay) {
	t.Helper()
	if d.Outcome != takedown.OutcomeDrafted {
		t.Errorf("got %s, want drafted", d.Outcome)
	}
	if relay.Connections() != 0 {
		t.Error("a notifier that never sends connected to the relay")
	}
}

func checkMail(t *testing.T, got Mail, want takedown.Notice) {
	t.Helper()
	if got.From != want.EnvelopeFrom || got.To != want.Recipient {
		t.Errorf("envelope is from %q to %q, want %q to %q", got.From, got.To, want.EnvelopeFrom, want.Recipient)
	}
	if !bytes.Equal(got.Data, want.Sealed) {
		t.Errorf("the relay was handed %q, sealed was %q", got.Data, want.Sealed)
	}
}
