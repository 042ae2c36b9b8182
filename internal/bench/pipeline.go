package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"desist/internal/app"
	"desist/internal/simnet"
)

// Pipeline is the whole way from the submission of an indicator to the mail
// that the relay accepted, one mail for each, with contacts from the caches.
type Pipeline struct {
	Rate
	Connections int `json:"connections"`
	Hosts       int `json:"hosts"`
	// PeakMemory is the most that this process, which holds the service and the
	// simulated internet, had resident, in bytes; 0: not measured.
	PeakMemory int64 `json:"peak_memory_bytes"`
	Floor      Floor `json:"floor"`
	// Ratio is PerSecond over that of the floor.
	Ratio float64 `json:"ratio"`
	Note  string  `json:"note"`
}

const pipelineNote = "no look at the target is part of this figure; the mail sink and the simulated registries share the processor with the service"

// pipeline measures the floor too, unless it was measured already.
func (r *rig) pipeline(ctx context.Context, floor *Floor) (*Pipeline, error) {
	world, names, err := newWorld()
	if err != nil {
		return nil, err
	}
	if floor == nil {
		if floor, err = r.floor(ctx, unprofiled); err != nil {
			return nil, err
		}
	}
	p := &Pipeline{Connections: r.o.Connections, Hosts: len(names), Note: pipelineNote, Floor: *floor}
	err = r.withApp(ctx, world, nil, func(a *app.App, _ *simnet.Net) error {
		return withConn(ctx, a.Database().URL, func(conn *pgx.Conn, postmaster int) error {
			run := run{rig: r, app: a, conn: conn, names: names}
			if err := run.warmUp(ctx); err != nil {
				return fmt.Errorf("warm-up: %w", err)
			}
			return profiled(r.o.Profile, func() error {
				p.Rate, err = run.measure(ctx, postmaster)
				return err
			})
		})
	})
	if err != nil {
		return nil, err
	}
	p.PeakMemory = peakMemory()
	p.Ratio = p.PerSecond / floor.PerSecond
	return p, nil
}

// A run is one measurement of the pipeline.
type run struct {
	*rig
	app   *app.App
	conn  *pgx.Conn
	names []string
	after int64 // cases above it are measured
}

// warmUp sends one indicator for each host through, so that every contact is
// known.
func (r *run) warmUp(ctx context.Context) error {
	if err := submit(ctx, r.app.Intake(), offers(r.names, 0, len(r.names))); err != nil {
		return err
	}
	if err := r.await(ctx, "warm up", len(r.names)); err != nil {
		return err
	}
	if err := r.conn.QueryRow(ctx, `SELECT max(id) FROM cases`).Scan(&r.after); err != nil {
		return fmt.Errorf("find the last case: %w", err)
	}
	return nil
}

func (r *run) measure(ctx context.Context, postmaster int) (Rate, error) {
	n, first := r.o.N, len(r.names)
	batches := (n + submitBatch - 1) / submitBatch
	ready := offers(r.names, first, first+n)
	resetPeak()
	w := newWatch(postmaster)
	for i := range batches {
		if err := submit(ctx, r.app.Intake(), ready[i*submitBatch:min((i+1)*submitBatch, n)]); err != nil {
			return Rate{}, err
		}
	}
	if err := r.await(ctx, "pipeline", n); err != nil {
		return Rate{}, err
	}
	rows, err := r.conn.Query(ctx, `SELECT submitted_at, notified_at FROM cases WHERE id > $1`, r.after)
	if err != nil {
		return Rate{}, fmt.Errorf("read the times: %w", err)
	}
	var (
		submitted, notified, last time.Time
		each                      []time.Duration
	)
	_, err = pgx.ForEachRow(rows, []any{&submitted, &notified}, func() error {
		each = append(each, notified.Sub(submitted))
		if notified.After(last) {
			last = notified
		}
		return nil
	})
	if err != nil {
		return Rate{}, fmt.Errorf("read the times: %w", err)
	}
	return w.stopAt(last, n, "indicator, from submitted to accepted by the relay", each), nil
}

// await waits until the notices of n cases are accepted.
func (r *run) await(ctx context.Context, label string, n int) error {
	for stall := newStall(lookSeldom); ; {
		var done int
		if err := r.conn.QueryRow(ctx, `SELECT count(*) FROM cases WHERE id > $1 AND notified_at IS NOT NULL`, r.after).Scan(&done); err != nil {
			return fmt.Errorf("count notices: %w", err)
		}
		r.o.Progress(label, done, n)
		if done >= n {
			return nil
		}
		if err := stall.wait(ctx, r.app, done, n, "indicators were told of"); err != nil {
			return err
		}
	}
}
