package server

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	"github.com/bulkhead-os/bulkhead/api/remote"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/report"
)

// A Network says where the access from the network keeps what it needs. The
// zero Network stands for a daemon without that access, whatever is set.
type Network struct {
	Dir    string // for the certificate that the node makes for itself
	Report string // file that says where the node listens; none
	Code   string // file that keeps the code of the wait for first settings; none
	Limits remote.Limits
}

// A network is the access from the network, which follows the settings.
type network struct {
	gate        *remote.Gate
	maintenance *maintenance

	mu   sync.Mutex // guards what follows
	last string     // the settings that the gate goes by
}

// newNetwork returns the access from the network, or nil when there is none.
func (s *Server) newNetwork() *network {
	o := s.opt.Network
	if o.Dir == "" {
		return nil
	}
	return &network{maintenance: newMaintenance(o.Code), gate: remote.New(remote.Options{
		Handler: s.withCaller(s.Handler()), Dir: o.Dir, Report: o.Report, Limits: o.Limits, Log: s.opt.Log, Now: s.opt.Now,
		Times: remote.Times{Header: s.patience.header, Read: s.patience.read, Write: s.patience.write, Idle: s.patience.idle},
		Stop:  s.patience.stop,
		// Whoever waits for the apply of what closes his connection is answered.
		Drain: longestWait + s.patience.write,
	})}
}

// serveNetwork answers requests from the network until ctx ends. What is
// committed meanwhile takes effect at once.
func (s *Server) serveNetwork(ctx context.Context) {
	follow := s.followSettings
	s.opt.Notices.changed.Store(&follow)
	follow()
	s.network.gate.Run(ctx)
}

// The tables of the settings that the gate goes by.
var (
	apiKey    = key.Of("api")
	remoteKey = key.Of("api", "remote")
)

// followSettings gives the gate the settings that are in effect, unless it has
// them.
func (s *Server) followSettings() {
	n := s.network
	n.mu.Lock()
	defer n.mu.Unlock()
	snap := s.opt.Store.Snapshot()
	if snap.Current.ID != 0 {
		if err := n.maintenance.end(); err != nil {
			s.opt.Log.Warn("code of the wait for settings is not removed", "err", err)
		}
	}
	doc, waiting := snap.Effective.Under(remoteKey), s.waiting(snap)
	text := fmt.Sprint(waiting, string(doc.JSON()))
	if text == n.last {
		return
	}
	n.last = text
	all := s.apiSettings(doc)
	switch {
	case waiting:
		n.gate.Configure(maintenanceConfig(all))
	case all.API == nil:
		n.gate.Configure(remote.Config{})
	default:
		n.gate.Configure(remote.From(all.API.Remote))
	}
}

// networkFaults returns what is wrong with the access from the network.
func (s *Server) networkFaults() []report.Fault {
	if s.network == nil {
		return nil
	}
	return append(s.maintenanceFaults(), s.network.gate.Faults()...)
}

// outsider is the user that callers from the network count as: nobody, and not
// root, which the number 0 would be.
const outsider = 65534

// withCaller makes the caller of the gate the one that h sees.
func (s *Server) withCaller(h http.Handler) http.Handler {
	roles := map[string]Role{}
	for _, r := range []Role{Reader, Operator, Admin} {
		roles[r.String()] = r
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := remote.CallerFrom(r.Context())
		p := &Peer{UID: outsider, GID: outsider, Role: roles[string(c.Role)], name: c.Name, caller: c}
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), peerKey{}, p)))
	})
}

// via returns how the peer is connected.
func (p *Peer) via() string {
	if p.caller != nil {
		return "tls"
	}
	return "socket"
}

// address returns where the peer is on the network, or "".
func (p *Peer) address() string {
	if p.caller == nil {
		return ""
	}
	return p.caller.Address
}

// closing is closed when streams to the peer are to end.
func (p *Peer) closing() <-chan struct{} {
	if p.caller == nil {
		return nil
	}
	return p.caller.Closing()
}
