package store

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
)

// A Strength says how long a generated value lasts.
type Strength string

// The strengths.
const (
	Strong Strength = "strong" // for good
	Weak   Strength = "weak"   // until the version of the image changes
)

// A GeneratedRequest asks to change the generated layer.
type GeneratedRequest struct {
	Patch     document.Patch
	IfMatch   string   // condition on the current settings, as in the HTTP header
	Strength  Strength // of the values that Patch sets; default Strong
	Actor     Actor
	Generator string
}

// SetGenerated changes the generated layer, at once. A weak value does not
// take the place of a strong one. A *report.Refusal says that the settings it
// leads to are not acceptable.
func (s *Store) SetGenerated(ctx context.Context, r GeneratedRequest) error {
	if err := s.begin(ctx); err != nil {
		return fmt.Errorf("change generated settings: %w", err)
	}
	defer s.end()
	if err := s.setGenerated(r); err != nil {
		return fmt.Errorf("change generated settings: %w", err)
	}
	return nil
}

func (s *Store) setGenerated(r GeneratedRequest) error {
	if err := s.Snapshot().match(r.IfMatch); err != nil {
		return err
	}
	if r.Strength == "" {
		r.Strength = Strong
	}
	values, changed := s.generate(r)
	if len(changed) == 0 {
		return nil
	}
	gen := valuesDocument(values)
	if err := storable(document.Document{}, gen); err != nil {
		return err
	}
	// There is no commit to follow, which would check the whole.
	now := s.evaluateWith(s.user.doc, gen, Commit)
	if err := now.report.Err(); err != nil {
		return err
	}
	next := s.state
	next.Revision++
	if err := s.replaceValues(next, values, gen, changed); err != nil {
		return err
	}
	s.now = now
	s.publish()
	s.post(EventGenerated, r.Actor, changed, r.Generator)
	return nil
}

// generate returns the values that r leads to and the keys where they differ.
func (s *Store) generate(r GeneratedRequest) (map[key.Key]generated, []key.Key) {
	values := maps.Clone(s.values)
	stay := s.gen.Apply(document.Patch{Unset: r.Patch.Unset})
	for k := range s.gen.All() {
		if _, ok := stay.Get(k); !ok {
			delete(values, k)
		}
	}
	for k, v := range r.Patch.Set.All() {
		old, there := values[k]
		same := there && old.Value == v && old.Strength == r.Strength && (r.Strength == Strong || old.Version == s.opt.Version)
		if same || there && old.Strength == Strong && r.Strength == Weak {
			continue
		}
		values[k] = generated{
			Key: k, Value: v, Raw: v.JSON(), Strength: r.Strength, Version: s.opt.Version,
			Time: s.stamp(), Actor: r.Actor, Generator: r.Generator,
		}
	}
	var changed []key.Key
	for k, g := range s.values {
		if n, ok := values[k]; !ok || n != g {
			changed = append(changed, k)
		}
	}
	for k := range values {
		if _, ok := s.values[k]; !ok {
			changed = append(changed, k)
		}
	}
	slices.SortFunc(changed, key.Key.Compare)
	return values, changed
}

// replaceValues makes values the generated layer; they differ from what it is
// at the keys changed.
func (s *Store) replaceValues(next state, values map[key.Key]generated, gen document.Document, changed []key.Key) error {
	err := s.write(next, func(tx *bbolt.Tx) error {
		for _, k := range changed {
			if err := putValue(tx, k, values); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.values, s.gen = values, gen
	s.copySoon()
	return nil
}

func putValue(tx *bbolt.Tx, k key.Key, values map[key.Key]generated) error {
	b := tx.Bucket(bucketGenerated)
	g, ok := values[k]
	if !ok {
		return b.Delete([]byte(k.String()))
	}
	rec, err := sealJSON(sealGenerated, g)
	if err != nil {
		return err
	}
	return b.Put([]byte(k.String()), rec)
}

// dropWeak discards the weak values of other versions. They are of no use even
// when that cannot be written.
func (s *Store) dropWeak() {
	if s.state.Version == s.opt.Version {
		return
	}
	values := maps.Clone(s.values)
	var dropped []key.Key
	for k, g := range s.values {
		if g.Strength == Weak && g.Version != s.opt.Version {
			delete(values, k)
			dropped = append(dropped, k)
		}
	}
	next := s.state
	next.Version, next.Before = s.opt.Version, s.state.Version
	// Another image has other defaults: what was read before is stale, although
	// nothing stored may have changed.
	if len(dropped) > 0 || s.state.Version != "" {
		next.Revision++
	}
	slices.SortFunc(dropped, key.Key.Compare)
	gen := valuesDocument(values)
	if err := s.replaceValues(next, values, gen, dropped); err != nil {
		s.opt.Log.Error("change of version could not be recorded", "err", err)
		s.values, s.gen = values, gen
	}
}
