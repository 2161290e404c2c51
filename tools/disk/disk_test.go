package disk_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/tools/disk"
)

const mebibyte = 1 << 20

func guid(t *testing.T, s string) disk.GUID {
	t.Helper()
	g, err := disk.ParseGUID(s)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestGUID(t *testing.T) {
	const text = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
	g := guid(t, text)
	want := disk.GUID{0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b}
	if diff := cmp.Diff(want, g); diff != "" {
		t.Errorf("ParseGUID(%q) (-want +got):\n%s", text, diff)
	}
	if g.String() != text {
		t.Errorf("ParseGUID(%q) prints as %q", text, g)
	}
}

func TestParseGUIDRefuses(t *testing.T) {
	for _, s := range []string{"", "c12a7328", "c12a7328f81f11d2ba4b00a0c93ec93b", "g12a7328-f81f-11d2-ba4b-00a0c93ec93b"} {
		if g, err := disk.ParseGUID(s); err == nil {
			t.Errorf("ParseGUID(%q) is %v, want an error", s, g)
		}
	}
}

// example has a partition with content and one without.
func example(t *testing.T) disk.Layout {
	t.Helper()
	content := filepath.Join(t.TempDir(), "content")
	if err := os.WriteFile(content, bytes.Repeat([]byte("root"), 1000), 0o644); err != nil {
		t.Fatal(err)
	}
	return disk.Layout{
		UUID: guid(t, "00000000-0000-0000-0000-00000000000d"), Size: 8 * mebibyte,
		Partitions: []disk.Partition{
			{
				Name: "ROOT-A", Type: guid(t, "4f68bce3-e8cd-4db1-96e7-fbcaf984b709"), UUID: guid(t, "11111111-2222-3333-4444-555555555555"),
				Size: 2 * mebibyte, ReadOnly: true, Content: content,
			},
			{Name: "PRIVATE", Type: guid(t, "0fc63daf-8483-4772-8e79-3d69d8477de4"), UUID: guid(t, "11111111-2222-3333-4444-666666666666"), Size: mebibyte},
		},
	}
}

func TestWrite(t *testing.T) {
	l := example(t)
	file := filepath.Join(t.TempDir(), "disk.raw")
	if err := l.Write(file); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(b)) != l.Size {
		t.Errorf("Write: disk of %d bytes, want %d", len(b), l.Size)
	}
	if got := string(b[mebibyte : mebibyte+4]); got != "root" {
		t.Errorf("Write: the first partition begins with %q, want %q", got, "root")
	}
	first, last := b[512:604], b[len(b)-512:len(b)-420]
	for name, header := range map[string][]byte{"first": first, "last": last} {
		sum := binary.LittleEndian.Uint32(header[16:])
		plain := bytes.Clone(header)
		copy(plain[16:], []byte{0, 0, 0, 0})
		if string(header[:8]) != "EFI PART" || crc32.ChecksumIEEE(plain) != sum {
			t.Errorf("Write: the %s header is not valid: % x", name, header)
		}
	}
	entries := b[1024 : 1024+128*128]
	if diff := cmp.Diff(crc32.ChecksumIEEE(entries), binary.LittleEndian.Uint32(first[88:])); diff != "" {
		t.Errorf("Write: checksum of the entries (-want +got):\n%s", diff)
	}
	if !bytes.Equal(entries, b[len(b)-512-len(entries):len(b)-512]) {
		t.Error("Write: the two tables differ")
	}
}

// What others read from the disk is what was meant.
func TestWriteForOthers(t *testing.T) {
	sfdisk, err := exec.LookPath("sfdisk")
	if err != nil {
		t.Skip("there is no sfdisk")
	}
	file := filepath.Join(t.TempDir(), "disk.raw")
	if err := example(t).Write(file); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(context.Background(), sfdisk, "--dump", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(out), "\n\n")
	want := strings.ReplaceAll(`FILE1 : start=        2048, size=        4096, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709, uuid=11111111-2222-3333-4444-555555555555, name="ROOT-A", attrs="GUID:60"
FILE2 : start=        6144, size=        2048, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, uuid=11111111-2222-3333-4444-666666666666, name="PRIVATE"
`, "FILE", file)
	if diff := cmp.Diff(want, table); diff != "" {
		t.Errorf("sfdisk --dump (-want +got):\n%s", diff)
	}
}

func TestWriteRefuses(t *testing.T) {
	tests := []struct {
		name   string
		change func(*disk.Layout)
		want   string
	}{
		{name: "too small", change: func(l *disk.Layout) { l.Size = 4 * mebibyte }, want: "size 4194304, want a multiple of 1 MiB from 5242880 on"},
		{name: "odd size", change: func(l *disk.Layout) { l.Partitions[1].Size = 512 }, want: "partition PRIVATE: size 512, want a multiple of 1 MiB"},
		{name: "long name", change: func(l *disk.Layout) { l.Partitions[0].Name = strings.Repeat("x", 37) }, want: "the name is too long"},
		{name: "too much content", change: func(l *disk.Layout) { l.Partitions[0].Content = "/proc/self/exe" }, want: "write partition ROOT-A: its content has"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := example(t)
			tt.change(&l)
			err := l.Write(filepath.Join(t.TempDir(), "disk.raw"))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Write: error %v, want one with %q", err, tt.want)
			}
		})
	}
}
