package app

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// handler is everything that the process serves by HTTP.
func (a *App) handler() (http.Handler, error) {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.metrics.registry, promhttp.HandlerOpts{}))
	return mux, nil
}
