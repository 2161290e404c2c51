// Command first stands in for systemd in a root that is only there to be
// started: it tells what it finds, and switches the machine off.
package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

func main() {
	console, err := os.OpenFile("/dev/console", os.O_WRONLY, 0)
	if err != nil {
		os.Exit(1) // which the kernel tells
	}
	for _, look := range []struct {
		name string
		at   func() (string, error)
	}{
		{"arguments", func() (string, error) { return strings.Join(os.Args, " "), nil }},
		{"factory file", etcFile},
		{"written to /etc", func() (string, error) { return "done", os.WriteFile("/etc/new", nil, 0o600) }},
		{"write to /usr", func() (string, error) { return "done", os.WriteFile("/usr/new", nil, 0o600) }},
		{"mounts", mounts},
		{"old root", oldRoot},
		{"whole root", readAll},
	} {
		text, err := look.at()
		fmt.Fprintf(console, "first: %s: %s, %v\n", look.name, text, err)
	}
	_ = syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
}

func etcFile() (string, error) {
	text, err := os.ReadFile("/etc/link")
	if err != nil {
		return "", err
	}
	info, err := os.Stat("/etc/dir/file")
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s %s", text, info.Mode()), nil
}

func mounts() (string, error) {
	text, err := os.ReadFile("/proc/mounts")
	var all []string
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if !strings.HasPrefix(words[1], "/sys/") {
			all = append(all, words[1]+"="+words[2])
		}
	}
	return strings.Join(all, " "), err
}

func oldRoot() (string, error) {
	_, err := os.Stat("/init")
	if os.IsNotExist(err) {
		return "gone", nil
	}
	return "still there", err
}

// readAll reads each file of the image, so that each of its blocks is checked.
func readAll() (string, error) {
	files := 0
	err := filepath.WalkDir("/usr", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		files++
		_, err = io.Copy(io.Discard, f)
		return err
	})
	return fmt.Sprintf("%d files", files), err
}
