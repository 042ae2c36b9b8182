package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"desist/takedown"
)

type pgxTag = pgconn.CommandTag

// Commit stores changes in one transaction. It returns the ids of the cases
// that somebody else changed since they were loaded: nothing of theirs was
// written, and their work will be offered again. The changes that were stored
// leave their cases ready for a further change.
func (s *Store) Commit(ctx context.Context, now time.Time, sweepAfter time.Duration, changes []*takedown.Change) (lost []int64, err error) {
	if len(changes) == 0 {
		return nil, nil
	}
	if err := s.resolveParties(ctx, changes); err != nil {
		return nil, classify("store parties", err)
	}
	// One order of locking everywhere.
	changes = slices.Clone(changes)
	slices.SortFunc(changes, func(a, b *takedown.Change) int { return int(a.Case.ID - b.Case.ID) })
	heads := make(map[int64]head, len(changes))
	var fresh []*takedown.Leg
	for _, ch := range changes {
		heads[ch.Case.ID] = head{ch.Case.EventSeq, ch.Case.EventHash, ch.Case.Loaded}
		for _, l := range ch.Case.Legs {
			if l.ID == 0 {
				fresh = append(fresh, l)
			}
		}
	}
	for {
		err = s.inTx(ctx, "commit changes", func(tx pgx.Tx) error {
			w := newWriter(now, sweepAfter)
			if err := w.addChanges(ctx, tx, changes); err != nil {
				return err
			}
			return w.flush(ctx, tx)
		})
		if err == nil {
			break
		}
		for _, ch := range changes { // undo what seal advanced
			ch.Case.EventSeq, ch.Case.EventHash = heads[ch.Case.ID].seq, heads[ch.Case.ID].hash
		}
		for _, l := range fresh { // and the numbers of legs that were not stored
			l.ID = 0
		}
		if !errors.Is(err, errRace) {
			return lost, err
		}
		stale, serr := s.stale(ctx, heads)
		if serr != nil {
			return lost, serr
		}
		if len(stale) == 0 {
			return lost, err
		}
		for _, id := range stale {
			delete(heads, id)
		}
		lost = append(lost, stale...)
		changes = slices.DeleteFunc(changes, func(ch *takedown.Change) bool { return slices.Contains(stale, ch.Case.ID) })
		if len(changes) == 0 {
			return lost, nil
		}
	}
	s.committed()
	for _, ch := range changes {
		ch.Case.NewEvents, ch.Case.Loaded = nil, ch.Case.Version()
		for _, l := range ch.Case.Legs {
			l.Stored()
		}
	}
	return lost, nil
}

type head struct {
	seq    int64
	hash   takedown.Hash
	loaded takedown.Version
}

// stale returns the ids whose row is no longer at the version we loaded.
func (s *Store) stale(ctx context.Context, heads map[int64]head) ([]int64, error) {
	ids := make([]int64, 0, len(heads))
	var seqs, attempts, checks []int64
	for id, h := range heads {
		ids, seqs = append(ids, id), append(seqs, h.loaded.Seq)
		attempts, checks = append(attempts, int64(h.loaded.Attempts)), append(checks, int64(h.loaded.Checks))
	}
	rows, err := s.pool.Query(ctx, `SELECT u.id FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) AS u(id, seq, attempts, checks)
		LEFT JOIN cases c ON c.id = u.id AND `+sameVersion+` WHERE c.id IS NULL`, ids, seqs, attempts, checks)
	if err != nil {
		return nil, classify("find lost races", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	return out, classify("find lost races", err)
}

// sameVersion compares a case with u, the version that was loaded: takedown.Version.
const sameVersion = `c.event_seq = u.seq AND c.attempts = u.attempts AND COALESCE((c.track->>'Checks')::bigint, 0) = u.checks`

// resolveParties gives every party of a new leg its id. Parties are few and
// shared by many cases, so they are written outside the transaction, once.
func (s *Store) resolveParties(ctx context.Context, changes []*takedown.Change) error {
	var t table
	missing := make(map[partyKey]bool)
	s.mu.RLock()
	for _, ch := range changes {
		for _, l := range ch.Case.Legs {
			k := partyKey{l.Party.Role, takedown.CleanText(l.Party.Key)}
			if l.ID != 0 || s.parties[k] != 0 || missing[k] {
				continue
			}
			missing[k] = true
			i := 0
			add(&t, &i, string(k.role))
			add(&t, &i, k.key)
			add(&t, &i, takedown.CleanText(l.Party.Name))
			add(&t, &i, takedown.CleanText(l.Party.Country))
			add(&t, &i, int64(l.Party.ASN))
		}
	}
	s.mu.RUnlock()
	if len(missing) > 0 {
		// DO UPDATE, so that RETURNING answers for rows that were there.
		rows, err := s.pool.Query(ctx, `INSERT INTO parties (role, key, name, country, asn)
			SELECT * FROM `+unnest("text", "text", "text", "text", "bigint")+` AS t(role, key) ORDER BY role, key
			ON CONFLICT (role, key) DO UPDATE SET name = EXCLUDED.name, country = EXCLUDED.country, asn = EXCLUDED.asn
			RETURNING role, key, id`, t.args()...)
		if err != nil {
			return err
		}
		var k partyKey
		var id int64
		s.mu.Lock()
		_, err = pgx.ForEachRow(rows, []any{&k.role, &k.key, &id}, func() error { s.parties[k] = id; return nil })
		s.mu.Unlock()
		if err != nil {
			return err
		}
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, ch := range changes {
		for _, l := range ch.Case.Legs {
			if l.ID == 0 {
				l.Party.ID = s.parties[partyKey{l.Party.Role, takedown.CleanText(l.Party.Key)}]
			}
		}
	}
	return nil
}

// addChanges gathers the rows of all changes, giving ids to what is new.
func (w *writer) addChanges(ctx context.Context, tx pgx.Tx, changes []*takedown.Change) error {
	var legs, notices, resolutions int
	for _, ch := range changes {
		notices += len(ch.Notices)
		if ch.Resolution != nil {
			resolutions++
		}
		for _, l := range ch.Case.Legs {
			if l.ID == 0 {
				legs++
			}
		}
	}
	legIDs, err := allocate(ctx, tx, "legs", legs)
	if err != nil {
		return err
	}
	noticeIDs, err := allocate(ctx, tx, "notices", notices)
	if err != nil {
		return err
	}
	resolutionIDs, err := allocate(ctx, tx, "resolutions", resolutions)
	if err != nil {
		return err
	}
	raws := make(map[[sha256.Size]byte]bool)
	for _, ch := range changes {
		c := ch.Case
		if ch.Resolution != nil {
			c.ResolutionID, resolutionIDs = resolutionIDs[0], resolutionIDs[1:]
			if err := w.addResolution(c.ID, c.ResolutionID, ch.Resolution, raws); err != nil {
				return err
			}
		}
		for _, n := range ch.Notices {
			n.ID, noticeIDs = noticeIDs[0], noticeIDs[1:]
			for _, l := range c.Legs {
				if l.ID == n.LegID {
					l.NoticeID = n.ID
					l.Touch()
				}
			}
			w.addNotice(n)
		}
		for _, l := range c.Legs {
			switch {
			case l.ID == 0:
				l.ID, legIDs = legIDs[0], legIDs[1:]
				l.CaseID, l.ResolutionID = c.ID, c.ResolutionID
				w.addLeg(&w.newLegs, l)
			case l.Dirty():
				w.addLeg(&w.legs, l)
			}
		}
		for _, d := range ch.Deliveries {
			w.addDelivery(d)
		}
		for _, check := range ch.Checks {
			w.addCheck(check)
		}
		if r := ch.Reply; r != nil {
			w.expectReplies++
			i := 0
			add(&w.replies, &i, r.ID)
			add(&w.replies, &i, r.CaseID)
			add(&w.replies, &i, r.LegID)
			add(&w.replies, &i, r.NoticeID)
		}
		for _, d := range ch.DeadContacts {
			i := 0
			add(&w.dead, &i, string(d.Contact.Channel))
			add(&w.dead, &i, takedown.CleanText(d.Contact.Address))
			add(&w.dead, &i, w.now)
			add(&w.dead, &i, takedown.CleanText(d.Reason))
		}
		w.updateCase(c)
	}
	return nil
}

func (w *writer) addResolution(caseID, id int64, r *takedown.Resolution, seen map[[sha256.Size]byte]bool) error {
	type finding struct {
		takedown.Finding
		Raw string `json:"raw,omitempty"` // hash of the raw answer
	}
	findings := make([]finding, len(r.Findings))
	for n, f := range r.Findings {
		f.Value, f.Subject, f.Server = takedown.CleanText(f.Value), takedown.CleanText(f.Subject), takedown.CleanText(f.Server)
		findings[n].Finding = f
		if len(f.Raw) == 0 {
			continue
		}
		sum := sha256.Sum256(f.Raw)
		findings[n].Raw = takedown.Hash(sum).String()
		if !seen[sum] {
			seen[sum] = true
			i := 0
			add(&w.raws, &i, sum[:])
			add(&w.raws, &i, f.Raw)
			add(&w.raws, &i, w.now)
		}
	}
	t, i := &w.resolutions, 0
	add(t, &i, id)
	add(t, &i, caseID)
	add(t, &i, w.now)
	for _, part := range []any{findings, orEmpty(r.Parties), orEmpty(r.Gaps)} {
		raw, err := json.Marshal(part)
		if err != nil {
			return takedown.Permanent(fmt.Errorf("case %d: encode resolution: %w", caseID, err))
		}
		add(t, &i, jsonText(raw))
	}
	add(t, &i, r.Absent)
	return nil
}

const insertRaws = `INSERT INTO raw_answers (sha256, body, at)
	SELECT * FROM %s AS t(sha256) ORDER BY sha256 ON CONFLICT DO NOTHING`

const insertResolutions = `INSERT INTO resolutions (id, case_id, at, findings, parties, gaps, absent)
	SELECT a, b, c, d::json, e::json, f::json, g FROM %s AS t(a, b, c, d, e, f, g)`

func (w *writer) addLeg(t *table, l *takedown.Leg) {
	i := 0
	add(t, &i, l.ID)
	add(t, &i, l.CaseID)
	add(t, &i, l.Party.ID)
	add(t, &i, l.ResolutionID)
	add(t, &i, string(l.State))
	add(t, &i, l.Reason)
	add(t, &i, int32(l.Contact))
	add(t, &i, string(l.Kind))
	add(t, &i, int32(l.Seq))
	add(t, &i, l.NoticeID)
	add(t, &i, int32(l.Attempts))
	add(t, &i, int32(l.Reminders))
	add(t, &i, orNull(l.DueAt))
	add(t, &i, l.OpenedAt.UTC())
	add(t, &i, orNull(l.NotifiedAt))
	add(t, &i, orNull(l.AnsweredAt))
	add(t, &i, takedown.CleanText(l.Answer))
	add(t, &i, takedown.CleanText(l.Ticket))
	add(t, &i, takedown.CleanText(l.ApprovedBy))
}

var legTypes = []string{
	"bigint", "bigint", "bigint", "bigint", "text", "text", "int", "text", "int", "bigint", "int", "int",
	"timestamptz", "timestamptz", "timestamptz", "timestamptz", "text", "text", "text",
}

const insertLegs = `INSERT INTO legs (id, case_id, party_id, resolution_id, state, reason, contact, kind, seq, notice_id, attempts, reminders,
		due_at, opened_at, notified_at, answered_at, answer, ticket, approved_by)
	SELECT a, b, c, d, e, f, g, h, i, NULLIF(j, 0), k, l, m, n, o, p, q, r, s FROM %s AS t(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s)`

const updateLegs = `UPDATE legs SET resolution_id = u.resolution_id, state = u.state, reason = u.reason, contact = u.contact, kind = u.kind,
		seq = u.seq, notice_id = NULLIF(u.notice_id, 0), attempts = u.attempts, reminders = u.reminders, due_at = u.due_at, opened_at = u.opened_at,
		notified_at = u.notified_at, answered_at = u.answered_at, answer = u.answer, ticket = u.ticket, approved_by = u.approved_by
	FROM %s AS u(id, case_id, party_id, resolution_id, state, reason, contact, kind, seq, notice_id, attempts, reminders,
		due_at, opened_at, notified_at, answered_at, answer, ticket, approved_by)
	WHERE legs.id = u.id`

func (w *writer) addNotice(n *takedown.Notice) {
	elements, _ := json.Marshal(orEmpty(n.Draft.Elements))
	warnings, _ := json.Marshal(orEmpty(cleanAll(n.Draft.Warnings)))
	languages, _ := json.Marshal(orEmpty(n.Draft.Languages))
	t, i := &w.notices, 0
	add(t, &i, n.ID)
	add(t, &i, n.CaseID)
	add(t, &i, n.LegID)
	add(t, &i, int32(n.Seq))
	add(t, &i, string(n.Kind))
	add(t, &i, n.Recipient)
	add(t, &i, n.EnvelopeFrom)
	add(t, &i, n.MessageID)
	add(t, &i, takedown.CleanText(n.Draft.Subject))
	add(t, &i, n.Draft.Pack)
	add(t, &i, n.Draft.PackVersion)
	add(t, &i, n.Draft.CheckedOn)
	add(t, &i, n.Draft.Grade)
	add(t, &i, n.Draft.Regime)
	add(t, &i, string(languages))
	add(t, &i, jsonText(elements))
	add(t, &i, string(warnings))
	add(t, &i, n.Sealed)
	add(t, &i, n.SHA256[:])
	add(t, &i, n.SealedAt.UTC())
}

const insertNotices = `INSERT INTO notices (id, case_id, leg_id, seq, kind, recipient, envelope_from, message_id, subject, pack, pack_version,
		checked_on, grade, regime, languages, elements, warnings, sealed, sha256, sealed_at)
	SELECT a, b, c, d, e, f, g, h, i, j, k, l, m, n, ARRAY(SELECT json_array_elements_text(o::json)), p::jsonb,
		ARRAY(SELECT json_array_elements_text(q::json)), r, s, t
	FROM %s AS x(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t)`

func (w *writer) addDelivery(d takedown.Delivery) {
	i := 0
	if d.FinishedAt.IsZero() {
		t := &w.started
		add(t, &i, d.CaseID)
		add(t, &i, d.LegID)
		add(t, &i, d.NoticeID)
		add(t, &i, int32(d.Attempt))
		add(t, &i, d.StartedAt.UTC())
		return
	}
	t := &w.finished
	add(t, &i, d.NoticeID)
	add(t, &i, int32(d.Attempt))
	add(t, &i, d.FinishedAt.UTC())
	add(t, &i, string(d.Outcome))
	add(t, &i, int32(d.Code))
	add(t, &i, takedown.CleanText(d.Enhanced))
	add(t, &i, takedown.CleanText(d.Reply))
	add(t, &i, takedown.CleanText(d.Host))
	add(t, &i, takedown.CleanText(d.TLS))
}

const insertDeliveries = `INSERT INTO deliveries (case_id, leg_id, notice_id, attempt, started_at) SELECT * FROM %s`

const finishDeliveries = `UPDATE deliveries SET finished_at = u.finished_at, outcome = u.outcome, code = u.code, enhanced = u.enhanced,
		reply = u.reply, host = u.host, tls = u.tls
	FROM %s AS u(notice_id, attempt, finished_at, outcome, code, enhanced, reply, host, tls)
	WHERE deliveries.notice_id = u.notice_id AND deliveries.attempt = u.attempt AND (deliveries.outcome IS NULL OR deliveries.outcome = 'unknown')`

func (w *writer) addCheck(c takedown.Check) {
	observations, _ := json.Marshal(orEmpty(c.Observations))
	t, i := &w.checks, 0
	add(t, &i, c.CaseID)
	add(t, &i, c.At.UTC())
	add(t, &i, string(c.Verdict))
	add(t, &i, string(c.Layer))
	add(t, &i, takedown.CleanText(c.Detail))
	add(t, &i, jsonText(observations))
}

const insertChecks = `INSERT INTO checks (case_id, at, verdict, layer, detail, observations)
	SELECT a, b, c, d, e, f::jsonb FROM %s AS t(a, b, c, d, e, f)`

const tieReplies = `UPDATE replies SET case_id = u.case_id, leg_id = u.leg_id, notice_id = NULLIF(u.notice_id, 0)
	FROM %s AS u(id, case_id, leg_id, notice_id) WHERE replies.id = u.id AND replies.case_id IS NULL`

const insertDead = `INSERT INTO contacts (channel, address, bounces, dead_at, dead_reason)
	SELECT DISTINCT ON (a, b) a, b, 1, c, d FROM %s AS t(a, b, c, d)
	ON CONFLICT (channel, address) DO UPDATE SET bounces = contacts.bounces + 1, dead_at = EXCLUDED.dead_at, dead_reason = EXCLUDED.dead_reason`
