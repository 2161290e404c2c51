package provision

import (
	"context"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/settings/provision"
)

// reapplyKey is the setting that says how often user data is taken.
var reapplyKey = key.Of("provision", "reapply")

// always reports whether user data is taken at each boot. The settings count as
// they are before it is looked at: what user data itself says of it counts from
// the next boot on.
func (r *run) always(ctx context.Context) bool {
	s, err := r.api.Settings(ctx, client.Query{Keys: []key.Key{reapplyKey}})
	if err != nil {
		r.log.Warn("it is not known how often user data is taken; it is taken once", "err", err)
		return false
	}
	value, ok := s.Document.Get(reapplyKey)
	return ok && value.JSON() == `"`+string(provision.Always)+`"`
}

// same reports whether taking what was found again would change nothing: it is
// what was taken before, and nobody has changed settings since.
func (r *run) same(was record, found []reading, past history) bool {
	for _, f := range found {
		if was.differs(f.source, f.data) != "" || !was.knows(f.source) {
			return false
		}
	}
	return !slices.ContainsFunc(past, func(g client.Generation) bool { return g.ID > was.generation() && !r.above(g, found) })
}

// above reports whether a generation was made from user data that counts as much
// as what this stage takes, or more. Changing those back would have the stages
// undo one another at each boot.
func (r *run) above(g client.Generation, found []reading) bool {
	if !strings.HasPrefix(g.Message, messagePrefix) || !strings.Contains(g.Message, digestMark) {
		return false
	}
	return r.stage != networkStage || slices.ContainsFunc(found, func(f reading) bool { return ofSource(g, f.source.Name()) })
}

// knows reports whether user data of a source was taken.
func (r record) knows(s Source) bool {
	return slices.ContainsFunc(r.Taken, func(t taken) bool { return t.Source == s.Name() })
}

// generation returns the last one that was made, or 0.
func (r record) generation() uint64 {
	var last uint64
	for _, t := range r.Taken {
		last = max(last, t.Generation)
	}
	return last
}

// faults returns those that the user data still has.
func (r record) faults() []report.Fault {
	var out []report.Fault
	for _, t := range r.Taken {
		out = append(out, t.Faults...)
	}
	return out
}

// after returns r with what an earlier record says of other sources.
func (r record) after(was record) record {
	for _, t := range was.Taken {
		if !slices.ContainsFunc(r.Taken, func(n taken) bool { return n.Source == t.Source }) {
			r.Taken = append(r.Taken, t)
		}
	}
	return r
}
