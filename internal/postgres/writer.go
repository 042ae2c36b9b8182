package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"desist/takedown"
)

// A writer gathers the rows of one transaction as columns, and sends them as
// one pipeline of statements over arrays.
type writer struct {
	now        time.Time
	sweepAfter time.Duration

	inserted, updated table // cases
	submissions       table
	raws, resolutions table
	newLegs, legs     table
	notices           table
	started, finished table // deliveries
	checks, replies   table
	dead, events      table

	expectInserted, expectUpdated, expectReplies int
}

func newWriter(now time.Time, sweepAfter time.Duration) *writer {
	return &writer{now: now.UTC(), sweepAfter: sweepAfter}
}

// A table is a list of columns of equal length.
type table struct{ columns []column }

type column interface{ values() any }

type values[T any] struct{ list []T }

func (v *values[T]) values() any { return v.list }

// add appends one row. The first row fixes the types of the columns.
func add[T any](t *table, i *int, v T) {
	if *i == len(t.columns) {
		t.columns = append(t.columns, &values[T]{})
	}
	c := t.columns[*i].(*values[T])
	c.list = append(c.list, v)
	*i++
}

func (t *table) rows() bool { return len(t.columns) > 0 }

func (t *table) args() []any {
	args := make([]any, len(t.columns))
	for i, c := range t.columns {
		args[i] = c.values()
	}
	return args
}

// unnest returns unnest($1::type[], …) for the table's columns.
func unnest(types ...string) string {
	var b strings.Builder
	b.WriteString("unnest(")
	for i, t := range types {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "$%d::%s[]", i+1, t)
	}
	b.WriteString(")")
	return b.String()
}

// seal closes the chain over the new events of c and queues them. It returns
// the schedule of the case: the stage that has work next, and when the sweep
// offers it. Work that is due at once rides on the last event, so the sweep is
// only the net under the relay; without an event the sweep carries it.
func (w *writer) seal(c *takedown.Case) (stage *string, due *time.Time) {
	dueNow := false
	if next, at, ok := c.NextWork(); ok {
		name := string(next)
		stage, dueNow = &name, !at.After(w.now)
		switch {
		case !dueNow:
			at = at.UTC()
		case len(c.NewEvents) > 0:
			at = w.now.Add(w.sweepAfter)
		default:
			at = w.now
		}
		due = &at
	}
	for n := range c.NewEvents {
		e := &c.NewEvents[n]
		e.CaseID, e.Seq = c.ID, c.EventSeq+1
		e.Data = []byte(jsonText(e.Data)) // so that SQL can read it
		e.Seal(c.EventHash)
		c.EventSeq, c.EventHash = e.Seq, e.Hash
		var eventStage *string
		if dueNow && n == len(c.NewEvents)-1 {
			eventStage = stage
		}
		t, i := &w.events, 0
		add(t, &i, e.CaseID)
		add(t, &i, e.Seq)
		add(t, &i, e.At)
		add(t, &i, string(e.Kind))
		add(t, &i, e.Actor)
		add(t, &i, string(e.Data))
		add(t, &i, e.Prev[:])
		add(t, &i, e.Hash[:])
		add(t, &i, eventStage)
	}
	return stage, due
}

const insertEvents = `INSERT INTO events (case_id, seq, at, kind, actor, data, prev, hash, stage)
	SELECT a, b, c, d, e, f::json, g, h, i FROM %s AS t(a, b, c, d, e, f, g, h, i)`

func (w *writer) insertCase(c *takedown.Case, digest [sha256.Size]byte) {
	stage, due := w.seal(c)
	w.expectInserted++
	t, i := &w.inserted, 0
	add(t, &i, c.ID)
	add(t, &i, string(c.Indicator.Kind))
	add(t, &i, c.Indicator.Value)
	add(t, &i, digest[:])
	add(t, &i, c.Indicator.Host)
	add(t, &i, c.Indicator.Registrable)
	add(t, &i, c.Indicator.Platform)
	add(t, &i, string(c.Class))
	add(t, &i, string(c.State))
	add(t, &i, int32(c.Submissions))
	add(t, &i, c.FirstSeenAt)
	add(t, &i, c.SubmittedAt)
	add(t, &i, c.EventSeq)
	add(t, &i, c.EventHash[:])
	add(t, &i, stage)
	add(t, &i, due)
}

const insertCases = `INSERT INTO cases (id, kind, value, digest, host, registrable, platform, class, state, submissions,
		first_seen_at, submitted_at, event_seq, event_hash, due_stage, due_at)
	SELECT * FROM %s ON CONFLICT (digest, class) WHERE live DO NOTHING`

func (w *writer) updateCase(c *takedown.Case) {
	old := c.Loaded
	stage, due := w.seal(c)
	w.expectUpdated++
	track, _ := json.Marshal(c.Track)
	t, i := &w.updated, 0
	add(t, &i, c.ID)
	add(t, &i, old.Seq)
	add(t, &i, string(c.State))
	add(t, &i, c.Reason)
	add(t, &i, int32(c.Submissions))
	add(t, &i, c.FirstSeenAt)
	add(t, &i, orNull(c.ScreenedAt))
	add(t, &i, orNull(c.NotifiedAt))
	add(t, &i, orNull(c.AnsweredAt))
	add(t, &i, orNull(c.GoneSeenAt))
	add(t, &i, orNull(c.GoneAt))
	add(t, &i, orNull(c.ClosedAt))
	add(t, &i, orNull(c.WatchUntil))
	add(t, &i, int32(c.Relapses))
	add(t, &i, orNull(c.RetryAt))
	add(t, &i, int32(c.Attempts))
	add(t, &i, c.ResolutionID)
	add(t, &i, string(track))
	add(t, &i, c.EventSeq)
	add(t, &i, c.EventHash[:])
	add(t, &i, stage)
	add(t, &i, due)
	add(t, &i, int64(old.Attempts))
	add(t, &i, int64(old.Checks))
}

// lockCases takes the locks in one order everywhere; the order in which UPDATE
// would take them is the planner's choice, and two writers could block each
// other.
const lockCases = `SELECT id FROM cases WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE`

const updateCases = `UPDATE cases c SET state = u.state, reason = u.reason, submissions = u.submissions, first_seen_at = u.first_seen_at,
		screened_at = u.screened_at, notified_at = u.notified_at, answered_at = u.answered_at, gone_seen_at = u.gone_seen_at, gone_at = u.gone_at,
		closed_at = u.closed_at, watch_until = u.watch_until, relapses = u.relapses, retry_at = u.retry_at, attempts = u.new_attempts,
		resolution_id = NULLIF(u.resolution_id, 0), track = u.track::jsonb, event_seq = u.event_seq, event_hash = u.event_hash,
		due_stage = u.due_stage, due_at = u.due_at
	FROM %s AS u(id, seq, state, reason, submissions, first_seen_at, screened_at, notified_at, answered_at, gone_seen_at, gone_at, closed_at,
		watch_until, relapses, retry_at, new_attempts, resolution_id, track, event_seq, event_hash, due_stage, due_at,
		attempts, checks)
	WHERE c.id = u.id AND ` + sameVersion

func (w *writer) addSubmission(caseID int64, sub takedown.Submission) {
	evidence, _ := json.Marshal(orEmpty(sub.Evidence))
	reporter, _ := json.Marshal(takedown.Reporter{Name: takedown.CleanText(sub.Reporter.Name), Email: takedown.CleanText(sub.Reporter.Email)})
	refs, _ := json.Marshal(orEmpty(cleanAll(sub.References)))
	t, i := &w.submissions, 0
	add(t, &i, caseID)
	add(t, &i, takedown.CleanText(sub.Key))
	add(t, &i, takedown.CleanText(sub.Raw))
	add(t, &i, string(sub.Class))
	add(t, &i, takedown.CleanText(sub.Source))
	add(t, &i, sub.SeenAt.UTC())
	add(t, &i, w.now)
	add(t, &i, sub.Confidence)
	add(t, &i, takedown.CleanText(sub.TLP))
	add(t, &i, takedown.CleanText(sub.Description))
	add(t, &i, string(refs))
	add(t, &i, jsonText(evidence))
	add(t, &i, string(reporter))
	add(t, &i, takedown.CleanText(sub.ExternalID))
}

const insertSubmissions = `INSERT INTO submissions (case_id, key, raw, class, source, seen_at, received_at, confidence, tlp, description,
		refs, evidence, reporter, external_id)
	SELECT a, b, c, d, e, f, g, h, i, j, ARRAY(SELECT json_array_elements_text(k::json)), l::jsonb, m::jsonb, n
	FROM %s AS t(a, b, c, d, e, f, g, h, i, j, k, l, m, n) ON CONFLICT (key) DO NOTHING`

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// flush sends everything. The cases come first: if another writer changed one
// of them, or created one of those to insert, nothing is written.
func (w *writer) flush(ctx context.Context, tx pgx.Tx) error {
	b := &pgx.Batch{}
	exact := func(t *table, want int, sql string, types ...string) {
		if !t.rows() {
			return
		}
		b.Queue(fmt.Sprintf(sql, unnest(types...)), t.args()...).Exec(func(ct pgxTag) error {
			if int(ct.RowsAffected()) != want {
				return errRace
			}
			return nil
		})
	}
	queue := func(t *table, sql string, types ...string) {
		if t.rows() {
			b.Queue(fmt.Sprintf(sql, unnest(types...)), t.args()...)
		}
	}
	exact(&w.inserted, w.expectInserted, insertCases, "bigint", "text", "text", "bytea", "text", "text", "text", "text", "text", "int",
		"timestamptz", "timestamptz", "bigint", "bytea", "text", "timestamptz")
	if w.updated.rows() {
		b.Queue(lockCases, w.updated.columns[0].values())
	}
	exact(&w.updated, w.expectUpdated, updateCases, "bigint", "bigint", "text", "text", "int", "timestamptz", "timestamptz", "timestamptz", "timestamptz",
		"timestamptz", "timestamptz", "timestamptz", "timestamptz", "int", "timestamptz", "int", "bigint", "text", "bigint", "bytea",
		"text", "timestamptz", "bigint", "bigint")
	if w.submissions.rows() {
		want := len(w.submissions.columns[0].(*values[int64]).list)
		exact(&w.submissions, want, insertSubmissions, "bigint", "text", "text", "text", "text", "timestamptz", "timestamptz", "float8",
			"text", "text", "text", "text", "text", "text")
	}
	queue(&w.raws, insertRaws, "bytea", "bytea", "timestamptz")
	queue(&w.resolutions, insertResolutions, "bigint", "bigint", "timestamptz", "text", "text", "text", "bool")
	queue(&w.newLegs, insertLegs, legTypes...)
	queue(&w.legs, updateLegs, legTypes...)
	queue(&w.notices, insertNotices, "bigint", "bigint", "bigint", "int", "text", "text", "text", "text", "text", "text", "text", "text",
		"text", "text", "text", "text", "text", "bytea", "bytea", "timestamptz")
	queue(&w.started, insertDeliveries, "bigint", "bigint", "bigint", "int", "timestamptz")
	queue(&w.finished, finishDeliveries, "bigint", "int", "timestamptz", "text", "int", "text", "text", "text", "text")
	queue(&w.checks, insertChecks, "bigint", "timestamptz", "text", "text", "text", "text")
	// A reply that another process took in meanwhile must not count twice.
	exact(&w.replies, w.expectReplies, tieReplies, "bigint", "bigint", "bigint", "bigint")
	queue(&w.dead, insertDead, "text", "text", "timestamptz", "text")
	queue(&w.events, insertEvents, "bigint", "bigint", "timestamptz", "text", "text", "text", "bytea", "bytea", "text")
	return tx.SendBatch(ctx, b).Close()
}
