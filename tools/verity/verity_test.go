package verity_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/tools/verity"
)

var params = verity.Params{
	Salt: [32]byte(bytes.Repeat([]byte{0xab}, 32)),
	UUID: [16]byte{0: 0x11, 15: 0x22},
}

// pattern returns blocks of data that differ from one another.
func pattern(blocks int) []byte {
	b := make([]byte, blocks*verity.BlockSize)
	for i := range b {
		b[i] = byte(i>>12*7 + i)
	}
	return b
}

// The hashes are those that veritysetup 2.7.5 prints for the same data, salt and
// UUID, and the sizes those of the trees that it writes.
func TestFormat(t *testing.T) {
	tests := []struct {
		name   string
		blocks int
		want   string
		tree   int // blocks
	}{
		{name: "one block", blocks: 1, want: "039aa4a03c6061811ad4fab412b2579f43b4b7ffa86b094956ad57aca0c0dda1", tree: 1},
		{name: "one full block of hashes", blocks: 128, want: "f49b0baa85cb8b37c3be4bcea79f1ebf633c147c33c336828d178607f6e5d301", tree: 2},
		{name: "two levels", blocks: 129, want: "fa9dd37c5d98fe9288252c687322f43f380fbde91eadb40c8ab2109499439d75", tree: 4},
		{name: "three levels", blocks: 16385, want: "3ecfec3eefa33df89360eb459e52572fc8cb2eeae96b216a2df17d7d5f3e7b84", tree: 133},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data := pattern(tt.blocks)
			var tree bytes.Buffer
			h, err := verity.Format(&tree, bytes.NewReader(data), int64(len(data)), params)
			if err != nil {
				t.Fatal(err)
			}
			if h.String() != tt.want {
				t.Errorf("Format of %d blocks: hash %s, want %s", tt.blocks, h, tt.want)
			}
			if got := tree.Len() / verity.BlockSize; got != tt.tree {
				t.Errorf("Format of %d blocks: %d blocks of tree, want %d", tt.blocks, got, tt.tree)
			}
		})
	}
}

func TestFormatRefuses(t *testing.T) {
	tests := []struct {
		name string
		data []byte
		size int64
		want string
	}{
		{name: "nothing", want: "make hash tree: 0 bytes of data, want a multiple of 4096"},
		{name: "part of a block", data: make([]byte, 5000), size: 5000, want: "make hash tree: 5000 bytes of data, want a multiple of 4096"},
		{name: "less than it says", data: make([]byte, 4096), size: 8192, want: "make hash tree: unexpected EOF"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := verity.Format(&bytes.Buffer{}, bytes.NewReader(tt.data), tt.size, params)
			if err == nil {
				t.Fatalf("Format of %d bytes of %d: no error, want %q", len(tt.data), tt.size, tt.want)
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Errorf("Format of %d bytes of %d: error (-want +got):\n%s", len(tt.data), tt.size, diff)
			}
		})
	}
}
