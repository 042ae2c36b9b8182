package postgres_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"desist/internal/postgres"
	"desist/internal/postgres/postgrestest"
	"desist/takedown"
)

// open returns a store and a connection of a superuser beside it.
func open(t *testing.T) (*postgres.Store, *pgx.Conn) {
	t.Helper()
	url := postgrestest.URL(t)
	s, err := postgres.Open(t.Context(), postgres.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, connect(t, url)
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

func texts[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = string(v)
	}
	slices.Sort(out)
	return out
}

// What SQL allows is what Go knows.
func TestChecksEqualTheGoTables(t *testing.T) {
	_, conn := open(t)
	quoted := regexp.MustCompile(`'([^']*)'`)
	kinds := texts([]takedown.NoticeKind{
		takedown.NoticeFirst, takedown.NoticeReminder, takedown.NoticeEscalation, takedown.NoticeRelapse, takedown.NoticeCorrection, takedown.NoticeWithdrawal,
	})
	tests := []struct {
		table, column string
		want          []string
	}{
		{"cases", "state", texts(takedown.CaseStates())},
		{"cases", "class", texts(takedown.Classes())},
		{"cases", "kind", texts([]takedown.Kind{takedown.KindDomain, takedown.KindURL, takedown.KindIPv4, takedown.KindIPv6})},
		{"cases", "due_stage", texts(takedown.WorkStages())},
		{"legs", "state", texts(takedown.LegStates())},
		{"legs", "kind", kinds},
		{"notices", "kind", kinds},
		{"parties", "role", texts(takedown.Roles())},
		{"contacts", "channel", texts([]takedown.Channel{takedown.ChannelEmail, takedown.ChannelWebhook, takedown.ChannelManual})},
		{"deliveries", "outcome", texts([]takedown.Outcome{
			takedown.OutcomeAccepted, takedown.OutcomeDeferred, takedown.OutcomeRejected, takedown.OutcomeUnknown, takedown.OutcomeDrafted,
		})},
		{"replies", "class", texts([]takedown.ReplyClass{
			takedown.ReplyBounce, takedown.ReplyDelayed, takedown.ReplyDelivered, takedown.ReplyAuto, takedown.ReplyFeedback, takedown.ReplyHuman,
		})},
		{"checks", "verdict", texts([]takedown.Verdict{takedown.VerdictUp, takedown.VerdictGone, takedown.VerdictUnclear})},
	}
	for _, tt := range tests {
		t.Run(tt.table+"."+tt.column, func(t *testing.T) {
			var def string
			err := conn.QueryRow(t.Context(), `SELECT pg_get_constraintdef(c.oid) FROM pg_constraint c
				JOIN pg_attribute a ON a.attrelid = c.conrelid AND c.conkey = ARRAY[a.attnum]
				WHERE c.contype = 'c' AND c.conrelid = $1::regclass AND a.attname = $2 AND pg_get_constraintdef(c.oid) LIKE '%ARRAY[%'`,
				tt.table, tt.column).Scan(&def)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, m := range quoted.FindAllStringSubmatch(def, -1) {
				got = append(got, m[1])
			}
			slices.Sort(got)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-Go +SQL:\n%s", diff)
			}
		})
	}
}

func TestEverythingIsCommented(t *testing.T) {
	_, conn := open(t)
	rows, err := conn.Query(t.Context(), `SELECT c.relname || COALESCE('.' || a.attname, '') FROM pg_class c
		JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum >= 0 AND NOT a.attisdropped
		WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND c.relname NOT LIKE 'goose%' AND col_description(c.oid, a.attnum) IS NULL
		UNION ALL SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname NOT LIKE 'goose%'
		AND obj_description(oid, 'pg_class') IS NULL`)
	if err != nil {
		t.Fatal(err)
	}
	bare, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(bare) > 0 {
		t.Errorf("without a comment: %v (err %v)", bare, err)
	}
}

func TestTheRecordRefusesRewriting(t *testing.T) {
	s, conn := open(t)
	sealedCase(t, s, "one.example")
	for _, table := range []string{"events", "notices"} {
		for _, sql := range []string{"UPDATE %s SET case_id = case_id", "DELETE FROM %s", "TRUNCATE %s CASCADE"} {
			sql = fmt.Sprintf(sql, table)
			if _, err := conn.Exec(t.Context(), sql); err == nil || !strings.Contains(err.Error(), "append-only") {
				t.Errorf("%s: %v", sql, err)
			}
		}
	}
}

// Every statement that stands in the package is understood by the server. Those
// that are put together from pieces are exercised by the other tests.
func TestStatementsAreSound(t *testing.T) {
	_, conn := open(t)
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	literal := regexp.MustCompile("(?s)`((?:SELECT|INSERT|UPDATE|DELETE|WITH) [^`]*)`([^`\n]?)")
	n := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range literal.FindAllStringSubmatch(string(src), -1) {
			sql := m[1]
			if strings.HasSuffix(strings.TrimSpace(sql), "AND") || m[2] == "+" || strings.Contains(sql, "%s") || strings.HasSuffix(sql, " ") {
				continue
			}
			n++
			if _, err := conn.Prepare(t.Context(), fmt.Sprint("s", n), sql); err != nil {
				t.Errorf("%s: %v\n%s", file, err, sql)
			}
		}
	}
	if n < 20 {
		t.Errorf("only %d statements were found", n)
	}
}

func TestSweepAndRelayUseTheirIndexes(t *testing.T) {
	s, conn := open(t)
	subs := make([]takedown.Submission, 10_000)
	for i := range subs {
		subs[i] = submission(fmt.Sprint("key", i), fmt.Sprintf("host%d.example", i), takedown.ClassPhishing)
	}
	accepted, err := s.Accept(t.Context(), t0, sweepAfter, subs)
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range accepted {
		if !a.New || a.CaseID == 0 {
			t.Fatalf("submission %d: %+v", i, a)
		}
	}
	if _, err := conn.Exec(t.Context(), "ANALYZE"); err != nil {
		t.Fatal(err)
	}
	for name, sql := range map[string]string{
		"cases_due_at": `UPDATE cases SET due_at = now() FROM (SELECT id FROM cases WHERE due_at <= '2026-03-01' ORDER BY due_at LIMIT 100 FOR NO KEY UPDATE SKIP LOCKED) d
			WHERE cases.id = d.id RETURNING cases.id`,
		"events_relay": `SELECT id FROM events WHERE (txid, id) > ('0'::xid8, 5) AND txid < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY txid, id LIMIT 100`,
	} {
		rows, err := conn.Query(t.Context(), "EXPLAIN "+sql)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		if text := strings.Join(plan, "\n"); !strings.Contains(text, name) {
			t.Errorf("the plan does not use %s:\n%s", name, text)
		}
	}
}

func TestMigrateTwiceAndAtOnce(t *testing.T) {
	url := postgrestest.URL(t)
	conn := connect(t, url)
	if _, err := conn.Exec(t.Context(), "DROP SCHEMA public CASCADE; CREATE SCHEMA public"); err != nil {
		t.Fatal(err)
	}
	const starters = 4
	errs := make(chan error, starters)
	for range starters {
		go func() {
			s, err := postgres.Open(context.WithoutCancel(t.Context()), postgres.Config{URL: url, MaxConns: 4})
			if err == nil {
				defer s.Close()
				_, err = s.Migrate(context.WithoutCancel(t.Context()))
			}
			errs <- err
		}()
	}
	for range starters {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	s, err := postgres.Open(t.Context(), postgres.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	list, err := s.MigrationStatus(t.Context())
	if err != nil || len(list) == 0 {
		t.Fatal(list, err)
	}
	for _, m := range list {
		if !m.Applied {
			t.Errorf("%s is not applied", m.Name)
		}
	}
}
