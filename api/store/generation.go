package store

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/report"
)

// An Actor is who made a change, and over which way.
type Actor struct {
	Name string `json:"name,omitempty"` // "root", "uid 1000", the name in a certificate
	UID  uint32 `json:"uid"`
	PID  int32  `json:"pid,omitempty"`
	Role string `json:"role,omitempty"`
	Via  string `json:"via,omitempty"` // "socket", "tls" or "internal"
}

// internal is the store itself, acting on what it was told before.
var internal = Actor{Name: "apiserver", Role: "admin", Via: "internal"}

// A Generation describes one committed state of the user layer. The zero
// Generation is the empty document that every store begins with.
type Generation struct {
	ID      uint64    `json:"id"`
	Parent  uint64    `json:"parent"`
	Time    time.Time `json:"time"`
	Actor   Actor     `json:"actor"`
	Message string    `json:"message,omitempty"`
	Origin  string    `json:"origin,omitempty"` // where it came from: as committed, or one of the Origin constants
	Try     bool      `json:"try,omitempty"`    // whether it was committed to be tried
	Changed int       `json:"changed"`          // number of keys it mentions
}

// Origins of the generations that the store makes.
const (
	OriginRevert     = "revert"
	OriginTryEnded   = "try-ended" // a revert before the try was confirmed
	OriginTryExpired = "try-expired"
	OriginRecovery   = "recovery"
)

// A Try is a generation that reverts by itself unless it is confirmed.
type Try struct {
	Generation uint64        `json:"generation"`
	Base       uint64        `json:"base"` // the generation whose document comes back
	Duration   time.Duration `json:"-"`
	Deadline   time.Time     `json:"deadline"` // by the wall clock as it was when the snapshot was made
}

// A Snapshot is the settings at one moment. It is shared and never changes.
type Snapshot struct {
	Current   Generation
	User      document.Document
	Generated document.Document
	Effective document.Document
	Revision  uint64        // counts the changes of the generated layer
	Try       *Try          // nil unless Current is being tried
	Report    report.Report // what Evaluate said of these settings

	set    setBy                 // the leaves of User
	actors map[uint64]authorship // of the generations in set
	values map[key.Key]generated
}

// ETag returns the entity tag of s: it changes with the user layer and with
// the generated one.
func (s *Snapshot) ETag() string {
	return fmt.Sprintf(`"%d-%d"`, s.Current.ID, s.Revision)
}

// match returns ErrStale unless the condition of an If-Match header holds for
// s. No condition always holds. A tag may be the whole ETag or the generation
// alone; a weak one never matches.
func (s *Snapshot) match(condition string) error {
	if condition == "" {
		return nil
	}
	id := strconv.Quote(strconv.FormatUint(s.Current.ID, 10))
	for tag := range strings.SplitSeq(condition, ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || tag == id || tag == s.ETag() {
			return nil
		}
	}
	return fmt.Errorf("%w: they are at %s, the request is for %s", ErrStale, s.ETag(), condition)
}

// The layers a setting can come from.
const (
	LayerUser      = "user"
	LayerGenerated = "generated"
)

// A Provenance says where the value of a setting comes from.
type Provenance struct {
	Layer      string    `json:"layer"`
	Generation uint64    `json:"generation,omitempty"` // user layer: the one that set it last
	Time       time.Time `json:"time,omitzero"`
	Actor      Actor     `json:"actor"`
	Generator  string    `json:"generator,omitempty"` // generated layer
	Strength   Strength  `json:"strength,omitempty"`  // generated layer
}

// authorship is what is kept of a generation for the settings it set, also
// when the generation itself is gone.
type authorship struct {
	Time  time.Time `json:"time"`
	Actor Actor     `json:"actor"`
}

// Provenance returns where the leaf at k comes from. It reports false for a
// leaf that neither the user nor a generator has set.
func (s *Snapshot) Provenance(k key.Key) (Provenance, bool) {
	if _, ok := s.User.Get(k); ok {
		id := s.set[k]
		by := s.actors[id]
		return Provenance{Layer: LayerUser, Generation: id, Time: by.Time, Actor: by.Actor}, true
	}
	if g, ok := s.values[k]; ok {
		return Provenance{Layer: LayerGenerated, Time: g.Time, Actor: g.Actor, Generator: g.Generator, Strength: g.Strength}, true
	}
	return Provenance{}, false
}
