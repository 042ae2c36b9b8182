package bench

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"desist/internal/app"
	"desist/internal/simnet"
	"desist/pipeline"
)

// Intake is how fast submissions are taken in durably.
type Intake struct {
	// Batches go through Intake.Submit, as those of the API and of feeds do.
	Batches Rate `json:"batches"`
	// Published is how fast the NATS door acknowledges, which it does when the
	// submission is on disk; Stored how fast they are in PostgreSQL, from the
	// first publish to the last commit.
	Published Rate `json:"nats_published"`
	Stored    Rate `json:"nats_stored"`
	Workers   int  `json:"workers"`
	// Publishers wait for an acknowledgement each.
	Publishers int `json:"publishers"`
}

const (
	intakeWorkers = 2
	publishers    = 256
)

func (r *rig) intake(ctx context.Context) (*Intake, error) {
	world, names, err := newWorld()
	if err != nil {
		return nil, err
	}
	in := &Intake{Workers: intakeWorkers, Publishers: publishers}
	// Only the front door works, so that nothing else takes its time.
	err = r.withApp(ctx, world, []string{"intake"}, func(a *app.App, _ *simnet.Net) error {
		return withConn(ctx, a.Database().URL, func(conn *pgx.Conn, postmaster int) error {
			err := profiled(r.o.Profile, func() error {
				in.Batches, err = r.submitAll(ctx, a.Intake(), names, postmaster)
				return err
			})
			if err != nil {
				return err
			}
			return in.publish(ctx, r, a, conn, names, postmaster)
		})
	})
	return in, err
}

// submitAll submits N in batches.
func (r *rig) submitAll(ctx context.Context, in *pipeline.Intake, names []string, postmaster int) (Rate, error) {
	var batches [][]pipeline.Offer
	for from := 0; from < r.o.N; from += submitBatch {
		batches = append(batches, offers(names, from, min(from+submitBatch, r.o.N)))
	}
	w := newWatch(postmaster)
	each, err := r.parallel(ctx, "submit batches", len(batches), intakeWorkers, func(ctx context.Context, i int) error {
		return submit(ctx, in, batches[i])
	})
	if err != nil {
		return Rate{}, err
	}
	return w.stop(r.o.N, fmt.Sprintf("batch of %d", min(submitBatch, r.o.N)), each), nil
}

// publish sends N more through the NATS door.
func (in *Intake) publish(ctx context.Context, r *rig, a *app.App, conn *pgx.Conn, names []string, postmaster int) error {
	n := r.o.N
	bodies := make([][]byte, n)
	for i := range bodies {
		var err error
		if bodies[i], err = submissionJSON(targetURL(names[i%len(names)], n+i)); err != nil {
			return err
		}
	}
	var before int
	const count = `SELECT count(*) FROM submissions`
	if err := conn.QueryRow(ctx, count).Scan(&before); err != nil {
		return fmt.Errorf("count submissions: %w", err)
	}
	w := newWatch(postmaster)
	each, err := r.parallel(ctx, "publish", n, publishers, func(ctx context.Context, i int) error {
		return a.Bus().PublishIndicator(ctx, source, bodies[i])
	})
	if err != nil {
		return err
	}
	in.Published = w.stop(n, "publish", each)
	stall := newStall(lookOften)
	for {
		var now int
		if err := conn.QueryRow(ctx, count).Scan(&now); err != nil {
			return fmt.Errorf("count submissions: %w", err)
		}
		r.o.Progress("store what was published", now-before, n)
		if now-before >= n {
			break
		}
		if err := stall.wait(ctx, a, now-before, n, "submissions are stored"); err != nil {
			return err
		}
	}
	in.Stored = w.stop(n, "", nil)
	return nil
}

// withConn runs f on a connection of its own beside the service's.
func withConn(ctx context.Context, url string, f func(conn *pgx.Conn, postmaster int) error) (err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	postmaster, err := postmasterOf(ctx, conn)
	if err != nil {
		return err
	}
	return f(conn, postmaster)
}
