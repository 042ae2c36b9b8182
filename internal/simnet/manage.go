package simnet

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

const maxRequestBytes = 1 << 20

// startAPI opens the port that RDAP, the bootstrap files and the management API
// share.
func (n *Net) startAPI(ctx context.Context) error {
	ln, err := n.listen(ctx, n.cfg.ManagementPort)
	if err != nil {
		return fmt.Errorf("simnet: management: %w", err)
	}
	n.apiAddr = ln.Addr().String()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /rdap/{server}/{query...}", n.serveRDAP)
	mux.HandleFunc("GET /bootstrap/{file}", n.serveBootstrap)
	mux.HandleFunc("GET /sim/world", func(rw http.ResponseWriter, _ *http.Request) { writeJSON(rw, http.StatusOK, n.world) })
	mux.HandleFunc("GET /sim/stats", func(rw http.ResponseWriter, _ *http.Request) { writeJSON(rw, http.StatusOK, n.Stats()) })
	mux.HandleFunc("GET /sim/sites", func(rw http.ResponseWriter, req *http.Request) {
		writeJSON(rw, http.StatusOK, n.Sites(req.URL.Query().Get("state")))
	})
	mux.HandleFunc("GET /sim/mails", func(rw http.ResponseWriter, req *http.Request) {
		writeJSON(rw, http.StatusOK, n.Mails(number(req, "n", 50)))
	})
	mux.HandleFunc("GET /sim/answers", func(rw http.ResponseWriter, req *http.Request) {
		writeJSON(rw, http.StatusOK, n.Answers(number(req, "n", 50)))
	})
	mux.HandleFunc("GET /sim/config", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/yaml")
		_, _ = rw.Write(n.ServeConfig()) // a client that went away is its own business
	})
	mux.HandleFunc("GET /sim/feed", n.serveFeed)
	mux.HandleFunc("POST /sim/sites/{name}/{state}", n.serveSetSite)
	mux.HandleFunc("POST /sim/faults", n.serveFaults)
	if n.cfg.RDAPTLS {
		ln = tls.NewListener(ln, &tls.Config{GetCertificate: n.ca.certificate, MinVersion: tls.VersionTLS12})
	}
	n.serveHTTP(&http.Server{Handler: mux}, ln, "management")
	return nil
}

func number(req *http.Request, key string, otherwise int) int {
	if v, err := strconv.Atoi(req.URL.Query().Get(key)); err == nil && v > 0 {
		return v
	}
	return otherwise
}

// serveFeed writes JSON lines: GET /sim/feed?n=300&seed=1&plain=true.
func (n *Net) serveFeed(rw http.ResponseWriter, req *http.Request) {
	opts := FeedOptions{Seed: uint64(number(req, "seed", 0)), Plain: req.URL.Query().Get("plain") == "true"}
	rw.Header().Set("Content-Type", "application/jsonl")
	enc := json.NewEncoder(rw)
	for _, row := range n.Feed(number(req, "n", 300), opts) {
		if err := enc.Encode(row); err != nil {
			return // the client went away
		}
	}
}

// serveSetSite is POST /sim/sites/{name}/down, /up, or one of the states.
func (n *Net) serveSetSite(rw http.ResponseWriter, req *http.Request) {
	name, state := strings.ToLower(req.PathValue("name")), req.PathValue("state")
	switch state {
	case "up":
		state = stateLive
	case "down":
		state = stateNotFound
	}
	if state != stateLive && state != "hold" && !slices.Contains(endNames, state) {
		http.Error(rw, fmt.Sprintf("state %q is not one of up, down, hold, %s", state, strings.Join(endNames, ", ")), http.StatusBadRequest)
		return
	}
	if !n.SetSite(name, state) {
		http.Error(rw, fmt.Sprintf("there is no site %q that can be put in state %s", name, state), http.StatusNotFound)
		return
	}
	rw.WriteHeader(http.StatusNoContent)
}

func (n *Net) serveFaults(rw http.ResponseWriter, req *http.Request) {
	var f Faults
	dec := json.NewDecoder(http.MaxBytesReader(rw, req.Body, maxRequestBytes))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		http.Error(rw, "body: "+err.Error(), http.StatusBadRequest)
		return
	}
	if err := n.Fault(f); err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	rw.WriteHeader(http.StatusNoContent)
}
