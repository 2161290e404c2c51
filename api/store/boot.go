package store

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A Boot tells one boot of the machine from another and how long it has run.
type Boot interface {
	// ID returns a text that differs from boot to boot.
	ID() (string, error)
	// Elapsed returns the time since boot, suspension included. It never
	// steps, whatever happens to the wall clock.
	Elapsed() time.Duration
}

// kernelBoot asks the kernel.
type kernelBoot struct{}

func (kernelBoot) ID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read boot id: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

func (kernelBoot) Elapsed() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic("store: the kernel has no boot clock: " + err.Error()) // there since Linux 2.6.39
	}
	return time.Duration(ts.Nano())
}
