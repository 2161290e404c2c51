package bootsettings

import (
	"bytes"
	"context"
	"debug/pe"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/bulkhead-os/bulkhead/sources/internal/addon"
	"github.com/bulkhead-os/bulkhead/sources/internal/healthfile"
)

// stub returns the smallest program that an addon can be made of.
func stub() []byte {
	const at = 0x40
	b := make([]byte, 0x400)
	copy(b, "MZ")
	put16, put32 := binary.LittleEndian.PutUint16, binary.LittleEndian.PutUint32
	put32(b[0x3c:], at)
	copy(b[at:], "PE\x00\x00")
	file := b[at+4:]
	put16(file, pe.IMAGE_FILE_MACHINE_AMD64)
	put16(file[2:], 1)
	put16(file[16:], 240)
	optional := file[20:]
	put16(optional, 0x20b)
	put32(optional[32:], 0x1000)
	put32(optional[36:], 0x200)
	put32(optional[56:], 0x2000)
	put32(optional[60:], 0x200)
	put32(optional[108:], 16)
	copy(optional[240:], ".sbat")
	put32(optional[248:], 0x10)
	put32(optional[252:], 0x1000)
	put32(optional[256:], 0x200)
	put32(optional[260:], 0x200)
	return b
}

const (
	asked    = "[kernel]\nloglevel = [\"7\"]\nconsole = [\"tty0\", \"ttyS0,115200\"]\n\"a.b\" = []\nwide = [\"two words\"]\n[init]\n\"systemd.log_level\" = [\"debug\"]\n"
	words    = `a.b console=tty0 console=ttyS0,115200 loglevel=7 wide="two words" -- systemd.log_level=debug`
	rebooted = "reboot-to-reconcile = true\n"
)

var mark = Word + "settings-" + digest(words)

func TestMakePlan(t *testing.T) {
	installed, err := addon.Build(stub(), mark+" "+words)
	if err != nil {
		t.Fatal(err)
	}
	signed := map[string][]byte{"debug": []byte("D"), "serial": []byte("S")}
	in := map[string][]byte{settingsName: installed}
	tests := []struct {
		name, in string
		node     Node
		write    map[string]string // the words of addons, or contents
		remove   []string
		tried    string
		reboot   bool
		faults   []string
	}{
		{name: "nothing"},
		{
			name: "settings", in: asked, write: map[string]string{settingsName: mark + " " + words},
			faults: []string{"info: settings.boot: this boot does not have the parameters that the settings ask for"},
		},
		{name: "as they are", in: asked, node: Node{Installed: in, Cmdline: "quiet " + mark + " " + words}},
		{
			name: "no more", node: Node{Installed: map[string][]byte{settingsName: installed, "other.addon.efi": nil}, Cmdline: "quiet " + mark + " " + words}, remove: []string{settingsName},
			faults: []string{"info: settings.boot: this boot does not"},
		},
		{name: "reboot", in: rebooted + asked, node: Node{Booting: true}, write: map[string]string{settingsName: mark + " " + words}, tried: mark, reboot: true},
		{
			name: "no reboot of a node at work", in: rebooted + asked, write: map[string]string{settingsName: mark + " " + words},
			faults: []string{"info: settings.boot: this boot does not"},
		},
		{
			name: "no second reboot", in: rebooted + asked, node: Node{Booting: true, Installed: in, Tried: mark}, tried: mark,
			faults: []string{"warning: settings.boot: the node was rebooted for these settings, and the boot loader did not pass them on"},
		},
		{name: "rebooted with success", in: rebooted + asked, node: Node{Booting: true, Installed: in, Tried: mark, Cmdline: mark}},
		{name: "reboot to be rid of them", in: rebooted, node: Node{Booting: true, Installed: in, Cmdline: mark}, remove: []string{settingsName}, tried: "none", reboot: true},
		{
			name: "addons of the image", in: "addons = [\"serial\", \"debug\"]\n", node: Node{Signed: signed, SecureBoot: true, Cmdline: Word + "serial " + Word + "debug"},
			write: map[string]string{"bulkhead-10-debug.addon.efi": "D", "bulkhead-10-serial.addon.efi": "S"},
		},
		{
			name: "unknown addon", in: "addons = [\"fast\"]\n", node: Node{Signed: signed},
			faults: []string{`warning: settings.boot.addons: the image has no addon "fast"`},
		},
		{
			name: "Secure Boot", in: asked, node: Node{Signed: signed, SecureBoot: true, Installed: in}, remove: []string{settingsName},
			faults: []string{"warning: settings.boot: Secure Boot is on: the firmware takes no parameters that were not signed when the image was made"},
		},
		{
			name: "double quote", in: "[kernel]\nx = ['a\"b']\n",
			faults: []string{`warning: settings.boot.kernel.x: the value "a\"b" has a double quote, which the command line cannot carry`},
		},
		{
			name: "too long", in: "[kernel]\nx = [\"" + strings.Repeat("y", 1300) + "\"]\n",
			faults: []string{"warning: settings.boot: the parameters have 1302 bytes together, and the command line has room for 1280"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Parse([]byte(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			tt.node.Stub = stub()
			p, err := MakePlan(s, tt.node)
			if err != nil {
				t.Fatalf("MakePlan(%q): %v", tt.in, err)
			}
			got := map[string]string{}
			for name, data := range p.Write {
				if got[name], err = addon.Cmdline(data); err != nil {
					got[name] = string(data)
				}
			}
			var faults []string
			for _, f := range p.Faults {
				faults = append(faults, string(f.Severity)+": "+f.Path+": "+f.Detail)
			}
			if diff := cmp.Diff(tt.write, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("MakePlan(%q): writes (-want +got):\n%s", tt.in, diff)
			}
			if diff := cmp.Diff(tt.remove, p.Remove, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("MakePlan(%q): removes (-want +got):\n%s", tt.in, diff)
			}
			begins := func(a, b string) bool { return strings.HasPrefix(a, b) || strings.HasPrefix(b, a) }
			if diff := cmp.Diff(tt.faults, faults, cmpopts.EquateEmpty(), cmp.Comparer(begins)); diff != "" {
				t.Errorf("MakePlan(%q): faults (-want +got):\n%s", tt.in, diff)
			}
			if p.Tried != tt.tried || p.Reboot != tt.reboot {
				t.Errorf("MakePlan(%q): reboot %t for %q, want %t for %q", tt.in, p.Reboot, p.Tried, tt.reboot, tt.tried)
			}
		})
	}
}

// A run on a node that is a directory: the addon is there afterwards, the next
// run changes nothing, and what is unset is gone.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	put := func(file string, text []byte) {
		t.Helper()
		file = filepath.Join(dir, file)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, text, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	m := machine{root: dir, esp: filepath.Join(dir, "esp"), mounted: true, state: filepath.Join(dir, "state")}
	put("proc/cmdline", []byte("quiet\n"))
	put("usr/lib/systemd/boot/efi/addonx64.efi.stub", stub())
	put("esp/"+SignedDir+"/debug.addon.efi", []byte("D"))
	run := func(settings string) {
		t.Helper()
		put("settings.toml", []byte(settings))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		log := slog.New(slog.NewTextHandler(io.Discard, nil))
		if err := run(ctx, filepath.Join(dir, "settings.toml"), m, filepath.Join(dir, "health"), log); err != nil {
			t.Fatalf("run with %q: %v", settings, err)
		}
	}
	addons := func() []string {
		t.Helper()
		all, err := readAll(filepath.Join(m.esp, addonDir))
		if err != nil {
			t.Fatal(err)
		}
		return slices.Sorted(maps.Keys(all))
	}
	run(asked + "")
	run("addons = [\"debug\"]\n" + asked)
	if diff := cmp.Diff([]string{"bulkhead-10-debug.addon.efi", settingsName}, addons()); diff != "" {
		t.Errorf("addons (-want +got):\n%s", diff)
	}
	data, err := os.ReadFile(filepath.Join(m.esp, addonDir, settingsName))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := addon.Cmdline(data); text != mark+" "+words || err != nil {
		t.Errorf("the addon says %q, %v, want %q", text, err, mark+" "+words)
	}
	faults, err := healthfile.ReadAll(filepath.Join(dir, "health"))
	if err != nil || len(faults) != 1 || faults[0].Code != codeReboot {
		t.Errorf("faults %v, %v, want that a reboot is needed", faults, err)
	}
	run("")
	if got := addons(); len(got) != 0 {
		t.Errorf("addons of no settings: %v, want none", got)
	}
	if faults, err := healthfile.ReadAll(filepath.Join(dir, "health")); err != nil || len(faults) != 0 {
		t.Errorf("faults of no settings: %v, %v, want none", faults, err)
	}

	put(secureBoot, []byte{6, 0, 0, 0, 1})
	if n, err := m.look(t.Context()); err != nil || !n.SecureBoot || !bytes.Equal(n.Signed["debug"], []byte("D")) {
		t.Errorf("look = %+v, %v, want Secure Boot and the addon debug", n, err)
	}
}
