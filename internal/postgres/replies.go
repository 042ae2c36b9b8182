package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"desist/takedown"
)

// StoreReply keeps a mail that came back, before anybody acts on it, tied to
// the leg and notice that its token proved, if any. The same mail is stored
// once; its numbers are returned each time, with isNew false.
func (s *Store) StoreReply(ctx context.Context, r takedown.Reply) (stored takedown.Reply, isNew bool, err error) {
	var id int64
	err = s.pool.QueryRow(ctx, `INSERT INTO replies (leg_id, notice_id, received_at, class, from_addr, subject, authentic, ticket, reason,
			permanent, recipient, excerpt, raw, sha256)
		SELECT l.id, n.id, $3, $4, $5, $6, $7 AND l.id IS NOT NULL, $8, $9, $10, $11, $12, $13, $14
		FROM (SELECT 1) AS one LEFT JOIN legs l ON l.id = $1 AND $7 LEFT JOIN notices n ON n.leg_id = l.id AND n.seq = $2
		ON CONFLICT (sha256) DO NOTHING RETURNING id`, r.LegID, r.Seq,
		r.ReceivedAt.UTC(), string(r.Class), takedown.CleanText(r.From), takedown.CleanText(r.Subject), r.Authentic, takedown.CleanText(r.Ticket),
		takedown.CleanText(r.Reason), r.Permanent, takedown.CleanText(r.Recipient), takedown.CleanText(r.Excerpt), r.Raw, r.SHA256[:]).Scan(&id)
	isNew = err == nil
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return r, false, classify("store reply", err)
	}
	list, err := s.replies(ctx, `WHERE r.sha256 = $1`, r.SHA256[:])
	if err != nil || len(list) == 0 {
		return r, false, classify("store reply", err)
	}
	return list[0], isNew, nil
}

// PendingReplies returns authentic replies that no case has taken in yet: those
// that a crash left between storing and acting. CaseID is the case they belong
// to.
func (s *Store) PendingReplies(ctx context.Context, limit int) ([]takedown.Reply, error) {
	return s.replies(ctx, `WHERE r.authentic AND r.case_id IS NULL ORDER BY r.id LIMIT $1`, limit)
}

func (s *Store) replies(ctx context.Context, where string, args ...any) ([]takedown.Reply, error) {
	rows, err := s.pool.Query(ctx, `SELECT r.id, COALESCE(l.case_id, 0), COALESCE(r.leg_id, 0), COALESCE(r.notice_id, 0), COALESCE(n.seq, 0),
			r.received_at, r.class, r.from_addr, r.subject, r.authentic, r.ticket, r.reason, r.permanent, r.recipient, r.excerpt, r.raw, r.sha256
		FROM replies r LEFT JOIN legs l ON l.id = r.leg_id LEFT JOIN notices n ON n.id = r.notice_id `+where, args...)
	if err != nil {
		return nil, classify("load replies", err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (takedown.Reply, error) {
		var r takedown.Reply
		var hash []byte
		err := row.Scan(&r.ID, &r.CaseID, &r.LegID, &r.NoticeID, &r.Seq, &r.ReceivedAt, &r.Class, &r.From, &r.Subject, &r.Authentic, &r.Ticket,
			&r.Reason, &r.Permanent, &r.Recipient, &r.Excerpt, &r.Raw, &hash)
		copy(r.SHA256[:], hash)
		r.ReceivedAt = r.ReceivedAt.UTC()
		return r, err
	})
	return out, classify("load replies", err)
}

// DeadLetter keeps a message that could not be handled.
func (s *Store) DeadLetter(ctx context.Context, at time.Time, subject string, caseID int64, body []byte, reason string) error {
	if body == nil {
		body = []byte{}
	}
	_, err := s.pool.Exec(ctx, `INSERT INTO dead_letters (at, subject, case_id, body, reason) VALUES ($1, $2, NULLIF($3, 0::bigint), $4, $5)`,
		at.UTC(), takedown.CleanText(subject), caseID, body, takedown.CleanText(reason))
	return classify("store dead letter", err)
}
