// Package sysblock is what the kernel says about disks, in sysfs.
//
// Names are those of sysfs, where a "!" stands for the "/" of a name below /dev.
package sysblock

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// A Part is a partition as the kernel has it.
type Part struct {
	Name        string // in sysfs
	Device      string // MAJOR:MINOR
	Start, Size int64  // bytes
}

// unit is that of places and sizes in sysfs, whatever the disk has.
const unit = 512

// ErrAbsent says that the kernel has no such partition.
var ErrAbsent = errors.New("the kernel shows no such partition")

// Size returns the size of disk and of its sectors in bytes.
func Size(sys fs.FS, disk string) (size, sector int64, err error) {
	if size, err = number(sys, path.Join("block", disk, "size")); err != nil {
		return 0, 0, err
	}
	sector, err = number(sys, path.Join("block", disk, "queue/logical_block_size"))
	return size * unit, sector, err
}

// Partition returns the partition with a number on disk. It is absent while the
// kernel is still reading the table, or when it did not take the copy of the
// table that others take.
func Partition(sys fs.FS, disk string, n int) (Part, error) {
	entries, err := fs.ReadDir(sys, path.Join("block", disk))
	if err != nil {
		return Part{}, err
	}
	for _, e := range entries {
		dir := path.Join("block", disk, e.Name())
		if got, err := number(sys, path.Join(dir, "partition")); err == nil && got == int64(n) {
			return part(sys, dir)
		}
	}
	return Part{}, fmt.Errorf("partition %d: %w", n, ErrAbsent)
}

func part(sys fs.FS, dir string) (Part, error) {
	dev, err := fs.ReadFile(sys, path.Join(dir, "dev"))
	if err != nil {
		return Part{}, err
	}
	start, err := number(sys, path.Join(dir, "start"))
	if err != nil {
		return Part{}, err
	}
	size, err := number(sys, path.Join(dir, "size"))
	if err != nil {
		return Part{}, err
	}
	return Part{Name: path.Base(dir), Device: strings.TrimSpace(string(dev)), Start: start * unit, Size: size * unit}, nil
}

// DiskOf returns the disk that a device is on, which is given as MAJOR:MINOR: a
// partition, or a device that is made of partitions of one disk.
func DiskOf(sys fs.FS, device string) (string, error) {
	text, err := fs.ReadFile(sys, path.Join("dev/block", device, "uevent"))
	if err != nil {
		return "", fmt.Errorf("disk of device %s: %w", device, err)
	}
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "DEVNAME="); ok {
			disk, err := diskOf(sys, strings.ReplaceAll(name, "/", "!"))
			if err != nil {
				return "", fmt.Errorf("disk of device %s: %w", device, err)
			}
			return disk, nil
		}
	}
	return "", fmt.Errorf("disk of device %s: it has no name", device)
}

func diskOf(sys fs.FS, name string) (string, error) {
	if _, err := fs.Stat(sys, path.Join("block", name)); err == nil {
		return whole(sys, name)
	}
	disks, err := fs.ReadDir(sys, "block")
	if err != nil {
		return "", err
	}
	for _, d := range disks {
		if _, err := fs.Stat(sys, path.Join("block", d.Name(), name)); err == nil {
			return whole(sys, d.Name())
		}
	}
	return "", fmt.Errorf("no disk has %s", name)
}

// whole returns the disk that a device which is no partition stands on.
func whole(sys fs.FS, name string) (string, error) {
	below, err := fs.ReadDir(sys, path.Join("block", name, "slaves"))
	if err != nil || len(below) == 0 {
		return name, nil
	}
	var disk string
	for _, b := range below {
		d, err := diskOf(sys, b.Name())
		if err != nil {
			return "", err
		}
		if disk != "" && disk != d {
			return "", fmt.Errorf("%s is on two disks, %s and %s", name, disk, d)
		}
		disk = d
	}
	return disk, nil
}

// NodeName returns the name below /dev of what sysfs calls name.
func NodeName(name string) string { return strings.ReplaceAll(name, "!", "/") }

func number(sys fs.FS, file string) (int64, error) {
	text, err := fs.ReadFile(sys, file)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n < 0 || n > 1<<62/unit {
		return 0, fmt.Errorf("%s: %q is no number", file, text)
	}
	return n, nil
}
