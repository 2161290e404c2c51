package bootsettings

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/coreos/go-systemd/v22/dbus"

	"github.com/bulkhead-os/bulkhead/sources/internal/addon"
	"github.com/bulkhead-os/bulkhead/sources/internal/atomicfile"
	"github.com/bulkhead-os/bulkhead/sources/internal/disklayout"
	"github.com/bulkhead-os/bulkhead/sources/internal/esp"
	"github.com/bulkhead-os/bulkhead/sources/internal/slots"
)

// Places of a node.
const (
	espDir    = "/run/bulkhead/boot-settings-esp"
	stateFile = "/var/lib/bulkhead/boot-settings"
	// noneFile is there while the ESP has no addon of this program's. Conditions of
	// boot-settings.service name it.
	noneFile = stateFile + "-none"

	// SignedDir is where the image has its addons, to be chosen from.
	SignedDir = "EFI/bulkhead/addons"

	addonSuffix = addon.Suffix
	stubGlob    = "usr/lib/systemd/boot/efi/addon*.efi.stub"
	secureBoot  = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
)

// A machine is a node, or in tests what stands for it.
type machine struct {
	root      string
	esp       string // where the ESP is, once it is mounted
	mounted   bool   // before the program came
	state     string // file of the State
	none      string // file that says that there are no addons
	mayReboot bool
	openSlots func(esp.Access) (session, error) // those of the node if nil
}

// A session is the slots of the node while nobody else can change them.
type session interface {
	view() slots.View
	carry(p slots.Plan) error
	Close() error
}

type slotSession struct{ *slots.Session }

func (s slotSession) view() slots.View { return s.View }

func (s slotSession) carry(p slots.Plan) error { return s.Carry(p, func(slots.Step) {}) }

func (m machine) slots(access esp.Access) (session, error) {
	if m.openSlots != nil {
		return m.openSlots(access)
	}
	s, err := slots.Machine{Root: m.root, Private: disklayout.PrivateDir}.Open(access)
	if err != nil {
		return nil, err
	}
	return slotSession{s}, nil
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

// open mounts the ESP.
func (m machine) open() (func() error, error) {
	if m.mounted {
		return func() error { return nil }, nil
	}
	return esp.Mount(m.esp)
}

// onESP calls f while the ESP is mounted.
func (m machine) onESP(f func(*os.Root) error) (err error) {
	close, err := m.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, close()) }()
	root, err := os.OpenRoot(m.esp)
	if err != nil {
		return err
	}
	defer root.Close()
	return f(root)
}

// look returns what a plan for s depends on. The partition with the boot programs
// is looked at only if s asks for something that is there.
func (m machine) look(ctx context.Context, s Settings) (n Node, err error) {
	line, err := os.ReadFile(filepath.Join(m.root, "proc/cmdline"))
	if err != nil {
		return n, err
	}
	n.Cmdline = string(line)
	// The value has four bytes of attributes before it.
	v, err := os.ReadFile(filepath.Join(m.root, secureBoot))
	n.SecureBoot = err == nil && len(v) == 5 && v[4] == 1
	if len(s.Kernel)+len(s.Init) > 0 {
		if n.Stub, err = m.stub(); err != nil {
			return n, err
		}
	}
	if len(s.Addons) > 0 || n.SecureBoot && len(s.Kernel)+len(s.Init) > 0 {
		if n.Signed, err = m.signed(); err != nil {
			return n, err
		}
	}
	if n.State, err = m.settled(onCmdline(n.Cmdline)); err != nil {
		return n, err
	}
	n.Booting = m.mayReboot && booting(ctx)
	return n, nil
}

func (m machine) stub() ([]byte, error) {
	stubs, err := filepath.Glob(filepath.Join(m.root, stubGlob))
	if err != nil {
		return nil, err
	}
	if len(stubs) != 1 {
		return nil, fmt.Errorf("the image has %d stubs of addons, want one", len(stubs))
	}
	return os.ReadFile(stubs[0])
}

// signed returns the addons of the image, by name.
func (m machine) signed() (map[string][]byte, error) {
	out := map[string][]byte{}
	err := m.onESP(func(root *os.Root) error {
		all, err := addons(root, SignedDir, "")
		for name, data := range all {
			out[strings.TrimSuffix(name, addon.Suffix)] = data
		}
		return err
	})
	return out, err
}

// settled returns what is remembered, once it is clear what became of it.
func (m machine) settled(have string) (State, error) {
	s, err := loadState(m.state)
	if err != nil || s.Pending == nil {
		return s, err
	}
	session, err := m.slots(esp.Read)
	if err != nil {
		return s, err
	}
	s = s.settle(session.view(), have)
	return s, session.Close()
}

// save remembers s.
func (m machine) save(s State) error {
	text, err := s.text()
	if err != nil {
		return err
	}
	return m.remember(m.state, text)
}

// marked reports whether it is known that there are no addons.
func (m machine) marked() bool {
	_, err := os.Stat(m.none)
	return err == nil
}

// remember makes text what file says, or the file go where there is none.
func (machine) remember(file, text string) error {
	dir, err := os.OpenRoot(filepath.Dir(file))
	if err != nil {
		return err
	}
	defer dir.Close()
	name := filepath.Base(file)
	was, err := dir.ReadFile(name)
	switch {
	case text == "" && errors.Is(err, fs.ErrNotExist), err == nil && string(was) == text+"\n":
		return nil
	case text == "":
		return atomicfile.Remove(dir, name)
	}
	return atomicfile.Replace(dir, name, []byte(text+"\n"), own(0o600))
}

func own(mode fs.FileMode) atomicfile.Attributes {
	return atomicfile.Attributes{Mode: mode, UID: -1, GID: -1}
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
