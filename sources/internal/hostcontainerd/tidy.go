package hostcontainerd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"time"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/leases"
	"github.com/pelletier/go-toml/v2"
	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/sources/internal/program"
)

// Labels of images.
const (
	labelUnwanted = "bulkhead/unwanted-since"
	labelPinned   = "bulkhead/pinned"          // by hand; stays whatever the settings say
	criPinned     = "io.cri-containerd.pinned" // the same, as others write it
)

// Rules say when images go that nobody needs. The zero value has those of a node.
type Rules struct {
	Grace time.Duration // how long nobody has needed them; a day when zero
	Above float64       // share of the disk that is in use; 0.75 when zero
	Now   time.Time     // the current time when zero
}

func (r *Rules) fill() {
	r.Grace = cmp.Or(r.Grace, 24*time.Hour)
	r.Above = cmp.Or(r.Above, 0.75)
	if r.Now.IsZero() {
		r.Now = time.Now()
	}
}

// partLimit is how long what was fetched in part is gone on with.
const partLimit = 24 * time.Hour

// TidyImages removes images that the settings do not name, wanted says which those do,
// once nobody has needed them for a while and the disk has little room: those first
// that have not been needed for longest. What a container runs, what is part of the
// operating system and what is pinned stays. It reports whether there is something
// to be looked at again.
func (c *Client) TidyImages(ctx context.Context, wanted []string, rules Rules) (later bool, err error) {
	rules.fill()
	keep, err := c.needed(ctx, wanted)
	if err != nil {
		return false, err
	}
	all, err := c.containerd.ImageService().List(ctx)
	if err != nil {
		return false, fmt.Errorf("list images: %w", err)
	}
	var old []images.Image
	var errs []error
	for _, i := range all {
		needed := keep[i.Name] || i.Labels[labelPinned] != "" || i.Labels[criPinned] == "pinned" || c.embedded(i.Name) != ""
		since, err := c.mark(ctx, i, needed, rules.Now)
		errs = append(errs, err)
		switch {
		case needed || err != nil:
		case rules.Now.Sub(since) < rules.Grace:
			later = true
		default:
			i.Labels[labelUnwanted] = since.Format(time.RFC3339)
			old = append(old, i)
		}
	}
	slices.SortFunc(old, func(a, b images.Image) int { return cmp.Compare(a.Labels[labelUnwanted], b.Labels[labelUnwanted]) })
	left, err := c.removeUnwanted(ctx, old, rules.Above)
	return later || left, errors.Join(append(errs, err, c.dropParts(ctx, rules.Now))...)
}

// needed returns the names of the images that settings name or containers have.
func (c *Client) needed(ctx context.Context, wanted []string) (map[string]bool, error) {
	keep := map[string]bool{}
	for _, source := range wanted {
		if name, err := normalize(source); err == nil {
			keep[name] = true
		}
	}
	have, err := c.containerd.ContainerService().List(ctx)
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	for _, one := range have {
		keep[one.Image] = true
	}
	return keep, nil
}

// mark notes on an image since when nobody needs it, and returns that.
func (c *Client) mark(ctx context.Context, i images.Image, needed bool, now time.Time) (time.Time, error) {
	since, err := time.Parse(time.RFC3339, i.Labels[labelUnwanted])
	marked := err == nil && !since.After(now) // a clock that went wrong counts anew
	if needed != marked {
		return since, nil
	}
	labels := maps.Clone(i.Labels)
	delete(labels, labelUnwanted)
	if !needed {
		since = now
		if labels == nil {
			labels = map[string]string{}
		}
		labels[labelUnwanted] = now.UTC().Format(time.RFC3339)
	}
	i.Labels = labels
	if _, err := c.containerd.ImageService().Update(ctx, i, "labels"); err != nil {
		return since, fmt.Errorf("mark image %s: %w", i.Name, err)
	}
	return since, nil
}

// removeUnwanted removes images while the disk has little room. It reports whether
// some are left.
func (c *Client) removeUnwanted(ctx context.Context, old []images.Image, above float64) (left bool, err error) {
	for _, i := range old {
		used, err := inUse(c.opt.Data)
		if err != nil {
			return true, err
		}
		if used < above {
			return true, nil
		}
		size, err := containerd.NewImage(c.containerd, i).Size(ctx)
		if err != nil {
			size = 0 // some of it is missing, which is no reason to keep the rest
		}
		if err := c.containerd.ImageService().Delete(ctx, i.Name, images.SynchronousDelete()); err != nil {
			return true, fmt.Errorf("remove image %s: %w", i.Name, err)
		}
		c.log.Info("image that nobody needs was removed", "image", i.Name, "digest", i.Target.Digest.String(),
			"bytes", size, "unwanted-since", i.Labels[labelUnwanted], "disk-in-use", fmt.Sprintf("%.0f%%", 100*used))
	}
	return false, nil
}

// inUse returns the share of the file system of dir that is in use.
func inUse(dir string) (float64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("room at %s: %w", dir, err)
	}
	used := s.Blocks - s.Bfree
	return float64(used) / float64(max(used+s.Bavail, 1)), nil
}

// dropParts drops what was fetched in part long ago, and leases that were not given
// back: those who took them were killed.
func (c *Client) dropParts(ctx context.Context, now time.Time) error {
	store := c.containerd.ContentStore()
	parts, err := store.ListStatuses(ctx)
	for _, p := range parts {
		if now.Sub(p.UpdatedAt) > partLimit {
			err = errors.Join(err, store.Abort(ctx, p.Ref))
		}
	}
	manager := c.containerd.LeasesService()
	taken, listErr := manager.List(ctx)
	err = errors.Join(err, listErr)
	for _, l := range taken {
		if now.Sub(l.CreatedAt) > leaseLimit {
			err = errors.Join(err, manager.Delete(ctx, l, leases.SynchronousDelete))
			c.log.Info("what was fetched and never used was removed", "lease", l.ID, "since", l.CreatedAt.UTC().Format(time.RFC3339))
		}
	}
	return err
}

// WantedFile lists the images that the settings name.
const WantedFile = "/etc/container-images.toml"

// tidyTimer looks again.
const tidyTimer = "container-images.timer"

// TidyNode tidies with the images in WantedFile, and has systemd look again where
// there is a reason. Without the file nothing is known, and nothing removed.
func (c *Client) TidyNode(ctx context.Context) error {
	data, err := os.ReadFile(c.path(WantedFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var list struct {
		Images []string `toml:"images"`
	}
	if err := toml.Unmarshal(data, &list); err != nil {
		return fmt.Errorf("%s: %w", WantedFile, err)
	}
	later, err := c.TidyImages(ctx, list.Images, Rules{})
	if later {
		_, startErr := program.Run(ctx, patience, "/usr/bin/systemctl", "start", "--no-block", tidyTimer)
		err = errors.Join(err, startErr)
	}
	return err
}
