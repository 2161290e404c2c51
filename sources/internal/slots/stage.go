package slots

import (
	"errors"
	"fmt"
	"io"

	"github.com/bulkhead-os/bulkhead/sources/internal/fatdir"
)

// Inactive returns the slot that does not run, and whether something may be
// written to it: what runs has to be healthy, for there is nothing else to fall
// back to meanwhile.
func (v View) Inactive() (Slot, error) {
	run := v.running()
	if run == nil {
		return Slot{}, refuse("no boot program on the ESP is that of the running system, so it is not known what to fall back to")
	}
	if run.Name.State() != Good {
		return Slot{}, refuse("the running version %s has not been healthy yet", run.Name.Version)
	}
	home, others := false, []Slot{}
	for _, s := range v.Slots {
		if s.Root == run.Root {
			home = true
			continue
		}
		others = append(others, s)
	}
	switch {
	case !home:
		return Slot{}, refuse("no slot holds what runs")
	case len(others) == 0:
		return Slot{}, refuse("the disk has one slot only")
	}
	return others[0], nil
}

// Vacate removes all boot programs but those of what runs: whatever the other slot
// holds, it is about to be overwritten. It goes by done what is removed.
func (s *Session) Vacate(done func(file string)) error {
	if _, err := s.View.Inactive(); err != nil {
		return err
	}
	for _, e := range s.View.Entries {
		if e.Root == s.View.Boot.Root {
			continue
		}
		if err := s.dir.Remove(e.File); err != nil {
			return err
		}
		done(e.File)
	}
	return s.look()
}

// Put writes the boot program of a version, of size bytes from r, under a name that
// the loader passes over. Clusters that an earlier attempt lost are found again
// when there is no room without them.
func (s *Session) Put(version string, size int64, r io.ReadSeeker) error {
	name := FileName(version)
	if f, ok := s.dir.Find(name); ok {
		if err := s.dir.Remove(f.Name); err != nil {
			return err
		}
	}
	err := s.dir.Create(name, size, r)
	if errors.Is(err, fatdir.ErrFull) {
		if _, err := r.Seek(0, io.SeekStart); err != nil {
			return err
		}
		if err := s.fs.Reclaim(); err != nil {
			return err
		}
		err = s.dir.Create(name, size, r)
	}
	if err != nil {
		return err
	}
	return s.look()
}

// Program returns the contents of the boot program that is called file.
func (s *Session) Program(file string) (*io.SectionReader, error) {
	f, ok := s.dir.Find(file)
	if !ok {
		return nil, fmt.Errorf("read %s: %w", file, fatdir.ErrNotExist)
	}
	return s.fs.Open(f)
}

// Running returns the entry of what runs, or nil.
func (v View) Running() *Entry { return v.running() }

// RootOf returns the root hash that the boot program in r starts.
func RootOf(r io.ReaderAt) (string, error) {
	p, err := readProgram(r)
	return p.root, err
}

// Room returns how large a boot program may be that is put in place of all but the
// one that runs.
func (s *Session) Room() (int64, error) {
	room, err := s.fs.Free()
	if err != nil {
		return 0, err
	}
	for _, e := range s.View.Entries {
		if f, ok := s.dir.Find(e.File); ok && e.Root != s.View.Boot.Root {
			room += f.Size // at least
		}
	}
	return room, nil
}
