package bench

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"desist/internal/app"
	"desist/internal/config"
	"desist/notifiers/email"
	"desist/pipeline"
	"desist/takedown"
	"desist/templates"
)

// Compose is how fast notices are worded and sealed on all cores.
type Compose struct {
	Rate
	Cores     int `json:"cores"`
	MailBytes int `json:"mail_bytes"` // of a notice, on average
}

// A writer words and seals notices to hosts of several countries.
type writer struct {
	library *templates.Library
	sealer  pipeline.Sealer
	now     time.Time
}

func (r *rig) newWriter() (*writer, error) {
	library, err := app.NewLibrary(config.Default(), r.o.Logger)
	if err != nil {
		return nil, err
	}
	sealer, err := email.NewSealer(email.SealConfig{Sender: sender.Notices(), Key: make([]byte, email.MinKeyLength), KeyVersion: 1})
	if err != nil {
		return nil, err
	}
	return &writer{library: library, sealer: app.NewSealing(sealer), now: time.Now().UTC()}, nil
}

// hostCountries have packs of their own or share one.
var hostCountries = [...]string{"DE", "NL", "FR", "US", "SG", "GB", "BR", ""}

// write makes the i-th notice.
func (w *writer) write(i int) (takedown.Notice, error) {
	req := templates.Sample(takedown.NoticeFirst, takedown.RoleHost, takedown.ClassPhishing, w.now)
	req.Sender = sender.Notices()
	req.Reference = takedown.Reference(int64(i) + 1)
	req.ReportID = fmt.Sprintf("00000000-0000-4000-8000-%012x", i)
	req.Indicator.Value = targetURL(req.Indicator.Host, i)
	req.Party.Country = hostCountries[i%len(hostCountries)]
	req.Evidence = nil // as in the measurement of the pipeline: words alone
	draft, err := w.library.Render(req)
	if err != nil {
		return takedown.Notice{}, fmt.Errorf("render: %w", err)
	}
	id := int64(i) + 1
	n, err := w.sealer.Seal(req, &takedown.Case{ID: id}, &takedown.Leg{ID: id, Kind: takedown.NoticeFirst}, 1, draft)
	if err != nil {
		return n, fmt.Errorf("seal: %w", err)
	}
	n.ID = id
	return n, nil
}

// samples returns one notice for each country, and their average length.
func (r *rig) samples() (notices []takedown.Notice, bytes int, err error) {
	w, err := r.newWriter()
	if err != nil {
		return nil, 0, err
	}
	for i := range hostCountries {
		n, err := w.write(i)
		if err != nil {
			return nil, 0, err
		}
		notices = append(notices, n)
		bytes += len(n.Sealed)
	}
	return notices, bytes / len(notices), nil
}

func (r *rig) compose(ctx context.Context) (*Compose, error) {
	w, err := r.newWriter()
	if err != nil {
		return nil, err
	}
	for i := range hostCountries { // what is made once for each pack
		if _, err := w.write(i); err != nil {
			return nil, err
		}
	}
	c := &Compose{Cores: runtime.GOMAXPROCS(0)}
	var size atomic.Int64
	err = profiled(r.o.Profile, func() error {
		watch := newWatch(noDatabase)
		each, err := r.parallel(ctx, "compose", r.o.N, c.Cores, func(_ context.Context, i int) error {
			n, err := w.write(i)
			size.Add(int64(len(n.Sealed)))
			return err
		})
		if err != nil {
			return err
		}
		c.Rate = watch.stop(r.o.N, "notice", each)
		return nil
	})
	c.MailBytes = int(size.Load()) / r.o.N
	return c, err
}
