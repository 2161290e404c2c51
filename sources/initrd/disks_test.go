package initrd

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/sources/internal/gpt"
	"github.com/bulkhead-os/bulkhead/sources/internal/sysblock"
	"github.com/bulkhead-os/bulkhead/sources/internal/verity"
)

const sectors = 128

// memory is a disk.
type memory struct{ *bytes.Reader }

func (memory) Close() error { return nil }

// table returns a disk whose first partition table has partitions with ids; an
// empty one has number left out.
func table(ids ...gpt.GUID) []byte {
	d := make([]byte, sectors*512)
	entries := d[1024:][:128*len(ids)]
	for i, id := range ids {
		if id == (gpt.GUID{}) {
			continue
		}
		e := entries[i*128:]
		e[0] = 1 // of the type
		copy(e[16:], id[:])
		binary.LittleEndian.PutUint64(e[32:], uint64(40+i))
		binary.LittleEndian.PutUint64(e[40:], uint64(40+i))
	}
	h := d[512:][:92]
	copy(h, "EFI PART")
	h[12], h[24], h[72] = 92, 1, 2
	binary.LittleEndian.PutUint32(h[80:], uint32(len(ids)))
	binary.LittleEndian.PutUint32(h[84:], 128)
	binary.LittleEndian.PutUint32(h[88:], crc32.ChecksumIEEE(entries))
	binary.LittleEndian.PutUint32(h[16:], crc32.ChecksumIEEE(h))
	return d
}

// named gives a partition of a disk that table made a name.
func named(d []byte, number int, name string) []byte {
	h := d[512:][:92]
	count := binary.LittleEndian.Uint32(h[80:])
	for i, c := range name {
		d[1024+(number-1)*128+56+2*i] = byte(c)
	}
	binary.LittleEndian.PutUint32(h[88:], crc32.ChecksumIEEE(d[1024:][:128*count]))
	clear(h[16:20])
	binary.LittleEndian.PutUint32(h[16:], crc32.ChecksumIEEE(h))
	return d
}

func TestFindRoot(t *testing.T) {
	root, err := verity.ParseRootHash(hash)
	if err != nil {
		t.Fatal(err)
	}
	dataBytes, treeBytes := root.Partitions()
	data, tree := gpt.FromBytes(dataBytes), gpt.FromBytes(treeBytes)
	const missing = "no disk has the partitions 00010203-0405-0607-0809-0a0b0c0d0e0f and 10111213-1415-1617-1819-1a1b1c1d1e1f of root hash " + hash
	tests := []struct {
		name  string
		disks map[string][]byte
		want  rootParts
		err   string
	}{
		{
			name:  "found",
			disks: map[string][]byte{"sda": table(gpt.GUID{7}), "vda": table(gpt.GUID{}, tree, data)},
			want:  rootParts{disk: "vda", data: part("vda", 3), tree: part("vda", 2)},
		},
		{
			name:  "with what the node keeps",
			disks: map[string][]byte{"vda": named(table(data, tree, gpt.GUID{7}), 3, "PRIVATE")},
			want:  rootParts{disk: "vda", data: part("vda", 1), tree: part("vda", 2), private: 3},
		},
		{
			name:  "in a directory",
			disks: map[string][]byte{"cciss!c0d0": table(data, tree)},
			want:  rootParts{disk: "cciss!c0d0", data: part("cciss!c0d0", 1), tree: part("cciss!c0d0", 2)},
		},
		{
			name:  "first of two",
			disks: map[string][]byte{"vdb": table(data, tree), "vda": table(data, tree)},
			want:  rootParts{disk: "vda", data: part("vda", 1), tree: part("vda", 2)},
		},
		{
			name:  "on two disks",
			disks: map[string][]byte{"vda": table(data), "vdb": table(gpt.GUID{1}, tree), "vdc": table(gpt.GUID{1}, gpt.GUID{2})},
			err: missing + "\ndisk vda: partition 10111213-1415-1617-1819-1a1b1c1d1e1f, which is to check the root, is missing" +
				"\ndisk vdb: partition 00010203-0405-0607-0809-0a0b0c0d0e0f is missing" +
				"\ndisk vdc: both are missing among its 2 partitions",
		},
		{
			name:  "no table",
			disks: map[string][]byte{"vda": make([]byte, sectors*512)},
			err:   missing + "\ndisk vda: partition table: at the start: none there; at the end: none there",
		},
		{
			name:  "no disk",
			disks: map[string][]byte{"loop0": table(data, tree), "dm-0": table(data, tree), "sr0": table(data, tree)},
			err:   missing + "\nthere is no disk at all: is its driver in the image?",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sys := fstest.MapFS{"block": &fstest.MapFile{Mode: fs.ModeDir | 0o755}}
			nodes := map[string][]byte{}
			for name, d := range tt.disks {
				addDisk(sys, name)
				nodes[sysblock.NodeName(name)] = d
			}
			open := func(name string) (disk, error) {
				d, ok := nodes[name]
				if !ok {
					return nil, fs.ErrNotExist
				}
				return memory{bytes.NewReader(d)}, nil
			}
			got, err := findRoot(sys, open, root)
			if diff := cmp.Diff(tt.err, text(err)); diff != "" {
				t.Errorf("findRoot: error (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(rootParts{})); diff != "" {
				t.Errorf("findRoot (-want +got):\n%s", diff)
			}
		})
	}
}

// part is what the kernel shows of a partition of addDisk.
func part(disk string, n int) sysblock.Part {
	return sysblock.Part{Name: fmt.Sprint(disk, n), Device: fmt.Sprint("254:", n), Start: 40 * 512, Size: 512}
}

// addDisk adds a disk with three partitions as the kernel shows it.
func addDisk(sys fstest.MapFS, name string) {
	dir := "block/" + name
	sys[dir+"/size"] = file("128\n")
	sys[dir+"/queue/logical_block_size"] = file("512\n")
	for _, n := range []string{"1", "2", "3"} {
		sys[dir+"/"+name+n+"/partition"] = file(n + "\n")
		sys[dir+"/"+name+n+"/dev"] = file("254:" + n + "\n")
		sys[dir+"/"+name+n+"/start"] = file("40\n")
		sys[dir+"/"+name+n+"/size"] = file("1\n")
	}
}

func TestFindRootFaults(t *testing.T) {
	root, err := verity.ParseRootHash(hash)
	if err != nil {
		t.Fatal(err)
	}
	data, tree := root.Partitions()
	whole := table(gpt.FromBytes(data), gpt.FromBytes(tree))
	works := func(string) (disk, error) { return memory{bytes.NewReader(whole)}, nil }
	tests := []struct {
		name   string
		change func(sys fstest.MapFS)
		open   func(string) (disk, error)
		want   string // behind the line that tells what is looked for
	}{
		{"partition not shown yet", func(sys fstest.MapFS) { delete(sys, "block/vda/vda2/partition") }, works, "disk vda: partition 2: the kernel shows no such partition"},
		{"odd number", func(sys fstest.MapFS) { sys["block/vda/size"] = file("-1") }, works, `disk vda: block/vda/size: "-1" is no number`},
		{"gone", func(fstest.MapFS) {}, func(string) (disk, error) { return nil, errors.New("no medium") }, "disk vda: no medium"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sys := fstest.MapFS{}
			addDisk(sys, "vda")
			tt.change(sys)
			_, err := findRoot(sys, tt.open, root)
			_, got, _ := bytes.Cut([]byte(text(err)), []byte("\n"))
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("findRoot: error (-want +got):\n%s", diff)
			}
		})
	}
}
