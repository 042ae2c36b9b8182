package postgres

import (
	"context"
	"fmt"

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
	for after := int64(0); ; {
		heads, err := s.heads(ctx, ids, after)
		if err != nil {
			return res, err
		}
		if len(heads) == 0 {
			break
		}
		after = heads[len(heads)-1].id
		batch := make([]int64, len(heads))
		for i, h := range heads {
			batch[i] = h.id
		}
		events, err := s.eventsOf(ctx, batch)
		if err != nil {
			return res, err
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
		if err := s.auditNotices(ctx, batch, &res); err != nil {
			return res, err
		}
		if progress != nil {
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

type caseHead struct {
	id, seq int64
	hash    takedown.Hash
}

func (s *Store) heads(ctx context.Context, ids []int64, after int64) ([]caseHead, error) {
	rows, err := s.pool.Query(ctx, `SELECT id, event_seq, event_hash FROM cases
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
// hash in the event that recorded the sealing.
func (s *Store) auditNotices(ctx context.Context, ids []int64, res *AuditResult) error {
	rows, err := s.pool.Query(ctx, `SELECT n.case_id, n.id, n.message_id FROM notices n
		WHERE n.case_id = ANY($1) AND (sha256(n.sealed) <> n.sha256 OR NOT EXISTS (
			SELECT 1 FROM events e WHERE e.case_id = n.case_id AND e.kind = 'notice.sealed'
				AND e.data->>'message_id' = n.message_id AND e.data->>'sha256' = encode(n.sha256, 'hex')))
		ORDER BY n.id`, ids)
	if err != nil {
		return classify("audit notices", err)
	}
	var caseID, id int64
	var messageID string
	_, err = pgx.ForEachRow(rows, []any{&caseID, &id, &messageID}, func() error {
		res.Breaks = append(res.Breaks, fmt.Sprintf("case %d: notice %d (%s) is not what was sealed", caseID, id, messageID))
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
func (s *Store) eventsOf(ctx context.Context, ids []int64) (map[int64][]takedown.Event, error) {
	rows, err := s.pool.Query(ctx, `SELECT id, case_id, seq, at, kind, actor, data, prev, hash FROM events WHERE case_id = ANY($1) ORDER BY case_id, seq`, ids)
	if err != nil {
		return nil, classify("load events", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (takedown.Event, error) {
		var e takedown.Event
		var prev, hash []byte
		err := row.Scan(&e.ID, &e.CaseID, &e.Seq, &e.At, &e.Kind, &e.Actor, &e.Data, &prev, &hash)
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
	events, err := s.eventsOf(ctx, []int64{caseID})
	return events[caseID], err
}
