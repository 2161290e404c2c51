package nsboot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// newCgroup makes a group of the unified hierarchy that is gone after the test.
func newCgroup(t testing.TB) (*os.File, error) {
	top, err := unified(t)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(top, "nsboot-")
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() {
		if err := removeGroups(dir); err != nil {
			t.Error(err)
		}
	})
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { f.Close() })
	return f, nil
}

// unified returns where the unified hierarchy is mounted, and mounts it where it
// is not.
func unified(t testing.TB) (string, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(mounts)) {
		place, kind, ok := strings.Cut(line, " - ")
		if fields := strings.Fields(place); ok && strings.HasPrefix(kind, "cgroup2 ") && len(fields) > 4 {
			return fields[4], nil
		}
	}
	dir := t.TempDir()
	if err := unix.Mount("cgroup2", dir, "cgroup2", 0, ""); err != nil {
		return "", fmt.Errorf("mount the unified hierarchy of control groups: %w", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir, nil
}

// removeGroups removes the group at dir and those below it. Processes that were
// killed stay in theirs until they are gone for good.
func removeGroups(dir string) error {
	deadline := time.Now().Add(10 * time.Second)
	for {
		err := removeOnce(dir)
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func removeOnce(dir string) error {
	var groups []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			groups = append(groups, path)
		}
		return err
	})
	for _, g := range slices.Backward(groups) {
		err = errors.Join(err, os.Remove(g))
	}
	return err
}
