package store

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/report"
)

// A model is a store without a disk, as simple as can be: settings are a map,
// history is a list.
type model struct {
	retain   int
	gens     []modelGen
	last     uint64
	current  settings
	try      *modelTry
	pending  map[string]*modelTx
	gen      map[string]modelValue
	revision uint64
	version  string
	now      time.Duration // since boot
}

type settings map[string]string

type modelGen struct {
	id, parent uint64
	origin     string
	doc        settings
}

type modelTry struct {
	base     settings
	baseID   uint64
	deadline time.Duration
}

type modelTx struct {
	changes []modelChange // in their order
	used    time.Duration
}

// A modelChange sets key to value, or unsets key and all below it.
type modelChange struct{ key, value string }

type modelValue struct {
	value    string
	strength Strength
	version  string
}

func (s settings) with(changes []modelChange) settings {
	out := maps.Clone(s)
	if out == nil {
		out = settings{}
	}
	for _, c := range changes {
		if c.value != "" {
			out[c.key] = c.value
			continue
		}
		maps.DeleteFunc(out, func(k, _ string) bool {
			return c.key == key.Root || k == c.key || strings.HasPrefix(k, c.key+".")
		})
	}
	return out
}

func (s settings) has(value string) bool {
	return slices.Contains(slices.Collect(maps.Values(s)), value)
}

func (m *model) currentID() uint64 {
	if len(m.gens) == 0 {
		return 0
	}
	return m.gens[len(m.gens)-1].id
}

func (m *model) effective() settings {
	out := settings{}
	for k, v := range m.gen {
		out[k] = v.value
	}
	maps.Copy(out, m.current)
	return out
}

func (m *model) add(doc settings, origin string) {
	m.last++
	m.gens = append(m.gens, modelGen{m.last, m.currentID(), origin, doc})
	m.current, m.try = doc, nil
}

// trim is the retention; it runs when the try of a commit is known.
func (m *model) trim() {
	for i := 0; len(m.gens) > m.retain && i < len(m.gens)-1; {
		if m.try != nil && m.gens[i].id == m.try.baseID {
			i++
			continue
		}
		m.gens = slices.Delete(m.gens, i, i+1)
	}
}

// tick is what time brings.
func (m *model) tick() {
	maps.DeleteFunc(m.pending, func(_ string, t *modelTx) bool { return m.now-t.used >= lifetime })
	if m.try != nil && m.now >= m.try.deadline {
		m.add(m.try.base, OriginTryExpired)
		m.trim()
	}
}

var errRefused = errors.New("refused")

func (m *model) patch(tx string, changes []modelChange) error {
	m.tick()
	if len(changes) == 0 {
		return nil
	}
	t := &modelTx{used: m.now}
	if old := m.pending[tx]; old != nil {
		t.changes = slices.Clone(old.changes)
	}
	t.changes = append(t.changes, changes...)
	if m.current.with(t.changes).has(`"bad"`) {
		return errRefused
	}
	m.pending[tx] = t
	return nil
}

func (m *model) commit(tx string, ifMatch uint64, try time.Duration) error {
	m.tick()
	t := m.pending[tx]
	switch {
	case ifMatch != m.currentID():
		return ErrStale
	case t == nil:
		return ErrNothingPending
	case m.try != nil:
		return ErrTryPending
	}
	doc := m.current.with(t.changes)
	if doc.has(`"late"`) {
		return errRefused
	}
	if len(settings{}.with(t.changes)) == 0 && maps.Equal(doc, m.current) {
		delete(m.pending, tx) // it only unsets what is not set
		return ErrNothingPending
	}
	base, baseID := m.current, m.currentID()
	m.add(doc, "model")
	if try > 0 {
		m.try = &modelTry{base, baseID, m.now + try}
	}
	m.trim()
	delete(m.pending, tx)
	return nil
}

func (m *model) revert(to uint64) error {
	m.tick()
	doc := settings{}
	if to != 0 {
		i := slices.IndexFunc(m.gens, func(g modelGen) bool { return g.id == to })
		if i < 0 {
			return ErrNoGeneration
		}
		doc = m.gens[i].doc
	}
	origin := OriginRevert
	if m.try != nil {
		origin = OriginTryEnded
	}
	m.add(doc, origin)
	m.trim()
	return nil
}

func (m *model) confirm() error {
	m.tick()
	if m.try == nil {
		return ErrNoTry
	}
	m.try = nil
	return nil
}

func (m *model) generate(changes []modelChange, strength Strength) {
	m.tick()
	changed := false
	for _, c := range changes {
		old, there := m.gen[c.key]
		switch v := (modelValue{c.value, strength, m.version}); {
		case c.value == "" && there:
			delete(m.gen, c.key)
		case c.value == "" || there && old.strength == Strong && strength == Weak || there && strength == Strong && old.value == v.value && old.strength == Strong || there && old == v:
			continue
		default:
			m.gen[c.key] = v
		}
		changed = true
	}
	if changed {
		m.revision++
	}
}

// restart is a new process, on a new boot where the machine was restarted.
func (m *model) restart(version string, reboot bool) {
	if version != m.version {
		maps.DeleteFunc(m.gen, func(_ string, v modelValue) bool { return v.strength == Weak && v.version != version })
		m.revision++ // other defaults
		m.version = version
	}
	if reboot {
		m.now = time.Second
		clear(m.pending)
		if m.try != nil {
			m.try.deadline = 0
		}
	}
	m.tick()
}

// A duel plays the same random game with a store and with the model.
type duel struct {
	t   *testing.T
	r   *rand.Rand
	n   *node
	s   *Store
	m   *model
	log []string
}

var (
	modelKeys   = []string{"a", "b.x", "b.y", "c.d.e", "c.d.f", "c.g", `m."x.y"`}
	modelTables = []string{"b", "c", "c.d", "m", "settings"}
	modelValues = []string{`1`, `"x"`, `["p","q"]`, `true`}
	modelNames  = []string{"one", "two", "three"}
)

func (d *duel) pick(list []string) string { return list[d.r.IntN(len(list))] }

// changes returns a random change in both forms.
func (d *duel) changes() ([]modelChange, document.Patch) {
	var changes []modelChange
	var p document.Patch
	for range d.r.IntN(4) {
		c := modelChange{d.pick(modelKeys), d.pick(modelValues)}
		switch d.r.IntN(12) {
		case 0, 1:
			c.value = ""
		case 2:
			c = modelChange{d.pick(modelTables), ""}
		case 3:
			c.value = `"late"`
		case 4:
			if d.r.IntN(3) == 0 {
				c.value = `"bad"`
			}
		}
		k := mustKey(d.t, c.key)
		one := document.Patch{Unset: []key.Key{k}}
		if c.value != "" {
			one = document.Patch{Set: document.Of(document.Leaf{Key: k, Value: document.NewValue(c.value)})}
		}
		changes, p = append(changes, c), p.Then(one)
	}
	return changes, p
}

func (d *duel) step() {
	ctx := d.t.Context()
	tx := d.pick(modelNames)
	var got, want error
	var what string
	switch d.r.IntN(16) {
	case 0, 1, 2, 3, 4:
		changes, p := d.changes()
		what = fmt.Sprintf("patch %s %v", tx, changes)
		got = d.s.Patch(ctx, PatchRequest{Tx: tx, Patch: p})
		want = d.m.patch(tx, changes)
	case 5, 6, 7, 8:
		d.tick() // so that both mean the same generation
		var try time.Duration
		if d.r.IntN(3) == 0 {
			try = time.Duration(1+d.r.IntN(600)) * time.Second
		}
		match := d.m.currentID()
		if d.r.IntN(8) == 0 {
			match++
		}
		what = fmt.Sprintf("commit %s try %v if %d", tx, try, match)
		_, got = d.s.Commit(ctx, CommitRequest{Tx: tx, IfMatch: fmt.Sprintf("%q", fmt.Sprint(match)), Try: try, Origin: "model"})
		want = d.m.commit(tx, match, try)
	case 9:
		what = "drop " + tx
		_, got = d.s.Drop(tx)
		d.m.tick()
		delete(d.m.pending, tx)
		d.tick()
	case 10:
		to := max(int64(d.m.last)-int64(d.r.IntN(8)), 0)
		what = fmt.Sprintf("revert %d", to)
		_, got = d.s.Revert(ctx, RevertRequest{To: uint64(to)})
		want = d.m.revert(uint64(to))
	case 11:
		what = "confirm"
		_, got = d.s.Confirm(ctx, ConfirmRequest{})
		want = d.m.confirm()
	case 12:
		what = d.generate()
	case 13, 14:
		by := time.Duration(d.r.IntN(500)) * time.Second
		if d.r.IntN(20) == 0 {
			by = lifetime
		}
		what = fmt.Sprintf("wait %v", by)
		d.n.pass(by)
		d.n.wall.Add(int64(d.r.IntN(1000)) - 500) // the wall clock may do what it wants
		d.m.now += by
		d.tick()
	default:
		what = d.restart()
	}
	d.log = append(d.log, what)
	d.compareErr(got, want)
	d.compare()
}

func (d *duel) tick() {
	d.s.tend()
	d.m.tick()
}

func (d *duel) generate() string {
	var changes []modelChange
	var p document.Patch
	for _, k := range []string{"a", "b.x", "g"} {
		switch d.r.IntN(5) {
		case 0:
			changes = append(changes, modelChange{k, ""})
			p = p.Then(document.Patch{Unset: []key.Key{mustKey(d.t, k)}})
		case 1, 2:
			v := d.pick(modelValues)
			changes = append(changes, modelChange{k, v})
			p = p.Then(document.Patch{Set: document.Of(document.Leaf{Key: mustKey(d.t, k), Value: document.NewValue(v)})})
		}
	}
	strength := Strength(d.pick([]string{string(Strong), string(Weak)}))
	if err := d.s.SetGenerated(d.t.Context(), GeneratedRequest{Patch: p, Strength: strength}); err != nil {
		d.fail("SetGenerated: %v", err)
	}
	d.m.generate(changes, strength)
	return fmt.Sprintf("generate %v %s", changes, strength)
}

func (d *duel) restart() string {
	version := d.pick([]string{d.m.version, d.m.version, "1.0.0", "2.0.0"})
	reboot := d.r.IntN(3) == 0
	if d.r.IntN(2) == 0 {
		d.n.kill(d.s)
	} else {
		d.n.stop(d.s)
	}
	if reboot {
		d.n.newBoot()
	}
	d.n.opt.Version = version
	d.s = d.n.open()
	d.m.restart(version, reboot)
	return fmt.Sprintf("restart %s reboot %v", version, reboot)
}

func (d *duel) fail(format string, args ...any) {
	d.t.Helper()
	d.t.Fatalf("after %s\n%s", strings.Join(d.log[max(0, len(d.log)-25):], "\n      "), fmt.Sprintf(format, args...))
}

func (d *duel) compareErr(got, want error) {
	if _, refused := errors.AsType[*report.Refusal](got); refused && want == errRefused {
		return
	}
	if !errors.Is(got, want) {
		d.fail("error %v, want %v", got, want)
	}
}

func flat(doc document.Document) settings {
	out := settings{}
	for k, v := range doc.All() {
		out[strings.TrimPrefix(k.String(), "settings.")] = v.JSON()
	}
	return out
}

// compare looks at all that can be seen of both.
func (d *duel) compare() {
	d.t.Helper()
	snap := d.s.Snapshot()
	type view struct {
		Current, Revision uint64
		User, Effective   settings
		Try               uint64
		History           []string
		Pending           []string
	}
	got := view{Current: snap.Current.ID, Revision: snap.Revision, User: flat(snap.User), Effective: flat(snap.Effective), History: history(d.s)}
	if snap.Try != nil {
		got.Try = snap.Try.Generation
	}
	for _, t := range d.s.Transactions() {
		p, _ := d.s.Pending(t.Name)
		got.Pending = append(got.Pending, fmt.Sprint(t.Name, flat(snap.User.Apply(p))))
	}
	want := view{Current: d.m.currentID(), Revision: d.m.revision, User: d.m.current, Effective: d.m.effective()}
	if d.m.try != nil {
		want.Try = d.m.currentID()
	}
	for _, g := range d.m.gens {
		want.History = append(want.History, fmt.Sprintf("%d<%d %s", g.id, g.parent, g.origin))
	}
	for _, name := range slices.Sorted(maps.Keys(d.m.pending)) {
		want.Pending = append(want.Pending, fmt.Sprint(name, d.m.current.with(d.m.pending[name].changes)))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		d.fail("(-want +got):\n%s", diff)
	}
	i := d.r.IntN(len(d.m.gens) + 1)
	if i == len(d.m.gens) {
		return
	}
	if _, doc, err := d.s.Generation(d.m.gens[i].id); err != nil || !maps.Equal(flat(doc), d.m.gens[i].doc) {
		d.fail("Generation(%d) = %s, %v, want %v", d.m.gens[i].id, doc.JSON(), err, d.m.gens[i].doc)
	}
}

// The store and the model agree after every step of any game.
func TestModel(t *testing.T) {
	seeds, steps, first := 12, 150, uint64(0)
	if soak() {
		seeds, steps, first = 1000, 600, uint64(time.Now().Unix())
	}
	for i := range seeds {
		seed := first + uint64(i)
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			n := newNode(t)
			n.opt.Retain = 6
			n.pass(time.Second)
			d := &duel{t: t, r: rand.New(rand.NewPCG(seed, 1)), n: n, s: n.open(), m: &model{
				retain: 6, current: settings{}, pending: map[string]*modelTx{}, gen: map[string]modelValue{}, version: n.opt.Version, now: time.Second,
			}}
			for range steps {
				d.step()
			}
			wantFault(t, d.s)
		})
	}
}
