package updater

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/bulkhead-os/bulkhead/models/update"
	"github.com/bulkhead-os/bulkhead/sources/internal/esp"
	"github.com/bulkhead-os/bulkhead/sources/internal/slots"
	"github.com/bulkhead-os/bulkhead/sources/internal/slotwriter"
)

// vacate makes nothing lead to the slot any longer. From here on only what runs can
// be booted.
func (s *stager) vacate(context.Context) error {
	err := s.e.store.remember(func(m *memory) {
		i := &intent{Version: s.rel.Version.String(), Root: s.root.String(), Slot: s.place.slot, Started: s.e.now().UTC().Truncate(time.Second), Attempts: 1}
		if m.Intent != nil && m.Intent.Root == i.Root {
			i.Attempts += m.Intent.Attempts
		}
		m.Intent, m.Tried = i, ""
	})
	if err != nil {
		return err
	}
	err = s.e.node.session(esp.Write, func(session *slots.Session) error {
		return session.Vacate(func(file string) { s.e.log.Info("boot program removed", "file", file) })
	})
	if err != nil {
		return err
	}
	return s.place.disk.Disguise(s.place.slot)
}

// fill writes the tree and the image.
func (s *stager) fill(ctx context.Context) error {
	// What is there counts if the disk has it. The kernel gives from memory what it once
	// failed to write, and has forgotten that it failed.
	s.place.data.Forget()
	s.place.tree.Forget()
	f, err := os.Open(s.tree)
	if err != nil {
		return err
	}
	defer f.Close()
	tree, err := slotwriter.ReadTree(f) // it was verified
	if err != nil {
		return err
	}
	before, err := s.writeTree(f)
	if err != nil {
		return fmt.Errorf("write the hash tree: %w", err)
	}
	ran, err := slotwriter.ReadTree(s.place.ranTree)
	if err != nil {
		ran = nil // all blocks come from elsewhere
	}
	blob, err := s.f.source.Blob(s.image)
	if err != nil {
		blob = nil // a bundle may have a patch only
	}
	w := &slotwriter.Filler{
		Tree: tree, To: s.place.data, Before: before, All: s.same, Running: s.place.ranData, RunningTree: ran,
		Image: blob, Streams: streams, Count: &s.e.progress.count,
		Patch: func(missing int64) (io.ReaderAt, func() error, bool) { return s.rootPatch(ctx, missing) },
	}
	return w.Fill(ctx)
}

// streams is how many parts of an image are fetched at once.
const streams = 4

func (s *stager) rootPatch(ctx context.Context, missing int64) (io.ReaderAt, func() error, bool) {
	file, ok := s.patchFile(ctx, update.RootImage, missing)
	if !ok {
		return nil, nil, false
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, false
	}
	return f, f.Close, true
}

// writeTree writes the tree to the slot. It returns what the tree that was there says
// of blocks: a guess.
func (s *stager) writeTree(f *os.File) (before *slotwriter.Tree, err error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if s.same, err = equal(f, s.place.tree, info.Size()); s.same || err != nil {
		return nil, err
	}
	if old, err := slotwriter.ReadTree(s.place.tree); err == nil {
		before = old.Copy(filepath.Join(s.spool.dir, "before")) // it is about to be overwritten
	}
	buf := make([]byte, 256<<10)
	for at := int64(0); at < info.Size(); {
		n, err := f.ReadAt(buf[:min(int64(len(buf)), info.Size()-at)], at)
		if n == 0 {
			return nil, err
		}
		if _, err := s.place.tree.WriteAt(buf[:n], at); err != nil {
			return nil, err
		}
		at += int64(n)
	}
	return before, s.place.tree.Sync()
}

// equal reports whether a and b begin with the same n bytes. What cannot be read
// of b is something else.
func equal(a, b io.ReaderAt, n int64) (bool, error) {
	x, y := make([]byte, 64<<10), make([]byte, 64<<10)
	for at := int64(0); at < n; {
		k := min(int64(len(x)), n-at)
		if _, err := a.ReadAt(x[:k], at); err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
		if m, _ := b.ReadAt(y[:k], at); int64(m) < k || string(x[:k]) != string(y[:k]) {
			return false, nil
		}
		at += k
	}
	return true, nil
}

// install makes the slot findable and puts the boot program on the ESP, where it is
// read again before it counts as there.
func (s *stager) install(ctx context.Context) error {
	if err := s.place.disk.Identify(s.place.slot, s.root); err != nil {
		return err
	}
	t, err := s.f.client.Target(ctx, s.rel.Images.Boot)
	if err != nil {
		return err
	}
	f, err := os.Open(s.boot)
	if err != nil {
		return err
	}
	defer f.Close()
	version := s.rel.Version.String()
	return s.e.node.session(esp.Write, func(session *slots.Session) error {
		if err := session.Put(version, t.Length, f); err != nil {
			return err
		}
		r, err := session.Program(slots.FileName(version))
		if err != nil {
			return err
		}
		return t.Check(r)
	})
}

// clean removes what is no longer needed, once the release is staged.
func (s *stager) clean() error {
	if err := s.e.store.remember(func(m *memory) { m.Intent, m.Bundle = nil, false }); err != nil {
		return err
	}
	err := s.spool.clear()
	if rmErr := os.Remove(filepath.Join(s.e.node.data, bundleName)); rmErr != nil && !errors.Is(rmErr, os.ErrNotExist) {
		err = errors.Join(err, rmErr)
	}
	return err
}
