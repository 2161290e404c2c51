package power

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/api/power"
	"github.com/bulkhead-os/bulkhead/sources/internal/nodereset"
)

func isReset(a power.Action) bool { return a == power.Reset || a == power.ResetSettings }

// ready returns why an action cannot be carried out now.
func (s *server) ready(ctx context.Context, a power.Action, target string) error {
	if isReset(a) {
		if err := s.canMark(); err != nil {
			return fmt.Errorf("the node cannot be reset: %w", err)
		}
	}
	return s.manager.Ready(ctx, target)
}

// canMark reports whether a mark would outlive a reboot.
func (s *server) canMark() error {
	var fs unix.Statfs_t
	if err := unix.Statfs(s.private, &fs); err != nil {
		return fmt.Errorf("look at %s: %w", s.private, err)
	}
	switch {
	case fs.Type == unix.TMPFS_MAGIC:
		return errors.New("it has lost its partition PRIVATE, and keeps nothing; write the image to the disk again")
	case fs.Flags&unix.ST_RDONLY != 0:
		return errors.New("its partition PRIVATE cannot be written; see whether the disk fails")
	}
	return nil
}

// start carries an action out. The mark of a reset is taken back when the node
// then does not reboot: a reset must not come as a surprise, later.
func (s *server) start(ctx context.Context, r power.Request, target string) error {
	if !isReset(r.Action) {
		return s.manager.Start(ctx, target)
	}
	dir, err := os.OpenRoot(s.private)
	if err != nil {
		return err
	}
	defer dir.Close()
	m := nodereset.Mark{KeepData: r.Action == power.ResetSettings, Reason: r.Reason, Time: time.Now().UTC()}
	if err := nodereset.Set(dir, m); err != nil {
		return errors.Join(fmt.Errorf("note that the node is to be reset: %w", err), nodereset.Clear(dir))
	}
	if err := s.manager.Start(ctx, target); err != nil {
		return errors.Join(err, nodereset.Clear(dir))
	}
	return nil
}
