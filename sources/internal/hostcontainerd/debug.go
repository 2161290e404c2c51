package hostcontainerd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/containerd/containerd/api/types/runc/options"
	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/pkg/oci"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// loadedPrefix begins the names of images that were loaded for debug containers.
// No registry has such a name.
const loadedPrefix = "bulkhead.invalid/debug/"

// loadedFor is how long a loaded image that nothing uses is kept.
const loadedFor = 10 * time.Minute

// Load takes the image in an archive of the OCI or of Docker for a debug container
// and returns its name, which is not that of any other image.
func (c *Client) Load(ctx context.Context, archive io.Reader) (name, digest string, err error) {
	name = loadedPrefix + strings.ToLower(rand.Text()) + ":latest"
	found, err := c.containerd.Import(ctx, archive, containerd.WithIndexName(name), containerd.WithSkipMissing(),
		containerd.WithImageRefTranslator(func(string) string { return "" }))
	if err != nil {
		return "", "", fmt.Errorf("read the archive of an image: %w", err)
	}
	for _, one := range found {
		if one.Name != name {
			continue
		}
		if _, err := c.unpack(ctx, one); err != nil {
			return "", "", errors.Join(err, c.Unload(ctx, name))
		}
		return name, one.Target.Digest.String(), nil
	}
	return "", "", errors.New("read the archive of an image: it holds none")
}

// Unload drops an image that was loaded. Others stay.
func (c *Client) Unload(ctx context.Context, name string) error {
	if !strings.HasPrefix(name, loadedPrefix) {
		return nil
	}
	return limited(context.WithoutCancel(ctx), tidyLimit, func(ctx context.Context) error {
		return c.containerd.ImageService().Delete(ctx, name, images.SynchronousDelete())
	})
}

// Tidy removes what debug containers have left that were cut off: all that are
// there, and images that were loaded a while ago. Nobody may run one meanwhile.
func (c *Client) Tidy(ctx context.Context, now time.Time) error {
	list, err := c.List(ctx)
	for _, i := range list {
		if i.Kind == Debug {
			c.log.Warn("debug container was left behind", "container", i.ID)
			err = errors.Join(err, c.Remove(ctx, i.ID))
		}
	}
	had, listing := c.containerd.ListImages(ctx, "name~="+loadedPrefix)
	for _, i := range had {
		if now.Sub(i.Metadata().CreatedAt) > loadedFor {
			err = errors.Join(err, c.Unload(ctx, i.Name()))
		}
	}
	return errors.Join(err, listing)
}

// Debug runs d, a debug container, for its caller, who ends what is returned. An
// image that was loaded is dropped with it.
func (c *Client) Debug(ctx context.Context, d Definition, terminal *Size) (*Attached, error) {
	d.Kind = Debug
	image, err := c.debugImage(ctx, d)
	if err != nil {
		return nil, err
	}
	a, err := c.debug(ctx, d, image, terminal)
	if err != nil {
		lasting := context.WithoutCancel(ctx)
		return nil, errors.Join(fmt.Errorf("debug container: %w", startFault(err)), c.Remove(lasting, d.ID()), c.Unload(lasting, d.Source))
	}
	return a, nil
}

func (c *Client) debugImage(ctx context.Context, d Definition) (containerd.Image, error) {
	if !strings.HasPrefix(d.Source, loadedPrefix) {
		return c.Image(ctx, d.Source, d.Proxy)
	}
	image, err := c.cached(ctx, d.Source)
	if err == nil && image == nil {
		err = fmt.Errorf("image %s is not here any more", d.Source)
	}
	return image, err
}

func (c *Client) debug(ctx context.Context, d Definition, image containerd.Image, terminal *Size) (*Attached, error) {
	cgroup, err := c.cgroup(d.ID())
	if err != nil {
		return nil, err
	}
	container, err := c.containerd.NewContainer(ctx, d.ID(),
		containerd.WithImage(image),
		containerd.WithSnapshotter(snapshotter),
		containerd.WithNewSnapshot(snapshot(d.ID()), image),
		containerd.WithRuntime(runtime, &options.Options{BinaryName: c.opt.Runc, Root: c.opt.RuncRoot}),
		containerd.WithNewSpec(append(c.specification(d, image, "", cgroup, nil), withTerminal(terminal))...),
		containerd.WithAdditionalContainerLabels(map[string]string{
			labelKind: string(Debug), labelName: d.Name, labelDigest: image.Target().Digest.String(),
		}))
	if err != nil {
		return nil, fmt.Errorf("make the container: %w", err)
	}
	a := &Attached{name: d.ID()}
	task, err := container.NewTask(ctx, a.creator(c.opt.Pipes, terminal != nil))
	if err != nil {
		return nil, fmt.Errorf("make its first process: %w", err)
	}
	a.process = task
	a.again = func(ctx context.Context) (containerd.Process, error) { return container.Task(ctx, nil) }
	a.after = func(ctx context.Context) error { return errors.Join(c.Remove(ctx, d.ID()), c.Unload(ctx, d.Source)) }
	if err := a.start(ctx, terminal); err != nil {
		return nil, fmt.Errorf("start its program: %w", err)
	}
	c.log.Info("debug container runs", "container", d.ID(), "image", image.Name(), "digest", image.Target().Digest.String(), "superpowered", d.Superpowered)
	return a, nil
}

func withTerminal(size *Size) oci.SpecOpts {
	return func(_ context.Context, _ oci.Client, _ *containers.Container, s *specs.Spec) error {
		if len(s.Process.Args) == 0 {
			return errors.New("neither the image nor the caller says which program to run")
		}
		attach(s.Process, size)
		return nil
	}
}
