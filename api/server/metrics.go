package server

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"time"
)

// Metrics are counted by hand: the text form of Prometheus is a few lines, and
// the usual library brings protocol buffers into a daemon that is to be small.
type metrics struct {
	requests map[*Route]*statusCounts
	buckets  []atomic.Uint64 // of commits, one more than commitBounds
	sum      atomic.Int64    // nanoseconds
}

// statuses are those that the API answers with; others count as 0.
var statuses = []int{200, 204, 304, 400, 403, 404, 405, 409, 412, 413, 422, 429, 500, 503, 507}

type statusCounts [16]atomic.Uint64 // one per status, the last for others

// commitBounds are the upper bounds of the commit duration's buckets, in seconds.
var commitBounds = []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5}

func newMetrics(routes []Route) *metrics {
	m := &metrics{requests: map[*Route]*statusCounts{}, buckets: make([]atomic.Uint64, len(commitBounds)+1)}
	for i := range routes {
		m.requests[&routes[i]] = new(statusCounts)
	}
	return m
}

func (m *metrics) count(rt *Route, status int) {
	i, ok := slices.BinarySearch(statuses, status)
	if !ok {
		i = len(statuses)
	}
	m.requests[rt][i].Add(1)
}

func (m *metrics) committed(d time.Duration) {
	i, _ := slices.BinarySearch(commitBounds, d.Seconds())
	m.buckets[i].Add(1)
	m.sum.Add(int64(d))
}

// A page is metrics in the text form.
type page struct{ bytes.Buffer }

func (p *page) head(name, kind, help string) {
	fmt.Fprintf(p, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

func (p *page) gauge(name, help string, v float64) {
	p.head(name, "gauge", help)
	fmt.Fprintf(p, "%s %s\n", name, strconv.FormatFloat(v, 'g', -1, 64))
}

// getMetrics answers GET /metrics.
func (s *Server) getMetrics(c *call) error {
	snap := s.opt.Store.Snapshot()
	var p page
	s.writeRequests(&p)
	s.metrics.writeCommits(&p)
	p.gauge("bulkhead_generation", "Current generation of the settings.", float64(snap.Current.ID))
	p.gauge("bulkhead_transactions", "Open transactions.", float64(len(s.opt.Store.Transactions())))
	p.gauge("bulkhead_event_streams", "Open event streams.", float64(s.opt.Notices.Events.Streams()))
	p.gauge("bulkhead_faults", "Faults that the health check shows.", float64(len(s.faults())))
	p.gauge("bulkhead_uptime_seconds", "Time since the daemon started.", s.opt.Now().Sub(s.start).Seconds())
	return c.send(textType, p.Bytes())
}

func (s *Server) writeRequests(p *page) {
	p.head("bulkhead_requests_total", "counter", "Requests by route and status.")
	for i := range s.routes {
		rt := &s.routes[i]
		for j := range s.metrics.requests[rt] {
			n := s.metrics.requests[rt][j].Load()
			if n == 0 {
				continue
			}
			status := "other"
			if j < len(statuses) {
				status = strconv.Itoa(statuses[j])
			}
			fmt.Fprintf(p, "bulkhead_requests_total{method=%q,route=%q,status=%q} %d\n", rt.Method, rt.Path, status, n)
		}
	}
}

func (m *metrics) writeCommits(p *page) {
	const name = "bulkhead_commit_seconds"
	p.head(name, "histogram", "Time that commits took.")
	total := uint64(0)
	for i, bound := range commitBounds {
		total += m.buckets[i].Load()
		fmt.Fprintf(p, "%s_bucket{le=%q} %d\n", name, strconv.FormatFloat(bound, 'g', -1, 64), total)
	}
	total += m.buckets[len(commitBounds)].Load()
	fmt.Fprintf(p, "%s_bucket{le=\"+Inf\"} %d\n%s_sum %g\n%s_count %d\n", name, total, name, time.Duration(m.sum.Load()).Seconds(), name, total)
}
