// Package web puts the HTTP side of the service together: the API, the
// dashboard, verification of notices, metrics and health, behind one set of
// security headers and limits.
//
// Nothing here changes a case without a token. What the service cannot answer
// it answers with a status that says so; no page shows an error from inside.
package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"desist/takedown"
	"desist/web/access"
	"desist/web/api"
	"desist/web/dashboard"
)

// Store is what is read from the database.
type Store interface {
	api.Record
	api.Figures
	access.Tokens
}

// Actions are what people do with cases.
type Actions interface {
	api.Decisions
	api.Remarks
}

// Config holds what the HTTP side stands on. Store and Now are always needed,
// Intake and Actions unless WithoutAPI is set.
type Config struct {
	Store   Store
	Intake  api.Intake
	Actions Actions
	// Events follows the record from now on. The channel is closed when the
	// context ends, or where events could be missing because the reader was too
	// slow or the broker was lost; the client then comes back. Nil: no stream,
	// pages ask again now and then.
	Events func(context.Context) (<-chan api.Event, error)
	// Verify tells whether a message is a notice of ours; nil leaves /verify out.
	Verify func(ctx context.Context, message []byte) (dashboard.Verification, error)
	// Now is the service's time.
	Now func() time.Time
	// Ready reports why the service cannot work now; nil: it always can.
	Ready func(context.Context) error
	// Metrics serves /metrics to this machine and to tokens with the scope read;
	// nil leaves it out.
	Metrics http.Handler
	// Tokens are the operator's own, beside those in the database.
	Tokens []access.Token
	// OpenRead lets a browser on this machine read without a token, for
	// rehearsals.
	OpenRead bool
	// SimulatedClock is what a banner on every page says of the clock; empty when
	// it is the real one.
	SimulatedClock string
	// WithoutAPI and WithoutDashboard leave a part out.
	WithoutAPI, WithoutDashboard bool
	Logger                       *slog.Logger
}

// Limits of a request.
const (
	requestTime = 30 * time.Second
	// answerTime is how long a client may take with request and answer together.
	answerTime = 2 * time.Minute
	// maxBody bounds any body; parts set smaller bounds of their own.
	maxBody = api.MaxSubmissionBytes
)

// New returns the handler.
func New(cfg Config) (http.Handler, error) {
	if cfg.Store == nil || cfg.Now == nil {
		return nil, takedown.Permanent(errors.New("web: Store and Now are required"))
	}
	if !cfg.WithoutAPI && (cfg.Intake == nil || cfg.Actions == nil) {
		return nil, takedown.Permanent(errors.New("web: the API needs Intake and Actions"))
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	guard, err := access.New(access.Config{Store: cfg.Store, Tokens: cfg.Tokens, OpenRead: cfg.OpenRead, Now: cfg.Now})
	if err != nil {
		return nil, err
	}
	glance := api.Glances(cfg.Store, cfg.Now)
	mux := http.NewServeMux()
	if !cfg.WithoutAPI {
		err := api.New(mux, api.Config{
			Guard: guard, Intake: cfg.Intake, Record: cfg.Store, Figures: cfg.Store, Glance: glance, Decisions: cfg.Actions, Remarks: cfg.Actions,
			Events: cfg.Events, Now: cfg.Now, Logger: cfg.Logger,
		})
		if err != nil {
			return nil, fmt.Errorf("web: %w", err)
		}
	}
	if !cfg.WithoutDashboard {
		err := dashboard.New(mux, dashboard.Config{
			Guard: guard, Record: cfg.Store, Glance: glance, Verify: cfg.Verify, Now: cfg.Now, SimulatedClock: cfg.SimulatedClock, Logger: cfg.Logger,
		})
		if err != nil {
			return nil, fmt.Errorf("web: %w", err)
		}
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "alive") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
		defer cancel()
		if cfg.Ready != nil {
			if err := cfg.Ready(ctx); err != nil {
				cfg.Logger.WarnContext(ctx, "not ready", "err", err)
				answer(w, http.StatusServiceUnavailable, "not ready; the service's log says why")
				return
			}
		}
		answer(w, http.StatusOK, "ready")
	})
	if cfg.Metrics != nil {
		mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
			if who, err := guard.Identify(r); !access.Local(r) && (err != nil || !who.May(access.Read)) {
				w.Header().Set("WWW-Authenticate", `Bearer realm="desist"`)
				api.WriteProblem(w, http.StatusUnauthorized, "metrics need a token with the scope \"read\", except on the machine itself")
				return
			}
			cfg.Metrics.ServeHTTP(w, r)
		})
	}
	return secure(limit(mux)), nil
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
}

// policy lets a page load our own files and nothing else, and run no script
// that stands in the page.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// secure sets the headers that every answer has. There are none for CORS: no
// other site may read from here.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		// Cases are nobody's business but the reader's.
		if !strings.HasPrefix(r.URL.Path, dashboard.StaticPrefix) {
			h.Set("Cache-Control", "no-store")
		}
		next.ServeHTTP(w, r)
	})
}

// limit bounds body and time. A stream of events has no end of its own; it sets
// a deadline for each write.
func limit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody+1)
		if r.URL.Path == api.EventsPath {
			next.ServeHTTP(w, r)
			return
		}
		// A writer that knows no deadlines, as in tests, has no client to wait for.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTime))
		ctx, cancel := context.WithTimeout(r.Context(), requestTime)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}
