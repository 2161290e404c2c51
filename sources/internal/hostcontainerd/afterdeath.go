package hostcontainerd

import (
	"context"
	"time"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/errdefs"
)

// betweenTries is between tries to start a container whose shim has died.
const betweenTries = 100 * time.Millisecond

// launchAfterDeath launches the container, also when containerd is still busy with
// what is left of the one before, whose shim has died.
func (c *Client) launchAfterDeath(ctx context.Context, d Definition, image containerd.Image, cgroup, origin string) error {
	err := c.launch(ctx, d, image, cgroup, origin)
	for end := time.Now().Add(tidyLimit); errdefs.IsAlreadyExists(err) && time.Now().Before(end); {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(betweenTries):
		}
		if err = c.Remove(ctx, d.ID()); err == nil {
			err = c.launch(ctx, d, image, cgroup, origin)
		}
	}
	return err
}
