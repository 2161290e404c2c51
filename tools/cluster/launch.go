package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// readyDescriptor is where a supervisor tells who started it that it answers.
const readyDescriptor = 3

// launchTime is how long a supervisor may take to answer.
const launchTime = 30 * time.Second

// Launch makes sure that the cluster has a supervisor. Become are the words of
// the command that calls Supervise for it.
func (c Cluster) Launch(ctx context.Context, become []string) error {
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return err
	}
	// Of several callers one starts it, and the others find it.
	lock, err := c.hold(launchFile, waiting)
	if err != nil {
		return err
	}
	defer lock.Close()
	if alive, err := c.Alive(); alive || err != nil {
		return err
	}
	if err := c.launch(ctx, become); err != nil {
		return fmt.Errorf("start the supervisor of %s: %w", c.Name, err)
	}
	return nil
}

func (c Cluster) launch(ctx context.Context, become []string) error {
	log, err := os.OpenFile(c.Log(), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	ours, theirs, err := os.Pipe()
	if err != nil {
		return err
	}
	defer ours.Close()
	// Package run looks after programs that end before this one does. This one
	// outlives it, and so must not write into a pipe.
	cmd := exec.Command(become[0], become[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = errors.Join(cmd.Start(), theirs.Close())
	if err != nil {
		return err
	}
	return errors.Join(c.ready(ctx, ours), cmd.Process.Release())
}

// ready waits until the supervisor says that it answers, or ends.
func (c Cluster) ready(ctx context.Context, from *os.File) error {
	stop := context.AfterFunc(ctx, func() { _ = from.SetReadDeadline(time.Now()) })
	defer stop()
	if err := from.SetReadDeadline(time.Now().Add(launchTime)); err != nil {
		return err
	}
	text, err := io.ReadAll(from)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return err
	case len(text) == 0:
		log, _ := os.ReadFile(c.Log()) // without it less is known
		return fmt.Errorf("it ended at once: %s", strings.TrimSpace(string(log)))
	}
	return nil
}

// tellReady tells who started this supervisor that it answers. Started by hand,
// there is nobody to tell.
func tellReady() {
	f := os.NewFile(readyDescriptor, "ready")
	_, _ = f.WriteString("ready\n")
	_ = f.Close()
}

// Become returns the words that make of this program a supervisor, when verb is
// the command of it that does.
func Become(verb string, c Cluster) ([]string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return []string{self, verb, c.Dir}, nil
}
