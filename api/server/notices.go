package server

import (
	"encoding/json"
	"net/http"
	"slices"
	"sync/atomic"

	"github.com/bulkhead-os/bulkhead/api/audit"
	"github.com/bulkhead-os/bulkhead/api/event"
	"github.com/bulkhead-os/bulkhead/api/store"
	"github.com/bulkhead-os/bulkhead/models/key"
)

// Notices carry what happens in a store to the event streams and, unless a
// request did it, to the audit log.
type Notices struct {
	Events *event.Hub
	Audit  *audit.Log

	serving atomic.Bool

	reverted atomic.Pointer[func()] // is called when a try has reverted by itself
	changed  atomic.Pointer[func()] // is called after every event
}

// Notify takes an event of the store; it is for store.Options.
func (n *Notices) Notify(e store.Event) {
	data, err := json.Marshal(e)
	if err != nil { // texts, numbers and a time
		panic("server: " + err.Error())
	}
	n.Events.Publish(e.Kind, data)
	if e.Kind == store.EventTryReverted {
		if f := n.reverted.Load(); f != nil {
			(*f)()
		}
	}
	if f := n.changed.Load(); f != nil {
		(*f)()
	}
	if n.own(e) {
		entry := audit.Entry{
			Time: e.Time, Actor: e.Actor.Name, UID: e.Actor.UID, Role: e.Actor.Role, Via: e.Actor.Via,
			Message: e.Message, Note: e.Kind, Keys: texts(e.Keys),
		}
		if e.Kind == store.EventTryReverted {
			entry.Generation = e.Generation
		}
		n.Audit.Append(entry)
	}
}

// own reports whether e is for the audit log: the store acted by itself. What
// it does while it is opened is made up for by serve, with what a crash has
// kept from being written.
func (n *Notices) own(e store.Event) bool {
	return n.serving.Load() && e.Actor.Via == "internal"
}

// serve writes the audit entries of generations that are not in the log yet.
func (n *Notices) serve(s *store.Store) {
	last := n.Audit.LastGeneration()
	var missing []store.Generation
	for _, g := range s.Generations(0, 0) {
		if g.ID <= last {
			break
		}
		missing = append(missing, g)
	}
	for _, g := range slices.Backward(missing) {
		n.Audit.Append(audit.Entry{
			Time: g.Time, Actor: g.Actor.Name, UID: g.Actor.UID, PID: g.Actor.PID, Role: g.Actor.Role, Via: g.Actor.Via,
			Generation: g.ID, Message: g.Message, Result: http.StatusOK, Note: "made up from the generation",
		})
	}
	n.serving.Store(true)
}

// texts returns the texts of keys, as an empty list where there are none.
func texts(keys []key.Key) []string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = k.String()
	}
	return out
}
