package addon_test

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/sources/internal/addon"
)

// stub returns a program with one section, and room for spare more headers.
func stub(spare int) []byte {
	const at = 0x40
	b := make([]byte, 0x400)
	copy(b, "MZ")
	binary.LittleEndian.PutUint32(b[0x3c:], at)
	copy(b[at:], "PE\x00\x00")
	file := b[at+4:]
	binary.LittleEndian.PutUint16(file, pe.IMAGE_FILE_MACHINE_AMD64)
	binary.LittleEndian.PutUint16(file[2:], 1)
	binary.LittleEndian.PutUint16(file[16:], 240)
	optional := file[20:]
	binary.LittleEndian.PutUint16(optional, 0x20b)
	binary.LittleEndian.PutUint32(optional[32:], 0x1000)
	binary.LittleEndian.PutUint32(optional[36:], 0x200)
	binary.LittleEndian.PutUint32(optional[56:], 0x2000)
	binary.LittleEndian.PutUint32(optional[60:], uint32(at+24+240+40*(1+spare)))
	binary.LittleEndian.PutUint32(optional[64:], 0xdeadbeef)
	binary.LittleEndian.PutUint32(optional[108:], 16)
	section := optional[240:]
	copy(section, ".sbat")
	binary.LittleEndian.PutUint32(section[8:], 0x10)
	binary.LittleEndian.PutUint32(section[12:], 0x1000)
	binary.LittleEndian.PutUint32(section[16:], 0x200)
	binary.LittleEndian.PutUint32(section[20:], 0x200)
	return b
}

func TestBuild(t *testing.T) {
	for _, words := range []string{"quiet", "", strings.Repeat("long ", 300)} {
		in := stub(1)
		kept := bytes.Clone(in)
		got, err := addon.Build(in, words)
		if err != nil {
			t.Fatalf("Build(%.20q): %v", words, err)
		}
		if back, err := addon.Cmdline(got); back != words || err != nil {
			t.Errorf("Cmdline of Build(%.20q) = %.20q, %v", words, back, err)
		}
		f, err := pe.NewFile(bytes.NewReader(got))
		if err != nil {
			t.Fatal(err)
		}
		s, h := f.Section(".cmdline"), f.OptionalHeader.(*pe.OptionalHeader64)
		if s.VirtualAddress != 0x2000 || h.SizeOfImage%0x1000 != 0 || h.SizeOfImage < s.VirtualAddress+s.VirtualSize || h.CheckSum != 0 {
			t.Errorf("Build(%.20q): section at %#x, image of %#x bytes, checksum %#x", words, s.VirtualAddress, h.SizeOfImage, h.CheckSum)
		}
		if len(got)%0x200 != 0 || !bytes.Equal(in, kept) {
			t.Errorf("Build(%.20q): %d bytes, want whole sectors, and the stub untouched", words, len(got))
		}
	}
}

func TestBuildRefuses(t *testing.T) {
	twice, err := addon.Build(stub(3), "x")
	if err != nil {
		t.Fatal(err)
	}
	for want, in := range map[string][]byte{
		"read the stub of addons":                       []byte("MZ"),
		"has no room for the header of a section":       stub(0),
		"the stub of addons has a command line already": twice,
	} {
		if _, err := addon.Build(in, "x"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Build: error %v, want %q in it", err, want)
		}
	}
	if _, err := addon.Cmdline(stub(1)); err == nil || err.Error() != "it has no command line" {
		t.Errorf("Cmdline of the stub: %v, want that it has none", err)
	}
}

func FuzzBuild(f *testing.F) {
	f.Add(stub(1), "quiet")
	f.Fuzz(func(t *testing.T, in []byte, words string) {
		got, err := addon.Build(in, words)
		if err != nil || strings.HasSuffix(words, "\x00") {
			return
		}
		if back, err := addon.Cmdline(got); err == nil && back != words {
			t.Errorf("Cmdline of Build(%q) = %q", words, back)
		}
	})
}
