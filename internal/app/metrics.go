package app

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"desist/takedown"
)

// metrics are what the process measures of itself. Figures about removal times
// are computed from the record instead, where open cases are counted too.
type metrics struct {
	registry *prometheus.Registry
	cases    *prometheus.CounterVec   // stage; outcome: ok, or an error kind
	seconds  *prometheus.HistogramVec // stage
}

func newMetrics() *metrics {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	f := promauto.With(reg)
	return &metrics{
		registry: reg,
		cases: f.NewCounterVec(prometheus.CounterOpts{
			Name: "desist_stage_cases_total", Help: "Cases that a stage took in hand, by outcome of the batch.",
		}, []string{"stage", "outcome"}),
		seconds: f.NewHistogramVec(prometheus.HistogramOpts{
			Name: "desist_stage_batch_seconds", Help: "Time that a stage took for a batch.", Buckets: prometheus.ExponentialBuckets(0.001, 4, 8),
		}, []string{"stage"}),
	}
}

func (m *metrics) batch(stage takedown.Stage, cases int, took time.Duration, err error) {
	outcome := "ok"
	if err != nil {
		outcome = string(takedown.KindOf(err))
	}
	m.cases.WithLabelValues(string(stage), outcome).Add(float64(cases))
	m.seconds.WithLabelValues(string(stage)).Observe(took.Seconds())
}
