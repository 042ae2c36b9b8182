package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"desist/web/access"
)

// EventsPath is where the stream of events is served.
const EventsPath = prefix + "/events"

// An Event is one entry of the record as it goes to those who follow.
type Event struct {
	Kind string
	ID   int64
	Data []byte // a JSON object
}

const (
	// maxStreams bounds the streams that are open at once.
	maxStreams = 256
	// heartbeat keeps proxies from ending a stream as idle.
	heartbeat = 15 * time.Second
	// writeWait is how long a client may take to accept what is written; a
	// slower one is dropped and comes back.
	writeWait = 10 * time.Second
)

type eventsInput struct {
	// LastEventID is sent by a browser that lost the stream. Events are not
	// replayed, so it is told to read again what it shows.
	LastEventID string `header:"Last-Event-ID" doc:"Sent by a client that comes back. Events are not replayed; the stream begins with an event \"reset\" instead, which says: read again what you show."`
}

func (a *api) registerEvents() {
	op := operation(http.MethodGet, "/events", "events", "Follow what happens (server-sent events)", access.Read)
	op.Description += " Each message is one event of the record as JSON, its id that of the event. A client that is too slow is dropped."
	op.Responses = map[string]*huma.Response{"200": {
		Description: "A stream that does not end by itself.",
		Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
	huma.Register(a.huma, op, a.events)
}

func (a *api) events(_ context.Context, in *eventsInput) (*huma.StreamResponse, error) {
	select {
	case a.streams <- struct{}{}:
	default:
		return nil, huma.ErrorWithHeaders(huma.Error503ServiceUnavailable("too many streams are open; read /api/v1/overview instead"), http.Header{"Retry-After": {"30"}})
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		defer func() { <-a.streams }()
		r, w := humago.Unwrap(hctx)
		a.follow(w, r, in.LastEventID != "")
	}}, nil
}

// follow writes events until the client leaves, is too slow, or the service
// stops.
func (a *api) follow(w http.ResponseWriter, r *http.Request, again bool) {
	events, err := a.Events(r.Context())
	if err != nil {
		a.Logger.WarnContext(r.Context(), "cannot follow events", "err", err)
		w.Header().Set("Retry-After", "5")
		WriteProblem(w, http.StatusServiceUnavailable, "the events cannot be followed now; try again")
		return
	}
	out := http.NewResponseController(w)
	send := func(text []byte) bool {
		if err := out.SetWriteDeadline(time.Now().Add(writeWait)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return false
		}
		if _, err := w.Write(text); err != nil {
			return false
		}
		return out.Flush() == nil
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	w.WriteHeader(http.StatusOK)
	hello := "retry: 3000\n\n"
	if again {
		hello += "event: reset\ndata: {}\n\n"
	}
	if !send([]byte(hello)) {
		return
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-beat.C:
			if !send([]byte(": still here\n\n")) {
				return
			}
		case e, ok := <-events:
			if !ok || !send(frame(e)) {
				return
			}
		}
	}
}

// frame writes an event in the form of the HTML standard, section 9.2. It has
// no name, so that a listener for messages hears every kind.
func frame(e Event) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "id: %d\n", e.ID)
	for line := range bytes.Lines(bytes.ReplaceAll(e.Data, []byte("\r"), []byte("\n"))) {
		fmt.Fprintf(&b, "data: %s\n", bytes.TrimRight(line, "\n"))
	}
	b.WriteString("\n")
	return b.Bytes()
}
