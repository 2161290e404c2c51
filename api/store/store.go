package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/migration"
	"github.com/bulkhead-os/bulkhead/models/report"
)

// A Store keeps settings. Its methods may be called from any goroutine.
type Store struct {
	opt      Options
	boot     string   // id of this boot
	dir      *os.File // the state directory, locked
	commit   committer
	courier  courier
	snapshot atomic.Pointer[Snapshot]
	wake     chan struct{} // tells Run that there may be something to do
	copying  sync.Mutex    // held while the plain copy is written

	mu      sync.Mutex // guards what follows
	closed  bool
	db      *database // nil after a failure, until it could be opened again
	state   state     // as in the database
	kept    []kept    // the generations in the database, by id
	user    layer     // of the current generation
	base    layer     // while there is a try: what comes back
	overdue bool      // the try is over, and this could not be written yet
	authors map[uint64]authorship
	values  map[key.Key]generated
	left    map[int]leftover  // by data format
	steps   []byte            // the migrations in the database, as JSON
	way     migration.Set     // all that are known
	frozen  error             // why nothing can be changed; nil when it can
	gen     document.Document // values as a document
	now     evaluation        // of what the snapshot shows
	pending map[string]*transaction
	faults  map[report.Code]report.Fault
	copied  copyMark
	copyDue time.Time // when Run writes the plain copy; zero when it is good
}

// A layer is a document with who set its leaves.
type layer struct {
	doc document.Document
	set setBy
}

// An evaluation is what Options.Evaluate returned.
type evaluation struct {
	effective document.Document
	report    report.Report
}

func (s *Store) evaluate(user document.Document, stage Stage) evaluation {
	return s.evaluateWith(user, s.gen, stage)
}

func (s *Store) evaluateWith(user, gen document.Document, stage Stage) evaluation {
	effective, rep := s.opt.Evaluate(user, gen, stage)
	return evaluation{effective, rep}
}

func (s *Store) path() string { return filepath.Join(s.opt.Dir, "settings.db") }

// Open opens the store in opt.Dir, or makes one. A damaged database is set
// aside and replaced by what can be recovered, which Health then tells. A try
// that was not confirmed before a reboot or its deadline is over when Open
// returns.
//
// Settings in another data format are migrated. Where that fails the error wraps
// ErrNotMigrated, and nothing was changed; OpenFrozen then helps.
func Open(opt Options) (*Store, error) {
	s := newStore(opt)
	if err := s.start(); err != nil {
		return nil, fmt.Errorf("open settings in %s: %w", opt.Dir, err)
	}
	return s, nil
}

func newStore(opt Options) *Store {
	opt.setDefaults()
	return &Store{
		opt:     opt,
		commit:  (*bbolt.DB).Update,
		courier: courier{receive: opt.Notify},
		wake:    make(chan struct{}, 1),
		pending: map[string]*transaction{},
		faults:  map[report.Code]report.Fault{},
	}
}

// start is what is left of Open once there is a Store.
func (s *Store) start() error {
	s.mu.Lock()
	err := s.open()
	if err != nil {
		err = errors.Join(err, s.release())
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	if !s.copyDueAt().IsZero() {
		s.writeCopy()
	}
	s.courier.deliver()
	return nil
}

func (s *Store) open() error {
	if err := s.lockDir(); err != nil {
		return err
	}
	id, err := s.opt.Boot.ID()
	if err != nil {
		// Every start then counts as a reboot, which is the safe side.
		s.opt.Log.Warn("boot id unknown", "err", err)
		id = "unknown " + nonce()
	}
	s.boot = id
	s.removeDrafts()
	if err := s.openDatabase(); err != nil {
		return err
	}
	if err := s.migrate(); err != nil {
		return err
	}
	if err := s.keepSteps(); err != nil {
		s.opt.Log.Error("older versions will not find the way back", "err", err)
	}
	s.dropWeak()
	s.now = s.evaluate(s.user.doc, Stored)
	if err := s.settle(); err != nil {
		s.opt.Log.Error("end of try could not be recorded", "err", err)
	}
	s.compareCopy()
	if g := s.shown(); g.Origin == OriginRecovery && !s.knows(CodeRecovered) {
		s.complainRecovery(g.Message)
	}
	s.loadPending()
	s.publish()
	return nil
}

// lockDir makes the state directory this process's own.
func (s *Store) lockDir() error {
	if err := os.MkdirAll(s.opt.Dir, 0o700); err != nil {
		return storageError(err)
	}
	dir, err := os.Open(s.opt.Dir)
	if err != nil {
		return err
	}
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		dir.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return ErrInUse
		}
		return fmt.Errorf("lock state directory: %w", err)
	}
	s.dir = dir
	return nil
}

// Close writes the plain copy if it is due and closes the store. Run returns.
func (s *Store) Close() error {
	if !s.copyDueAt().IsZero() {
		s.writeCopy()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.poke()
	return s.release()
}

func (s *Store) release() error {
	s.closed = true
	var errs []error
	if s.db != nil {
		errs = append(errs, s.db.close())
		s.db = nil
	}
	if s.dir != nil {
		errs = append(errs, s.dir.Close())
		s.dir = nil
	}
	return errors.Join(errs...)
}

// Snapshot returns the settings as they are now, without waiting.
func (s *Store) Snapshot() *Snapshot { return s.snapshot.Load() }

// Provenance returns where the setting k comes from now; see
// Snapshot.Provenance.
func (s *Store) Provenance(k key.Key) (Provenance, bool) { return s.Snapshot().Provenance(k) }

// begin takes the lock for a change. What time has decided in the meantime
// comes first. Unless it returns an error, the caller must call end.
func (s *Store) begin(ctx context.Context) error {
	s.mu.Lock()
	err := ctx.Err() // the caller may have gone while we waited
	if err == nil && s.closed {
		err = ErrClosed
	}
	if err == nil && s.frozen != nil {
		err = fmt.Errorf("%w: %w", ErrReadOnly, s.frozen)
	}
	if err == nil {
		s.expire()
		err = s.settle()
	}
	if err != nil {
		s.end()
	}
	return err
}

// end releases the lock and hands on the events.
func (s *Store) end() {
	s.mu.Unlock()
	s.courier.deliver()
}

// poke makes Run look what there is to do.
func (s *Store) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Store) post(kind string, a Actor, keys []key.Key, message string) {
	s.courier.post(Event{
		Kind: kind, Generation: s.shown().ID, Keys: keys, Actor: a, Message: message, Time: s.stamp(),
	})
}

// stamp returns the wall clock's time as it is recorded.
func (s *Store) stamp() time.Time { return s.opt.Now().UTC().Round(0) }

// generation returns the description of a generation that is kept.
func (s *Store) generation(id uint64) (Generation, bool) {
	k, ok := findKept(s.kept, id)
	return k.Generation, ok || id == 0
}

// shown returns the generation that the snapshot shows.
func (s *Store) shown() Generation {
	id := s.state.Current
	if s.overdue {
		id = s.state.Try.Base
	}
	g, _ := s.generation(id)
	return g
}

// publish makes the snapshot anew.
func (s *Store) publish() {
	l := s.user
	if s.overdue {
		l = s.base
	}
	snap := &Snapshot{
		Current: s.shown(), User: l.doc, Generated: s.gen, Effective: s.now.effective, Revision: s.state.Revision,
		Report: s.now.report, set: l.set, actors: s.authorsOf(l.set), values: s.values,
	}
	if t := s.state.Try; t != nil && !s.overdue {
		snap.Try = &Try{
			Generation: t.Generation, Base: t.Base, Duration: time.Duration(t.Duration),
			Deadline: s.stamp().Add(time.Duration(t.Deadline) - s.opt.Boot.Elapsed()),
		}
	}
	s.snapshot.Store(snap)
	s.poke()
}

// authorsOf returns what is known of the generations in set.
func (s *Store) authorsOf(set setBy) map[uint64]authorship {
	out := map[uint64]authorship{}
	for _, id := range set {
		if _, known := out[id]; known {
			continue
		}
		if k, ok := findKept(s.kept, id); ok {
			out[id] = authorship{k.Time, k.Actor}
		} else if a, ok := s.authors[id]; ok {
			out[id] = a
		}
	}
	return out
}

// Generations returns at most limit generations, the newest first, from the
// one before the generation called before. Zero stands for no limit and for
// the end.
func (s *Store) Generations(limit int, before uint64) []Generation {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Generation
	for _, k := range slices.Backward(s.kept) {
		if limit > 0 && len(out) == limit {
			break
		}
		if before == 0 || k.ID < before {
			out = append(out, k.Generation)
		}
	}
	return out
}

// Generation returns a generation and its document. Generation 0 is the empty
// document before the first.
func (s *Store) Generation(id uint64) (Generation, document.Document, error) {
	s.mu.Lock()
	g, ok := s.generation(id)
	l, raw, err := layer{}, []byte(nil), error(nil)
	if ok {
		l, raw, err = s.lookup(id)
	}
	s.mu.Unlock()
	if !ok {
		return Generation{}, document.Document{}, fmt.Errorf("%w: %d", ErrNoGeneration, id)
	}
	if raw != nil { // decoded without the lock: a large document takes its time
		l, err = decodeLayer(raw)
	}
	if err != nil {
		return Generation{}, document.Document{}, fmt.Errorf("read generation %d: %w", id, err)
	}
	return g, l.doc, nil
}

// lookup returns the layer of a generation that is kept, or, when it is not in
// memory, its record for decodeLayer.
func (s *Store) lookup(id uint64) (l layer, raw []byte, err error) {
	switch {
	case s.closed:
		return layer{}, nil, ErrClosed
	case id == 0:
		return layer{set: setBy{}}, nil, nil
	case id == s.state.Current:
		return s.user, nil, nil
	case s.frozen != nil:
		return layer{}, nil, fmt.Errorf("%w: generation %d is in another data format", ErrReadOnly, id)
	case s.state.Try != nil && id == s.state.Try.Base:
		return s.base, nil, nil
	}
	if err := s.connect(); err != nil {
		return layer{}, nil, err
	}
	raw, err = s.db.get(bucketGenerations, idKey(id))
	if s.db.broken {
		err = errors.Join(err, s.db.close())
		s.db = nil
	}
	return layer{}, raw, err
}

func decodeLayer(b []byte) (layer, error) {
	r, err := decodeRecord(b)
	if err != nil {
		return layer{}, err
	}
	doc, set, err := r.document()
	return layer{doc, set}, err
}

// valuesDocument returns the generated layer as a document.
func valuesDocument(values map[key.Key]generated) document.Document {
	leaves := make([]document.Leaf, 0, len(values))
	for _, g := range values {
		leaves = append(leaves, document.Leaf{Key: g.Key, Value: g.Value})
	}
	return document.Of(leaves...)
}
