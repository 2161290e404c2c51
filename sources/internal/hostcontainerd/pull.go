package hostcontainerd

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/images"
	remoteerrors "github.com/containerd/containerd/v2/core/remotes/errors"
	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
)

// How an image is fetched that the node has no copy of. With a copy there is one
// try: what waits for a container gets the copy rather than the wait.
const (
	pullTries     = 5
	firstWait     = time.Second
	longestWait   = 30 * time.Second
	withCopyLimit = 20 * time.Second
	silence       = 30 * time.Second
)

// Image returns the image called source, unpacked: the newest that the registry
// has, and when it cannot be asked, the one that was fetched before. An image
// that is named by its digest, or that came with the operating system, is fetched
// only once.
func (c *Client) Image(ctx context.Context, source string, proxy Proxy) (containerd.Image, error) {
	name, err := normalize(source)
	if err != nil {
		return nil, err
	}
	had, err := c.cached(ctx, name)
	if err != nil {
		return nil, err
	}
	if archive := c.embedded(name); archive != "" {
		return c.fromSystem(ctx, name, archive, had)
	}
	if had != nil && pinned(name) {
		return had, nil
	}
	if had == nil {
		return c.pullPatiently(ctx, name, proxy)
	}
	limited, cancel := context.WithTimeout(ctx, withCopyLimit)
	defer cancel()
	image, err := c.pull(limited, name, proxy, &courtesy{silence: c.opt.Silence})
	if err != nil && ctx.Err() == nil {
		c.log.Warn("image cannot be fetched, so the copy from before is used", "image", name, "error", err)
		return had, nil
	}
	return image, err
}

// Pull fetches the image called source, whatever the node has of it, unless it is
// part of the operating system: then that decides which it is.
func (c *Client) Pull(ctx context.Context, source string, proxy Proxy) (containerd.Image, error) {
	name, err := normalize(source)
	if err != nil {
		return nil, err
	}
	if archive := c.embedded(name); archive != "" {
		had, err := c.cached(ctx, name)
		if err != nil {
			return nil, err
		}
		return c.fromSystem(ctx, name, archive, had)
	}
	return c.pullPatiently(ctx, name, proxy)
}

// normalize returns the whole name of an image: with its registry, and a tag or
// digest.
func normalize(source string) (string, error) {
	named, err := reference.ParseDockerRef(strings.TrimPrefix(strings.TrimPrefix(source, "https://"), "http://"))
	if err != nil {
		return "", fmt.Errorf("image %q: %w", source, err)
	}
	return named.String(), nil
}

func pinned(name string) bool { return strings.Contains(name, "@") }

// cached returns the image called name if all of it is here.
func (c *Client) cached(ctx context.Context, name string) (containerd.Image, error) {
	image, err := c.containerd.GetImage(ctx, name)
	if errdefs.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for image %s: %w", name, err)
	}
	if unpacked, err := image.IsUnpacked(ctx, snapshotter); err == nil && unpacked {
		return image, nil
	}
	if err := image.Unpack(ctx, snapshotter); err != nil {
		c.log.Warn("copy of image is not whole", "image", name, "error", err)
		return nil, nil
	}
	return image, nil
}

func (c *Client) unpack(ctx context.Context, found images.Image) (containerd.Image, error) {
	image := containerd.NewImage(c.containerd, found)
	if err := image.Unpack(ctx, snapshotter); err != nil {
		return nil, fmt.Errorf("unpack image %s: %w", found.Name, err)
	}
	return image, nil
}

// pullPatiently tries more than once where that may help.
func (c *Client) pullPatiently(ctx context.Context, name string, proxy Proxy) (containerd.Image, error) {
	wait := c.opt.FirstWait
	manners := &courtesy{silence: c.opt.Silence}
	for try := 1; ; try++ {
		image, err := c.pull(ctx, name, proxy, manners)
		asked := manners.wait() // by the registry, to wait
		if err == nil || final(err) || try == pullTries || asked > longestBusy || ctx.Err() != nil {
			return image, err
		}
		c.log.Warn("image cannot be fetched yet", "image", name, "try", try, "error", err)
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(max(wait, asked) + rand.N(wait)): // not all nodes at once
		}
		wait = min(2*wait, longestWait)
	}
}

// pull fetches an image. What a try before has begun to fetch is gone on with, and
// when that does not work dropped, and fetched from its start.
func (c *Client) pull(ctx context.Context, name string, proxy Proxy, manners *courtesy) (containerd.Image, error) {
	resolver, err := c.resolver(ctx, name, proxy, manners)
	if err != nil {
		return nil, err
	}
	var image containerd.Image
	fetch := func(ctx context.Context) (err error) {
		image, err = c.containerd.Pull(ctx, name, containerd.WithResolver(resolver), containerd.WithPullUnpack, containerd.WithPullSnapshotter(snapshotter))
		return err
	}
	err = c.leased(ctx, func(ctx context.Context) error {
		err := fetch(ctx)
		if spoilt(err) {
			c.forget(context.WithoutCancel(ctx))
			err = fetch(ctx)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("fetch image %s: %w", name, err)
	}
	return image, nil
}

// spoilt reports whether err may be the fault of what was fetched in part before:
// the whole has the wrong digest, or the registry does not give the rest alone.
func spoilt(err error) bool {
	status, ok := errors.AsType[remoteerrors.ErrUnexpectedStatus](err)
	return errdefs.IsFailedPrecondition(err) || ok && status.StatusCode == http.StatusRequestedRangeNotSatisfiable
}

// forget drops what was fetched in part. What has the wrong digest is not to be
// taken for the beginning of the right thing.
func (c *Client) forget(ctx context.Context) {
	store := c.containerd.ContentStore()
	active, err := store.ListStatuses(ctx)
	for _, s := range active {
		err = errors.Join(err, store.Abort(ctx, s.Ref))
	}
	if err != nil {
		c.log.Warn("parts of images cannot be dropped", "error", err)
	}
}
