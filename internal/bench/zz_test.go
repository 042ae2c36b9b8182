package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"

	"desist/internal/pgserver"
)

func TestZZ(t *testing.T) {
	dir, _ := os.MkdirTemp("", "zz")
	os.Chmod(dir, 0o711)
	defer os.RemoveAll(dir)
	ctx := context.Background()
	s, err := pgserver.Start(ctx, pgserver.Config{Dir: filepath.Join(dir, "pg"), Settings: map[string]string{"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.track": "all", "pg_stat_statements.track_planning": "on", "track_wal_io_timing": "on"}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop(ctx)
	c, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	c.Exec(ctx, "create extension pg_stat_statements")
	rep, err := Run(ctx, "pipeline", Options{N: 5000, Connections: 8, Server: s})
	if err != nil {
		t.Fatal(err)
	}
	rep.Write(os.Stdout)
	rows, err := c.Query(ctx, `select round(total_exec_time)::int, round(total_plan_time)::int, calls::int, rows::int, (wal_bytes/1024)::int, wal_fpi::int, left(regexp_replace(query,'\s+',' ','g'),100) from pg_stat_statements order by total_exec_time+total_plan_time desc limit 40`)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("exec ms, plan ms, calls, rows, wal kB, fpi")
	for rows.Next() {
		var a, b, cc, d, e, f int
		var q string
		rows.Scan(&a, &b, &cc, &d, &e, &f, &q)
		fmt.Println(a, b, cc, d, e, f, q)
	}
	rows.Close()
	var w, ws, wst, fpi, bytes float64
	c.QueryRow(ctx, `select wal_write::float8, wal_sync::float8, wal_sync_time::float8, wal_fpi::float8, wal_bytes::float8 from pg_stat_wal`).Scan(&w, &ws, &wst, &fpi, &bytes)
	fmt.Println("wal write", w, "sync", ws, "sync ms", wst, "fpi", fpi, "MB", bytes/1e6)
	c.Close(ctx)
}
