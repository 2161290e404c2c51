package ext4_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/sources/internal/ext4"
)

// superblock returns a disk with one that has no checksum.
func superblock(change func(b []byte)) []byte {
	d := make([]byte, 2048)
	b := d[1024:]
	binary.LittleEndian.PutUint32(b[0x4:], 100)
	binary.LittleEndian.PutUint32(b[0x18:], 2)
	binary.LittleEndian.PutUint16(b[0x38:], 0xef53)
	binary.LittleEndian.PutUint16(b[0x3a:], 1)
	copy(b[0x68:], "0123456789abcdef")
	copy(b[0x78:], "DATA")
	change(b)
	return d
}

func TestRead(t *testing.T) {
	id := [16]byte([]byte("0123456789abcdef"))
	tests := []struct {
		name   string
		change func(b []byte)
		want   ext4.Superblock
		err    string
	}{
		{"clean", func([]byte) {}, ext4.Superblock{Label: "DATA", UUID: id, BlockSize: 4096, Blocks: 100}, ""},
		{"journal to replay", func(b []byte) { b[0x60] = 4 }, ext4.Superblock{Label: "DATA", UUID: id, BlockSize: 4096, Blocks: 100, Unclean: true}, ""},
		{"in use without a journal", func(b []byte) { b[0x3a] = 0 }, ext4.Superblock{Label: "DATA", UUID: id, BlockSize: 4096, Blocks: 100, Unclean: true}, ""},
		{"errors", func(b []byte) { b[0x3a] = 3 }, ext4.Superblock{Label: "DATA", UUID: id, BlockSize: 4096, Blocks: 100, Faulty: true}, ""},
		{"large", func(b []byte) { b[0x60], b[0x150] = 0x80, 1 }, ext4.Superblock{Label: "DATA", UUID: id, BlockSize: 4096, Blocks: 1<<32 + 100}, ""},
		{"longest label", func(b []byte) { copy(b[0x78:], "0123456789abcdef") }, ext4.Superblock{Label: "0123456789abcdef", UUID: id, BlockSize: 4096, Blocks: 100}, ""},
		{"none", func(b []byte) { clear(b) }, ext4.Superblock{}, "no ext4 file system"},
		{"huge blocks", func(b []byte) { b[0x18] = 7 }, ext4.Superblock{}, "superblock: blocks of 2^7 KiB, want at most 64 KiB"},
		{"too many blocks", func(b []byte) { b[0x60], b[0x153] = 0x80, 0xff }, ext4.Superblock{}, "superblock: 18374686479671623780 blocks are more than there can be"},
		{"wrong checksum", func(b []byte) { b[0x65] = 4 }, ext4.Superblock{}, "checksum of the superblock is 15fafdf0, want 00000000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ext4.Read(bytes.NewReader(superblock(tt.change)))
			text := ""
			if err != nil {
				text = err.Error()
			}
			if diff := cmp.Diff(tt.err, text); diff != "" {
				t.Errorf("Read: error (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Read (-want +got):\n%s", diff)
			}
		})
	}
	if _, err := ext4.Read(bytes.NewReader(nil)); err == nil || errors.Is(err, ext4.ErrNone) {
		t.Errorf("Read of an empty disk: %v, want that it cannot be read", err)
	}
}

// What others make is understood, with its checksum.
func TestReadReal(t *testing.T) {
	mke2fs, err := exec.LookPath("mke2fs")
	if err != nil {
		t.Skip("there is no mke2fs")
	}
	file := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, 64<<20); err != nil {
		t.Fatal(err)
	}
	args := "-q -t ext4 -b 4096 -L DATA -O 64bit,metadata_csum -U 00010203-0405-0607-0809-0a0b0c0d0e0f"
	if out, err := exec.CommandContext(context.Background(), mke2fs, append(strings.Fields(args), file)...).CombinedOutput(); err != nil {
		t.Fatalf("mke2fs: %v: %s", err, out)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := ext4.Read(f)
	want := ext4.Superblock{Label: "DATA", UUID: [16]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, BlockSize: 4096, Blocks: 16384}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("Read: %v (-want +got):\n%s", err, diff)
	}
	if got.Size() != 64<<20 {
		t.Errorf("Size = %d, want %d", got.Size(), 64<<20)
	}
}

// Whatever bytes a disk holds, reading them ends without a panic, and the size is
// one that a disk can have.
func FuzzRead(f *testing.F) {
	f.Add(superblock(func([]byte) {}))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, d []byte) {
		s, err := ext4.Read(bytes.NewReader(d))
		if err == nil && (s.Size() < 0 || s.BlockSize < 1024) {
			t.Errorf("Read: %d blocks of %d bytes", s.Blocks, s.BlockSize)
		}
	})
}
