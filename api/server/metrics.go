package server

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are what the daemon counts.
type metrics struct {
	registry *prometheus.Registry
	requests map[*Route]*counters
	all      *prometheus.CounterVec
	commits  prometheus.Histogram
	applies  *prometheus.HistogramVec
	page     http.Handler
}

// statuses are those that the API answers with; others count together.
var statuses = []int{200, 204, 304, 400, 403, 404, 405, 409, 412, 413, 422, 429, 500, 503, 507}

// Counters are those of one route, in the order of statuses and one for others.
// They are kept because looking one up by its labels costs more than most
// answers, and made when first needed, so that the page shows what happened.
type counters [16]atomic.Pointer[prometheus.Counter]

func newMetrics(s *Server) *metrics {
	m := &metrics{registry: prometheus.NewRegistry(), requests: map[*Route]*counters{}}
	m.page = promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{DisableCompression: true})
	m.all = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "bulkhead_requests_total", Help: "Requests by route and status.",
	}, []string{"method", "route", "status"})
	m.commits = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "bulkhead_commit_seconds", Help: "Time that commits took.",
		Buckets: []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5},
	})
	m.applies = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "bulkhead_apply_seconds", Help: "Time that applies took, by how they ended.",
		Buckets: []float64{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 90},
	}, []string{"status"})
	m.registry.MustRegister(m.all, m.commits, m.applies)
	for i := range s.routes {
		m.requests[&s.routes[i]] = new(counters)
	}
	m.gauges(s)
	return m
}

// gauges adds what is read when somebody asks.
func (m *metrics) gauges(s *Server) {
	for _, g := range []struct {
		name, help string
		value      func() float64
	}{
		{"bulkhead_generation", "Current generation of the settings.", func() float64 { return float64(s.opt.Store.Snapshot().Current.ID) }},
		{"bulkhead_transactions", "Open transactions.", func() float64 { return float64(len(s.opt.Store.Transactions())) }},
		{"bulkhead_event_streams", "Open event streams.", func() float64 { return float64(s.opt.Notices.Events.Streams()) }},
		{"bulkhead_faults", "Faults that the health check shows.", func() float64 { return float64(len(s.faults(context.Background()))) }},
		{"bulkhead_uptime_seconds", "Time since the daemon started.", func() float64 { return s.opt.Now().Sub(s.start).Seconds() }},
	} {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: g.name, Help: g.help}, g.value))
	}
}

func (m *metrics) count(rt *Route, status int) {
	i, known := slices.BinarySearch(statuses, status)
	name := strconv.Itoa(status)
	if !known {
		i, name = len(statuses), "other"
	}
	c := m.requests[rt][i].Load()
	if c == nil {
		made := m.all.WithLabelValues(rt.Method, rt.Path, name) // the same one however often
		c = &made
		m.requests[rt][i].Store(c)
	}
	(*c).Inc()
}

func (m *metrics) applied(status string, d time.Duration) {
	m.applies.WithLabelValues(status).Observe(d.Seconds())
}

func (m *metrics) committed(d time.Duration) { m.commits.Observe(d.Seconds()) }

// getMetrics answers GET /metrics.
func (s *Server) getMetrics(c *call) error {
	c.status = http.StatusOK
	s.metrics.page.ServeHTTP(c.w, c.r)
	return nil
}
