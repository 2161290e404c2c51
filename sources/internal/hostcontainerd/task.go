package hostcontainerd

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/containerd/containerd/api/types/runc/options"
	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/containerd/v2/pkg/cio"
	"github.com/containerd/errdefs"
)

// What a container gets to end: after it was asked, and after it was killed.
const (
	grace     = 20 * time.Second
	killLimit = 45 * time.Second
)

// tidyLimit bounds each step of the removal of what has ended.
const tidyLimit = 30 * time.Second

// runtime is containerd's name of the one that uses runc.
const runtime = "io.containerd.runc.v2"

// snapshotter is the one of containerd that keeps the files of containers.
const snapshotter = "overlayfs"

// madeFrom is the label that says what a container was made from.
const madeFrom = "bulkhead/made-from"

// An ImageError says why there is no image to make a container from.
type ImageError struct{ error }

// Unwrap returns the cause.
func (e ImageError) Unwrap() error { return e.error }

// Start has the container of definition d run, made anew from its image. One
// that runs already and was made from the same is left alone. When Start has
// returned, the container does not need the caller any more.
func (c *Client) Start(ctx context.Context, d Definition) error {
	image, err := c.Image(ctx, d.Source, d.Proxy)
	if err != nil {
		return fmt.Errorf("container %s: %w", d.Name, ImageError{err})
	}
	cgroup, err := c.cgroup(d.ID())
	if err != nil {
		return fmt.Errorf("container %s: %w", d.Name, err)
	}
	origin := fingerprint(d, image.Target().Digest.String(), cgroup)
	if c.runs(ctx, d.ID(), origin) {
		c.log.Info("container runs already", "container", d.Name)
		return nil
	}
	if err := c.Remove(ctx, d.ID()); err != nil {
		return err
	}
	if err := c.launchAfterDeath(ctx, d, image, cgroup, origin); err != nil {
		// What is half made would be in the way of the next start.
		return errors.Join(fmt.Errorf("container %s: %w", d.Name, err), c.Remove(context.WithoutCancel(ctx), d.ID()))
	}
	c.log.Info("container runs", "container", d.Name, "image", image.Name(), "digest", image.Target().Digest.String())
	return nil
}

// fingerprint returns what differs when a container is to be made anew.
func fingerprint(d Definition, image, cgroup string) string {
	text, err := json.Marshal([]any{d, image, cgroup})
	if err != nil {
		panic(err) // strings and booleans
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// runs reports whether the container called id runs and was made from origin.
func (c *Client) runs(ctx context.Context, id, origin string) bool {
	container, task, err := c.find(ctx, id)
	if err != nil || task == nil {
		return false
	}
	labels, err := container.Labels(ctx)
	if err != nil || labels[madeFrom] != origin {
		return false
	}
	status, err := task.Status(ctx)
	return err == nil && status.Status == containerd.Running
}

// find returns the container called id and its task, each nil if there is none.
func (c *Client) find(ctx context.Context, id string) (containerd.Container, containerd.Task, error) {
	container, err := c.containerd.LoadContainer(ctx, id)
	if errdefs.IsNotFound(err) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("look for container %s: %w", id, err)
	}
	task, err := container.Task(ctx, nil)
	if errdefs.IsNotFound(err) {
		return container, nil, nil
	}
	if err != nil {
		return container, nil, fmt.Errorf("look for the processes of container %s: %w", id, err)
	}
	return container, task, nil
}

func snapshot(id string) string { return id + "-snapshot" }

func (c *Client) launch(ctx context.Context, d Definition, image containerd.Image, cgroup, origin string) error {
	lease, err := c.reserve(d)
	if err != nil {
		return err
	}
	dir, err := c.prepare(d, lease)
	if err != nil {
		return err
	}
	users := d.users(lease)
	var files []snapshots.Opt
	if users != nil {
		files = append(files, containerd.WithUserNSRemapperLabels(users, users))
	}
	container, err := c.containerd.NewContainer(ctx, d.ID(),
		containerd.WithImage(image),
		containerd.WithSnapshotter(snapshotter),
		containerd.WithNewSnapshot(snapshot(d.ID()), image, files...),
		containerd.WithRuntime(runtime, &options.Options{BinaryName: c.opt.Runc, Root: c.opt.RuncRoot}),
		containerd.WithNewSpec(c.specification(d, image, dir, cgroup, users)...),
		containerd.WithAdditionalContainerLabels(map[string]string{
			madeFrom: origin, labelKind: string(d.Kind), labelName: d.Name, labelDigest: image.Target().Digest.String(),
		}))
	if err != nil {
		return fmt.Errorf("make the container: %w", err)
	}
	task, err := container.NewTask(ctx, cio.NullIO)
	if err != nil {
		return fmt.Errorf("make its first process: %w", err)
	}
	if err := c.connect(d, task.Pid()); err != nil {
		return err
	}
	if err := task.Start(ctx); err != nil {
		return fmt.Errorf("start its program: %w", err)
	}
	return nil
}

// Wait waits for the container called id to end and returns its exit status.
func (c *Client) Wait(ctx context.Context, id string) (uint32, error) {
	for {
		_, task, err := c.find(ctx, id)
		switch {
		case err == nil && task == nil:
			return 0, fmt.Errorf("container %s has gone", id)
		case err == nil:
			code, err := c.waitOnce(ctx, task)
			if err == nil || ctx.Err() != nil {
				return code, err
			}
			c.log.Warn("containerd does not answer, and is asked again", "container", id, "error", err)
		case ctx.Err() != nil:
			return 0, err
		}
		select { // it is being restarted
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

func (c *Client) waitOnce(ctx context.Context, task containerd.Task) (uint32, error) {
	ended, err := task.Wait(ctx)
	if err != nil {
		return 0, err
	}
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case status := <-ended:
		code, _, err := status.Result()
		return code, err
	}
}

// Stop ends the container called id: it is asked to, and after a while it is
// killed. That it does not run is no error.
func (c *Client) Stop(ctx context.Context, id string) error {
	_, task, err := c.find(ctx, id)
	if err != nil || task == nil {
		return err
	}
	ended, err := task.Wait(ctx)
	if err != nil {
		return fmt.Errorf("stop container %s: %w", id, err)
	}
	for _, step := range []struct {
		signal syscall.Signal
		limit  time.Duration
	}{{syscall.SIGTERM, c.opt.Grace}, {syscall.SIGKILL, killLimit}} {
		done, err := c.signal(ctx, task, ended, step.signal, step.limit)
		if err != nil {
			return fmt.Errorf("stop container %s: %w", id, err)
		}
		if done {
			return nil
		}
		c.log.Warn("container does not end", "container", id, "signal", step.signal.String(), "waited", step.limit)
	}
	return fmt.Errorf("stop container %s: it does not end", id)
}

// signal sends signal and waits until the task has ended or limit is over.
func (c *Client) signal(ctx context.Context, task containerd.Task, ended <-chan containerd.ExitStatus, signal syscall.Signal, limit time.Duration) (bool, error) {
	var all []containerd.KillOpts
	if signal == syscall.SIGKILL {
		all = append(all, containerd.WithKillAll)
	}
	err := task.Kill(ctx, signal, all...)
	if errdefs.IsNotFound(err) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case status := <-ended:
		return true, status.Error()
	case <-time.After(limit):
		return false, nil
	}
}

// Remove removes all that is left of the container called id but what it keeps in
// its directory. A process that still runs is killed.
func (c *Client) Remove(ctx context.Context, id string) error {
	container, task, err := c.find(ctx, id)
	if err != nil {
		return err
	}
	if task != nil {
		if err := limited(ctx, killLimit, func(ctx context.Context) error {
			_, err := task.Delete(ctx, containerd.WithProcessKill)
			return err
		}); err != nil {
			return fmt.Errorf("remove the processes of container %s: %w", id, err)
		}
	}
	if container != nil {
		if err := limited(ctx, tidyLimit, func(ctx context.Context) error { return container.Delete(ctx) }); err != nil {
			return fmt.Errorf("remove container %s: %w", id, err)
		}
	}
	// Removed by name: a start that was cut off may have left it alone.
	err = limited(ctx, tidyLimit, func(ctx context.Context) error {
		return c.containerd.SnapshotService(snapshotter).Remove(ctx, snapshot(id))
	})
	if err != nil {
		return fmt.Errorf("remove the files of container %s: %w", id, err)
	}
	return nil
}

// limited calls f with a context that ends after limit. What is not there need
// not be removed.
func limited(ctx context.Context, limit time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := f(ctx); err != nil && !errdefs.IsNotFound(err) {
		return err
	}
	return nil
}

// Outcome returns the exit status of the container called id if it was started and
// not removed. Its processes have ended, which containerd may learn a moment later.
func (c *Client) Outcome(ctx context.Context, id string) (code uint32, ended bool, err error) {
	_, task, err := c.find(ctx, id)
	if err != nil || task == nil {
		return 0, false, err
	}
	status, err := task.Status(ctx)
	if err != nil {
		return 0, false, fmt.Errorf("ask for the state of container %s: %w", id, err)
	}
	if status.Status == containerd.Created {
		return 0, false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, tidyLimit)
	defer cancel()
	if code, err = c.waitOnce(ctx, task); err != nil {
		return 0, false, fmt.Errorf("ask how container %s has ended: %w", id, err)
	}
	return code, true, nil
}
