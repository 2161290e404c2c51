package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/tools/run"
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
	for _, m := range []struct {
		name  string
		pause time.Duration
	}{
		{"with 1 ms between two requests", time.Millisecond},
		{"without a pause", 0},
	} {
		b.progress("%d commits under %d readers %s", rounds, readers, m.name)
		s, err := b.commitsUnder(ctx, m.pause)
		if err != nil {
			return err
		}
		p99 := s.at(0.99)
		b.add(fmt.Sprintf("commit under %d readers %s, 99 of 100", readers, m.name), "≤ 5.0 × its median", b.times(p99, s.median()), p99 <= 5*s.median())
	}
	return nil
}

// commitsUnder makes commits while readers wait for pause between requests.
//
// The readers are a process of their own. In this one they would keep the
// committing client from running, and the figure would be about that.
func (b *bench) commitsUnder(ctx context.Context, pause time.Duration) (sample, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	reading, stop := context.WithCancel(ctx)
	defer stop()
	begun := make(signal)
	p, err := run.Command{
		Args: []string{self, "bench", "--read", b.daemon.Socket, "--pause", pause.String()}, Stdout: begun, Apart: true,
	}.Start(reading)
	if err != nil {
		return nil, err
	}
	var s sample
	select {
	case <-begun:
		s, err = b.commitMany(ctx)
	case <-time.After(answerTime):
		err = errors.New("the readers do not begin")
	}
	stop()
	// The readers end with a status of 0 when they are told to, as now.
	if werr := p.Wait(); werr != nil && !errors.Is(werr, context.Canceled) {
		err = errors.Join(err, fmt.Errorf("readers: %w", werr))
	}
	return s, err
}

// A signal is a writer that is closed by the one line written to it.
type signal chan struct{}

func (s signal) Write(b []byte) (int, error) {
	close(s)
	return len(b), nil
}

func (b *bench) commitMany(ctx context.Context) (sample, error) {
	w, err := dial(ctx, b.daemon.Socket)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	var s sample
	for range rounds {
		patch, post, err := b.commitOnce(w)
		if err != nil {
			return nil, err
		}
		s = append(s, patch+post)
	}
	return s, nil
}
