// Package server answers the requests of the settings API.
//
// A table says for every route which role it needs, whether it changes
// something, and what it takes and gives; router, permissions, audit log,
// metrics and the API description are all made from it. A handler returns an
// error, and one place turns errors into problem documents.
//
// Callers are known by the credentials of their end of the Unix socket, or by
// their certificate when they come from the network. Reading
// settings takes no lock: the answer for the whole document is rendered once
// per generation.
package server

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/bulkhead-os/bulkhead/api/containers"
	"github.com/bulkhead-os/bulkhead/api/store"
	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/schema"
)

// Options are what a server is made of. Store, Schema and Notices are needed;
// the store's events must go to the same Notices.
type Options struct {
	Store    *store.Store
	Schema   *schema.Schema
	Defaults document.Document // the default layer
	Evaluate Evaluator         // the one that the store uses
	OS       OS
	Access   Access
	Notices  *Notices

	Network Network // the zero value: nobody comes from the network
	Power   Power   // none: nobody reboots the node, or switches it off
	Journal Journal // none: there are no logs to show
	Machine Machine // that the daemon runs on; the zero value: it is not told about
	Host    Host    // none: health is that of the daemon alone
	Updater Updater // none: the system is not updated from here
	// Containers is what the containers of the node are reached by; none.
	Containers *containers.Client

	Applier   Applier           // none: settings are stored and served only
	Owed      string            // file that marks an apply that is owed, in a place that a reboot clears; none
	Catalogue func() *Catalogue // of the image, called once and only when needed; none

	Log         *slog.Logger     // none
	Now         func() time.Time // time.Now
	Heartbeat   time.Duration    // of idle event streams; 15 s
	Connections int              // at a time; 256
}

// A Server answers requests. It is safe for concurrent use.
type Server struct {
	opt     Options
	routes  []Route
	metrics *metrics
	start   time.Time
	epoch   string // names this run in request numbers

	patience patience

	network   *network // nil where nobody comes from the network
	updates   *updates // nil where there is no updater
	applies   *applies
	expected  chan struct{} // has a value when an apply is likely soon
	owed      *owed
	catalogue func() *Catalogue

	requests atomic.Uint64 // numbers internal errors
	view     atomic.Pointer[view]
	calls    sync.Pool
	bodies   chan struct{} // slots for large bodies

	strangers  *rate.Limiter // of what is recorded about them
	sessions   *sessions
	logStreams chan struct{} // slots for readers of the journal
	ending     chan struct{} // closed when streams are to end
	endStreams func()        // closes it
}

// New returns a server.
func New(opt Options) *Server {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Heartbeat == 0 {
		opt.Heartbeat = 15 * time.Second
	}
	if opt.Connections == 0 {
		opt.Connections = 256
	}
	s := &Server{
		opt: opt, routes: Routes(), start: opt.Now(), epoch: opt.Notices.Events.Last(),
		patience: usualPatience,
		bodies:   make(chan struct{}, largeBodies),
		applies:  newApplies(),
		expected: make(chan struct{}, 1),
		owed:     &owed{path: opt.Owed, log: opt.Log},
		calls:    sync.Pool{New: func() any { return new(call) }},

		strangers:  rate.NewLimiter(0.2, 20),
		sessions:   newSessions(),
		logStreams: make(chan struct{}, maxLogStreams),
		ending:     make(chan struct{}),
	}
	s.endStreams = sync.OnceFunc(func() { close(s.ending) })
	s.network = s.newNetwork()
	s.updates = s.newUpdates()
	s.catalogue = catalogueOf(opt.Catalogue)
	s.metrics = newMetrics(s)
	opt.Notices.serve(opt.Store)
	if opt.Applier != nil {
		s.applyReverts()
	}
	return s
}
