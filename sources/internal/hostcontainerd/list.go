package hostcontainerd

import (
	"context"
	"fmt"
	"time"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/errdefs"
)

// The labels that say what a container is.
const (
	labelKind   = "bulkhead/kind"
	labelName   = "bulkhead/name"
	labelDigest = "bulkhead/digest"
)

// An Info is what containerd knows of a container.
type Info struct {
	ID      string
	Name    string
	Kind    Kind
	Image   string
	Digest  string
	Running bool
	Ended   bool
	Code    uint32 // when it has ended
}

// List returns the containers that containerd has.
func (c *Client) List(ctx context.Context) ([]Info, error) {
	all, err := c.containerd.Containers(ctx)
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	var list []Info
	for _, container := range all {
		info, err := c.info(ctx, container)
		if errdefs.IsNotFound(err) {
			continue // gone meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("look at container %s: %w", container.ID(), err)
		}
		list = append(list, info)
	}
	return list, nil
}

func (c *Client) info(ctx context.Context, container containerd.Container) (Info, error) {
	meta, err := container.Info(ctx, containerd.WithoutRefreshedMetadata)
	if err != nil {
		return Info{}, err
	}
	i := Info{ID: meta.ID, Kind: Kind(meta.Labels[labelKind]), Name: meta.Labels[labelName], Image: meta.Image, Digest: meta.Labels[labelDigest]}
	if i.Name == "" {
		i.Name = i.ID
	}
	task, err := container.Task(ctx, nil)
	if errdefs.IsNotFound(err) {
		return i, nil
	}
	if err != nil {
		return Info{}, err
	}
	status, err := task.Status(ctx)
	if err != nil {
		return Info{}, err
	}
	i.Running = status.Status == containerd.Running
	if i.Ended = status.Status == containerd.Stopped; i.Ended {
		i.Code = status.ExitStatus
	}
	return i, nil
}

// watchPause is the time between looks at what is being fetched.
const watchPause = 250 * time.Millisecond

// PullWatched is Pull for somebody who wants to see how far it is: progress gets the
// bytes that were fetched, and those that there are as far as is known.
func (c *Client) PullWatched(ctx context.Context, source string, proxy Proxy, progress func(done, total int64)) (containerd.Image, error) {
	watching, stop := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		c.watch(watching, progress)
	}()
	image, err := c.Pull(ctx, source, proxy)
	stop()
	<-watched
	return image, err
}

// watch tells how far all fetching is until ctx ends.
func (c *Client) watch(ctx context.Context, progress func(done, total int64)) {
	type part struct{ done, total int64 }
	parts := map[string]part{}
	last := part{}
	look := time.NewTicker(watchPause)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		active, err := c.containerd.ContentStore().ListStatuses(ctx)
		if err != nil {
			continue
		}
		for ref, p := range parts { // what is not under way any more is here
			parts[ref] = part{p.total, p.total}
		}
		for _, s := range active {
			parts[s.Ref] = part{s.Offset, max(s.Total, s.Offset)}
		}
		var now part
		for _, p := range parts {
			now.done, now.total = now.done+p.done, now.total+p.total
		}
		if now != last {
			progress(now.done, now.total)
			last = now
		}
	}
}
