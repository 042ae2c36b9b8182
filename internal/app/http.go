package app

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"desist/takedown"
	"desist/web"
	"desist/web/access"
	"desist/web/api"
	"desist/web/dashboard"
)

// eventBuffer is how many events a slow reader may be behind before it is cut
// off.
const eventBuffer = 256

// handler is everything that the process serves by HTTP.
func (a *App) handler() (http.Handler, error) {
	cfg := web.Config{
		Store: a.db.Store, Intake: a.intake, Actions: a.actions, Events: a.follow, Verify: a.verify, Now: a.clock.Now, Ready: a.db.Store.Ping,
		Metrics: promhttp.HandlerFor(a.metrics.registry, promhttp.HandlerOpts{}), OpenRead: a.openRead, WithoutAPI: !a.has("api"), WithoutDashboard: !a.has("web"),
		Logger: a.log,
	}
	if a.clock.factor != 1 {
		cfg.SimulatedClock = fmt.Sprintf("Rehearsal: the clock runs up to %.0f times as fast as the world, and nothing leaves this machine.", a.clock.factor)
	}
	for _, t := range a.cfg.Auth.Tokens {
		cfg.Tokens = append(cfg.Tokens, access.Token{Name: t.Name, Secret: t.Token.Reveal(), Scopes: t.Scopes})
	}
	return web.New(cfg)
}

// follow hands out the events from now on. The channel ends with the context,
// or where events may be missing.
func (a *App) follow(ctx context.Context) (<-chan api.Event, error) {
	sub, err := a.bus.Events(ctx, "", eventBuffer)
	if err != nil {
		return nil, err
	}
	out := make(chan api.Event)
	a.goRun(func() {
		defer close(out)
		defer sub.Close()
		for {
			select {
			case <-ctx.Done():
				return
			case <-a.soft.Done():
				return
			case e, ok := <-sub.Events():
				if !ok {
					return
				}
				select {
				case out <- api.Event{Kind: e.Kind, ID: e.ID, Data: e.Data}:
				case <-ctx.Done():
					return
				case <-a.soft.Done():
					return
				}
			}
		}
	})
	return out, nil
}

// verify tells whether a message is a notice of ours, unchanged.
func (a *App) verify(ctx context.Context, message []byte) (dashboard.Verification, error) {
	id, sealed, err := a.parts.tokens.Unseal(message)
	if err != nil {
		return dashboard.Verification{Detail: "It carries no Message-ID of ours."}, nil
	}
	n, err := a.db.Store.NoticeByMessageID(ctx, id)
	if takedown.KindOf(err) == takedown.KindNotFound {
		return dashboard.Verification{Detail: "No notice of ours has its Message-ID."}, nil
	}
	if err != nil {
		return dashboard.Verification{}, err
	}
	v := dashboard.Verification{Known: true, Unchanged: sha256.Sum256(sealed) == n.SHA256, Reference: takedown.Reference(n.CaseID), SealedAt: n.SealedAt}
	if v.Unchanged {
		v.Detail = "Headers and body are, byte for byte, what we sealed."
	} else {
		v.Detail = "We sent a notice with this Message-ID, but what you have is not what we sealed."
	}
	return v, nil
}
