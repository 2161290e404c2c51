package addon_test

import (
	"bytes"
	"debug/pe"
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/sources/internal/addon"
	"github.com/bulkhead-os/bulkhead/tools/uki/ukitest"
)

// stub returns a program with one section, and room for spare more headers.
func stub(spare int) []byte { return ukitest.Program{Spare: spare}.Bytes() }

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
