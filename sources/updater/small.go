package updater

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/bulkhead-os/bulkhead/models/update"
	"github.com/bulkhead-os/bulkhead/sources/internal/esp"
	"github.com/bulkhead-os/bulkhead/sources/internal/repoclient"
	"github.com/bulkhead-os/bulkhead/sources/internal/slots"
	"github.com/bulkhead-os/bulkhead/sources/internal/slotwriter"
)

// small returns a file that is an image, made with a patch where there is one and
// it does what it should.
func (s *stager) small(ctx context.Context, image update.Image, old io.ReaderAt) (string, error) {
	t, err := s.f.client.Target(ctx, s.rel.Images.Target(image))
	if err != nil {
		return "", err
	}
	count := &s.e.progress.count
	if name := s.spool.name(t); checkFile(name, t) == nil {
		count.Reused.Add(t.Length)
		return name, nil
	}
	if file, ok := s.patchFile(ctx, image, t.Length); ok {
		name, err := s.spool.make(t, file, old)
		if err == nil {
			count.Patched.Add(t.Length)
			return name, nil
		}
		s.e.log.Info("patch is of no use", "image", image, "err", err)
	}
	if name, err := s.byBlocks(ctx, image, t, old); name != "" || ctx.Err() != nil {
		return name, err
	}
	name, err := s.spool.fetch(ctx, s.f.source, t)
	if err == nil {
		count.Fetched.Add(t.Length)
	}
	return name, err
}

// patchFile returns a verified patch for an image that would otherwise cost so many
// bytes, if it could be had. Without one, or where it cannot be had, there are other ways.
func (s *stager) patchFile(ctx context.Context, image update.Image, instead int64) (string, bool) {
	t, ok := s.patchTarget(ctx, image, instead)
	if !ok {
		return "", false
	}
	file, err := s.spool.fetch(ctx, s.f.source, t)
	if err != nil {
		s.e.log.Info("patch cannot be had", "image", image, "err", err)
		return "", false
	}
	return file, true
}

// patchTarget returns the patch for an image, if there is one that costs less.
func (s *stager) patchTarget(ctx context.Context, image update.Image, instead int64) (repoclient.Target, bool) {
	p, ok := s.rel.Patch(image, s.e.facts.version)
	if !ok {
		return repoclient.Target{}, false
	}
	t, err := s.f.client.Target(ctx, p.Target)
	return t, err == nil && (t.Length < instead || !s.had(ctx, image))
}

// had reports whether an image can be had as a whole: a bundle may have patches only.
func (s *stager) had(ctx context.Context, image update.Image) bool {
	t, err := s.f.client.Target(ctx, s.rel.Images.Target(image))
	if err == nil {
		_, err = s.f.source.Blob(t)
	}
	return err == nil
}

func (s *stager) fetchTree(ctx context.Context) (err error) {
	if s.tree, err = s.small(ctx, update.HashImage, s.place.ranTree); err != nil {
		return err
	}
	f, err := os.Open(s.tree)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = slotwriter.VerifyTree(f, s.root, s.image.Length)
	return err
}

// runningProgram returns a copy of the boot program of what runs, so that nobody has to
// wait for the ESP while something is fetched.
func (s *stager) runningProgram() (_ *os.File, err error) {
	if err := os.MkdirAll(s.spool.dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.Create(filepath.Join(s.spool.dir, "running"))
	if err != nil {
		return nil, err
	}
	err = s.e.node.session(esp.Read, func(session *slots.Session) error {
		r, err := session.Program(s.place.runningProgramFile)
		if err != nil {
			return err
		}
		if err := room(s.spool.dir, r.Size()); err != nil {
			return err
		}
		_, err = io.Copy(f, r)
		return err
	})
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (s *stager) fetchBoot(ctx context.Context) (err error) {
	running, err := s.runningProgram()
	if err != nil {
		return err
	}
	defer running.Close()
	if s.boot, err = s.small(ctx, update.BootImage, running); err != nil {
		return err
	}
	// A boot program for another root would boot nothing, or something else.
	f, err := os.Open(s.boot)
	if err != nil {
		return err
	}
	defer f.Close()
	root, err := slots.RootOf(f)
	if err == nil && root != s.root.String() {
		err = fmt.Errorf("%s is for the root %s, and the release has %s", s.rel.Images.Boot, root, s.root)
	}
	return err
}
