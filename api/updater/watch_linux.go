package updater

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Watch calls changed after every change of the status, until ctx ends. Several
// changes in a row may make one call. It fails where the directory does not exist.
func (c *Client) Watch(ctx context.Context, changed func()) error {
	if err := c.watch(ctx, changed); err != nil && ctx.Err() == nil {
		return fmt.Errorf("watch %s: %w", c.at.Dir, err)
	}
	return nil
}

func (c *Client) watch(ctx context.Context, changed func()) error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), "inotify")
	defer f.Close()
	const changes = unix.IN_MOVED_TO | unix.IN_CLOSE_WRITE | unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_ONLYDIR
	if _, err := unix.InotifyAddWatch(fd, c.at.Dir, changes); err != nil {
		return err
	}
	unhook := context.AfterFunc(ctx, func() { f.Close() })
	defer unhook()
	buf := make([]byte, 16<<10)
	for {
		changed() // also for what happened before there was a watch
		if _, err := f.Read(buf); err != nil {
			return err
		}
		if _, err := os.Stat(c.at.Dir); err != nil {
			return errors.Join(errors.New("it is gone"), err)
		}
	}
}
