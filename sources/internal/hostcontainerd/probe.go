package hostcontainerd

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"syscall"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/cio"
)

// mostOutput is how much of what a command writes is kept: its end.
const mostOutput = 4 << 10

// tail keeps the end of what is written to it.
type tail struct{ b []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	t.b = t.b[max(0, len(t.b)-mostOutput):]
	return len(p), nil
}

// Command runs words in the container called id, as its program is run, and
// returns the exit status and the end of what it wrote. It is killed when ctx
// ends.
func (c *Client) Command(ctx context.Context, id string, words []string) (status uint32, output string, err error) {
	container, task, err := c.find(ctx, id)
	if err != nil {
		return 0, "", err
	}
	if task == nil {
		return 0, "", fmt.Errorf("container %s does not run", id)
	}
	spec, err := container.Spec(ctx)
	if err != nil {
		return 0, "", fmt.Errorf("look at container %s: %w", id, err)
	}
	process := *spec.Process
	process.Terminal = false
	// Without a journal it writes to where this program reads.
	process.Args = append([]string{helperInside, variablesFlag, variablesInside, "/", "", ""}, words...)
	out := &tail{}
	exec, err := task.Exec(ctx, "check-"+strings.ToLower(rand.Text()), &process,
		cio.NewCreator(cio.WithStreams(bytes.NewReader(nil), out, out), cio.WithFIFODir(c.path(RuntimeDir))))
	if err != nil {
		return 0, "", fmt.Errorf("run %s in container %s: %w", words[0], id, err)
	}
	defer func() {
		tidy, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyLimit)
		defer cancel()
		_, _ = exec.Delete(tidy, containerd.WithProcessKill) // it goes with the container, too
	}()
	ended, err := exec.Wait(ctx)
	if err == nil {
		err = exec.Start(ctx)
	}
	if err != nil {
		return 0, "", fmt.Errorf("run %s in container %s: %w", words[0], id, err)
	}
	select {
	case <-ctx.Done():
		_ = exec.Kill(context.WithoutCancel(ctx), syscall.SIGKILL)
		return 0, "", fmt.Errorf("run %s in container %s: %w", words[0], id, ctx.Err())
	case s := <-ended:
		code, _, err := s.Result()
		exec.IO().Wait()
		return code, strings.ToValidUTF8(string(slices.Clone(out.b)), "\uFFFD"), err
	}
}

// Running reports whether the container called id runs.
func (c *Client) Running(ctx context.Context, id string) (bool, error) {
	_, task, err := c.find(ctx, id)
	if err != nil || task == nil {
		return false, err
	}
	status, err := task.Status(ctx)
	return err == nil && status.Status == containerd.Running, err
}
