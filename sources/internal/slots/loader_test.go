package slots

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/sources/internal/efivar"
	"github.com/bulkhead-os/bulkhead/sources/internal/fatdir"
	"github.com/bulkhead-os/bulkhead/sources/internal/fatdir/fattest"
)

// loader returns a program that says it is a boot loader of a version.
func loader(version string) []byte {
	le := binary.LittleEndian
	b := make([]byte, 0x200)
	copy(b, "MZ")
	le.PutUint32(b[0x3c:], 0x40)
	copy(b[0x40:], "PE\x00\x00")
	le.PutUint16(b[0x44:], 0x8664)
	le.PutUint16(b[0x46:], 1)
	le.PutUint16(b[0x54:], 240)
	le.PutUint16(b[0x58:], 0x20b)
	le.PutUint32(b[0x58+108:], 16)
	text := "#### LoaderInfo: systemd-boot " + version + " ####"
	h := b[0x58+240:]
	copy(h, ".sdmagic")
	le.PutUint32(h[8:], uint32(len(text)))
	le.PutUint32(h[16:], 0x200)
	le.PutUint32(h[20:], 0x200)
	b = append(b, make([]byte, 0x200)...)
	copy(b[0x200:], text)
	return b
}

// loaderSession returns a session on a disk, of a node whose image has a loader.
func loaderSession(t *testing.T, d fatdir.Device, version string) *Session {
	t.Helper()
	s := &Session{m: Machine{Root: t.TempDir()}}
	s.vars.Dir = filepath.Join(s.m.Root, "vars")
	file := filepath.Join(s.m.Root, LoaderFile)
	fs, err := fatdir.Open(d)
	s.fs = fs
	err = errors.Join(err, os.MkdirAll(filepath.Dir(file), 0o755), os.Mkdir(s.vars.Dir, 0o755), os.WriteFile(file, loader(version), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	s.View = newWorld(t, "bulkhead-1.1.0.efi", "bulkhead-1.0.0.efi").view
	return s
}

const systemdDir = "EFI/systemd"

func loaderDisk(pad int, systemd, boot map[string][]byte) []byte {
	return fattest.MakeTree(64<<10, pad, map[string]map[string][]byte{systemdDir: systemd, "EFI/BOOT": boot})
}

// Wherever the power is cut while the loader is replaced, the firmware finds one
// that is whole, and the next boot makes up for the rest.
func TestLoaderSurvivesCuts(t *testing.T) {
	states := 0
	before := map[string][]byte{"systemd-bootx64.efi": loader("257.1"), "systemd-bootx64.efi.previous": loader("256.9")}
	boot := map[string][]byte{"BOOTX64.EFI": loader("257.1")}
	for _, pad := range []int{0, 3, 7, 9, 12} { // names in one sector, in two, and on their border
		t.Run(fmt.Sprintf("behind %d", pad), func(t *testing.T) {
			for cut := 1; ; cut++ {
				d := &fattest.Disk{Safe: loaderDisk(pad, before, boot), Cut: cut}
				s := loaderSession(t, d, "257.13-1~deb13u1")
				p := s.LoaderPlan()
				if len(p) != 1 || p[0].Dir != systemdDir {
					t.Fatalf("LoaderPlan = %v, want the first place", p)
				}
				err := s.CarryLoader(p[0])
				for _, image := range d.AfterCut() {
					states++
					checkLoader(t, image)
				}
				if err == nil {
					return
				}
				if !errors.Is(err, fattest.ErrCut) {
					t.Fatalf("CarryLoader: %v", err)
				}
			}
		})
	}
	t.Logf("%d states after a cut", states)
}

func checkLoader(t *testing.T, image []byte) {
	t.Helper()
	got, err := fattest.Contents(image, systemdDir, true)
	if err != nil {
		t.Fatalf("after a cut: %v", err)
	}
	was, is := string(loader("257.1")), string(loader("257.13-1~deb13u1"))
	if l := got["systemd-bootx64.efi"]; l != was && l != is {
		t.Fatal("after a cut the loader is neither the old one nor the new one")
	}
	s := loaderSession(t, &fattest.Disk{Safe: image}, "257.13-1~deb13u1")
	for _, l := range s.LoaderPlan() {
		if err := s.CarryLoader(l); err != nil {
			t.Fatalf("CarryLoader after a cut: %v", err)
		}
	}
	// Where the last write was made, all is done, and the second name may be one
	// of the same file: what it was is what the other place has.
	got, err = fattest.Contents(image, systemdDir, true)
	want := map[string]string{"systemd-bootx64.efi": is, "systemd-bootx64.efi.previous": was}
	if err != nil || cmp.Diff(want, got) != "" {
		t.Fatalf("after a cut and a boot: %v, files (-want +got):\n%s", err, cmp.Diff(want, got))
	}
	if got, err := fattest.Contents(image, "EFI/BOOT", false); err != nil || got["BOOTX64.EFI"] != was {
		t.Fatalf("the loader of the other place has changed (%v)", err)
	}
}

func TestLoaderPlan(t *testing.T) {
	const newer = "257.13-1~deb13u1"
	tests := []struct {
		name          string
		systemd, boot string // versions on the ESP
		info          string // what the loader of this boot says
		change        func(*View)
		want          []LoaderStep
	}{
		{name: "up to date", systemd: newer, boot: newer},
		{name: "newer on the ESP", systemd: "258.1-1", boot: "258.1-1"},
		{name: "older", systemd: "257.9-1", boot: "257.9-1", want: []LoaderStep{{systemdDir, "systemd-bootx64.efi", "257.9-1", newer}}},
		{name: "of a distribution's release before", systemd: "257.13-1~deb13u0", boot: newer, want: []LoaderStep{{systemdDir, "systemd-bootx64.efi", "257.13-1~deb13u0", newer}}},
		{name: "damaged", boot: newer, want: []LoaderStep{{systemdDir, "systemd-bootx64.efi", "", newer}}},
		{name: "first not proven yet", systemd: newer, boot: "257.9-1", info: "systemd-boot 257.9-1"},
		{name: "first proven", systemd: newer, boot: "257.9-1", info: "systemd-boot " + newer, want: []LoaderStep{{"EFI/BOOT", "BOOTX64.EFI", "257.9-1", newer}}},
		{name: "running version on trial", systemd: "257.9-1", change: func(v *View) { v.Entries[0].Name = v.Entries[0].Name.trial() }},
		{name: "other version on trial", systemd: "257.9-1", change: func(v *View) { v.Entries[1].Name = v.Entries[1].Name.trial() }},
		{name: "version to be tried", systemd: "257.9-1", change: func(v *View) { v.Memory.Attempt = &Attempt{Version: "1.0.0", Root: root("1.0.0")} }},
		{name: "nothing known to run", systemd: "257.9-1", change: func(v *View) { v.Boot.Root = root("9") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			image := loaderDisk(0, map[string][]byte{"systemd-bootx64.efi": loader(tt.systemd)}, map[string][]byte{"BOOTX64.EFI": loader(tt.boot)})
			s := loaderSession(t, &fattest.Disk{Safe: image}, newer)
			var text []byte
			for _, c := range []byte(tt.info) {
				text = append(text, c, 0)
			}
			if err := os.WriteFile(filepath.Join(s.vars.Dir, "LoaderInfo-"+efivar.Loader), append([]byte{7, 0, 0, 0}, text...), 0o600); err != nil {
				t.Fatal(err)
			}
			if tt.change != nil {
				tt.change(&s.View)
			}
			if got := s.Status().Loaders; tt.systemd != "" && (len(got) == 0 || got[0] != (Loader{"EFI/systemd/systemd-bootx64.efi", tt.systemd})) {
				t.Errorf("loaders in the status: %v, want version %s first", got, tt.systemd)
			}
			if diff := cmp.Diff(tt.want, s.LoaderPlan()); diff != "" {
				t.Errorf("LoaderPlan (-want +got):\n%s", diff)
			}
		})
	}
}

// A loader that is missing is made; one that the image does not have is no reason
// to do anything.
func TestLoaderMissing(t *testing.T) {
	d := &fattest.Disk{Safe: loaderDisk(0, nil, map[string][]byte{"BOOTX64.EFI": loader("2")})}
	s := loaderSession(t, d, "2")
	p := s.LoaderPlan()
	if len(p) != 1 {
		t.Fatalf("LoaderPlan = %v, want one step", p)
	}
	if got, want := p[0].String(), "replace EFI/systemd/systemd-bootx64.efi: boot loader none that can be read by 2"; got != want {
		t.Errorf("the step is %q, want %q", got, want)
	}
	if err := s.CarryLoader(p[0]); err != nil {
		t.Fatal(err)
	}
	got, err := fattest.Contents(d.Safe, systemdDir, false)
	if err != nil || len(got) != 1 || !bytes.Equal([]byte(got["systemd-bootx64.efi"]), loader("2")) {
		t.Errorf("files %d, %v, want the loader alone", len(got), err)
	}
	if err := os.Remove(filepath.Join(s.m.Root, LoaderFile)); err != nil {
		t.Fatal(err)
	}
	if p := s.LoaderPlan(); p != nil {
		t.Errorf("LoaderPlan without a loader in the image = %v", p)
	}
}
