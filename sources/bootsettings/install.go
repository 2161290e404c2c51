package bootsettings

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bulkhead-os/bulkhead/sources/internal/atomicfile"
	"github.com/bulkhead-os/bulkhead/sources/internal/esp"
	"github.com/bulkhead-os/bulkhead/sources/internal/slots"
)

// extraSuffix ends the name of the directory beside a boot program in which the
// stub looks for addons. The stub leaves a counter in the name of the program out
// of it, so that the directory of a version has one name however far it has come.
const extraSuffix = ".extra.d"

// extraDir returns the directory of a version on the ESP.
func extraDir(version string) string {
	return path.Join(slots.Dir, slots.Name{Version: version}.String()+extraSuffix)
}

// An Install is what is done to the ESP for the next boot.
type Install struct {
	Dir     string            // of the version that boots next; empty for none
	Keep    bool              // it is as it should be
	Copy    string            // a directory whose addons it is to have; empty for Want
	Want    map[string][]byte // the addons that it is to have
	Pending *Pending          // what is new for it
	Prove   slots.Plan        // by which it has to prove itself with that
	Known   []string          // the directories of all versions; others are of none any more
}

// proveReason is why a version fails that does not come up with other parameters.
const proveReason = "it did not become healthy with the parameters that settings.boot had been set to"

// MakeInstall returns what makes the next boot what p says, where v are the slots.
// What a version has that is not started next stays: this boot has come up with it,
// or an earlier one has. So does what a version has that takes over, or is gone back
// to. One that is to be tried has what is wanted, or if that is not known to be
// healthy in this boot, what this boot has.
func MakeInstall(p Plan, v slots.View, now time.Time) Install {
	var i Install
	for _, e := range v.Entries {
		i.Known = append(i.Known, extraDir(e.Name.Version))
	}
	next, run := v.Next(), v.Running()
	if next == nil {
		return i
	}
	i.Dir, i.Want = extraDir(next.Name.Version), p.Want
	same := run != nil && next.Root == run.Root
	switch {
	case same && (p.Kept || p.Goal == p.Have), !same && (next.Name.State() != slots.Trial || slices.Contains(v.Memory.Good, next.Root)):
		i.Keep = true
	case same:
		i.Prove = v.Prove(proveReason, now)
	case run != nil && (p.Kept || run.Name.State() != slots.Good):
		i.Copy = extraDir(run.Name.Version)
	}
	if !i.Keep && i.Copy == "" && p.Goal != p.Have {
		i.Pending = &Pending{Root: next.Root, Goal: p.Goal}
	}
	return i
}

// install prepares the ESP for the next boot. Each step leaves a state in which a
// version comes up: what is new is remembered first, then its version has tries,
// then there is something to try.
func (m machine) install(p Plan, now time.Time) (err error) {
	if p.nothing() && m.marked() {
		return nil
	}
	session, err := m.slots(esp.Write)
	if err != nil && p.nothing() {
		return nil // a node without an ESP has no addons
	}
	if err != nil {
		return err
	}
	i := MakeInstall(p, session.view(), now)
	if i.Pending != nil {
		p.State.Pending = i.Pending
	}
	err = errors.Join(m.save(p.State), session.carry(i.Prove))
	if err = errors.Join(err, session.Close()); err != nil {
		return err
	}
	return m.write(i)
}

// write changes the directories of addons.
func (m machine) write(i Install) error {
	// The mark goes before the first addon comes, and comes when the last is gone.
	if err := m.remember(m.none, ""); err != nil {
		return err
	}
	return m.onESP(func(root *os.Root) error {
		if i.Copy != "" {
			want, err := addons(root, i.Copy, ownPrefix)
			if err != nil {
				return err
			}
			i.Want = want
		}
		dirs, err := extraDirs(root)
		if err != nil {
			return err
		}
		for _, dir := range dirs {
			if slices.Contains(i.Known, dir) {
				continue
			}
			if err := replace(root, dir, nil); err != nil {
				return err
			}
		}
		if i.Dir != "" && !i.Keep {
			if err := replace(root, i.Dir, i.Want); err != nil {
				return err
			}
		}
		return m.mark(root)
	})
}

// mark says that the ESP has no addon of this program's, if that is so.
func (m machine) mark(root *os.Root) error {
	dirs, err := extraDirs(root)
	if err != nil {
		return err
	}
	for _, d := range dirs {
		if own, err := addons(root, d, ownPrefix); err != nil || len(own) > 0 {
			return err
		}
	}
	return m.remember(m.none, "none")
}

// extraDirs returns the directories of addons of our boot programs.
func extraDirs(root *os.Root) ([]string, error) {
	entries, err := fs.ReadDir(root.FS(), slots.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		program, ok := strings.CutSuffix(e.Name(), extraSuffix)
		if _, ours := slots.ParseName(program); ok && ours && e.IsDir() {
			out = append(out, path.Join(slots.Dir, e.Name()))
		}
	}
	return out, nil
}

// replace makes want the addons of this program's in dir. Those of others stay,
// and an empty directory goes.
func replace(root *os.Root, dir string, want map[string][]byte) error {
	have, err := addons(root, dir, ownPrefix)
	if err != nil {
		return err
	}
	if len(want) > 0 {
		if err := root.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	if len(have)+len(want) == 0 {
		return nil
	}
	in, err := root.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer in.Close()
	for _, name := range slices.Sorted(maps.Keys(have)) {
		if _, stays := want[name]; stays {
			continue
		}
		if err := atomicfile.Remove(in, name); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if string(have[name]) == string(want[name]) {
			continue
		}
		if err := atomicfile.Replace(in, name, want[name], own(0o700)); err != nil {
			return err
		}
	}
	if len(want) == 0 {
		_ = root.Remove(dir) // unless others have something there
	}
	return nil
}

// addons returns the addons in dir whose names begin with prefix, by their names.
func addons(root *os.Root, dir, prefix string) (map[string][]byte, error) {
	out := map[string][]byte{}
	entries, err := fs.ReadDir(root.FS(), dir)
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		// FAT does not tell letter cases apart, and neither does the stub.
		if name := strings.ToLower(e.Name()); !strings.HasSuffix(name, addonSuffix) || !strings.HasPrefix(name, prefix) {
			continue
		}
		if out[e.Name()], err = root.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
	}
	return out, nil
}
