package schema

import (
	"reflect"
	"sync"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
)

// A memo remembers what the values of settings decode to. From one check to
// the next few of them differ, and decoding is most of the work of a check.
// What it returns is shared and is not to be changed.
type memo struct {
	mu      sync.Mutex
	decoded map[key.Key]decoded // the newest value of each setting
}

type decoded struct {
	value document.Value
	leaf  reflect.Value
}

// Bounds that keep an unusual document from living in memory twice.
const (
	memoEntries = 2048
	memoValue   = 4096 // bytes
)

func (m *memo) get(k key.Key, v document.Value) (reflect.Value, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, ok := m.decoded[k]
	if !ok || d.value != v {
		return reflect.Value{}, false
	}
	return d.leaf, true
}

func (m *memo) put(k key.Key, v document.Value, leaf reflect.Value) {
	if len(v.JSON()) > memoValue {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.decoded == nil || len(m.decoded) >= memoEntries {
		m.decoded = map[key.Key]decoded{}
	}
	m.decoded[k] = decoded{v, leaf}
}
