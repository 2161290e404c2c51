package networkconfig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/sources/internal/atomicfile"
	"github.com/bulkhead-os/bulkhead/sources/internal/program"
)

// unitDir is where the files are. They follow from what is described elsewhere,
// so that they need not outlive the boot.
const unitDir = "run/systemd/network"

// A difference is what replacing the files has changed.
type difference struct {
	written, removed []string
	gone             []string // interfaces that the host had made and is to make otherwise, or no more
}

func (d difference) isEmpty() bool { return len(d.written)+len(d.removed) == 0 }

// replace makes files the only ones of this program below root.
func replace(root *os.Root, files []File) (difference, error) {
	if err := root.MkdirAll(unitDir, 0o755); err != nil {
		return difference{}, err
	}
	dir, err := root.OpenRoot(unitDir)
	if err != nil {
		return difference{}, err
	}
	defer dir.Close()
	var d difference
	for _, f := range files {
		old, err := dir.ReadFile(f.Name)
		if err == nil && bytes.Equal(old, []byte(f.Text)) {
			continue
		}
		if err := atomicfile.Replace(dir, f.Name, []byte(f.Text), atomicfile.Attributes{Mode: 0o644, UID: -1, GID: -1}); err != nil {
			return d, err
		}
		d.written = append(d.written, f.Name)
		if err == nil {
			d.lost(f.Name)
		}
	}
	return d, d.sweep(dir, files)
}

// sweep removes the files of this program that are not among files.
func (d *difference) sweep(dir *os.Root, files []File) error {
	entries, err := fs.ReadDir(dir.FS(), ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		ours := name == fallback || strings.HasPrefix(name, filePrefix)
		if !ours || slices.ContainsFunc(files, func(f File) bool { return f.Name == name }) {
			continue
		}
		if err := atomicfile.Remove(dir, name); err != nil {
			return err
		}
		d.removed = append(d.removed, name)
		d.lost(name)
	}
	return nil
}

// lost notes that the interface which the file called name had made is to go.
// systemd-networkd removes none, and gives none another kind.
func (d *difference) lost(name string) {
	if base, ok := strings.CutSuffix(name, ".netdev"); ok {
		d.gone = append(d.gone, strings.TrimPrefix(base, filePrefix))
	}
}

// A daemon is who reads the files.
type daemon interface {
	follow(ctx context.Context, d difference) error
}

// networkd is the daemon of a node.
type networkd struct{}

// Names on the bus.
const (
	busName    = "org.freedesktop.network1"
	busPath    = "/org/freedesktop/network1"
	busManager = busName + ".Manager"
)

// reloadLimit is how long systemd-networkd may take to read its files.
const reloadLimit = 20 * time.Second

// follow has systemd-networkd read its files, if it runs. It is not started:
// at boot it waits for the settings, and reads its files then.
func (networkd) follow(ctx context.Context, d difference) error {
	if d.isEmpty() {
		return nil
	}
	conn, err := dbus.ConnectSystemBus(dbus.WithContext(ctx))
	if err != nil {
		return nil //nolint:nilerr // Without a bus there is nobody to tell.
	}
	defer conn.Close()
	var running bool
	if err := conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.NameHasOwner", 0, busName).Store(&running); err != nil || !running {
		return err
	}
	var errs []error
	for _, name := range d.gone {
		if _, err := os.Stat(filepath.Join("/sys/class/net", name)); err != nil {
			continue
		}
		if _, err := program.Run(ctx, reloadLimit, "/usr/bin/networkctl", "delete", name); err != nil {
			errs = append(errs, err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, reloadLimit)
	defer cancel()
	if err := conn.Object(busName, busPath).CallWithContext(ctx, busManager+".Reload", dbus.FlagNoAutoStart).Err; err != nil {
		errs = append(errs, fmt.Errorf("have systemd-networkd read its files: %w", err))
	}
	return errors.Join(errs...)
}

// kernelHostname gives the running system its name.
func kernelHostname(name string) error { return unix.Sethostname([]byte(name)) }
