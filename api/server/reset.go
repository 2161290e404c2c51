package server

import (
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/api/power"
)

// dataDir is where what runs on the node keeps its data.
const dataDir = "/var"

// A ResetPlan says what a reset does.
type ResetPlan struct {
	Destroys []Thing `json:"destroys"`
	Keeps    []Thing `json:"keeps"`
}

// A Thing is something that a node keeps.
type Thing struct {
	Name   string `json:"name"`
	Detail string `json:"detail"`
}

// describeReset answers GET /actions/reset.
func (s *Server) describeReset(c *call) error {
	keep, err := c.query.flag("keep-data")
	if err != nil {
		return err
	}
	return c.sendJSON(s.resetPlan(keep))
}

// reset answers POST /actions/reset.
func (s *Server) reset(c *call) error {
	keep, err := c.query.flag("keep-data")
	if err != nil {
		return err
	}
	if keep {
		return s.end(c, power.ResetSettings)
	}
	return s.end(c, power.Reset)
}

func (s *Server) resetPlan(keepData bool) ResetPlan {
	snap := s.opt.Store.Snapshot()
	p := ResetPlan{
		Destroys: []Thing{
			{"settings", fmt.Sprintf("%d that somebody has set, %d that the node has found, and their history up to generation %d", snap.User.Len(), snap.Generated.Len(), snap.Current.ID)},
			{"audit log", "who has changed what"},
			{"certificate", "that the node has made for itself: its fingerprint will be another one"},
			{"user data record", "the node takes user data again"},
		},
		Keeps: []Thing{
			{"images", "both slots, and which of them runs"},
			{"machine id", "the node is the same machine"},
			{"files for the first boot", "net.toml and user-data on the partition PRIVATE"},
		},
	}
	data := Thing{"data", usage(filepath.Join("/", dataDir))}
	if keepData {
		p.Keeps = append(p.Keeps, data)
	} else {
		p.Destroys = append(p.Destroys, data)
	}
	return p
}

// usage says how much the file system at dir holds.
func usage(dir string) string {
	what := "all below " + dir + ": containers and their images, volumes, logs"
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return what
	}
	const mebibyte = 1 << 20
	size := int64(fs.Blocks) * fs.Bsize
	used := size - int64(fs.Bfree)*fs.Bsize
	return fmt.Sprintf("%s (%d MiB of %d)", what, used/mebibyte, size/mebibyte)
}
