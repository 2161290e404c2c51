package devicemapper

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"unsafe"
)

func TestSizesAreTheKernels(t *testing.T) {
	if got := unsafe.Sizeof(head{}); got != headSize {
		t.Errorf("head has %d bytes, want %d", got, headSize)
	}
	if got := unsafe.Sizeof(spec{}); got != specSize {
		t.Errorf("spec has %d bytes, want %d", got, specSize)
	}
	if got := unsafe.Offsetof(head{}.Device); got != deviceOffset {
		t.Errorf("the device is at %d, want %d", got, deviceOffset)
	}
	if got, want := deviceCreate.number(), uintptr(0xc138fd03); got != want {
		t.Errorf("number of %s is %#x, want %#x", deviceCreate, got, want)
	}
}

func TestRequests(t *testing.T) {
	d := Device{Name: "root", UUID: "CRYPT-VERITY-1-root", Sectors: 2048, Target: "verity", Params: "1 254:2 254:3"}
	tests := []struct {
		name        string
		request     []byte
		size, flags uint32
		uuid        string
	}{
		{"create", d.creation(), headSize, 0, d.UUID},
		{"resume", d.request(flagReadOnly), headSize, flagReadOnly, ""},
		{"table", d.table(), headSize + specSize + 16, flagReadOnly, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := len(tt.request); got != int(tt.size) {
				t.Fatalf("request has %d bytes, want %d", got, tt.size)
			}
			word := func(offset int) uint32 { return binary.NativeEndian.Uint32(tt.request[offset:]) }
			if word(12) != tt.size || word(16) != headSize || word(28) != tt.flags {
				t.Errorf("sizes and flags are %d, %d, %d, want %d, %d, %d", word(12), word(16), word(28), tt.size, headSize, tt.flags)
			}
			if got := text(tt.request[48:176]); got != d.Name {
				t.Errorf("name is %q, want %q", got, d.Name)
			}
			if got := text(tt.request[176:305]); got != tt.uuid {
				t.Errorf("UUID is %q, want %q", got, tt.uuid)
			}
		})
	}
}

func TestTable(t *testing.T) {
	got := Device{Name: "root", Sectors: 2048, Target: "verity", Params: "1 254:2 254:3"}.table()[headSize:]
	word := binary.NativeEndian
	if first, sectors, next := word.Uint64(got), word.Uint64(got[8:]), word.Uint32(got[20:]); first != 0 || sectors != 2048 || next != uint32(len(got)) {
		t.Errorf("target spans %d and %d sectors, the next is at %d; want 0, 2048, %d", first, sectors, next, len(got))
	}
	if target, params := text(got[24:40]), text(got[40:]); target != "verity" || params != "1 254:2 254:3" {
		t.Errorf("target is %q with %q, want verity with 1 254:2 254:3", target, params)
	}
}

func TestLongTextsAreCut(t *testing.T) {
	long := strings.Repeat("x", 300)
	r := Device{Name: long, UUID: long, Target: long}.table()
	if len(r) != headSize+specSize+8 || r[175] != 0 || r[headSize+39] != 0 {
		t.Errorf("a request with long texts has %d bytes and does not end them", len(r))
	}
}

// text returns what stands before the first zero byte.
func text(b []byte) string {
	b, _, _ = bytes.Cut(b, []byte{0})
	return string(b)
}
