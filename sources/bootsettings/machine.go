package bootsettings

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/coreos/go-systemd/v22/dbus"

	"github.com/bulkhead-os/bulkhead/sources/internal/addon"
	"github.com/bulkhead-os/bulkhead/sources/internal/atomicfile"
	"github.com/bulkhead-os/bulkhead/sources/internal/esp"
)

// Places of a node.
const (
	espDir    = "/run/bulkhead/boot-settings-esp"
	stateFile = "/var/lib/bulkhead/boot-settings"

	// addonDir is where the stub looks, whichever of the node's boot programs it
	// is part of.
	addonDir = "loader/addons"
	// SignedDir is where the image has its addons, to be chosen from.
	SignedDir = "EFI/bulkhead/addons"

	stubGlob   = "usr/lib/systemd/boot/efi/addon*.efi.stub"
	secureBoot = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
)

// A machine is a node, or in tests what stands for it.
type machine struct {
	root      string
	esp       string // where the ESP is, once it is mounted
	mounted   bool   // before the program came
	state     string // file that says what the node was rebooted for
	mayReboot bool
}

func (m machine) settings(file string) (Settings, error) {
	data, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Settings{}, err // without the file there are no settings
	}
	s, err := Parse(data)
	if err != nil {
		return Settings{}, fmt.Errorf("%s: %w", file, err)
	}
	return s, nil
}

func (m machine) open() (func() error, error) {
	if m.mounted {
		return func() error { return nil }, nil
	}
	return esp.Mount(m.esp)
}

// excuse returns nil in place of err where s asks for nothing: a node without an
// ESP has no addons.
func (machine) excuse(s Settings, err error) error {
	if len(s.Addons)+len(s.Kernel)+len(s.Init) == 0 {
		return nil
	}
	return err
}

// look returns what a plan depends on.
func (m machine) look(ctx context.Context) (n Node, err error) {
	line, err := os.ReadFile(filepath.Join(m.root, "proc/cmdline"))
	if err != nil {
		return n, err
	}
	n.Cmdline = string(line)
	// The value has four bytes of attributes before it.
	v, err := os.ReadFile(filepath.Join(m.root, secureBoot))
	n.SecureBoot = err == nil && len(v) == 5 && v[4] == 1
	stubs, err := filepath.Glob(filepath.Join(m.root, stubGlob))
	if err != nil {
		return n, err
	}
	if len(stubs) != 1 {
		return n, fmt.Errorf("the image has %d stubs of addons, want one", len(stubs))
	}
	if n.Stub, err = os.ReadFile(stubs[0]); err != nil {
		return n, err
	}
	if n.Installed, err = readAll(filepath.Join(m.esp, addonDir)); err != nil {
		return n, err
	}
	signed, err := readAll(filepath.Join(m.esp, SignedDir))
	if err != nil {
		return n, err
	}
	n.Signed = map[string][]byte{}
	for name, data := range signed {
		n.Signed[strings.TrimSuffix(name, addon.Suffix)] = data
	}
	tried, err := os.ReadFile(m.state)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return n, err
	}
	n.Tried = strings.TrimSpace(string(tried))
	n.Booting = m.mayReboot && booting(ctx)
	return n, nil
}

// readAll returns the addons in dir, by their names.
func readAll(dir string) (map[string][]byte, error) {
	out := map[string][]byte{}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		// FAT does not tell letter cases apart, and neither does the stub.
		if !strings.HasSuffix(strings.ToLower(e.Name()), addon.Suffix) {
			continue
		}
		if out[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// booting reports whether the node has not come to the end of its boot yet. In
// doubt it has, and is not rebooted.
func booting(ctx context.Context) bool {
	conn, err := dbus.NewSystemdConnectionContext(ctx)
	if err != nil {
		return false
	}
	defer conn.Close()
	p, err := conn.SystemStateContext(ctx)
	if err != nil {
		return false
	}
	state, _ := p.Value.Value().(string)
	return state == "initializing" || state == "starting"
}

// carryOut does all of p but the reboot. A power cut leaves each addon as it was
// or as it is to be; the next boot completes the rest.
func (m machine) carryOut(p Plan, n Node) error {
	dir := filepath.Join(m.esp, addonDir)
	if len(p.Write)+len(p.Remove) > 0 {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		if err := m.replace(dir, p); err != nil {
			return err
		}
	}
	if p.Tried == n.Tried {
		return nil
	}
	state, err := os.OpenRoot(filepath.Dir(m.state))
	if err != nil {
		return err
	}
	defer state.Close()
	if p.Tried == "" {
		return atomicfile.Remove(state, filepath.Base(m.state))
	}
	return atomicfile.Replace(state, filepath.Base(m.state), []byte(p.Tried+"\n"), own(0o600))
}

func (m machine) replace(dir string, p Plan) error {
	addons, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer addons.Close()
	for _, name := range p.Remove {
		if err := atomicfile.Remove(addons, name); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Write)) {
		if err := atomicfile.Replace(addons, name, p.Write[name], own(0o700)); err != nil {
			return err
		}
	}
	return nil
}

func own(mode fs.FileMode) atomicfile.Attributes {
	return atomicfile.Attributes{Mode: mode, UID: -1, GID: -1}
}

// reboot has the node reboot, and waits for that.
func (machine) reboot(ctx context.Context) error {
	conn, err := dbus.NewSystemdConnectionContext(ctx)
	if err != nil {
		return fmt.Errorf("reach systemd: %w", err)
	}
	defer conn.Close()
	if _, err := conn.StartUnitContext(ctx, "reboot.target", "replace-irreversibly", nil); err != nil {
		return fmt.Errorf("reboot: %w", err)
	}
	<-ctx.Done()
	return nil
}
