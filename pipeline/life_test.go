package pipeline

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"desist/takedown"
)

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// A world answers the stages at random, on a clock that jumps to the next due
// time. Once calm, nothing fails any more.
type world struct {
	*memory
	r       *rand.Rand
	now     time.Time
	calm    bool
	checks  int
	sealed  int
	actions *Actions
	hear    *Hear
	trouble int // percent
}

func (w *world) odds(percent int) bool { return !w.calm && w.r.IntN(100) < percent }

var anyKind = []func(error) error{
	takedown.Temporary, takedown.Permanent, takedown.Denied, takedown.NotFound, takedown.Unknown,
	func(err error) error { return takedown.Snooze(time.Minute, err) },
}

func (w *world) err() error {
	if w.odds(80) {
		return takedown.Temporary(errors.New("weather"))
	}
	return anyKind[w.r.IntN(len(anyKind))](errors.New("weather"))
}

func (w *world) Screen(*takedown.Case, []takedown.Submission, time.Time) Ruling {
	switch {
	case w.odds(5):
		return Ruling{Outcome: Hold, Reasons: []string{"a person must look"}}
	case w.odds(2):
		return Ruling{Outcome: Refuse, Reasons: []string{"not ours to say"}}
	}
	return Ruling{Outcome: Allow}
}

func (w *world) Resolve(context.Context, takedown.Indicator) (takedown.Resolution, error) {
	if w.odds(w.trouble) {
		if w.odds(10) {
			panic("resolver")
		}
		return takedown.Resolution{}, w.err()
	}
	var r takedown.Resolution
	if w.odds(10) {
		r.Absent = true
	}
	roles := []takedown.Role{takedown.RoleHost, takedown.RoleCDN, takedown.RoleRegistrar, takedown.RoleCSIRT}
	for range w.r.IntN(4) {
		p := takedown.Party{Role: roles[w.r.IntN(len(roles))], Key: fmt.Sprint("asn:", 64496+w.r.IntN(2)), Name: "Example"}
		for range w.r.IntN(3) {
			contact := takedown.Contact{Channel: takedown.ChannelEmail, Address: fmt.Sprintf("abuse%d@host.example", w.r.IntN(6))}
			if w.r.IntN(6) == 0 {
				contact = takedown.Contact{Channel: takedown.ChannelManual, Address: "https://host.example/report"}
			}
			p.Contacts = append(p.Contacts, contact)
		}
		r.Parties = append(r.Parties, p)
	}
	return r, nil
}

// Render has the rule of the real one that a stage can run into.
func (w *world) Render(req takedown.NoticeRequest) (takedown.Draft, error) {
	if req.Kind == takedown.NoticeReminder && len(req.Earlier) == 0 {
		w.breach("a reminder of nothing was asked for")
	}
	if w.odds(w.trouble / 3) {
		return takedown.Draft{}, takedown.Denied(errors.New("no lawful wording"))
	}
	if w.odds(w.trouble / 3) {
		return takedown.Draft{}, w.err()
	}
	return takedown.Draft{Subject: "notice"}, nil
}

func (w *world) Seal(req takedown.NoticeRequest, c *takedown.Case, l *takedown.Leg, seq int, d takedown.Draft) (takedown.Notice, error) {
	w.sealed++ // two sealings never share a Message-ID, so that the store sees both
	sealed := []byte(fmt.Sprint("message ", w.sealed))
	return takedown.Notice{
		CaseID: c.ID, LegID: l.ID, Seq: seq, Kind: l.Kind, Recipient: req.Recipient.Address, MessageID: fmt.Sprintf("m%d@sender.example", w.sealed),
		Draft: d, Sealed: sealed, SHA256: sha256.Sum256(sealed), SealedAt: w.now,
	}, nil
}

func (w *world) Send(_ context.Context, n takedown.Notice) takedown.Delivery {
	d := takedown.Delivery{FinishedAt: w.now.Add(time.Second), Outcome: takedown.OutcomeAccepted, Code: 250}
	if w.odds(20) {
		w.person(n.CaseID) // in the middle of the dialogue
	}
	if w.odds(10) {
		w.mail(n)
	}
	if w.odds(5) {
		w.now = w.now.Add(3 * time.Minute)
	}
	if !w.odds(2 * w.trouble) {
		return d
	}
	switch w.r.IntN(6) {
	case 0:
		d.Outcome = takedown.OutcomeRejected
	case 1:
		d.Outcome, d.BadAddress = takedown.OutcomeRejected, true // and no words for it
	case 2:
		d.Outcome = takedown.OutcomeUnknown
	case 3:
		d.Outcome = takedown.OutcomeDrafted
	case 4:
		panic("notifier")
	default:
		d.Outcome = takedown.OutcomeDeferred
	}
	return d
}

func (w *world) Check(context.Context, Target) takedown.Check {
	w.checks++
	c := takedown.Check{At: w.now, Verdict: takedown.VerdictUp, Layer: takedown.LayerContent, Detail: "it is there"}
	if w.odds(3) {
		panic("probe")
	}
	if w.odds(30) {
		c.Verdict = []takedown.Verdict{takedown.VerdictGone, takedown.VerdictUnclear}[w.r.IntN(2)]
	}
	if w.checks%60 > 8+w.r.IntN(2)*50 { // long absences, so that cases are removed and relapse
		c.Verdict = takedown.VerdictGone
	}
	return c
}

var errRefused = errors.New("the schema refuses it")

// person does something that people do; a refusal is an answer too.
func (w *world) person(id int64) {
	ctx := context.Background()
	var err error
	switch w.r.IntN(12) {
	case 0, 1:
		_, err = w.actions.Hold(ctx, id, "ann", "wait")
	case 2, 3, 4, 5:
		_, err = w.actions.Approve(ctx, id, "ann", "go on")
	case 6:
		_, err = w.actions.Withdraw(ctx, id, "ann", "our mistake", w.r.IntN(2) == 0)
	case 7:
		_, err = w.actions.Dispute(ctx, id, "ann", "", "they say no")
	case 8:
		_, err = w.actions.Dispute(ctx, id, "ann", takedown.RoleHost, "they say no")
	default:
		_, err = w.actions.Note(ctx, id, "ann", "seen")
	}
	if k := takedown.KindOf(err); err != nil && !errors.Is(err, errRefused) && k != takedown.KindDenied && k != takedown.KindTemporary {
		w.breach("a person got %s: %v", k, err)
	}
}

// mail answers a notice.
func (w *world) mail(n takedown.Notice) {
	classes := []takedown.ReplyClass{takedown.ReplyBounce, takedown.ReplyBounce, takedown.ReplyDelivered, takedown.ReplyHuman, takedown.ReplyAuto}
	r := takedown.Reply{
		CaseID: n.CaseID, LegID: n.LegID, NoticeID: n.ID, Seq: n.Seq, ReceivedAt: w.now, Authentic: true,
		Class: classes[w.r.IntN(len(classes))], Permanent: w.r.IntN(2) == 0, Ticket: "T-1",
	}
	if err := w.hear.Store(context.Background(), r); err != nil {
		w.breach("mail: %v", err)
	}
}

func newWorld(seed uint64, trouble int) (*world, *Engine, map[takedown.Stage]Stage) {
	w := &world{memory: newMemory(), r: rand.New(rand.NewPCG(seed, 1)), now: epoch, trouble: trouble}
	now := func() time.Time { return w.now }
	w.actions = &Actions{Store: w.memory, Now: now}
	e := NewEngine(Config{Store: w.memory, Now: now, MaxAttempts: 4})
	w.hear = &Hear{Replies: w.memory, Actions: w.actions, Logger: e.cfg.Logger}
	e.commitPause = 0
	ladder := DefaultLadder()
	next := func(_ *takedown.Case, at time.Time) time.Time { return at.Add(6 * time.Hour) }
	return w, e, map[takedown.Stage]Stage{
		takedown.StageScreen:  &Screen{Policy: w, Store: w.memory},
		takedown.StageResolve: &Resolve{Resolver: w, Concurrency: 1, Timeout: time.Minute},
		takedown.StagePlan:    &Plan{Ladder: ladder, LookFirst: seed%2 == 0, FirstCheck: time.Hour},
		takedown.StageCompose: &Compose{Store: w.memory, Renderer: w, Sealer: w, ManualAfter: ladder.ManualAfter},
		takedown.StageDeliver: &Deliver{
			Store: w.memory, Notifier: w, Ladder: ladder, Now: now, Connections: 1, Lease: 5 * time.Minute,
			Retry: 5 * time.Minute, RetryMax: 4 * time.Hour, GiveUp: 24 * time.Hour,
		},
		takedown.StageTrack: &Track{
			Tracker: w, Ladder: ladder, Concurrency: 1, Timeout: time.Minute, Rounds: 3, Watch: 10 * 24 * time.Hour, GiveUp: 30 * 24 * time.Hour, Next: next,
		},
	}
}

// Whatever the world answers and whenever people and mail come in between, a
// case comes to an end or before a person, nothing is said that must not be
// said, and the record is whole.
func TestEveryLifeEnds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		trouble := rapid.IntRange(0, 40).Draw(rt, "trouble")
		w, e, stages := newWorld(seed, trouble)
		id := w.open(w.now, takedown.ClassPhishing)
		live(rt, w, e, stages, id)
	})
}

func live(t interface {
	Fatalf(string, ...any)
}, w *world, e *Engine, stages map[takedown.Stage]Stage, id int64,
) {
	ctx := context.Background()
	// The store fails now and then, before or after it wrote.
	down := 0
	w.fail = func([]*takedown.Change) error {
		if down > 0 {
			down--
			return takedown.Temporary(errors.New("the database is away"))
		}
		if w.odds(2) {
			return takedown.Permanent(errRefused)
		}
		if w.odds(3) {
			down = w.r.IntN(10)
			return takedown.Temporary(errors.New("the database is away"))
		}
		return nil
	}
	const limit = 4000
	step := 0
	for ; step < limit; step++ {
		if step == 600 {
			w.calm = true
			down = 0
		}
		if _, err := w.hear.Recover(ctx); err != nil && takedown.KindOf(err) != takedown.KindTemporary && w.calm {
			t.Fatalf("recover: %v", err)
		}
		if w.odds(8) {
			w.person(id)
		}
		at, ok := w.due[id]
		if !ok {
			break
		}
		if at.After(w.now) {
			w.now = at
		}
		stage := stages[w.stage[id]]
		before := w.cases[id].Version()
		err := e.Process(ctx, stage, []int64{id})
		if after := w.cases[id].Version(); w.calm && err == nil && after == before {
			t.Fatalf("step %d: %s had work at %s and did nothing: %+v", step, stage.Name(), w.now, w.cases[id])
		}
		// What the sweep's lease does when nothing was stored.
		if err != nil {
			w.now = w.now.Add(30 * time.Second)
		}
	}
	// What the last moments left is taken in when the weather is fine.
	w.calm, down = true, 0
	if _, err := w.hear.Recover(ctx); err != nil {
		t.Fatalf("recover: %v", err)
	}
	c := w.cases[id]
	if len(w.breaches) > 0 {
		t.Fatalf("%v", w.breaches)
	}
	if step == limit {
		t.Fatalf("the case does not end: %s since %s, legs %s", c.State, w.now.Sub(epoch), legStates(c))
	}
	if !c.State.Closed() && c.State != takedown.CaseHeld {
		t.Fatalf("a case that is %s waits for nothing; legs %s", c.State, legStates(c))
	}
	for _, l := range c.Legs {
		if l.State == takedown.LegSending {
			t.Fatalf("leg %d is left in the middle of an attempt", l.ID)
		}
		if c.State.Closed() && l.State != takedown.LegClosed {
			t.Fatalf("the case is %s and leg %d is %s", c.State, l.ID, l.State)
		}
	}
	if err := takedown.VerifyChain(w.events[id], c.EventSeq, c.EventHash); err != nil {
		t.Fatalf("%v", err)
	}
	pending, _ := w.PendingReplies(ctx, 10)
	if len(pending) > 0 {
		t.Fatalf("%d replies were never taken in", len(pending))
	}
}

func legStates(c *takedown.Case) string {
	var out []string
	for _, l := range c.Legs {
		out = append(out, fmt.Sprintf("%s %s %s seq %d due %s", l.Party.Role, l.Party.Key, l.State, l.Seq, l.DueAt))
	}
	slices.Sort(out)
	return fmt.Sprint(out)
}
