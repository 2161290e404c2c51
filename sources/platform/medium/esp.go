package medium

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/sources/internal/sysblock"
	"github.com/bulkhead-os/bulkhead/sources/platform"
)

const (
	espName = "ESP"      // of the partition
	espDir  = "bulkhead" // directory for us
)

// An ESP is the Source of files on the partition that the node boots from.
type ESP struct {
	Source
	Root string // a directory on the node's disk: "/"
}

// Name says what the place is, for people.
func (ESP) Name() string { return "the ESP" }

// Read returns what the directory "bulkhead" has. A disk without one, or without
// a partition of the kind, has nothing.
func (e ESP) Read(context.Context) (platform.Data, error) {
	name, ok := e.partition()
	if !ok {
		return platform.Data{}, nil
	}
	d, ok := e.look(name)
	if !ok || !slices.Contains(d.names, strings.ToUpper(espDir)) {
		return platform.Data{}, nil // without having been mounted
	}
	return d.read(form{label: espName, read: func(root fs.FS) (platform.Data, error) { return Files(root, espDir) }})
}

// partition returns the ESP on the disk that the root is on.
func (e ESP) partition() (string, bool) {
	var st unix.Stat_t
	if err := unix.Stat(e.Root, &st); err != nil {
		return "", false
	}
	disk, err := sysblock.DiskOf(e.Sys, fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev)))
	if err != nil {
		return "", false // a root in memory
	}
	for _, p := range e.partitions(disk) {
		text, err := fs.ReadFile(e.Sys, path.Join("block", disk, p, "uevent"))
		if err == nil && slices.Contains(strings.Split(string(text), "\n"), "PARTNAME="+espName) {
			return p, true
		}
	}
	return "", false
}
