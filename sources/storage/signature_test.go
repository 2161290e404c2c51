package storage

import (
	"bytes"
	"testing"
)

func TestIdentify(t *testing.T) {
	for _, s := range signatures {
		d := make([]byte, 1<<17)
		copy(d[4096+s.at:], s.text)
		if got := identify(bytes.NewReader(d), 4096); got.Other != s.name || got.Empty() {
			t.Errorf("identify of %q at %d = %+v, want %s", s.text, s.at, got, s.name)
		}
		if got := identify(bytes.NewReader(d), 0); s.at > 1<<12 && !got.Empty() {
			t.Errorf("identify in front of %s = %+v, want nothing", s.name, got)
		}
	}
	if got := identify(bytes.NewReader(make([]byte, 1<<17)), 0); !got.Empty() {
		t.Errorf("identify of zeros = %+v, want nothing", got)
	}
	if got := identify(bytes.NewReader(nil), 0); got.Fault == nil || got.Empty() {
		t.Errorf("identify of what cannot be read = %+v, want a fault", got)
	}
	d := make([]byte, 1<<17)
	d[1024+0x38], d[1024+0x39] = 0x53, 0xef
	if got := identify(bytes.NewReader(d), 0); got.System == nil {
		t.Errorf("identify of a superblock = %+v, want that", got)
	}
}
