package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/bulkhead-os/bulkhead/tools/daemon"
	"github.com/bulkhead-os/bulkhead/tools/run"
)

// look is how often readiness is looked for, which bounds how exactly it is
// measured.
const look = time.Millisecond

// start starts the daemon and waits until it is ready.
func (b *bench) start(ctx context.Context) error {
	d, err := daemon.Start(ctx, daemon.Options{
		Program: b.root.Path("build", "bin", "bulkhead"), Dir: b.state, Variant: daemon.Variant,
	})
	if err != nil {
		return err
	}
	b.daemon = d
	return d.Ready(ctx, look)
}

// apply gives the node its user data.
func (b *bench) apply(ctx context.Context) error {
	apiclient := b.root.Path("build", "bin", "apiclient")
	return run.Command{Args: []string{apiclient, "--socket", b.daemon.Socket, "apply", b.userData}}.Run(ctx)
}

// starting measures the time from start to readiness, with many generations.
func (b *bench) starting(ctx context.Context) error {
	if b.made < generations {
		return fmt.Errorf("only %d generations were made, want %d", b.made, generations)
	}
	const starts = 7
	b.progress("%d starts", starts)
	var took sample
	for range starts {
		if err := b.daemon.Stop(); err != nil {
			return err
		}
		begin := time.Now()
		if err := b.start(ctx); err != nil {
			return err
		}
		took = append(took, time.Since(begin))
	}
	const bar = 100 * time.Millisecond
	b.add(fmt.Sprintf("from start to ready with %d generations, median", generations), "≤ "+milliseconds(bar), milliseconds(took.median()), took.median() <= bar)
	return nil
}

// memory measures what the daemon holds after many commits in one run.
func (b *bench) memory(ctx context.Context) error {
	b.progress("memory over %d commits", commits)
	w, err := dial(ctx, b.daemon.Socket)
	if err != nil {
		return err
	}
	defer w.Close()
	before, err := b.held()
	if err != nil {
		return err
	}
	begin := time.Now()
	for range commits {
		if _, _, err := b.commitOnce(w); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	rate := commits / time.Since(begin).Seconds()
	after, err := b.held()
	if err != nil {
		return err
	}
	const bar = 20 << 20
	b.add("commits of one client", "", fmt.Sprintf("%.0f/s", rate), true)
	b.add("RssAnon after the start", "", mebibytes(before), true)
	b.add(fmt.Sprintf("RssAnon after %d commits", commits), "≤ "+mebibytes(bar), mebibytes(after), after <= bar)
	return nil
}

func (b *bench) held() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", b.daemon.PID()))
	if err != nil {
		return 0, err
	}
	return rssAnon(string(status))
}

// binary measures the client as it is handed to people.
func (b *bench) binary(ctx context.Context) error {
	b.progress("the size of apiclient")
	path := filepath.Join(b.state, "apiclient")
	cmd := b.root.Go("build", "-trimpath", "-ldflags=-s -w", "-o", path, "./api/cmd/apiclient")
	cmd.Env = append(cmd.Env, "CGO_ENABLED=0")
	if err := cmd.Run(ctx); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	const bar = 12 << 20
	b.add("apiclient, static and stripped", "≤ "+mebibytes(bar), mebibytes(info.Size()), info.Size() <= bar)
	return nil
}

func mebibytes(n int64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", float64(n)/(1<<20)), ".0") + " MiB"
}
