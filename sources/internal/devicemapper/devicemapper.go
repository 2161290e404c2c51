// Package devicemapper makes block devices out of others, by the kernel's device
// mapper.
package devicemapper

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Control is the file through which the kernel is asked.
const Control = "/dev/mapper/control"

// A Device is one to be made, which cannot be written to and consists of one
// target.
type Device struct {
	Name, UUID string
	Sectors    uint64 // of 512 bytes, whatever the disk has
	Target     string // such as "verity"
	Params     string
}

// Create makes d and returns the path of its node.
func (d Device) Create() (string, error) {
	f, err := os.OpenFile(Control, os.O_RDWR, 0)
	if err != nil {
		return "", fmt.Errorf("make device %s: %w", d.Name, err)
	}
	defer f.Close()
	minor, err := d.create(int(f.Fd()))
	if err != nil {
		return "", fmt.Errorf("make device %s: %w", d.Name, err)
	}
	return fmt.Sprintf("/dev/dm-%d", minor), nil
}

func (d Device) create(control int) (minor uint32, err error) {
	if _, err := call(control, deviceCreate, d.creation()); err != nil {
		return 0, err
	}
	if _, err = call(control, tableLoad, d.table()); err == nil {
		// Without the flag that suspends, this resumes: it makes the table live.
		minor, err = call(control, deviceSuspend, d.request(flagReadOnly))
	}
	if err != nil {
		_, _ = call(control, deviceRemove, d.request(0)) // the first fault is the one to tell
	}
	return minor, err
}

// call asks the kernel and returns the minor number of the device it answers
// about.
func call(control int, c command, request []byte) (uint32, error) {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(control), c.number(), uintptr(unsafe.Pointer(&request[0])))
	if errno != 0 {
		return 0, fmt.Errorf("%s: %w", c, errno)
	}
	return unix.Minor(answeredDevice(request)), nil
}
