package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"desist/takedown"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pass is a stage that screens cases, unless break says otherwise.
type pass struct {
	breaks func(*Work)
	ran    chan struct{}
}

func (p *pass) Name() takedown.Stage { return takedown.StageScreen }

func (p *pass) Run(_ context.Context, now time.Time, batch []*Work) {
	for _, w := range batch {
		p.breaks(w)
		if w.Err == nil {
			w.Err = w.Case.Move(takedown.CaseScreened, "")
			w.Case.Record(now, takedown.EventScreened, "screen", nil)
		}
	}
	if p.ran != nil {
		p.ran <- struct{}{}
	}
}

// streamed is the same as a Streamer, which breaks before it hands anything on.
type streamed struct{ pass }

func (s *streamed) Stream(ctx context.Context, now time.Time, batch []*Work, done func(*Work)) {
	s.Run(ctx, now, batch)
	for _, w := range batch {
		done(w)
	}
}

func TestOneBadCaseDoesNotHarmTheOthers(t *testing.T) {
	bad := int64(2)
	onBad := func(f func(*Work)) func(*Work) {
		return func(w *Work) {
			if w.Case.ID == bad {
				f(w)
			}
		}
	}
	nothing := func(*Work) {}
	tests := []struct {
		name   string
		breaks func(*Work)
		fail   error
		want   takedown.CaseState
		letter string
	}{
		{"panic", onBad(func(*Work) { panic("bad case") }), nil, takedown.CaseHeld, "panic: bad case"},
		{"permanent", onBad(func(w *Work) { w.Err = takedown.Permanent(errors.New("no")) }), nil, takedown.CaseHeld, "no"},
		{"denied", onBad(func(w *Work) { w.Err = takedown.Denied(errors.New("no")) }), nil, takedown.CaseHeld, "no"},
		{"temporary", onBad(func(w *Work) { w.Err = takedown.Temporary(errors.New("later")) }), nil, takedown.CaseSubmitted, ""},
		{"snooze", onBad(func(w *Work) { w.Err = takedown.Snooze(time.Hour, errors.New("later")) }), nil, takedown.CaseSubmitted, ""},
		{"the schema refuses it", nothing, takedown.Permanent(errors.New("check constraint")), takedown.CaseHeld, "check constraint"},
	}
	for _, tt := range tests {
		for _, streams := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/%v", tt.name, streams), func(t *testing.T) {
				m := newMemory()
				var ids []int64
				for range 5 {
					ids = append(ids, m.open(epoch, takedown.ClassPhishing))
				}
				m.fail = func(changes []*takedown.Change) error {
					if tt.fail != nil && slices.ContainsFunc(changes, func(ch *takedown.Change) bool {
						return ch.Case.ID == bad && ch.Case.State == takedown.CaseScreened
					}) {
						return tt.fail
					}
					return nil
				}
				e := NewEngine(Config{Store: m, Now: func() time.Time { return epoch }})
				var s Stage = &pass{breaks: tt.breaks}
				if streams {
					s = &streamed{pass{breaks: tt.breaks}}
				}
				if err := e.Process(t.Context(), s, ids); err != nil {
					t.Fatal(err)
				}
				for _, id := range ids {
					want := takedown.CaseScreened
					if id == bad {
						want = tt.want
					}
					if got := m.cases[id]; got.State != want {
						t.Errorf("case %d is %s (%s), want %s", id, got.State, got.Reason, want)
					}
				}
				if got := strings.Join(m.letters, "\n"); (tt.letter == "") != (got == "") || !strings.Contains(got, tt.letter) {
					t.Errorf("dead letters %q", got)
				}
				if c := m.cases[bad]; tt.want == takedown.CaseSubmitted && !c.RetryAt.After(epoch) {
					t.Errorf("retried at %s", c.RetryAt)
				}
			})
		}
	}
}

// Failures count only in a row.
func TestSuccessForgetsFailures(t *testing.T) {
	m := newMemory()
	c := active(m, takedown.CaseActive, &takedown.Leg{State: takedown.LegComposed, DueAt: epoch})
	c.Attempts = 3
	m.put(c, epoch)
	e, s := deliverer(m, sender(accept))
	if err := e.Process(t.Context(), s, []int64{c.ID}); err != nil {
		t.Fatal(err)
	}
	if got := m.cases[c.ID].Attempts; got != 0 {
		t.Errorf("%d failures in a row after a success", got)
	}
}

// A database that is away for a moment does not make a known outcome unknown.
func TestOutcomesSurviveAShortOutage(t *testing.T) {
	m := newMemory()
	c := active(m, takedown.CaseActive, &takedown.Leg{State: takedown.LegComposed, DueAt: epoch})
	n := 0
	m.fail = func([]*takedown.Change) error {
		if n++; n == 2 || n == 3 { // the first one records the attempt
			return takedown.Temporary(errors.New("away"))
		}
		return nil
	}
	e, s := deliverer(m, sender(accept))
	if err := e.Process(t.Context(), s, []int64{c.ID}); err != nil {
		t.Fatal(err)
	}
	if got := m.cases[c.ID].Legs[0].State; got != takedown.LegNotified {
		t.Errorf("leg is %s", got)
	}
}

type note struct {
	cases []int64
	bad   bool
	last  bool
	mu    sync.Mutex
	got   string
}

func (n *note) Cases() ([]int64, error) {
	if n.bad {
		return nil, errors.New("gibberish")
	}
	return n.cases, nil
}
func (n *note) Body() []byte              { return []byte("body") }
func (n *note) Subject() string           { return "desist.work.screen" }
func (n *note) Last() bool                { return n.last }
func (n *note) Ack(context.Context) error { return n.settle("ack") }
func (n *note) Nak(time.Duration) error   { return n.settle("nak") }
func (n *note) Term(string) error         { return n.settle("term") }
func (n *note) settle(how string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.got += how
	return nil
}

func TestMessagesAreSettledOnce(t *testing.T) {
	tests := []struct {
		name string
		note note
		fail error
		want string
	}{
		{"done", note{cases: []int64{1}}, nil, "ack"},
		{"a case that does not exist", note{cases: []int64{99}}, nil, "ack"},
		{"gibberish", note{bad: true}, nil, "term"},
		{"the store is away", note{cases: []int64{1}}, takedown.Temporary(errors.New("away")), "nak"},
		{"the store is away at the last delivery", note{cases: []int64{1}, last: true}, takedown.Temporary(errors.New("away")), "term"},
	}
	for i := range tests {
		tt := &tests[i]
		t.Run(tt.name, func(t *testing.T) {
			m := newMemory()
			m.open(epoch, takedown.ClassPhishing)
			m.fail = func([]*takedown.Change) error { return tt.fail }
			e := NewEngine(Config{Store: m, Now: func() time.Time { return epoch }})
			e.handle(t.Context(), &pass{breaks: func(*Work) {}}, []Message{&tt.note})
			if tt.note.got != tt.want {
				t.Errorf("message got %q, want %q", tt.note.got, tt.want)
			}
			if tt.note.bad != (len(m.letters) == 1) {
				t.Errorf("dead letters %q", m.letters)
			}
		})
	}
}

type one struct {
	msgs chan Message
}

func (q one) Fetch(ctx context.Context, _ int, _ time.Duration) ([]Message, error) {
	select {
	case m := <-q.msgs:
		return []Message{m}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// A stop lets the batch in hand finish.
func TestServeFinishesWhatItHolds(t *testing.T) {
	m := newMemory()
	id := m.open(epoch, takedown.ClassPhishing)
	e := NewEngine(Config{Store: m, Now: func() time.Time { return epoch }})
	soft, stop := context.WithCancel(t.Context())
	n := &note{cases: []int64{id}}
	q := one{make(chan Message, 1)}
	q.msgs <- n
	s := &pass{breaks: func(*Work) { stop() }, ran: make(chan struct{}, 1)}
	e.Serve(soft, t.Context(), s, q, 2)
	<-s.ran
	if n.got != "ack" || m.cases[id].State != takedown.CaseScreened {
		t.Errorf("message %q, case %s", n.got, m.cases[id].State)
	}
}
