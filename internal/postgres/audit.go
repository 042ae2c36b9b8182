package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"desist/takedown"
)

// AuditResult is what a verification of the record found.
type AuditResult struct {
	Cases  int      `json:"cases"`
	Events int      `json:"events"`
	Breaks []string `json:"breaks"` // the first break of each case that has one
}

const auditBatch = 500

// Audit proves the event chains of the given cases, or of all if none are
// given. It also proves that every sealed notice still has the hash that its
// event recorded. Memory is bounded by a batch of cases.
func (s *Store) Audit(ctx context.Context, ids []int64, progress func(done int)) (AuditResult, error) {
	res := AuditResult{Breaks: []string{}}
	for after, more := int64(0), true; more; {
		// One snapshot for a batch: a case that is written meanwhile must not look
		// like one whose record does not fit its head.
		err := pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
			var err error
			after, more, err = auditBatchOf(ctx, tx, ids, after, &res)
			return err
		})
		if err != nil {
			return res, classify("audit", err)
		}
		if more && progress != nil {
			progress(res.Cases)
		}
	}
	orphans, err := s.orphans(ctx)
	if err != nil {
		return res, err
	}
	res.Breaks = append(res.Breaks, orphans...)
	return res, nil
}

// auditBatchOf proves the next cases after the given one. It returns the last of
// them, and false when there was none.
func auditBatchOf(ctx context.Context, tx pgx.Tx, ids []int64, after int64, res *AuditResult) (last int64, more bool, err error) {
	heads, err := headsOf(ctx, tx, ids, after)
	if err != nil || len(heads) == 0 {
		return after, false, err
	}
	batch := make([]int64, len(heads))
	for i, h := range heads {
		batch[i] = h.id
	}
	events, err := eventsOf(ctx, tx, batch)
	if err != nil {
		return after, false, err
	}
	for _, h := range heads {
		res.Cases++
		res.Events += len(events[h.id])
		if err := takedown.VerifyChain(events[h.id], h.seq, h.hash); err != nil {
			if len(events[h.id]) == 0 {
				err = fmt.Errorf("case %d: all %d events are missing", h.id, h.seq)
			}
			res.Breaks = append(res.Breaks, err.Error())
		}
	}
	return heads[len(heads)-1].id, true, auditNotices(ctx, tx, batch, res)
}

type caseHead struct {
	id, seq int64
	hash    takedown.Hash
}

func headsOf(ctx context.Context, r reader, ids []int64, after int64) ([]caseHead, error) {
	rows, err := r.Query(ctx, `SELECT id, event_seq, event_hash FROM cases
		WHERE id > $1 AND ($2::bigint[] IS NULL OR id = ANY($2)) ORDER BY id LIMIT $3`, after, ids, auditBatch)
	if err != nil {
		return nil, classify("audit", err)
	}
	heads, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (caseHead, error) {
		var h caseHead
		var hash []byte
		err := row.Scan(&h.id, &h.seq, &hash)
		copy(h.hash[:], hash)
		return h, err
	})
	return heads, classify("audit", err)
}

// auditNotices compares each sealed message with its stored hash and with the
// event that recorded the sealing, and each such event with its message.
func auditNotices(ctx context.Context, r reader, ids []int64, res *AuditResult) error {
	rows, err := r.Query(ctx, `SELECT COALESCE(n.case_id, e.case_id) AS case_id, COALESCE(e.seq, 0) AS seq, COALESCE(n.id, 0), COALESCE(n.message_id, e.message_id)
		FROM (SELECT case_id, id, message_id, sha256, sha256(sealed) AS actual FROM notices WHERE case_id = ANY($1)) n
		FULL JOIN (SELECT case_id, seq, data->>'message_id' AS message_id, data->>'sha256' AS sha256 FROM events
			WHERE case_id = ANY($1) AND kind = 'notice.sealed') e ON e.case_id = n.case_id AND e.message_id = n.message_id
		WHERE n.id IS NULL OR e.seq IS NULL OR n.actual <> n.sha256 OR e.sha256 IS DISTINCT FROM encode(n.sha256, 'hex')
		ORDER BY 1, 2, 3`, ids)
	if err != nil {
		return classify("audit notices", err)
	}
	var caseID, seq, id int64
	var messageID *string
	_, err = pgx.ForEachRow(rows, []any{&caseID, &seq, &id, &messageID}, func() error {
		name := "without a Message-ID"
		if messageID != nil {
			name = *messageID
		}
		what := fmt.Sprintf("event %d: notice %d (%s) is not what was sealed", seq, id, name)
		switch {
		case id == 0:
			what = fmt.Sprintf("event %d: the notice %s that it sealed is missing", seq, name)
		case seq == 0:
			what = fmt.Sprintf("notice %d (%s): no event recorded its sealing", id, name)
		}
		res.Breaks = append(res.Breaks, fmt.Sprintf("case %d: %s", caseID, what))
		return nil
	})
	return classify("audit notices", err)
}

// orphans finds events that no case owns, which only tampering leaves.
func (s *Store) orphans(ctx context.Context) ([]string, error) {
	rows, err := s.pool.Query(ctx, `SELECT DISTINCT e.case_id FROM events e LEFT JOIN cases c ON c.id = e.case_id WHERE c.id IS NULL LIMIT 100`)
	if err != nil {
		return nil, classify("audit", err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (string, error) {
		var id int64
		err := row.Scan(&id)
		return fmt.Sprintf("case %d: the case is missing, its events are there", id), err
	})
	return out, classify("audit", err)
}

// eventsOf returns the events of the cases, in order.
func eventsOf(ctx context.Context, r reader, ids []int64) (map[int64][]takedown.Event, error) {
	rows, err := r.Query(ctx, `SELECT id, case_id, seq, at, kind, actor, data::text, prev, hash FROM events WHERE case_id = ANY($1) ORDER BY case_id, seq`, ids)
	if err != nil {
		return nil, classify("load events", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (takedown.Event, error) {
		var e takedown.Event
		var prev, hash []byte
		err := row.Scan(&e.ID, &e.CaseID, &e.Seq, &e.At, &e.Kind, &e.Actor, (*[]byte)(&e.Data), &prev, &hash)
		copy(e.Prev[:], prev)
		copy(e.Hash[:], hash)
		e.At = e.At.UTC()
		return e, err
	})
	if err != nil {
		return nil, classify("load events", err)
	}
	out := make(map[int64][]takedown.Event, len(ids))
	for _, e := range list {
		out[e.CaseID] = append(out[e.CaseID], e)
	}
	return out, nil
}

// Events returns the events of one case, in order.
func (s *Store) Events(ctx context.Context, caseID int64) ([]takedown.Event, error) {
	events, err := eventsOf(ctx, s.pool, []int64{caseID})
	return events[caseID], err
}

// LastEventAt returns the time of the newest event, or the zero time.
func (s *Store) LastEventAt(ctx context.Context) (time.Time, error) {
	var at *time.Time
	err := s.pool.QueryRow(ctx, `SELECT max(at) FROM (SELECT at FROM events ORDER BY id DESC LIMIT 1000) AS newest`).Scan(&at)
	return orZero(at), classify("newest event", err)
}
