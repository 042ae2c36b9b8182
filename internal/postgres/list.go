package postgres

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/jackc/pgx/v5"

	"desist/takedown"
)

// A Filter selects cases. Zero fields select everything.
type Filter struct {
	State takedown.CaseState
	Class takedown.Class
	Party string        // part of the name or the key of a party
	Age   time.Duration // submitted at least this long ago
	// Before continues a listing: only cases with a smaller id.
	Before int64
	Limit  int // 0 means 50
}

// A Row is one line of a listing.
type Row struct {
	ID          int64              `json:"id"`
	Reference   string             `json:"reference"`
	Kind        takedown.Kind      `json:"kind"`
	Indicator   string             `json:"indicator"`
	Class       takedown.Class     `json:"class"`
	State       takedown.CaseState `json:"state"`
	Reason      string             `json:"reason,omitempty"`
	Submissions int                `json:"submissions"`
	SubmittedAt time.Time          `json:"submitted_at"`
	NotifiedAt  time.Time          `json:"notified_at,omitzero"`
	GoneAt      time.Time          `json:"gone_at,omitzero"`
	ClosedAt    time.Time          `json:"closed_at,omitzero"`
	NextStage   string             `json:"next_stage,omitempty"`
	NextAt      time.Time          `json:"next_at,omitzero"`
	Legs        map[string]string  `json:"legs"` // role → state
}

// List returns cases, newest first.
func (s *Store) List(ctx context.Context, now time.Time, f Filter) ([]Row, error) {
	if f.Limit <= 0 {
		f.Limit = 50
	}
	before := now.Add(-f.Age)
	return query(ctx, s, `SELECT c.id, c.kind, c.value, c.class, c.state, c.reason, c.submissions, c.submitted_at, c.notified_at, c.gone_at, c.closed_at,
			COALESCE(c.due_stage, ''), c.due_at,
			COALESCE((SELECT jsonb_object_agg(p.role, l.state) FROM legs l JOIN parties p ON p.id = l.party_id WHERE l.case_id = c.id), '{}')
		FROM cases c
		WHERE ($1 = '' OR c.state = $1) AND ($2 = '' OR c.class = $2) AND c.submitted_at <= $3 AND ($4::bigint = 0 OR c.id < $4)
			AND ($5 = '' OR EXISTS (SELECT 1 FROM legs l JOIN parties p ON p.id = l.party_id
				WHERE l.case_id = c.id AND (strpos(lower(p.name), lower($5)) > 0 OR strpos(p.key, lower($5)) > 0)))
		ORDER BY c.id DESC LIMIT $6`, func(row pgx.CollectableRow) (Row, error) {
		var r Row
		var notified, gone, closed, due *time.Time
		err := row.Scan(&r.ID, &r.Kind, &r.Indicator, &r.Class, &r.State, &r.Reason, &r.Submissions, &r.SubmittedAt, &notified, &gone, &closed,
			&r.NextStage, &due, &r.Legs)
		r.Reference, r.SubmittedAt = takedown.Reference(r.ID), r.SubmittedAt.UTC()
		r.NotifiedAt, r.GoneAt, r.ClosedAt, r.NextAt = orZero(notified), orZero(gone), orZero(closed), orZero(due)
		return r, err
	}, string(f.State), string(f.Class), before.UTC(), f.Before, takedown.CleanText(f.Party), f.Limit)
}

// Find returns the cases of an indicator or a reference number.
func (s *Store) Find(ctx context.Context, value string) ([]int64, error) {
	digest := sha256.Sum256([]byte(value))
	return query(ctx, s, `SELECT id FROM cases WHERE digest = $1 OR host = $2 ORDER BY id DESC LIMIT 100`, pgx.RowTo[int64], digest[:], takedown.CleanText(value))
}

// Overview is the state of everything at a glance.
type Overview struct {
	Submissions int `json:"submissions"`
	// Resolved, Told and Gone count cases that ever got so far.
	Resolved int `json:"resolved"`
	Told     int `json:"told"`
	Gone     int `json:"gone"`
	Relapses int `json:"relapses"`
	// Running counts open cases that move by themselves: not held, and with a
	// leg or a watch that does not wait for a person.
	Running     int            `json:"running"`
	Cases       map[string]int `json:"cases"`      // by state
	Legs        map[string]int `json:"legs"`       // by state
	Deliveries  map[string]int `json:"deliveries"` // by outcome
	Replies     map[string]int `json:"replies"`    // by class
	Notices     int            `json:"notices"`
	Checks      int            `json:"checks"`
	Events      int            `json:"events"`
	DeadLetters int            `json:"dead_letters"`
}

// Overview counts.
func (s *Store) Overview(ctx context.Context) (Overview, error) {
	o := Overview{Cases: map[string]int{}, Legs: map[string]int{}, Deliveries: map[string]int{}, Replies: map[string]int{}}
	rows, err := s.pool.Query(ctx, `SELECT 'case', state, count(*) FROM cases GROUP BY state
		UNION ALL SELECT 'leg', state, count(*) FROM legs GROUP BY state
		UNION ALL SELECT 'delivery', COALESCE(outcome, 'open'), count(*) FROM deliveries GROUP BY outcome
		UNION ALL SELECT 'reply', class, count(*) FROM replies GROUP BY class
		UNION ALL SELECT 'submissions', '', count(*) FROM submissions
		UNION ALL SELECT 'notices', '', count(*) FROM notices
		UNION ALL SELECT 'checks', '', count(*) FROM checks
		UNION ALL SELECT 'events', '', count(*) FROM events
		UNION ALL SELECT 'resolved', '', count(resolution_id) FROM cases
		UNION ALL SELECT 'running', '', count(*) FROM cases c WHERE state IN ('submitted', 'screened', 'resolved') OR state = 'active' AND (
			NOT EXISTS (SELECT 1 FROM legs l WHERE l.case_id = c.id AND l.state IN ('held', 'disputed'))
			OR EXISTS (SELECT 1 FROM legs l WHERE l.case_id = c.id AND l.state IN ('planned', 'composed', 'sending', 'notified', 'unknown')))
		UNION ALL SELECT 'told', '', count(notified_at) FROM cases
		UNION ALL SELECT 'gone', '', count(gone_at) FROM cases
		UNION ALL SELECT 'relapses', '', COALESCE(sum(relapses), 0)::bigint FROM cases
		UNION ALL SELECT 'dead', '', count(*) FROM dead_letters WHERE replayed_at IS NULL`)
	if err != nil {
		return o, classify("overview", err)
	}
	var what, key string
	var n int
	_, err = pgx.ForEachRow(rows, []any{&what, &key, &n}, func() error {
		switch what {
		case "case":
			o.Cases[key] = n
		case "leg":
			o.Legs[key] = n
		case "delivery":
			o.Deliveries[key] = n
		case "reply":
			o.Replies[key] = n
		case "resolved":
			o.Resolved = n
		case "running":
			o.Running = n
		case "told":
			o.Told = n
		case "gone":
			o.Gone = n
		case "relapses":
			o.Relapses = n
		case "submissions":
			o.Submissions = n
		case "notices":
			o.Notices = n
		case "checks":
			o.Checks = n
		case "events":
			o.Events = n
		case "dead":
			o.DeadLetters = n
		}
		return nil
	})
	return o, classify("overview", err)
}

// A Life is the clocks of one case with what it is grouped by, for the figures.
type Life struct {
	CaseID      int64
	Class       takedown.Class
	State       takedown.CaseState
	SubmittedAt time.Time
	NotifiedAt  time.Time
	AnsweredAt  time.Time
	GoneSeenAt  time.Time
	GoneAt      time.Time
	ClosedAt    time.Time
	Relapses    int
	// The party that was told first; empty when nobody was.
	Provider string // its key
	Name     string
	ASN      int64
	Country  string
	Role     takedown.Role
}

// Lives returns the clocks of the cases submitted in [from, to).
func (s *Store) Lives(ctx context.Context, from, to time.Time) ([]Life, error) {
	return query(ctx, s, `SELECT c.id, c.class, c.state, c.submitted_at, c.notified_at, c.answered_at, c.gone_seen_at, c.gone_at, c.closed_at, c.relapses,
			COALESCE(p.key, ''), COALESCE(p.name, ''), COALESCE(p.asn, 0), COALESCE(p.country, ''), COALESCE(p.role, '')
		FROM cases c LEFT JOIN LATERAL (
			SELECT p.* FROM legs l JOIN parties p ON p.id = l.party_id WHERE l.case_id = c.id
			ORDER BY l.notified_at NULLS LAST, l.id LIMIT 1) p ON true
		WHERE c.submitted_at >= $1 AND c.submitted_at < $2 AND c.state <> 'refused' ORDER BY c.id`, func(row pgx.CollectableRow) (Life, error) {
		var l Life
		var notified, answered, goneSeen, gone, closed *time.Time
		err := row.Scan(&l.CaseID, &l.Class, &l.State, &l.SubmittedAt, &notified, &answered, &goneSeen, &gone, &closed, &l.Relapses,
			&l.Provider, &l.Name, &l.ASN, &l.Country, &l.Role)
		l.SubmittedAt, l.NotifiedAt, l.AnsweredAt = l.SubmittedAt.UTC(), orZero(notified), orZero(answered)
		l.GoneSeenAt, l.GoneAt, l.ClosedAt = orZero(goneSeen), orZero(gone), orZero(closed)
		return l, err
	}, from.UTC(), to.UTC())
}
