package postgres

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"desist/takedown"
)

// errRace means that another writer created a row between our look and our
// write; the batch is tried again and finds it.
var errRace = takedown.Temporary(errors.New("another writer was faster"))

// Accept stores submissions and answers each, in order: the case it belongs to
// and whether it was new. One transaction takes the whole batch. A submission
// whose key is known is a duplicate; one whose indicator and class have a live
// case attaches to it; any other opens a case. sweepAfter is how long the sweep
// leaves new work to the relay before it offers it again.
func (s *Store) Accept(ctx context.Context, now time.Time, sweepAfter time.Duration, subs []takedown.Submission) ([]takedown.Accepted, error) {
	var out []takedown.Accepted
	var err error
	for range 5 {
		err = s.inTx(ctx, "accept submissions", func(tx pgx.Tx) error {
			var err error
			out, err = accept(ctx, tx, now, sweepAfter, subs)
			return err
		})
		if !errors.Is(err, errRace) {
			break
		}
	}
	if err == nil {
		s.committed()
	}
	return out, err
}

type caseKey struct {
	digest [sha256.Size]byte
	class  takedown.Class
}

func keyOf(s takedown.Submission) caseKey {
	return caseKey{sha256.Sum256([]byte(s.Indicator.Value)), s.Class}
}

func accept(ctx context.Context, tx pgx.Tx, now time.Time, sweepAfter time.Duration, subs []takedown.Submission) ([]takedown.Accepted, error) {
	out := make([]takedown.Accepted, len(subs))
	subs = slices.Clone(subs)
	for i := range subs {
		subs[i].Key = takedown.CleanText(subs[i].Key)
	}
	known, err := knownKeys(ctx, tx, subs)
	if err != nil {
		return nil, err
	}
	// Group what is new by the case it belongs to, keeping the order.
	groups := make(map[caseKey][]int)
	var order []caseKey
	first := make(map[string]int, len(subs)) // by key
	repeats := make(map[int]int)             // of a key of this batch: the first one answers
	for i, sub := range subs {
		if a, ok := known[sub.Key]; ok {
			out[i] = a
			continue
		}
		if j, ok := first[sub.Key]; ok {
			repeats[i] = j
			continue
		}
		first[sub.Key] = i
		k := keyOf(sub)
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], i)
	}
	if len(order) == 0 {
		return out, nil
	}
	// Insert in one order everywhere, so that two batches cannot deadlock.
	slices.SortFunc(order, func(a, b caseKey) int {
		if c := slices.Compare(a.digest[:], b.digest[:]); c != 0 {
			return c
		}
		return strings.Compare(string(a.class), string(b.class))
	})
	live, err := lockLive(ctx, tx, order)
	if err != nil {
		return nil, err
	}
	var fresh []caseKey
	for _, k := range order {
		if live[k] == nil {
			fresh = append(fresh, k)
		}
	}
	ids, err := allocate(ctx, tx, "cases", len(fresh))
	if err != nil {
		return nil, err
	}
	w := newWriter(now, sweepAfter)
	for i, k := range fresh {
		live[k] = openCase(w, now, ids[i], k, subs, groups[k])
	}
	created := make(map[caseKey]bool, len(fresh))
	for _, k := range fresh {
		created[k] = true
	}
	for _, k := range order {
		c := live[k]
		for n, i := range groups[k] {
			sub := subs[i]
			w.addSubmission(c.ID, sub)
			isNew := created[k] && n == 0
			out[i] = takedown.Accepted{CaseID: c.ID, New: isNew, State: c.State}
			if isNew {
				continue
			}
			c.Submissions++
			if sub.SeenAt.Before(c.FirstSeenAt) {
				c.FirstSeenAt = sub.SeenAt.UTC()
			}
			c.Record(now, takedown.EventAttached, "intake", map[string]any{"source": sub.Source, "raw": clip(sub.Raw, 300), "external_id": sub.ExternalID})
			if c.State == takedown.CaseRemoved {
				// A report that it is back is worth a look at once.
				c.Track.NextAt = now
			}
		}
		if created[k] {
			w.insertCase(c, k.digest)
		} else {
			w.updateCase(c)
		}
	}
	for i, j := range repeats {
		out[i] = takedown.Accepted{CaseID: out[j].CaseID, State: out[j].State, Duplicate: true}
	}
	return out, w.flush(ctx, tx)
}

// openCase makes the new case that a group of submissions reports.
func openCase(w *writer, now time.Time, id int64, k caseKey, subs []takedown.Submission, group []int) *takedown.Case {
	first := subs[group[0]]
	c := &takedown.Case{
		ID: id, Indicator: first.Indicator, Class: k.class, State: takedown.CaseSubmitted,
		Submissions: 1, FirstSeenAt: first.SeenAt.UTC(), SubmittedAt: now.UTC(),
	}
	c.Record(now, takedown.EventSubmitted, "intake", map[string]any{
		"indicator": first.Indicator.Value, "kind": string(first.Indicator.Kind), "class": string(k.class),
		"source": first.Source, "raw": clip(first.Raw, 300), "external_id": first.ExternalID,
	})
	return c
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n] + "…"
}

// knownKeys finds which submissions are already stored.
func knownKeys(ctx context.Context, tx pgx.Tx, subs []takedown.Submission) (map[string]takedown.Accepted, error) {
	keys := make([]string, len(subs))
	for i, sub := range subs {
		keys[i] = sub.Key
	}
	rows, err := tx.Query(ctx, `SELECT s.key, c.id, c.state FROM submissions s JOIN cases c ON c.id = s.case_id WHERE s.key = ANY($1)`, keys)
	if err != nil {
		return nil, err
	}
	known := make(map[string]takedown.Accepted)
	var key string
	a := takedown.Accepted{Duplicate: true}
	_, err = pgx.ForEachRow(rows, []any{&key, &a.CaseID, &a.State}, func() error { known[key] = a; return nil })
	return known, err
}

// lockLive locks and loads the live cases of the keys, in the order in which
// Commit locks them.
func lockLive(ctx context.Context, tx pgx.Tx, keys []caseKey) (map[caseKey]*takedown.Case, error) {
	digests := make([][]byte, len(keys))
	classes := make([]string, len(keys))
	for i, k := range keys {
		digests[i], classes[i] = k.digest[:], string(k.class)
	}
	rows, err := tx.Query(ctx, `SELECT c.digest, `+caseColumns+`
		FROM unnest($1::bytea[], $2::text[]) AS k(digest, class)
			JOIN cases c ON c.digest = k.digest AND c.class = k.class AND c.live
			LEFT JOIN resolutions r ON r.id = c.resolution_id
		ORDER BY c.id FOR NO KEY UPDATE OF c`, digests, classes)
	if err != nil {
		return nil, err
	}
	live := make(map[caseKey]*takedown.Case)
	cases, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*takedown.Case, error) {
		var digest []byte
		c, err := scanCase(prefixed{row, &digest})
		if err == nil {
			live[caseKey{[sha256.Size]byte(digest), c.Class}] = c
		}
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("lock live cases: %w", err)
	}
	// The schedule of a case follows from its legs too.
	if err := loadLegs(ctx, tx, cases); err != nil {
		return nil, fmt.Errorf("legs of live cases: %w", err)
	}
	return live, nil
}

// prefixed scans one more column before those that the reader knows.
type prefixed struct {
	pgx.CollectableRow
	first any
}

func (p prefixed) Scan(dest ...any) error {
	return p.CollectableRow.Scan(append([]any{p.first}, dest...)...)
}
