package updater

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"

	"github.com/bulkhead-os/bulkhead/api/blockpatch"
	"github.com/bulkhead-os/bulkhead/models/update"
	"github.com/bulkhead-os/bulkhead/sources/internal/download"
	"github.com/bulkhead-os/bulkhead/sources/internal/repoclient"
	"github.com/bulkhead-os/bulkhead/sources/internal/slotwriter"
)

// byBlocks returns a file that is t, of which only blocks are fetched that what runs
// does not have. Without a list of blocks it returns no name: there are other ways.
func (s *stager) byBlocks(ctx context.Context, image update.Image, t repoclient.Target, old io.ReaderAt) (string, error) {
	if image != update.BootImage || s.rel.Images.BootBlocks == "" {
		return "", nil
	}
	list, err := s.f.client.Target(ctx, s.rel.Images.BootBlocks)
	blocks := t.Length / slotwriter.BlockSize
	if err != nil || list.Length < blocks*blockSum || list.Length >= t.Length {
		return "", err
	}
	file, err := s.spool.fetch(ctx, s.f.source, list)
	if err != nil {
		return "", err
	}
	blob, err := s.f.source.Blob(t)
	if err != nil {
		return "", err
	}
	name := s.spool.name(t)
	if err := s.assemble(ctx, name+partSuffix, file, t, blob, old); err != nil {
		s.e.log.Info("blocks are of no use", "image", image, "err", err)
		return "", errors.Join(err, removeOld(name+partSuffix))
	}
	return name, os.Rename(name+partSuffix, name)
}

// blockSum is how long one of the sums in a list of blocks is.
const blockSum = 32

// assemble makes a file of what old has and what is fetched.
func (s *stager) assemble(ctx context.Context, name, list string, t repoclient.Target, blob slotwriter.Blob, old io.ReaderAt) (err error) {
	sums, err := os.Open(list)
	if err != nil {
		return err
	}
	defer sums.Close()
	have, err := blockpatch.BlockSums(io.NewSectionReader(old, 0, maxBoot))
	if err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.Truncate(t.Length); err != nil {
		return err
	}
	blocks := t.Length / slotwriter.BlockSize
	w := slotwriter.Filler{
		Tree: slotwriter.Sums(sums, blocks), To: fileArea{f}, All: true, Running: old,
		RunningTree: slotwriter.Sums(bytes.NewReader(have), int64(len(have)/blockSum)), Image: blob, Streams: 1, Count: &slotwriter.Counts{},
	}
	if err := w.Fill(ctx); err != nil {
		return err
	}
	if rest := t.Length % slotwriter.BlockSize; rest > 0 { // the last one is shorter
		at := t.Length - rest
		if err := blob.Copy(ctx, io.NewOffsetWriter(f, at), at, rest, download.Leniently, 0); err != nil {
			return err
		}
		w.Count.Fetched.Add(rest)
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := t.Check(io.NewSectionReader(f, 0, t.Length)); err != nil {
		return err
	}
	s.e.progress.count.Reused.Add(w.Count.Reused.Load())
	s.e.progress.count.Fetched.Add(w.Count.Fetched.Load())
	return nil
}

// A fileArea is a file that is written like a slot.
type fileArea struct{ *os.File }

// Begin does nothing: files are small.
func (fileArea) Begin(int64, int64) {}
