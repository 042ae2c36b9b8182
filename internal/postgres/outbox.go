package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"desist/takedown"
)

// An OutboxEvent is a committed event on its way to the subscribers, with the
// stage that has work because of it (empty when none has).
type OutboxEvent struct {
	takedown.Event
	Stage takedown.Stage
}

// Relay hands the next committed events to publish, in order, and moves the
// cursor when it succeeds. It returns how many there were. Only one relay works
// at a time; another one gets zero.
//
// Event numbers are no safe cursor: a transaction that took a lower number may
// commit after a higher one was relayed. The cursor is therefore the pair of
// transaction and number, and only transactions older than every running one
// are read, so nothing can still appear before the cursor. A crash between
// publish and the new cursor publishes again; messages only say "look". In a
// database restored into another cluster the numbers of transactions start
// anew: a cursor from the future begins again.
func (s *Store) Relay(ctx context.Context, limit int, publish func(context.Context, []OutboxEvent) error) (n int, err error) {
	err = s.inTx(ctx, "relay events", func(tx pgx.Tx) error {
		var txid string
		var id int64
		err := tx.QueryRow(ctx, `SELECT CASE WHEN txid < pg_snapshot_xmax(pg_current_snapshot()) THEN txid ELSE '0' END::text, id
			FROM relay_cursor WHERE name = 'events' FOR UPDATE SKIP LOCKED`).Scan(&txid, &id)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil // another process relays
		}
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT txid::text, id, case_id, seq, at, kind, actor, data::text, prev, hash, COALESCE(stage, '')
			FROM events WHERE (txid, id) > ($1::xid8, $2) AND txid < pg_snapshot_xmin(pg_current_snapshot())
			ORDER BY txid, id LIMIT $3`, txid, id, limit)
		if err != nil {
			return err
		}
		events, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (OutboxEvent, error) {
			var e OutboxEvent
			var prev, hash []byte
			err := row.Scan(&txid, &e.ID, &e.CaseID, &e.Seq, &e.At, &e.Kind, &e.Actor, (*[]byte)(&e.Data), &prev, &hash, &e.Stage)
			copy(e.Prev[:], prev)
			copy(e.Hash[:], hash)
			e.At = e.At.UTC()
			return e, err
		})
		if err != nil || len(events) == 0 {
			return err
		}
		if err := publish(ctx, events); err != nil {
			return err
		}
		n = len(events)
		_, err = tx.Exec(ctx, `UPDATE relay_cursor SET txid = $1::xid8, id = $2 WHERE name = 'events'`, txid, events[n-1].ID)
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// Due is a case that has work for a stage.
type Due struct {
	CaseID int64
	Stage  takedown.Stage
}

// Sweep takes up to limit cases whose time has come, oldest first, and leaves
// them alone for lease: by then the stage has moved them, or they come again.
// The cost follows what is due, not what exists.
func (s *Store) Sweep(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]Due, error) {
	rows, err := s.pool.Query(ctx, sweepCases, now.UTC(), now.UTC().Add(lease), limit)
	if err != nil {
		return nil, classify("sweep", err)
	}
	due, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Due, error) {
		var d Due
		err := row.Scan(&d.CaseID, &d.Stage)
		return d, err
	})
	return due, classify("sweep", err)
}

// The rows are chosen first and once; a plan that asked again for each row
// would lock more than the limit.
const sweepCases = `WITH due AS MATERIALIZED (
		SELECT id FROM cases WHERE due_at <= $1 ORDER BY due_at LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED)
	UPDATE cases SET due_at = $2 FROM due WHERE cases.id = due.id RETURNING cases.id, due_stage`

// NextDue returns the earliest time at which a case has work, or false.
func (s *Store) NextDue(ctx context.Context) (time.Time, bool, error) {
	var at *time.Time
	if err := s.pool.QueryRow(ctx, `SELECT min(due_at) FROM cases`).Scan(&at); err != nil {
		return time.Time{}, false, classify("next due", err)
	}
	return orZero(at), at != nil, nil
}
