package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"desist/takedown"
)

// A Stage turns loaded cases into changes. Run returns no error of its own:
// what fails is noted on the work it failed for.
type Stage interface {
	Name() takedown.Stage
	Run(ctx context.Context, now time.Time, batch []*Work)
}

// Work is one case in the hands of a stage.
type Work struct {
	takedown.Change
	// Err is why the stage could not finish. Changes made to the case before
	// are not stored.
	Err error
	// Again applies the outcome to a fresh copy of the case, for stages whose
	// outcome must not be lost when somebody else changed the case meanwhile.
	// Without it the case is simply offered again.
	Again func(fresh *Work) error
}

// Store is what the engine needs of the database.
type Store interface {
	Load(ctx context.Context, ids []int64) ([]*takedown.Case, error)
	Commit(ctx context.Context, now time.Time, sweepAfter time.Duration, changes []*takedown.Change) (lost []int64, err error)
	DeadLetter(ctx context.Context, at time.Time, subject string, caseID int64, body []byte, reason string) error
}

// Message asks a stage to look at cases.
type Message interface {
	Cases() ([]int64, error)
	Body() []byte
	Subject() string
	Last() bool // no further delivery will follow
	Ack(context.Context) error
	Nak(delay time.Duration) error
	Term(reason string) error
}

// Queue is the source of messages of one stage.
type Queue interface {
	Fetch(ctx context.Context, max int, wait time.Duration) ([]Message, error)
}

// Config says how the engine works.
type Config struct {
	Store  Store
	Logger *slog.Logger
	Now    func() time.Time
	// Batch is the number of cases that a stage takes at once.
	Batch int
	// SweepAfter is how long new work is left to the messages before the sweep
	// offers it again.
	SweepAfter time.Duration
	// Retry is the wait after the first failure of a case; it doubles up to
	// RetryMax. After MaxAttempts failures in a row a person must look.
	Retry, RetryMax time.Duration
	MaxAttempts     int
	// Observe is told of every batch, for metrics; it may be nil.
	Observe func(stage takedown.Stage, cases int, took time.Duration, err error)
}

// An Engine runs stages on batches of cases.
type Engine struct {
	cfg Config
	// commitPause is the first wait before outcomes are stored again.
	commitPause time.Duration
}

// NewEngine fills in the defaults of cfg.
func NewEngine(cfg Config) *Engine {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Batch == 0 {
		cfg.Batch = 256
	}
	if cfg.SweepAfter == 0 {
		cfg.SweepAfter = 30 * time.Second
	}
	if cfg.Retry == 0 {
		cfg.Retry = time.Minute
	}
	if cfg.RetryMax == 0 {
		cfg.RetryMax = time.Hour
	}
	if cfg.MaxAttempts == 0 {
		cfg.MaxAttempts = 12
	}
	if cfg.Observe == nil {
		cfg.Observe = func(takedown.Stage, int, time.Duration, error) {}
	}
	return &Engine{cfg: cfg, commitPause: 250 * time.Millisecond}
}

// Serve takes messages from queue and runs the stage, workers batches at a
// time, until ctx ends. A batch that is in hand is finished with hard, which
// must outlive ctx for as long as the stop may take.
func (e *Engine) Serve(ctx, hard context.Context, stage Stage, queue Queue, workers int) {
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for ctx.Err() == nil {
				msgs, err := queue.Fetch(ctx, max(1, e.cfg.Batch/64), time.Second)
				if err != nil {
					if ctx.Err() == nil {
						e.cfg.Logger.Warn("cannot fetch work", "stage", stage.Name(), "err", err)
						pause(ctx, time.Second)
					}
					continue
				}
				if len(msgs) > 0 {
					e.handle(hard, stage, msgs)
				}
			}
		})
	}
	wg.Wait()
}

// handle runs the cases of msgs and settles each message.
func (e *Engine) handle(ctx context.Context, stage Stage, msgs []Message) {
	var ids []int64
	seen := make(map[int64]bool)
	sound := msgs[:0]
	for _, m := range msgs {
		cases, err := m.Cases()
		if err != nil {
			e.bury(ctx, m, fmt.Sprintf("not a work message: %v", err))
			continue
		}
		sound = append(sound, m)
		for _, id := range cases {
			if !seen[id] {
				seen[id] = true
				ids = append(ids, id)
			}
		}
	}
	err := e.Process(ctx, stage, ids)
	for _, m := range sound {
		switch {
		case err == nil:
			if aerr := m.Ack(ctx); aerr != nil {
				e.cfg.Logger.Debug("ack failed; the message will find no work", "stage", stage.Name(), "err", aerr)
			}
		case m.Last():
			// The cases are rows: the sweep offers them again. Only the message
			// is given up, so nothing piles up undelivered.
			_ = m.Term(err.Error())
		default:
			_ = m.Nak(time.Second)
		}
	}
}

func (e *Engine) bury(ctx context.Context, m Message, reason string) {
	if err := e.cfg.Store.DeadLetter(ctx, e.cfg.Now(), m.Subject(), 0, m.Body(), reason); err != nil {
		_ = m.Nak(time.Second)
		return
	}
	_ = m.Term(reason)
}

// Process runs the stage on the given cases. Its error means that the batch as
// a whole could not be loaded or stored.
func (e *Engine) Process(ctx context.Context, stage Stage, ids []int64) error {
	var all error
	for len(ids) > 0 {
		n := min(len(ids), e.cfg.Batch)
		start := time.Now()
		err := e.batch(ctx, stage, ids[:n])
		e.cfg.Observe(stage.Name(), n, time.Since(start), err)
		if err != nil {
			all = errors.Join(all, fmt.Errorf("%s: batch of %d: %w", stage.Name(), n, err))
			e.cfg.Logger.Warn("batch failed", "stage", stage.Name(), "cases", n, "err", err)
		}
		ids = ids[n:]
	}
	return all
}

func (e *Engine) batch(ctx context.Context, stage Stage, ids []int64) error {
	now := e.cfg.Now()
	work, err := e.load(ctx, stage, now, ids)
	if err != nil || len(work) == 0 {
		return err
	}
	if s, ok := stage.(Streamer); ok {
		return e.stream(ctx, s, now, work)
	}
	if reason := e.run(ctx, stage, now, work); reason != "" {
		// One case broke the stage. Find it: each alone, on fresh copies.
		for _, id := range ids {
			if err := e.alone(ctx, stage, id); err != nil {
				return err
			}
		}
		return nil
	}
	return e.settle(ctx, stage, work)
}

func (e *Engine) load(ctx context.Context, stage Stage, now time.Time, ids []int64) ([]*Work, error) {
	cases, err := e.cfg.Store.Load(ctx, ids)
	if err != nil {
		return nil, err
	}
	work := make([]*Work, 0, len(cases))
	for _, c := range cases {
		if c.HasWork(stage.Name(), now) {
			work = append(work, &Work{Change: takedown.Change{Case: c}})
		}
	}
	return work, nil
}

// run calls the stage and turns a panic into a reason.
func (e *Engine) run(ctx context.Context, stage Stage, now time.Time, work []*Work) (reason string) {
	defer func() {
		if r := recover(); r != nil {
			reason = fmt.Sprintf("panic: %v", r)
			e.cfg.Logger.Error("stage panicked", "stage", stage.Name(), "cases", len(work), "panic", r, "stack", string(debug.Stack()))
		}
	}()
	stage.Run(ctx, now, work)
	return ""
}

func (e *Engine) alone(ctx context.Context, stage Stage, id int64) error {
	now := e.cfg.Now()
	work, err := e.load(ctx, stage, now, []int64{id})
	if err != nil || len(work) == 0 {
		return err
	}
	if reason := e.run(ctx, stage, now, work); reason != "" {
		work[0].Err = takedown.Permanent(errors.New(reason))
	}
	return e.settle(ctx, stage, work)
}

// settle commits what the stage made of the cases, and deals with those that
// failed.
func (e *Engine) settle(ctx context.Context, stage Stage, work []*Work) error {
	changes := make([]*takedown.Change, 0, len(work))
	var failed []*Work
	outcome := false // of something that cannot be done again
	for _, w := range work {
		switch {
		case w.Err != nil:
			failed = append(failed, w)
			var p *panicError
			if errors.As(w.Err, &p) {
				e.cfg.Logger.Error("stage panicked", "stage", stage.Name(), "case", w.Case.ID, "panic", p.value, "stack", string(p.stack))
			}
		case w.Case != nil:
			w.Case.Attempts, w.Case.RetryAt = 0, time.Time{} // no longer in a row
			changes = append(changes, &w.Change)
			outcome = outcome || w.Again != nil
		}
	}
	lost, refused, err := commitEach(ctx, changes, func(ctx context.Context, changes []*takedown.Change) ([]int64, error) {
		return e.commit(ctx, changes, outcome)
	})
	for id, cause := range refused {
		failed = append(failed, &Work{Change: takedown.Change{Case: &takedown.Case{ID: id}}, Err: cause})
	}
	if len(lost) > 0 {
		e.cfg.Logger.Debug("cases changed meanwhile", "stage", stage.Name(), "cases", lost)
		err = errors.Join(err, e.again(ctx, work, lost))
	}
	// What failed belongs to its own cases, whatever became of the others.
	if len(failed) > 0 {
		err = errors.Join(err, e.postpone(ctx, stage, failed))
	}
	return err
}

// commit stores changes. Outcomes of things that cannot be done again, such as
// a mail that was sent, are not given up at the first failure of the store:
// losing one would make it unknown for ever.
func (e *Engine) commit(ctx context.Context, changes []*takedown.Change, outcome bool) (lost []int64, err error) {
	for try := range commitTries {
		lost, err = e.cfg.Store.Commit(ctx, e.cfg.Now(), e.cfg.SweepAfter, changes)
		if err == nil || !outcome || takedown.KindOf(err) != takedown.KindTemporary || ctx.Err() != nil {
			break
		}
		e.cfg.Logger.Warn("cannot store outcomes; trying again", "cases", len(changes), "err", err)
		pause(ctx, e.commitPause<<try)
	}
	return lost, err
}

const commitTries = 6

// commitEach stores changes together. If the schema refuses a row of one of
// them, it stores them one by one, so that only that one is refused.
func commitEach(ctx context.Context, changes []*takedown.Change, commit func(context.Context, []*takedown.Change) ([]int64, error)) (lost []int64, refused map[int64]error, err error) {
	lost, err = commit(ctx, changes)
	if err == nil || takedown.KindOf(err) != takedown.KindPermanent {
		return lost, nil, err
	}
	refused = make(map[int64]error)
	if len(changes) == 1 {
		refused[changes[0].Case.ID] = err
		return lost, refused, nil
	}
	lost, err = nil, nil
	for _, ch := range changes {
		l, r, cerr := commitEach(ctx, []*takedown.Change{ch}, commit)
		lost, err = append(lost, l...), errors.Join(err, cerr)
		for id, cause := range r {
			refused[id] = cause
		}
	}
	return lost, refused, err
}

// again carries outcomes that lost a race over to fresh copies of their cases.
func (e *Engine) again(ctx context.Context, work []*Work, lost []int64) error {
	pending := make(map[int64]*Work, len(lost))
	for _, w := range work {
		if w.Case != nil && w.Again != nil && slices.Contains(lost, w.Case.ID) {
			pending[w.Case.ID] = w
		}
	}
	for range 10 {
		if len(pending) == 0 {
			return nil
		}
		cases, err := e.cfg.Store.Load(ctx, slices.Collect(maps.Keys(pending)))
		if err != nil {
			return err
		}
		changes := make([]*takedown.Change, 0, len(cases))
		for _, c := range cases {
			fresh := &Work{Change: takedown.Change{Case: c}}
			if err := pending[c.ID].Again(fresh); err != nil {
				e.cfg.Logger.Error("cannot carry an outcome over", "case", c.ID, "err", err)
				delete(pending, c.ID)
				continue
			}
			changes = append(changes, &fresh.Change)
		}
		lost, err := e.commit(ctx, changes, true)
		if err != nil {
			return err
		}
		for id := range pending {
			if !slices.Contains(lost, id) {
				delete(pending, id)
			}
		}
	}
	return takedown.Temporary(fmt.Errorf("%d cases kept changing", len(pending)))
}

// postpone records failures on fresh copies of their cases, so that nothing of
// what the stage had begun is stored.
func (e *Engine) postpone(ctx context.Context, stage Stage, failed []*Work) error {
	reasons := make(map[int64]error, len(failed))
	ids := make([]int64, len(failed))
	for i, w := range failed {
		ids[i] = w.Case.ID
		reasons[w.Case.ID] = w.Err
	}
	cases, err := e.cfg.Store.Load(ctx, ids)
	if err != nil {
		return err
	}
	now := e.cfg.Now()
	var changes []*takedown.Change
	for _, c := range cases {
		if !c.HasWork(stage.Name(), now) {
			continue
		}
		cause := reasons[c.ID]
		if e.fail(ctx, now, stage.Name(), c, cause) {
			changes = append(changes, &takedown.Change{Case: c})
		}
	}
	_, err = e.cfg.Store.Commit(ctx, now, e.cfg.SweepAfter, changes)
	return err
}

// fail notes one failure on the case. It reports whether there is anything to
// store.
func (e *Engine) fail(ctx context.Context, now time.Time, stage takedown.Stage, c *takedown.Case, cause error) bool {
	kind := takedown.KindOf(cause)
	c.Attempts++
	switch {
	case kind == takedown.KindSnooze:
		c.Attempts--
		c.RetryAt = now.Add(max(takedown.RetryAfter(cause), time.Second))
	case kind == takedown.KindTemporary && c.Attempts < e.cfg.MaxAttempts:
		wait := min(e.cfg.Retry<<min(c.Attempts-1, 20), e.cfg.RetryMax)
		// Spread those that failed together, so that they do not collide again.
		c.RetryAt = now.Add(wait + wait*time.Duration(c.ID%64)/128)
	default:
		if err := e.cfg.Store.DeadLetter(ctx, now, "desist.work."+string(stage), c.ID, nil, cause.Error()); err != nil {
			return false
		}
		c.Record(now, takedown.EventDeadLetter, string(stage), map[string]any{"error": cause.Error(), "kind": string(kind)})
		// An attempt whose outcome cannot even be taken in would be offered for
		// ever.
		for _, l := range c.Legs {
			if l.State == takedown.LegSending && stage == takedown.StageDeliver {
				if err := l.Move(takedown.LegUnknown, cause.Error(), time.Time{}); err != nil {
					e.cfg.Logger.Error("cannot end an attempt", "case", c.ID, "err", err)
				}
			}
		}
		c.RetryAt, c.Attempts = time.Time{}, 0
		if c.State.Closed() {
			c.Track.NextAt = time.Time{}
			for _, l := range c.Legs { // what cannot be taken back by mail is for a person, who has the dead letter
				if c.Retracts(l) {
					l.Kind = takedown.NoticeFirst
				}
			}
			closeLegs(c, now, "the case is over")
			return true
		}
		if c.State == takedown.CaseHeld {
			return true
		}
		if err := c.Move(takedown.CaseHeld, fmt.Sprintf("%s failed: %v", stage, cause)); err != nil {
			e.cfg.Logger.Error("cannot hold a failing case", "case", c.ID, "err", err)
			return false
		}
		return true
	}
	if c.Attempts <= 1 || kind == takedown.KindSnooze {
		c.Record(now, takedown.EventStageFailed, string(stage), map[string]any{
			"stage": string(stage), "error": cause.Error(), "kind": string(kind), "retry_at": c.RetryAt.UTC().Format(time.RFC3339),
		})
	}
	return true
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
