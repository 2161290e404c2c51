package verity_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/sources/internal/verity"
)

const hash = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

// superblock returns a good one: 300 blocks of 4 KiB, a salt of two bytes.
func superblock() []byte {
	b := make([]byte, 512)
	copy(b, "verity")
	binary.LittleEndian.PutUint32(b[8:], 1)
	binary.LittleEndian.PutUint32(b[12:], 1)
	b[16] = 0xaa // of the UUID
	copy(b[32:], "sha256")
	binary.LittleEndian.PutUint32(b[64:], 4096)
	binary.LittleEndian.PutUint32(b[68:], 4096)
	binary.LittleEndian.PutUint64(b[72:], 300)
	binary.LittleEndian.PutUint16(b[80:], 2)
	b[88], b[89] = 0xca, 0xfe
	return b
}

func TestReadSuperblock(t *testing.T) {
	got, err := verity.ReadSuperblock(bytes.NewReader(superblock()))
	if err != nil {
		t.Fatalf("ReadSuperblock: %v", err)
	}
	want := verity.Superblock{UUID: [16]byte{0xaa}, DataBlock: 4096, HashBlock: 4096, DataBlocks: 300, Salt: []byte{0xca, 0xfe}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ReadSuperblock (-want +got):\n%s", diff)
	}
	if got.Size() != 300*4096 {
		t.Errorf("Size() = %d, want %d", got.Size(), 300*4096)
	}
}

func TestReadSuperblockRefuses(t *testing.T) {
	tests := []struct {
		name   string
		offset int
		value  []byte
		want   string
	}{
		{"no superblock", 0, make([]byte, 8), "verity superblock: none there"},
		{"version", 8, []byte{2}, "verity superblock: version is 2, want 1"},
		{"hash type", 12, []byte{0}, "verity superblock: hash type is 0, want 1"},
		{"weaker algorithm", 32, []byte("crc32c"), `want sha256`},
		{"longer algorithm", 38, []byte("x"), `want sha256`},
		{"odd block", 64, []byte{1}, "verity superblock: blocks have 4097 and 4096 bytes, want a power of two from 512 to 65536"},
		{"small block", 68, []byte{0, 1}, "verity superblock: blocks have 4096 and 256 bytes, want a power of two from 512 to 65536"},
		{"no data", 72, make([]byte, 8), "verity superblock: data has 0 blocks, want 1 to 1099511627776"},
		{"absurd data", 79, []byte{0x80}, "want 1 to 1099511627776"},
		{"long salt", 80, []byte{1, 1}, "verity superblock: salt has 257 bytes, want at most 256"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := superblock()
			copy(b[tt.offset:], tt.value)
			_, err := verity.ReadSuperblock(bytes.NewReader(b))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("ReadSuperblock: error %v, want %q", err, tt.want)
			}
		})
	}
	if _, err := verity.ReadSuperblock(bytes.NewReader(superblock()[:100])); err == nil {
		t.Error("ReadSuperblock accepted 100 bytes")
	}
}

func TestTable(t *testing.T) {
	root, err := verity.ParseRootHash(hash)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		salt []byte
		want string
	}{
		{"salt", []byte{0xca, 0xfe}, "1 254:2 254:3 4096 4096 300 1 sha256 " + hash + " cafe 1 restart_on_corruption"},
		{"no salt", nil, "1 254:2 254:3 4096 4096 300 1 sha256 " + hash + " - 1 restart_on_corruption"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sb := verity.Superblock{DataBlock: 4096, HashBlock: 4096, DataBlocks: 300, Salt: tt.salt}
			if got := sb.Table("254:2", "254:3", root); got != tt.want {
				t.Errorf("Table:\n got %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestParseRootHash(t *testing.T) {
	root, err := verity.ParseRootHash(strings.ToUpper(hash))
	if err != nil || root.String() != hash {
		t.Errorf("ParseRootHash = %s, %v, want %s", root, err, hash)
	}
	data, tree := root.Partitions()
	if data[0] != 0 || data[15] != 15 || tree[0] != 16 || tree[15] != 31 {
		t.Errorf("Partitions() = %x, %x, want the two halves of %s", data, tree, hash)
	}
	for _, s := range []string{"", hash[2:], hash + "00", "g" + hash[1:], " " + hash} {
		if _, err := verity.ParseRootHash(s); err == nil {
			t.Errorf("ParseRootHash(%q) accepted it", s)
		}
	}
}
