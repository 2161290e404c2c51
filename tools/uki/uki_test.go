package uki_test

import (
	"bytes"
	"debug/pe"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/tools/uki"
	"github.com/bulkhead-os/bulkhead/tools/uki/ukitest"
)

// stand returns a program with one section, and room for spare more headers.
// It claims to need size bytes of memory.
func stand(spare int, size uint32, characteristics uint16) []byte {
	return ukitest.Program{Section: ".text", Spare: spare, Memory: size, Characteristics: characteristics}.Bytes()
}

func TestBuild(t *testing.T) {
	kernel := stand(0, 0x9000, 0)
	parts := uki.Parts{OSRelease: "ID=x\n", Cmdline: "quiet", Uname: "6.12", Initrd: bytes.Repeat([]byte{7}, 5000), Kernel: kernel}
	got, err := uki.Build(stand(5, 0x2000, 0x0100), parts)
	if err != nil {
		t.Fatal(err)
	}
	f, err := pe.NewFile(bytes.NewReader(got))
	if err != nil {
		t.Fatal(err)
	}
	type section struct {
		Name          string
		Address, Size uint32
	}
	want := []section{
		{".text", 0x1000, 0x10},
		{".osrel", 0x2000, 5},
		{".cmdline", 0x3000, 5},
		{".uname", 0x4000, 4},
		{".initrd", 0x5000, 5000},
		{".linux", 0x7000, 0x9000},
	}
	var have []section
	for _, s := range f.Sections {
		have = append(have, section{s.Name, s.VirtualAddress, s.VirtualSize})
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("Build: sections (-want +got):\n%s", diff)
	}
	for name, data := range map[string][]byte{".cmdline": []byte("quiet"), ".initrd": parts.Initrd, ".linux": kernel} {
		raw, err := f.Section(name).Data()
		if err != nil || !bytes.HasPrefix(raw, data) {
			t.Errorf("Build: section %s has other data than it was given (%v)", name, err)
		}
	}
	h := f.OptionalHeader.(*pe.OptionalHeader64)
	if h.SizeOfImage != 0x10000 || h.CheckSum != 0 || h.DllCharacteristics != 0 {
		t.Errorf("Build: size %#x, checksum %#x, characteristics %#x, want 0x10000, 0, 0", h.SizeOfImage, h.CheckSum, h.DllCharacteristics)
	}
}

func TestBuildRefuses(t *testing.T) {
	whole := stand(5, 0x2000, 0)
	tests := []struct {
		name         string
		stub, kernel []byte
		want         string
	}{
		{name: "no stub", kernel: whole, want: "read the stub: "},
		{name: "no kernel", stub: whole, kernel: []byte("vmlinuz"), want: "read the kernel: "},
		{name: "no room", stub: stand(4, 0x2000, 0), kernel: whole, want: "add section .linux: there is no room for another section header"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := uki.Build(tt.stub, uki.Parts{Kernel: tt.kernel})
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("Build: error %v, want one that begins with %q", err, tt.want)
			}
		})
	}
}

func TestAddon(t *testing.T) {
	got, err := uki.Addon(stand(1, 0x2000, 0), "quiet x=1")
	if err != nil {
		t.Fatal(err)
	}
	f, err := pe.NewFile(bytes.NewReader(got))
	if err != nil {
		t.Fatal(err)
	}
	data, err := f.Section(".cmdline").Data()
	if err != nil || !bytes.HasPrefix(data, []byte("quiet x=1\x00")) || f.Section(".cmdline").VirtualSize != 9 {
		t.Errorf("Addon: command line %q, %v, want %q", data, err, "quiet x=1")
	}
	if _, err := uki.Addon([]byte("MZ"), "x"); err == nil {
		t.Error("Addon of no program succeeded, want an error")
	}
}
