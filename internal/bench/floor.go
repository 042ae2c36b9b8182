package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"desist/internal/simnet"
	"desist/takedown"
)

// A Floor is what one durable message, one durable row and one mail cost for
// each indicator on this machine, with nothing of ours between. Nothing that
// does all three, one after the other, is faster.
type Floor struct {
	N          int  `json:"n"`
	JetStream  Rate `json:"jetstream"`
	PostgreSQL Rate `json:"postgresql"`
	SMTP       Rate `json:"smtp"`
	MailBytes  int  `json:"mail_bytes"` // on average
	// PerSecond is N over the sum of the three times.
	PerSecond float64 `json:"per_second"`
}

const (
	floorBatch = 256
	rowBytes   = 1000
)

type profile func() (stop func() error, err error)

// profiled runs f under the profile.
func profiled(p profile, f func() error) error {
	stop, err := p()
	if err != nil {
		return err
	}
	return errors.Join(f(), stop())
}

func unprofiled() (func() error, error) { return func() error { return nil }, nil }

func (r *rig) floor(ctx context.Context, p profile) (*Floor, error) {
	notices, bytes, err := r.samples()
	if err != nil {
		return nil, err
	}
	f := &Floor{N: r.o.N, MailBytes: bytes}
	err = profiled(p, func() error {
		if f.JetStream, err = r.floorJetStream(ctx); err != nil {
			return err
		}
		if f.PostgreSQL, err = r.floorPostgreSQL(ctx); err != nil {
			return err
		}
		f.SMTP, err = r.floorSMTP(ctx, notices)
		return err
	})
	if err != nil {
		return nil, err
	}
	f.PerSecond = float64(f.N) / (f.JetStream.Seconds + f.PostgreSQL.Seconds + f.SMTP.Seconds)
	return f, nil
}

// floorJetStream publishes to a stream of files in a server inside the process,
// which syncs before it acknowledges, a batch in flight at a time.
func (r *rig) floorJetStream(ctx context.Context) (rate Rate, err error) {
	s, err := server.NewServer(&server.Options{
		DontListen: true, JetStream: true, StoreDir: r.folder("floor-nats"), DisableJetStreamBanner: true, NoSigs: true, NoLog: true, SyncAlways: true,
	})
	if err != nil {
		return rate, fmt.Errorf("NATS server: %w", err)
	}
	s.Start()
	defer func() { s.Shutdown(); s.WaitForShutdown() }()
	if !s.ReadyForConnections(startTime) {
		return rate, errors.New("the NATS server does not start")
	}
	conn, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		return rate, fmt.Errorf("connect to NATS: %w", err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn, jetstream.WithPublishAsyncMaxPending(2*floorBatch))
	if err != nil {
		return rate, fmt.Errorf("JetStream: %w", err)
	}
	defer js.CleanupPublisher()
	if _, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "FLOOR", Subjects: []string{"floor"}, Storage: jetstream.FileStorage}); err != nil {
		return rate, fmt.Errorf("create a stream: %w", err)
	}
	bodies := make([][]byte, r.o.N)
	for i := range bodies {
		if bodies[i], err = submissionJSON(fmt.Sprintf("https://host-%02d.bench-floor.com/%d", i%50, i)); err != nil {
			return rate, err
		}
	}
	var each []time.Duration
	w := newWatch(noDatabase)
	for done := 0; done < r.o.N; {
		n := min(floorBatch, r.o.N-done)
		begun := time.Now()
		acks := make([]jetstream.PubAckFuture, n)
		for i := range n {
			if acks[i], err = js.PublishAsync("floor", bodies[done+i]); err != nil {
				return rate, fmt.Errorf("publish: %w", err)
			}
		}
		for _, a := range acks {
			select {
			case <-a.Ok():
			case err := <-a.Err():
				return rate, fmt.Errorf("publish: %w", err)
			case <-ctx.Done():
				return rate, ctx.Err()
			}
		}
		each = append(each, time.Since(begun))
		done += n
		r.o.Progress("bare JetStream", done, r.o.N)
	}
	return w.stop(r.o.N, fmt.Sprintf("batch of %d messages", floorBatch), each), nil
}

// floorPostgreSQL upserts rows of a kilobyte, a batch a transaction.
func (r *rig) floorPostgreSQL(ctx context.Context) (rate Rate, err error) {
	url, err := r.database(ctx)
	if err != nil {
		return rate, err
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return rate, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	if _, err := conn.Exec(ctx, `CREATE TABLE floor (id bigint PRIMARY KEY, body bytea NOT NULL)`); err != nil {
		return rate, fmt.Errorf("scratch table: %w", err)
	}
	postmaster, err := postmasterOf(ctx, conn)
	if err != nil {
		return rate, err
	}
	ids, bodies := make([]int64, r.o.N), make([][]byte, r.o.N)
	for i := range ids {
		ids[i], bodies[i] = int64(i), make([]byte, rowBytes)
		_, _ = rand.Read(bodies[i]) // never fails; what compresses would be too cheap
	}
	var each []time.Duration
	w := newWatch(postmaster)
	for done := 0; done < r.o.N; {
		end := min(done+floorBatch, r.o.N)
		begun := time.Now()
		_, err := conn.Exec(ctx, `INSERT INTO floor SELECT * FROM unnest($1::bigint[], $2::bytea[]) ON CONFLICT (id) DO UPDATE SET body = EXCLUDED.body`,
			ids[done:end], bodies[done:end])
		if err != nil {
			return rate, fmt.Errorf("upsert: %w", err)
		}
		each = append(each, time.Since(begun))
		done = end
		r.o.Progress("bare PostgreSQL", done, r.o.N)
	}
	return w.stop(r.o.N, fmt.Sprintf("batch of %d rows", floorBatch), each), nil
}

// postmasterOf returns the parent of the connection's server process, or 0
// where it cannot be seen.
func postmasterOf(ctx context.Context, conn *pgx.Conn) (int, error) {
	var pid int
	if err := conn.QueryRow(ctx, `SELECT pg_backend_pid()`).Scan(&pid); err != nil {
		return 0, fmt.Errorf("ask for the server's process: %w", err)
	}
	return parentOf(pid), nil
}

// floorSMTP hands the same few mails over and over to the sink.
func (r *rig) floorSMTP(ctx context.Context, notices []takedown.Notice) (rate Rate, err error) {
	world, err := simnet.Tiny()
	if err != nil {
		return rate, err
	}
	err = r.withNet(ctx, world, func(net *simnet.Net) error {
		clients := make(chan *bareClient, r.o.Connections)
		defer func() {
			close(clients)
			for c := range clients {
				c.close()
			}
		}()
		for range r.o.Connections {
			c, err := dialBare(ctx, net.SMTPAddr())
			if err != nil {
				return err
			}
			clients <- c
		}
		mails := make([]bareMail, len(notices))
		for i, n := range notices {
			mails[i] = newBareMail(n)
		}
		w := newWatch(noDatabase)
		each, err := r.parallel(ctx, "bare SMTP", r.o.N, r.o.Connections, func(_ context.Context, i int) error {
			c := <-clients
			defer func() { clients <- c }()
			return c.send(mails[i%len(mails)])
		})
		if err != nil {
			return err
		}
		rate = w.stop(r.o.N, "mail", each)
		return nil
	})
	return rate, err
}
