package updatebench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/bulkhead-os/bulkhead/tools/run"
	"github.com/bulkhead-os/bulkhead/tools/updatetest"
	"github.com/bulkhead-os/bulkhead/tools/verity"
)

// Sizes of the images that time and memory are measured with, in blocks.
const (
	small     = 256
	middling  = 256 << 20 / verity.BlockSize
	largeSize = 2 << 30 / verity.BlockSize
	goes      = 5
)

// refreshing measures how long it takes to learn what there is, with the start of
// the program.
func (b *bench) refreshing(ctx context.Context) (err error) {
	b.progress("updates: metadata")
	root := updatetest.Image(1, small)
	first, err1 := updatetest.MakeRelease(b.dir, before, root)
	second, err2 := updatetest.MakeRelease(b.dir, after, updatetest.Changed(root, 2, 10))
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	l, err := b.newLab(ctx, true, first, second)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	took, err := median(goes, func() (time.Duration, error) {
		// Without what it keeps it fetches everything.
		if err := os.RemoveAll(filepath.Join(l.Node.Dir, "private", "updates")); err != nil {
			return 0, err
		}
		start := time.Now()
		err := l.Updater(ctx, "refresh")
		return time.Since(start), err
	})
	const bar = 200 * time.Millisecond
	b.add("updates: all metadata, with the start of the updater, median", "< "+bar.String(), took.Round(time.Millisecond).String(), took < bar)
	return err
}

// staging compares the speed at which an image is put into its slot with that of what
// cannot be left out: the slower of hashing and of writing it, each by itself. Above 1 the
// updater is faster than that, since it hashes with all processors while it writes.
func (b *bench) staging(ctx context.Context) (err error) {
	b.progress("updates: staging")
	first, err1 := updatetest.MakeRelease(b.dir, "1.1.0", updatetest.Image(3, middling))
	second, err2 := updatetest.MakeRelease(b.dir, "1.1.1", updatetest.Image(4, middling))
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	file := filepath.Join(second.Dir, "root.erofs")
	speed := func(t time.Duration) float64 { return middling * verity.BlockSize / 1e6 / t.Seconds() }
	said := map[float64]string{}
	// In turns: other work on the machine then falls on all of them.
	ratio, err := median(3, func() (float64, error) {
		l, err := b.newLab(ctx, false, first, second)
		if err != nil {
			return 0, err
		}
		if err := l.Updater(ctx, "refresh"); err != nil {
			return 0, errors.Join(err, l.close())
		}
		stage, err1 := timed(func() error { return l.Updater(ctx, "prepare") })
		sum, err2 := timed(func() error { return run.Command{Args: []string{"sha256sum", file}}.Run(ctx) })
		write, err3 := timed(func() error { return copySynced(file, filepath.Join(b.dir, "copy")) })
		r := float64(max(sum, write)) / float64(stage)
		said[r] = fmt.Sprintf("%.2f: %.0f MB/s, where sha256sum has %.0f and write and sync %.0f", r, speed(stage), speed(sum), speed(write))
		fmt.Fprintln(b.out, "staging", said[r])
		return r, errors.Join(err1, err2, err3, l.close())
	})
	if err != nil {
		return err
	}
	b.add("updates: speed of staging 256 MiB that are all new, in shares of the slower of sha256sum and write and sync, median", "≥ 0.7", said[ratio], ratio >= 0.7)
	return errors.Join(os.RemoveAll(first.Dir), os.RemoveAll(second.Dir))
}

func timed(f func() error) (time.Duration, error) {
	start := time.Now()
	err := f()
	return time.Since(start), err
}

func read(file string, to io.Writer) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(struct{ io.Writer }{to}, bufio.NewReaderSize(f, 1<<20))
	return err
}

func copySynced(from, to string) error {
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	err = errors.Join(read(from, f), f.Sync(), f.Close())
	return errors.Join(err, os.Remove(to))
}

// memory measures what the updater has for itself while it stages a large image.
func (b *bench) memory(ctx context.Context) error {
	b.progress("updates: memory, with an image of 2 GiB")
	first, second, err := b.large()
	if err != nil {
		return err
	}
	for _, patches := range []bool{true, false} {
		peak, err := b.peak(ctx, patches, first, second)
		if err != nil {
			return err
		}
		how := map[bool]string{true: "with patches", false: "without"}[patches]
		const bar = 64 << 20
		b.add("updates: RssAnon of the updater, image of 2 GiB, "+how, "≤ 64 MB", fmt.Sprintf("%.1f MB", float64(peak)/1e6), peak <= bar)
	}
	return errors.Join(os.RemoveAll(first.Dir), os.RemoveAll(second.Dir))
}

// large makes two releases. Of every 64 MiB of the second, four were moved by some
// bytes, so that a patch has to look far for them, and one is new.
func (b *bench) large() (first, second updatetest.Release, err error) {
	const mebibyte = 1 << 20
	data := updatetest.Image(5, largeSize)
	if first, err = updatetest.MakeRelease(b.dir, "1.2.0", data); err != nil {
		return first, second, err
	}
	for at := 0; at+64*mebibyte <= len(data); at += 64 * mebibyte {
		copy(data[at+3*mebibyte+100:at+7*mebibyte], data[at+3*mebibyte:])
		copy(data[at+9*mebibyte:at+10*mebibyte], updatetest.Image(uint64(6+at), mebibyte/verity.BlockSize))
	}
	second, err = updatetest.MakeRelease(b.dir, "1.2.1", data)
	debug.FreeOSMemory() // what is measured next is not to be pushed out by it
	return first, second, err
}

// peak returns the most anonymous memory that the updater had, in bytes.
func (b *bench) peak(ctx context.Context, patches bool, first, second updatetest.Release) (_ int64, err error) {
	l, err := b.newLab(ctx, patches, first, second)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	cmd := l.Command(ctx, "apply")
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	peak := int64(0)
	for {
		select {
		case err := <-ended:
			if err != nil {
				return 0, fmt.Errorf("updater: %w: %s", err, said.String())
			}
			return peak, l.Complete(second)
		case <-time.After(5 * time.Millisecond):
			peak = max(peak, anonymous(cmd))
		}
	}
}

// anonymous returns the anonymous memory of a program, or 0 when it has ended.
func anonymous(cmd *exec.Cmd) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err == nil {
				return kb << 10
			}
		}
	}
	return 0
}
