package hostcontainerd

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/containerd/containerd/v2/core/leases"
	"golang.org/x/sys/unix"
)

// spareName is the file that gives containerd room to remove things when there is
// none left: it keeps its books in files that grow first.
const spareName = "spare-room"

// spareSize is what the books grow by at most.
const spareSize = 4 << 20

// leaseLimit is how long what is fetched stays when this program is killed.
const leaseLimit = 24 * time.Hour

// keepSpare makes the file. A node without room for it fetches what it can, and who
// may not write there does without.
func (c *Client) keepSpare() {
	file := filepath.Join(c.opt.Data, spareName)
	if info, err := os.Stat(file); err == nil && info.Size() == spareSize {
		return
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		err = errors.Join(unix.Fallocate(int(f.Fd()), 0, 0, spareSize), f.Close())
	}
	if err != nil && !errors.Is(err, unix.EROFS) && !errors.Is(err, fs.ErrPermission) {
		c.log.Warn("no room can be kept for when there is none", "file", file, "error", err)
	}
}

// giveSpare gives the room away.
func (c *Client) giveSpare() {
	if err := os.Remove(filepath.Join(c.opt.Data, spareName)); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.EROFS) {
		c.log.Warn("the room that was kept cannot be used", "error", err)
	}
}

// leased calls f while nothing of what it adds to containerd is removed. What f
// has begun when there was no room left is gone when leased returns.
func (c *Client) leased(ctx context.Context, f func(context.Context) error) error {
	c.keepSpare()
	manager := c.containerd.LeasesService()
	lease, err := manager.Create(ctx, leases.WithRandomID(), leases.WithExpiration(leaseLimit))
	if err != nil {
		return explained(err)
	}
	err = explained(f(leases.WithLease(ctx, lease.ID)))
	var how []leases.DeleteOpt
	full := isFull(err)
	if full {
		c.giveSpare()
		how = append(how, leases.SynchronousDelete)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyLimit)
	defer cancel()
	if gone := manager.Delete(ctx, lease, how...); gone != nil {
		c.log.Warn("what was fetched in part cannot be removed", "error", gone)
	}
	if full {
		c.keepSpare()
	}
	return err
}
