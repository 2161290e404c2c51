package server

import (
	"slices"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
)

// shownPatch returns p, a change to user, as it is shown: what it sets, with
// null for what it unsets. An unset table is null as a whole. Where something
// in it is set again there is no place for that, and each setting of user that
// goes is null instead.
func shownPatch(p document.Patch, user document.Document) document.Document {
	var gone []key.Key
	for _, k := range p.Unset {
		if p.Set.Under(k).Len() == 0 {
			gone = append(gone, k)
			continue
		}
		gone = append(gone, user.Under(k).Keys()...)
	}
	slices.SortFunc(gone, key.Key.Compare)
	var null []document.Leaf
	for _, k := range gone {
		// What lies in another null, and what becomes a table, is said already.
		if n := len(null); n > 0 && k.Under(null[n-1].Key) || p.Set.Under(k).Len() > 0 || setAbove(p.Set, k) {
			continue
		}
		null = append(null, document.Leaf{Key: k, Value: document.NewValue("null")})
	}
	return document.Merge(p.Set, document.Of(null...))
}

// setAbove reports whether d has a leaf that k would lie in.
func setAbove(d document.Document, k key.Key) bool {
	for !k.IsRoot() {
		k = k.Parent()
		if _, ok := d.Get(k); ok {
			return true
		}
	}
	return false
}
