package apply

import (
	"fmt"
	"strings"
	"sync"

	"github.com/bulkhead-os/bulkhead/api/plan"
)

// A ledger keeps account of what is still to be done because of each file. Only
// when nothing is, the file may be recorded as done: whatever cuts an apply off,
// the next one then makes up for it.
type ledger struct {
	mu     sync.Mutex
	owed   map[string]int  // by path: what is still to be done; guarded by mu
	failed map[string]bool // what cannot be settled by this apply; guarded by mu
	absent map[string]bool // of these, what has not come to be on disk; guarded by mu
	wanted map[string]*plan.File
	state  *state // guarded by mu
	dirty  bool   // whether the state differs from the one that was saved; guarded by mu
}

func newLedger(j *job) *ledger {
	l := &ledger{owed: map[string]int{}, failed: map[string]bool{}, absent: map[string]bool{}, wanted: j.files, state: j.state}
	for _, f := range j.plan.Files {
		l.owed[f.Path]++ // the file itself
	}
	for _, path := range reloads(j.plan) {
		l.owed[path]++
	}
	for _, a := range j.plan.Actions {
		l.add(a.Because)
	}
	for _, u := range j.plan.Units {
		l.add(u.Because)
	}
	return l
}

func (l *ledger) add(paths []string) {
	for _, p := range paths {
		l.owed[p]++
	}
}

// reloads returns the files because of which systemd reads its units again.
func reloads(p *plan.Plan) []string {
	var out []string
	for _, f := range p.Files {
		if p.DaemonReload && strings.Contains(f.Path, "/systemd/system/") {
			out = append(out, f.Path)
		}
	}
	return out
}

// done takes one thing off the account of each of paths.
func (l *ledger) done(paths ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range paths {
		l.owed[p]--
		if l.owed[p] == 0 && !l.failed[p] {
			l.settle(p)
		}
	}
}

// fail leaves paths to the next apply.
func (l *ledger) fail(paths ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range paths {
		l.failed[p] = true
	}
}

// lack leaves paths to the next apply, with all that would follow from them:
// units are not to be restarted into half of their files.
func (l *ledger) lack(paths ...string) {
	l.fail(paths...)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range paths {
		l.absent[p] = true
	}
}

// complete returns an error unless all of paths are as they should be.
func (l *ledger) complete(paths []string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range paths {
		if l.absent[p] {
			return fmt.Errorf("left as it is: %s is not as it should be", p)
		}
	}
	return nil
}

func (l *ledger) settle(path string) {
	delete(l.state.Pending, path)
	if f := l.wanted[path]; f != nil {
		l.state.Files[path] = f.Record()
	} else {
		delete(l.state.Files, path)
	}
	l.dirty = true
}

// intend notes the files that are going to be written, and the directories that
// are going to be made for them.
func (l *ledger) intend(p *plan.Plan, missing func(path string) []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range p.Files {
		if w := l.wanted[f.Path]; w != nil && f.Action != plan.Chmod {
			l.state.Pending[f.Path] = w.Record()
			for _, dir := range missing(f.Path) {
				l.state.Directories[dir] = true
			}
			l.dirty = true
		}
	}
}

// refresh records what has changed about files that need nothing done: another
// unit owns them in this image.
func (l *ledger) refresh() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for path, f := range l.wanted {
		if old, known := l.state.Files[path]; known && l.owed[path] == 0 && !same(old, f.Record()) {
			l.settle(path)
		}
	}
}
