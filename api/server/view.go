package server

import (
	"net/http"
	"strings"

	"github.com/bulkhead-os/bulkhead/api/store"
	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
)

// A view is what readers see of one snapshot, rendered once.
type view struct {
	snap  *store.Snapshot
	shown document.Document // the effective settings without secrets
	body  []byte            // shown as JSON
	etag  []string          // as a header value
}

// current returns the view of the current snapshot. Two readers may render the
// same one; either is good.
func (s *Server) current() *view {
	snap := s.opt.Store.Snapshot()
	if v := s.view.Load(); v != nil && v.snap == snap {
		return v
	}
	v := &view{snap: snap, shown: s.opt.Schema.Redact(snap.Effective), etag: []string{snap.ETag()}}
	v.body = v.shown.JSON()
	s.view.Store(v)
	return v
}

// unchanged sets the ETag. It reports true, and has answered, when the caller
// has this state already.
func (c *call) unchanged(v *view) bool {
	c.w.Header()["Etag"] = v.etag
	tags := c.r.Header["If-None-Match"]
	if len(tags) == 0 || !matches(tags, v.etag[0]) {
		return false
	}
	c.status = http.StatusNotModified
	c.w.WriteHeader(http.StatusNotModified)
	return true
}

// matches compares as RFC 9110 says for If-None-Match: weakly.
func matches(headers []string, etag string) bool {
	for _, h := range headers {
		for tag := range strings.SplitSeq(h, ",") {
			if tag = strings.TrimSpace(tag); tag == "*" || strings.TrimPrefix(tag, "W/") == etag {
				return true
			}
		}
	}
	return false
}

// layer returns a layer of v, by the name that the query gives.
func (s *Server) layer(v *view, name string, clear bool) document.Document {
	var d document.Document
	switch name {
	case "effective":
		if !clear {
			return v.shown
		}
		d = v.snap.Effective
	case "user":
		d = v.snap.User
	case "generated":
		d = v.snap.Generated
	default:
		d = s.opt.Defaults
	}
	if clear {
		return d
	}
	return s.opt.Schema.Redact(d)
}

// The names of the sections as they begin the text of keys.
const (
	settingsSection = key.Root + "."
	osSection       = "os."
)

// underPrefix returns the settings that a prefix of the text of their keys
// selects, by the rules that all sections share (api.md 4.2). Aliases stand for
// the names that documents have.
func (s *Server) underPrefix(d document.Document, prefix string) document.Document {
	switch {
	case strings.HasPrefix(settingsSection, prefix):
		return d
	case strings.HasPrefix(prefix, settingsSection):
		found := d.WithPrefix(s.canonicalPrefix(prefix))
		if k, aliased := s.aliased(prefix); aliased { // as a whole
			found = document.Merge(found, d.Under(k))
		}
		return found
	}
	return document.Document{}
}

// canonicalPrefix replaces the aliases among the segments of prefix that are
// followed by another.
func (s *Server) canonicalPrefix(prefix string) string {
	for end := strings.LastIndexByte(prefix, '.'); end > len(key.Root); end = strings.LastIndexByte(prefix[:end], '.') {
		if k, aliased := s.aliased(prefix[:end]); aliased {
			return k.String() + prefix[end:]
		}
	}
	return prefix
}

// aliased returns the key that text stands for, and whether text is one with
// an alias in it.
func (s *Server) aliased(text string) (key.Key, bool) {
	k, err := key.Parse(text)
	if err != nil {
		return key.Key{}, false
	}
	canonical := s.opt.Schema.Canonical(k)
	return canonical, canonical != k
}
