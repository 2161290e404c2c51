// Package medium finds user data on disks and discs that are made for it.
//
// A medium is known by the label of its file system, which is FAT or ISO 9660:
// "cidata" as cloud-init has it, "config-2" as OpenStack has it, "OVF ENV" as
// vSphere has it, or "BULKHEAD". It may be a whole disk or a partition. The same
// goes for a directory "bulkhead" on the ESP of the node's own disk.
package medium

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/sources/internal/sysblock"
	"github.com/bulkhead-os/bulkhead/sources/platform"
)

// A Source looks for media.
type Source struct {
	Sys fs.FS  // sysfs
	Dev string // directory with the nodes of devices

	open opener // mount if nil
}

// An opener opens the file system on a device.
type opener func(device, kind string) (root fs.FS, done func(), err error)

// Name says what the place is, for people.
func (Source) Name() string { return "the labelled medium" }

// Read returns what is on the medium. Of several that say different things, none
// is taken: nobody can tell which was meant.
func (s Source) Read(ctx context.Context) (platform.Data, error) {
	found, err := s.find(ctx)
	if err != nil {
		return platform.Data{}, err
	}
	for _, f := range forms {
		var all []platform.Data
		for _, d := range found {
			if !same(d.label, f.label) {
				continue
			}
			data, err := d.read(f)
			if err != nil {
				return platform.Data{}, fmt.Errorf("%s on %s: %w", f.label, d.node, err)
			}
			all = append(all, data)
		}
		if len(all) > 0 {
			return one(f.label, all)
		}
	}
	return platform.Data{}, nil
}

// one returns what all say, if they say the same.
func one(label string, all []platform.Data) (platform.Data, error) {
	var from []string
	for _, d := range all {
		from = append(from, d.From)
	}
	for _, d := range all[1:] {
		if !bytes.Equal(d.UserData, all[0].UserData) || !bytes.Equal(d.Network, all[0].Network) ||
			d.Hostname != all[0].Hostname || d.InstanceID != all[0].InstanceID {
			return platform.Data{}, fmt.Errorf("there are %d media with the label %s, which differ: %s; none of them is taken",
				len(all), label, strings.Join(from, ", "))
		}
	}
	return all[0], nil
}

// A device is one with a file system that may be ours.
type device struct {
	volume
	node string
	open opener
}

func (d device) read(f form) (platform.Data, error) {
	open := d.open
	if open == nil {
		open = mount
	}
	root, done, err := open(d.node, d.kind)
	if err != nil {
		return platform.Data{}, err
	}
	defer done()
	data, err := f.read(root)
	data.From = strings.TrimSuffix(f.label+" on "+d.node+", "+data.From, ", ")
	return data, err
}

// find returns the devices with one of our labels. A disk that is one counts for
// its partitions.
func (s Source) find(ctx context.Context) ([]device, error) {
	disks, err := fs.ReadDir(s.Sys, "block")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []device
	for _, disk := range disks {
		if made(disk.Name()) {
			continue
		}
		if d, ok := s.look(disk.Name()); ok && d.ours() {
			out = append(out, d)
			continue
		}
		for _, p := range s.partitions(disk.Name()) {
			if d, ok := s.look(p); ok && d.ours() {
				out = append(out, d)
			}
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return out, nil
}

// made reports whether a device is one that programs make on top of others.
func made(name string) bool {
	for _, prefix := range []string{"dm-", "md", "ram", "zram", "nbd", "drbd", "rbd"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// partitions returns the names of the partitions of a disk.
func (s Source) partitions(disk string) []string {
	entries, err := fs.ReadDir(s.Sys, path.Join("block", disk))
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		if _, err := fs.Stat(s.Sys, path.Join("block", disk, e.Name(), "partition")); err == nil {
			out = append(out, e.Name())
		}
	}
	return out
}

// look finds out what is on a device. One that cannot be read, as a drive
// without a disc, has nothing.
func (s Source) look(name string) (device, bool) {
	d := device{node: filepath.Join(s.Dev, sysblock.NodeName(name)), open: s.open}
	f, err := os.OpenFile(d.node, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return d, false
	}
	defer f.Close()
	var ok bool
	d.volume, ok = probe(f)
	return d, ok
}

func (d device) ours() bool {
	return slices.ContainsFunc(forms, func(f form) bool { return same(f.label, d.label) })
}
