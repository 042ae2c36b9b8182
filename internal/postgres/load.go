package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"desist/takedown"
)

const caseColumns = `c.id, c.kind, c.value, c.host, c.registrable, c.platform, c.class, c.state, c.reason, c.submissions,
	c.first_seen_at, c.submitted_at, c.screened_at, c.notified_at, c.answered_at, c.gone_seen_at, c.gone_at, c.closed_at, c.watch_until,
	c.relapses, c.retry_at, c.attempts, COALESCE(c.resolution_id, 0), COALESCE(r.parties, '[]'), COALESCE(r.absent, false),
	c.track, c.event_seq, c.event_hash`

func scanCase(row pgx.CollectableRow) (*takedown.Case, error) {
	var (
		c                                                                         takedown.Case
		screened, notified, answered, goneSeen, gone, closed, watchUntil, retryAt *time.Time
		parties, track, hash                                                      []byte
	)
	err := row.Scan(&c.ID, &c.Indicator.Kind, &c.Indicator.Value, &c.Indicator.Host, &c.Indicator.Registrable, &c.Indicator.Platform,
		&c.Class, &c.State, &c.Reason, &c.Submissions, &c.FirstSeenAt, &c.SubmittedAt, &screened, &notified, &answered, &goneSeen, &gone,
		&closed, &watchUntil, &c.Relapses, &retryAt, &c.Attempts, &c.ResolutionID, &parties, &c.Absent, &track, &c.EventSeq, &hash)
	if err != nil {
		return nil, err
	}
	c.FirstSeenAt, c.SubmittedAt = c.FirstSeenAt.UTC(), c.SubmittedAt.UTC()
	c.ScreenedAt = orZero(screened)
	c.NotifiedAt, c.AnsweredAt, c.GoneSeenAt, c.GoneAt = orZero(notified), orZero(answered), orZero(goneSeen), orZero(gone)
	c.ClosedAt, c.WatchUntil, c.RetryAt = orZero(closed), orZero(watchUntil), orZero(retryAt)
	copy(c.EventHash[:], hash)
	if err := json.Unmarshal(parties, &c.Parties); err != nil {
		return nil, fmt.Errorf("case %d: parties: %w", c.ID, err)
	}
	if err := json.Unmarshal(track, &c.Track); err != nil {
		return nil, fmt.Errorf("case %d: track: %w", c.ID, err)
	}
	c.Loaded = c.Version()
	return &c, nil
}

// Load returns the cases with the given ids, whole, in no particular order.
// Ids that do not exist are left out.
func (s *Store) Load(ctx context.Context, ids []int64) ([]*takedown.Case, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	rows, err := s.pool.Query(ctx, `SELECT `+caseColumns+`
		FROM cases c LEFT JOIN resolutions r ON r.id = c.resolution_id WHERE c.id = ANY($1)`, ids)
	if err != nil {
		return nil, classify("load cases", err)
	}
	cases, err := pgx.CollectRows(rows, scanCase)
	if err != nil {
		return nil, classify("load cases", err)
	}
	if err := loadLegs(ctx, s.pool, cases); err != nil {
		return nil, classify("load legs", err)
	}
	return cases, nil
}

// reader is a pool or a transaction.
type reader interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func loadLegs(ctx context.Context, r reader, cases []*takedown.Case) error {
	byID := make(map[int64]*takedown.Case, len(cases))
	var ids []int64
	for _, c := range cases {
		byID[c.ID] = c
		switch c.State {
		case takedown.CaseSubmitted, takedown.CaseScreened: // has no legs yet, unless it was held and approved again
			if c.ResolutionID == 0 {
				continue
			}
		}
		ids = append(ids, c.ID)
	}
	if len(ids) == 0 {
		return nil
	}
	// The parties of an older resolution are read only for legs that still
	// stand on one.
	rows, err := r.Query(ctx, `SELECT l.id, l.case_id, l.party_id, p.role, p.key, l.resolution_id,
			CASE WHEN l.resolution_id IS DISTINCT FROM c.resolution_id THEN r.parties END,
			l.state, l.reason, l.contact, l.kind, l.seq, COALESCE(l.notice_id, 0), l.attempts, l.reminders,
			l.due_at, l.opened_at, l.notified_at, l.answered_at, l.answer, l.ticket, l.approved_by
		FROM legs l JOIN cases c ON c.id = l.case_id JOIN parties p ON p.id = l.party_id
			LEFT JOIN resolutions r ON r.id = l.resolution_id AND r.id IS DISTINCT FROM c.resolution_id
		WHERE l.case_id = ANY($1) ORDER BY l.id`, ids)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var (
			l                         takedown.Leg
			partyID                   int64
			role                      takedown.Role
			key                       string
			older                     []byte
			dueAt, notified, answered *time.Time
		)
		if err := rows.Scan(&l.ID, &l.CaseID, &partyID, &role, &key, &l.ResolutionID, &older, &l.State, &l.Reason, &l.Contact, &l.Kind,
			&l.Seq, &l.NoticeID, &l.Attempts, &l.Reminders, &dueAt, &l.OpenedAt, &notified, &answered, &l.Answer, &l.Ticket, &l.ApprovedBy); err != nil {
			return err
		}
		l.DueAt, l.NotifiedAt, l.AnsweredAt, l.OpenedAt = orZero(dueAt), orZero(notified), orZero(answered), l.OpenedAt.UTC()
		c := byID[l.CaseID]
		parties := c.Parties
		if older != nil {
			parties = nil
			if err := json.Unmarshal(older, &parties); err != nil {
				return fmt.Errorf("leg %d: parties: %w", l.ID, err)
			}
		}
		for _, p := range parties {
			if p.Role == role && p.Key == key {
				l.Party = p
				break
			}
		}
		l.Party.ID, l.Party.Role, l.Party.Key = partyID, role, key
		c.Legs = append(c.Legs, &l)
	}
	return rows.Err()
}

// Submissions returns the submissions of the cases, oldest first.
func (s *Store) Submissions(ctx context.Context, caseIDs []int64) (map[int64][]takedown.Submission, error) {
	rows, err := s.pool.Query(ctx, `SELECT id, case_id, key, raw, class, source, seen_at, received_at, confidence, tlp, description, refs,
		evidence, reporter, external_id FROM submissions WHERE case_id = ANY($1) ORDER BY id`, caseIDs)
	if err != nil {
		return nil, classify("load submissions", err)
	}
	out := make(map[int64][]takedown.Submission, len(caseIDs))
	var sub takedown.Submission
	_, err = pgx.ForEachRow(rows, []any{
		&sub.ID, &sub.CaseID, &sub.Key, &sub.Raw, &sub.Class, &sub.Source, &sub.SeenAt, &sub.ReceivedAt,
		&sub.Confidence, &sub.TLP, &sub.Description, &sub.References, &sub.Evidence, &sub.Reporter, &sub.ExternalID,
	}, func() error {
		sub.SeenAt, sub.ReceivedAt = sub.SeenAt.UTC(), sub.ReceivedAt.UTC()
		out[sub.CaseID] = append(out[sub.CaseID], sub)
		sub = takedown.Submission{}
		return nil
	})
	if err != nil {
		return nil, classify("load submissions", err)
	}
	return out, nil
}

const noticeColumns = `id, case_id, leg_id, seq, kind, recipient, envelope_from, message_id, subject, pack, pack_version, checked_on, grade,
	regime, languages, elements, warnings, sha256, sealed_at`

func scanNotice(row pgx.CollectableRow, more ...any) (takedown.Notice, error) {
	var n takedown.Notice
	var hash []byte
	d := &n.Draft
	err := row.Scan(append([]any{
		&n.ID, &n.CaseID, &n.LegID, &n.Seq, &n.Kind, &n.Recipient, &n.EnvelopeFrom, &n.MessageID, &d.Subject,
		&d.Pack, &d.PackVersion, &d.CheckedOn, &d.Grade, &d.Regime, &d.Languages, &d.Elements, &d.Warnings, &hash, &n.SealedAt,
	}, more...)...)
	copy(n.SHA256[:], hash)
	n.SealedAt = n.SealedAt.UTC()
	return n, err
}

// Notices returns the notices with the given ids, with their sealed bytes.
func (s *Store) Notices(ctx context.Context, ids []int64) (map[int64]takedown.Notice, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+noticeColumns+`, sealed FROM notices WHERE id = ANY($1)`, ids)
	if err != nil {
		return nil, classify("load notices", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (takedown.Notice, error) {
		var sealed []byte
		n, err := scanNotice(row, &sealed)
		n.Sealed = sealed
		return n, err
	})
	if err != nil {
		return nil, classify("load notices", err)
	}
	out := make(map[int64]takedown.Notice, len(list))
	for _, n := range list {
		out[n.ID] = n
	}
	return out, nil
}

// EarlierNotices returns, for each leg, the notices that were accepted, oldest
// first: the proof that a reminder or an escalation quotes.
func (s *Store) EarlierNotices(ctx context.Context, caseIDs []int64) (map[int64][]takedown.EarlierNotice, error) {
	rows, err := s.pool.Query(ctx, `SELECT n.case_id, n.kind, n.recipient, n.message_id, d.finished_at, d.reply
		FROM deliveries d JOIN notices n ON n.id = d.notice_id
		WHERE d.case_id = ANY($1) AND d.outcome = 'accepted' ORDER BY d.finished_at, d.id`, caseIDs)
	if err != nil {
		return nil, classify("load earlier notices", err)
	}
	out := make(map[int64][]takedown.EarlierNotice)
	var id int64
	var e takedown.EarlierNotice
	_, err = pgx.ForEachRow(rows, []any{&id, &e.Kind, &e.Recipient, &e.MessageID, &e.AcceptedAt, &e.Reply}, func() error {
		e.AcceptedAt = e.AcceptedAt.UTC()
		out[id] = append(out[id], e)
		return nil
	})
	if err != nil {
		return nil, classify("load earlier notices", err)
	}
	return out, nil
}

// DeadContacts returns which of the addresses must not be used.
func (s *Store) DeadContacts(ctx context.Context, addresses []string) (map[string]string, error) {
	rows, err := s.pool.Query(ctx, `SELECT address, dead_reason FROM contacts WHERE address = ANY($1) AND dead_at IS NOT NULL`, addresses)
	if err != nil {
		return nil, classify("load contacts", err)
	}
	out := make(map[string]string)
	var address, reason string
	if _, err = pgx.ForEachRow(rows, []any{&address, &reason}, func() error {
		out[address] = reason
		return nil
	}); err != nil {
		return nil, classify("load contacts", err)
	}
	return out, nil
}
