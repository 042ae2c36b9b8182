package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"desist/takedown"
)

// A Story is everything that is on record of one case.
type Story struct {
	Case        *takedown.Case
	Submissions []takedown.Submission
	Resolutions []Resolved
	Notices     []takedown.Notice // without the sealed bytes
	Deliveries  []takedown.Delivery
	Replies     []takedown.Reply // without the raw mail
	Checks      []takedown.Check
	Events      []takedown.Event
}

// Resolved is one stored resolution.
type Resolved struct {
	At       time.Time        `json:"at"`
	Findings []StoredFinding  `json:"findings"`
	Parties  []takedown.Party `json:"parties"`
	Gaps     []takedown.Gap   `json:"gaps"`
	Absent   bool             `json:"absent"`
}

// StoredFinding is a finding whose raw answer is named by its SHA-256.
type StoredFinding struct {
	takedown.Finding
	Raw string `json:"raw,omitempty"`
}

// Story returns the whole story of a case.
func (s *Store) Story(ctx context.Context, id int64) (*Story, error) {
	cases, err := s.Load(ctx, []int64{id})
	if err != nil {
		return nil, err
	}
	if len(cases) == 0 {
		return nil, takedown.NotFound(fmt.Errorf("case %s does not exist", takedown.Reference(id)))
	}
	st := &Story{Case: cases[0]}
	subs, err := s.Submissions(ctx, []int64{id})
	if err != nil {
		return nil, err
	}
	st.Submissions = subs[id]
	if st.Resolutions, err = query(ctx, s, `SELECT at, findings, parties, gaps, absent FROM resolutions WHERE case_id = $1 ORDER BY id`, scanResolved, id); err != nil {
		return nil, err
	}
	if st.Notices, err = query(ctx, s, `SELECT `+noticeColumns+` FROM notices WHERE case_id = $1 ORDER BY id`,
		func(row pgx.CollectableRow) (takedown.Notice, error) { return scanNotice(row) }, id); err != nil {
		return nil, err
	}
	if st.Deliveries, err = query(ctx, s, `SELECT id, notice_id, case_id, leg_id, attempt, started_at, finished_at, COALESCE(outcome, ''), code, enhanced, reply, host, tls
		FROM deliveries WHERE case_id = $1 ORDER BY id`, scanDelivery, id); err != nil {
		return nil, err
	}
	if st.Replies, err = s.replies(ctx, `WHERE r.case_id = $1 ORDER BY r.id`, id); err != nil {
		return nil, err
	}
	if st.Checks, err = query(ctx, s, `SELECT id, case_id, at, verdict, layer, detail, observations FROM checks WHERE case_id = $1 ORDER BY id`, scanCheck, id); err != nil {
		return nil, err
	}
	st.Events, err = s.Events(ctx, id)
	return st, err
}

func query[T any](ctx context.Context, s *Store, sql string, scan pgx.RowToFunc[T], args ...any) ([]T, error) {
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, classify("read", err)
	}
	out, err := pgx.CollectRows(rows, scan)
	return out, classify("read", err)
}

func scanResolved(row pgx.CollectableRow) (Resolved, error) {
	var r Resolved
	var findings, parties, gaps []byte
	if err := row.Scan(&r.At, &findings, &parties, &gaps, &r.Absent); err != nil {
		return r, err
	}
	r.At = r.At.UTC()
	for _, part := range []struct {
		raw  []byte
		into any
	}{{findings, &r.Findings}, {parties, &r.Parties}, {gaps, &r.Gaps}} {
		if err := json.Unmarshal(part.raw, part.into); err != nil {
			return r, fmt.Errorf("stored resolution: %w", err)
		}
	}
	return r, nil
}

func scanDelivery(row pgx.CollectableRow) (takedown.Delivery, error) {
	var d takedown.Delivery
	var finished *time.Time
	err := row.Scan(&d.ID, &d.NoticeID, &d.CaseID, &d.LegID, &d.Attempt, &d.StartedAt, &finished, &d.Outcome, &d.Code, &d.Enhanced, &d.Reply, &d.Host, &d.TLS)
	d.StartedAt, d.FinishedAt = d.StartedAt.UTC(), orZero(finished)
	return d, err
}

func scanCheck(row pgx.CollectableRow) (takedown.Check, error) {
	var c takedown.Check
	err := row.Scan(&c.ID, &c.CaseID, &c.At, &c.Verdict, &c.Layer, &c.Detail, &c.Observations)
	c.At = c.At.UTC()
	return c, err
}

// RawAnswer returns an outside answer by its hash, as it came.
func (s *Store) RawAnswer(ctx context.Context, hash takedown.Hash) ([]byte, error) {
	var body []byte
	err := s.pool.QueryRow(ctx, `SELECT body FROM raw_answers WHERE sha256 = $1`, hash[:]).Scan(&body)
	return body, classify("raw answer "+hash.String(), err)
}

// Notice returns one notice with its sealed bytes.
func (s *Store) Notice(ctx context.Context, id int64) (takedown.Notice, error) {
	list, err := s.Notices(ctx, []int64{id})
	if err != nil {
		return takedown.Notice{}, err
	}
	n, ok := list[id]
	if !ok {
		return n, takedown.NotFound(fmt.Errorf("notice %d does not exist", id))
	}
	return n, nil
}

// NoticeByMessageID returns the notice that carries a Message-ID.
func (s *Store) NoticeByMessageID(ctx context.Context, messageID string) (takedown.Notice, error) {
	var id int64
	if err := s.pool.QueryRow(ctx, `SELECT id FROM notices WHERE message_id = $1`, messageID).Scan(&id); err != nil {
		return takedown.Notice{}, classify("no notice of ours has the Message-ID "+messageID, err)
	}
	return s.Notice(ctx, id)
}
