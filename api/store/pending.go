package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/report"
)

const (
	maxTransactions = 256
	maxPending      = 64 << 20       // bytes of all transactions together
	lifetime        = 24 * time.Hour // since the last patch, by the clock since boot
)

// A Transaction describes changes that are not committed yet.
type Transaction struct {
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	Actor   Actor     `json:"actor"` // who opened it
	Keys    int       `json:"keys"`
}

// A transaction is one that is open. A copy of it lies in a file, so that it
// survives the end of this process. The file is not synced: a power cut is a
// reboot, and that discards transactions anyway.
type transaction struct {
	name    string
	nonce   string // names this transaction among all that had or will have its name
	created time.Time
	used    time.Duration // since boot, when it was patched last
	actor   Actor
	patch   document.Patch
	size    int // of the file
}

// A pendingFile is the form of a transaction in its file.
type pendingFile struct {
	Name    string      `json:"name"`
	Format  int         `json:"format"`
	Boot    string      `json:"boot"`
	Nonce   string      `json:"nonce"`
	Created time.Time   `json:"created"`
	Used    int64       `json:"used"`
	Actor   Actor       `json:"actor"`
	Set     [][2]string `json:"set,omitempty"` // key, value as compact JSON
	Unset   []key.Key   `json:"unset,omitempty"`
}

func nonce() string { return rand.Text() }

func validName(name string) error {
	if name == "" || len(name) > 64 || strings.ContainsFunc(name, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '-')
	}) {
		return fmt.Errorf("%w: %.80q", ErrTransactionName, name)
	}
	return nil
}

// A PatchRequest asks to add changes to a transaction.
type PatchRequest struct {
	Tx      string
	IfMatch string // condition on the current settings, as in the HTTP header
	Patch   document.Patch
	Actor   Actor
}

// Patch adds changes to a transaction, which it opens if need be. An empty
// patch changes nothing. A *report.Refusal says that the settings it would
// lead to are not acceptable.
func (s *Store) Patch(ctx context.Context, r PatchRequest) error {
	if err := validName(r.Tx); err != nil {
		return err
	}
	if err := s.begin(ctx); err != nil {
		return fmt.Errorf("change transaction %s: %w", r.Tx, err)
	}
	defer s.end()
	if err := s.patch(r); err != nil {
		return fmt.Errorf("change transaction %s: %w", r.Tx, err)
	}
	return nil
}

func (s *Store) patch(r PatchRequest) error {
	if err := s.Snapshot().match(r.IfMatch); err != nil {
		return err
	}
	if r.Patch.IsEmpty() {
		return nil
	}
	old, open := s.pending[r.Tx]
	t := &transaction{name: r.Tx, nonce: nonce(), created: s.stamp(), actor: r.Actor, patch: r.Patch, used: s.opt.Boot.Elapsed()}
	if open {
		t.nonce, t.created, t.actor, t.patch = old.nonce, old.created, old.actor, old.patch.Then(r.Patch)
	} else if len(s.pending) >= maxTransactions {
		return fmt.Errorf("%w: %d, want at most %d", ErrTooManyTransactions, len(s.pending), maxTransactions)
	}
	if err := storable(r.Patch.Set, t.patch.Set); err != nil {
		return err
	}
	if err := s.evaluate(lay(s.user.doc, t.patch), Pending).report.Err(); err != nil {
		return err
	}
	if err := s.save(t); err != nil {
		return err
	}
	s.pending[t.name] = t
	s.poke()
	return nil
}

// storable refuses what could be written and not be read again. It trusts
// nothing: a document that does not come back would take the database with it.
func storable(patch, whole document.Document) error {
	var rep report.Report
	var above key.Key
	for k := range whole.All() {
		if !above.IsRoot() && k.Under(above) {
			rep.Add(report.Fault{Code: report.Conflict, Path: k.String(), Detail: above.String() + " is set to a value", Hint: "want either a value or a table"})
		}
		above = k
	}
	if rep.HasErrors() {
		return rep.Err()
	}
	for k, v := range patch.All() {
		one := document.Of(document.Leaf{Key: k, Value: v})
		if back, err := document.ParseTOML(one.TOML()); err != nil || !back.Equal(one) {
			rep.Add(report.Fault{Code: report.InvalidValue, Path: k.String(), Detail: "value cannot be stored", Hint: "want a value of the setting's type"})
		}
	}
	return rep.Err()
}

func (s *Store) pendingDir() string { return filepath.Join(s.opt.Dir, "pending") }

// save writes the file of t.
func (s *Store) save(t *transaction) error {
	f := pendingFile{
		Name: t.name, Format: s.opt.Format, Boot: s.boot, Nonce: t.nonce, Created: t.created, Used: int64(t.used), Actor: t.actor,
		Unset: t.patch.Unset,
	}
	for k, v := range t.patch.Set.All() {
		f.Set = append(f.Set, [2]string{k.String(), v.JSON()})
	}
	b, err := sealJSON(sealPending, f)
	if err != nil {
		return err
	}
	t.size = len(b)
	if t.size > maxDocument {
		return tooLarge("settings", fmt.Sprintf("the transaction has %d bytes", t.size), maxDocument)
	}
	total := t.size
	for _, o := range s.pending {
		if o.name != t.name {
			total += o.size
		}
	}
	if total > maxPending {
		return fmt.Errorf("%w: they would hold %d bytes, want at most %d", ErrTooManyTransactions, total, maxPending)
	}
	if err := storageError(s.writePending(t.name, b)); err != nil {
		s.complain(report.Fault{
			Severity: report.Error, Code: CodeNotStaged, Detail: err.Error(),
			Hint: "no change can be prepared until the state directory can be written again",
		})
		return err
	}
	s.mend(CodeNotStaged)
	return nil
}

func (s *Store) writePending(name string, b []byte) error {
	draft := filepath.Join(s.pendingDir(), "."+name) // no transaction's name has a dot
	err := os.WriteFile(draft, b, 0o600)
	if errors.Is(err, os.ErrNotExist) {
		if err := os.MkdirAll(s.pendingDir(), 0o700); err != nil {
			return err
		}
		err = os.WriteFile(draft, b, 0o600)
	}
	if err == nil {
		err = os.Rename(draft, filepath.Join(s.pendingDir(), name))
	}
	if err != nil {
		os.Remove(draft) // a leftover is harmless
	}
	return err
}

// forget removes a transaction that is committed or of no use any more.
func (s *Store) forget(t *transaction) {
	delete(s.pending, t.name)
	if err := os.Remove(filepath.Join(s.pendingDir(), t.name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		s.opt.Log.Warn("file of a transaction could not be removed", "transaction", t.name, "err", err)
	}
}

// expire discards the transactions that nobody has used for long.
func (s *Store) expire() {
	for _, t := range s.pending {
		if s.opt.Boot.Elapsed()-t.used >= lifetime {
			s.forget(t)
			s.post(EventExpired, t.actor, t.keys(), fmt.Sprintf("transaction %s was not used for %v", t.name, lifetime))
		}
	}
}

// keys returns what t mentions.
func (t *transaction) keys() []key.Key {
	keys := append(t.patch.Set.Keys(), t.patch.Unset...)
	slices.SortFunc(keys, key.Key.Compare)
	return slices.Compact(keys)
}

// Pending returns the changes of a transaction, if it is open.
func (s *Store) Pending(tx string) (document.Patch, bool) {
	s.mu.Lock()
	defer s.end()
	s.expire()
	if t, ok := s.pending[tx]; ok {
		return t.patch, true
	}
	return document.Patch{}, false
}

// Transactions returns the open transactions, sorted by name.
func (s *Store) Transactions() []Transaction {
	s.mu.Lock()
	defer s.end()
	s.expire()
	out := make([]Transaction, 0, len(s.pending))
	for _, name := range slices.Sorted(maps.Keys(s.pending)) {
		t := s.pending[name]
		out = append(out, Transaction{
			Name: name, Created: t.created, Expires: s.stamp().Add(t.used + lifetime - s.opt.Boot.Elapsed()),
			Actor: t.actor, Keys: t.patch.Set.Len() + len(t.patch.Unset),
		})
	}
	return out
}

// Drop discards a transaction and returns the keys it mentions. That there is
// none is no error.
func (s *Store) Drop(tx string) ([]key.Key, error) {
	if err := validName(tx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.end()
	s.expire()
	t, ok := s.pending[tx]
	if !ok {
		return nil, nil
	}
	if err := os.Remove(filepath.Join(s.pendingDir(), tx)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("drop transaction %s: %w", tx, storageError(err))
	}
	delete(s.pending, tx)
	return t.keys(), nil
}

// loadPending takes over the transactions that an earlier process of this boot
// has left.
func (s *Store) loadPending() {
	entries, err := os.ReadDir(s.pendingDir())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		s.opt.Log.Warn("transactions could not be read", "err", err)
	}
	done := map[string]bool{}
	for _, k := range s.kept {
		done[k.Nonce] = true
	}
	for _, e := range entries {
		path := filepath.Join(s.pendingDir(), e.Name())
		t, reason := s.readPending(path, e.Name())
		switch {
		case validName(e.Name()) != nil: // the draft of a file
		case reason == "" && !done[t.nonce]:
			s.pending[t.name] = t
			continue
		case reason != "":
			s.post(EventExpired, internal, nil, fmt.Sprintf("transaction %s was discarded: %s", e.Name(), reason))
		}
		if err := os.RemoveAll(path); err != nil {
			s.opt.Log.Warn("file of a transaction could not be removed", "transaction", e.Name(), "err", err)
		}
	}
	s.expire()
}

// readPending reads the transaction in the file at path, or says why it is of
// no use.
func (s *Store) readPending(path, name string) (*transaction, string) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, "its file cannot be read"
	}
	payload, err := sealPending.open(b)
	if err != nil {
		return nil, "its file is damaged"
	}
	var f pendingFile
	if err := json.Unmarshal(payload, &f); err != nil || f.Name != name {
		return nil, "its file is damaged"
	}
	used := time.Duration(f.Used)
	switch {
	case f.Boot != s.boot || used > s.opt.Boot.Elapsed():
		return nil, "the machine was started anew"
	case f.Format != s.opt.Format:
		return nil, "the format of the settings has changed"
	}
	leaves := make([]document.Leaf, len(f.Set))
	for i, l := range f.Set {
		k, err := key.Parse(l[0])
		if err != nil {
			return nil, "its file is damaged"
		}
		leaves[i] = document.Leaf{Key: k, Value: document.NewValue(l[1])}
	}
	return &transaction{
		name: name, nonce: f.Nonce, created: f.Created, used: used, actor: f.Actor, size: len(b),
		patch: document.Patch{Set: document.Of(leaves...), Unset: f.Unset},
	}, ""
}
