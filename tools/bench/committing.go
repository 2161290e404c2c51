package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// rounds is how many commits a figure is made of.
const rounds = 400

// readers is how many clients read while commits are measured.
const readers = 4

// change stages a new value, and commit makes it current.
func change(n int) []byte {
	return request("PATCH", "/settings?tx=bench", "application/json", fmt.Appendf(nil, `{"motd":"generation %d of the bench"}`, n))
}

var commit = request("POST", "/tx/commit_and_apply?tx=bench", "", nil)

// commitOnce makes one generation and tells how long both requests took.
func (b *bench) commitOnce(w *wire) (patch, post time.Duration, err error) {
	b.made++
	req := change(b.made)
	start := time.Now()
	if _, err := w.do(req); err != nil {
		return 0, 0, fmt.Errorf("PATCH /settings: %w", err)
	}
	patched := time.Now()
	if _, err := w.do(commit); err != nil {
		return 0, 0, fmt.Errorf("POST /tx/commit_and_apply: %w", err)
	}
	return patched.Sub(start), time.Since(patched), nil
}

// committing compares a durable commit with the least that durability costs
// here: to append as many bytes to a file and sync it. Both take turns, since
// a disk's mood changes.
func (b *bench) committing(ctx context.Context) error {
	b.progress("%d commits", rounds)
	w, err := dial(ctx, b.daemon.Socket)
	if err != nil {
		return err
	}
	defer w.Close()
	log, err := os.OpenFile(filepath.Join(b.state, "append"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	var whole, alone, floor sample
	for range rounds {
		patch, post, err := b.commitOnce(w)
		if err != nil {
			return err
		}
		whole, alone = append(whole, patch+post), append(alone, post)
		d, err := appendAndSync(log, b.document)
		if err != nil {
			return err
		}
		floor = append(floor, d)
	}
	least := floor.median()
	b.add(fmt.Sprintf("append and fdatasync of %d bytes, median", len(b.document)), "", milliseconds(least), true)
	b.add("change and durable commit, median", "≤ 4.0 × that", b.times(whole.median(), least), whole.median() <= 4*least)
	b.add("durable commit alone, median", "", b.times(alone.median(), least), true)
	return nil
}

func (b *bench) times(d, unit time.Duration) string {
	return fmt.Sprintf("%.1f × (%s)", float64(d)/float64(unit), milliseconds(d))
}

func appendAndSync(f *os.File, data []byte) (time.Duration, error) {
	start := time.Now()
	if _, err := f.Write(data); err != nil {
		return 0, err
	}
	if err := unix.Fdatasync(int(f.Fd())); err != nil {
		return 0, fmt.Errorf("fdatasync %s: %w", f.Name(), err)
	}
	return time.Since(start), nil
}

// committingUnderReaders measures whether readers hold up commits.
func (b *bench) committingUnderReaders(ctx context.Context) error {
	b.progress("%d commits under %d readers", rounds, readers)
	w, err := dial(ctx, b.daemon.Socket)
	if err != nil {
		return err
	}
	defer w.Close()
	reading, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() {
		_, err := b.repeat(reading, getOne, readers)
		ended <- err
	}()
	var whole sample
	for range rounds {
		patch, post, cerr := b.commitOnce(w)
		if cerr != nil {
			err = cerr
			break
		}
		whole = append(whole, patch+post)
	}
	stop()
	if err := errors.Join(err, <-ended); err != nil {
		return err
	}
	p99 := whole.at(0.99)
	b.add(fmt.Sprintf("commit under %d readers, 99 of 100", readers), "≤ 5.0 × its median", b.times(p99, whole.median()), p99 <= 5*whole.median())
	return nil
}
