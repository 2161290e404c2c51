package server

import (
	"io/fs"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A Machine is what the daemon runs on, since it was started.
type Machine struct {
	BootID    string `json:"boot_id,omitempty"`
	MachineID string `json:"machine_id,omitempty"`
	Kernel    string `json:"kernel,omitempty"`    // its release
	RootHash  string `json:"root_hash,omitempty"` // of the root's dm-verity tree, in hexadecimal
	Slot      string `json:"slot,omitempty"`      // A or B: where the root lies
}

// ReadMachine reads the facts about the machine whose root is root. What cannot
// be read stays empty: a node without one of these is no worse.
func ReadMachine(root fs.FS) Machine {
	line := func(name string) string {
		data, err := fs.ReadFile(root, name)
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(data))
	}
	m := Machine{
		BootID: strings.ReplaceAll(line("proc/sys/kernel/random/boot_id"), "-", ""), MachineID: line("etc/machine-id"),
		Kernel: line("proc/sys/kernel/osrelease"),
	}
	for word := range strings.FieldsSeq(line("proc/cmdline")) {
		if hash, ok := strings.CutPrefix(word, "roothash="); ok {
			m.RootHash = hash
		}
	}
	m.Slot = slot(root)
	return m
}

// slot finds the partition under the root: its dm-verity device is made of a
// partition that is called by its slot.
func slot(root fs.FS) string {
	found, err := fs.Glob(root, "sys/block/dm-*/slaves/*/uevent")
	if err != nil {
		return ""
	}
	for _, name := range found {
		data, err := fs.ReadFile(root, name)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(data)) {
			switch strings.TrimSpace(line) {
			case "PARTNAME=ROOT-A":
				return "A"
			case "PARTNAME=ROOT-B":
				return "B"
			}
		}
	}
	return ""
}

// uptime returns the seconds since the kernel started, or nil when it does not
// tell.
func uptime() *float64 {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) != nil {
		return nil
	}
	return new(time.Duration(t.Nano()).Round(10 * time.Millisecond).Seconds())
}
