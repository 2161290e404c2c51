package updater

import (
	"context"
	"errors"
	"fmt"

	"github.com/bulkhead-os/bulkhead/api/updater"
	"github.com/bulkhead-os/bulkhead/models/update"
	"github.com/bulkhead-os/bulkhead/sources/internal/esp"
	"github.com/bulkhead-os/bulkhead/sources/internal/fatdir"
	"github.com/bulkhead-os/bulkhead/sources/internal/repoclient"
	"github.com/bulkhead-os/bulkhead/sources/internal/slots"
	"github.com/bulkhead-os/bulkhead/sources/internal/slotwriter"
	"github.com/bulkhead-os/bulkhead/sources/internal/verity"
)

// A stager writes one release.
type stager struct {
	e     *engine
	f     *found
	rel   update.Release
	spool spool

	root  verity.RootHash
	image repoclient.Target
	view  slots.View
	place *place
	tree  string // file with the hash tree
	boot  string // file with the boot program
	same  bool   // the slot has the tree already
}

// run writes the release, in an order that leaves a node that boots wherever it is
// cut off: all that is small is fetched before anything is touched; then nothing
// leads to the slot any longer; then the slot is written; then its partitions get
// their identities; and the boot program comes last.
func (s *stager) run(ctx context.Context) (err error) {
	if s.view, err = s.e.node.look(); err != nil {
		return err
	}
	if _, err := s.view.Inactive(); err != nil {
		return err
	}
	if s.place, err = s.e.node.open(s.view, esp.Write); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.place.Close()) }()
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"metadata", s.plan},
		{"migrations", s.migrations},
		{"tree", s.fetchTree},
		{"boot-program", s.fetchBoot},
		{"root", s.vacate},
		{"root", s.fill},
		{"boot-program", s.install},
	} {
		s.e.progress.step(step.name)
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("prepare version %s: %w", s.rel.Version, err)
		}
	}
	return s.clean()
}

// plan finds out what is to be written, and removes what is no longer wanted.
func (s *stager) plan(ctx context.Context) error {
	if err := s.measure(ctx); err != nil {
		return err
	}
	return errors.Join(s.forget(ctx), s.roomForBoot(ctx))
}

// measure finds out how large everything is, and refuses what cannot fit.
func (s *stager) measure(ctx context.Context) (err error) {
	if s.root, err = verity.ParseRootHash(s.rel.RootHash); err != nil {
		return err
	}
	if s.root == s.place.running {
		return errors.New("its root image is the one that runs")
	}
	total := int64(0)
	for _, t := range []struct {
		target string
		room   int64
	}{{s.rel.Images.Root, s.place.data.Size()}, {s.rel.Images.Hash, s.place.tree.Size()}, {s.rel.Images.Boot, maxBoot}} {
		info, err := s.f.client.Target(ctx, t.target)
		if err != nil {
			return err
		}
		if info.Length > t.room || info.Length == 0 {
			return fmt.Errorf("%s has %d bytes, and the slot has room for %d", t.target, info.Length, t.room)
		}
		total += info.Length
	}
	if s.image, err = s.f.client.Target(ctx, s.rel.Images.Root); err != nil {
		return err
	}
	if s.image.Length%slotwriter.BlockSize != 0 {
		return fmt.Errorf("%s has %d bytes, want a multiple of %d", s.image.Name, s.image.Length, slotwriter.BlockSize)
	}
	s.e.progress.set(func(p *updater.Progress) { p.Total = total })
	return nil
}

// forget removes what was fetched for other releases.
func (s *stager) forget(ctx context.Context) error {
	var keep []string
	for _, name := range s.rel.Targets() {
		t, err := s.f.client.Target(ctx, name)
		if err != nil {
			continue // it shows when it is needed
		}
		keep = append(keep, s.spool.name(t))
	}
	return s.spool.clear(keep...)
}

// maxBoot bounds the size of boot programs.
const maxBoot = 256 << 20

// roomForBoot refuses where the boot program will not fit even once the other one
// is gone.
func (s *stager) roomForBoot(ctx context.Context) error {
	t, err := s.f.client.Target(ctx, s.rel.Images.Boot)
	if err != nil {
		return err
	}
	return s.e.node.session(esp.Read, func(session *slots.Session) error {
		room, err := session.Room()
		if err == nil && room < t.Length {
			err = fmt.Errorf("%w: the boot program has %d bytes, and the ESP has room for %d beside the one that runs", fatdir.ErrFull, t.Length, room)
		}
		return err
	})
}
