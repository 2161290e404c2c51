package sysblock_test

import (
	"errors"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/sources/internal/sysblock"
)

// node is what the kernel shows of a machine with two disks, on the first of
// which a device mapper stands.
func node() fstest.MapFS {
	sys := fstest.MapFS{}
	for name, text := range map[string]string{
		"block/vda/size": "4096\n", "block/vda/queue/logical_block_size": "512\n",
		"block/vda/vda2/partition": "2\n", "block/vda/vda2/dev": "254:2\n", "block/vda/vda2/start": "2048\n", "block/vda/vda2/size": "8\n",
		"block/vda/vda3/partition": "3\n", "block/vda/vda3/dev": "254:3\n", "block/vda/vda3/start": "2056\n", "block/vda/vda3/size": "8\n",
		"block/cciss!c0d0/size": "8\n", "block/cciss!c0d0/queue/logical_block_size": "4096\n",
		"block/cciss!c0d0/cciss!c0d0p1/partition": "1\n",
		"block/dm-0/slaves/vda2/uevent":           "", "block/dm-0/slaves/vda3/uevent": "",
		"block/dm-1/slaves/dm-0/uevent": "",
		"block/dm-2/slaves/vda2/uevent": "", "block/dm-2/slaves/cciss!c0d0p1/uevent": "",
		"dev/block/254:0/uevent": "MAJOR=254\nMINOR=0\nDEVNAME=vda\n",
		"dev/block/254:2/uevent": "DEVNAME=vda2\nPARTN=2\n",
		"dev/block/253:0/uevent": "DEVNAME=dm-0\n",
		"dev/block/253:1/uevent": "DEVNAME=dm-1\n",
		"dev/block/253:2/uevent": "DEVNAME=dm-2\n",
		"dev/block/104:1/uevent": "DEVNAME=cciss/c0d0p1\n",
		"dev/block/7:0/uevent":   "DEVNAME=gone\n",
		"dev/block/7:1/uevent":   "MAJOR=7\n",
	} {
		sys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return sys
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestDiskOf(t *testing.T) {
	tests := []struct {
		name, device string
		want, err    string
	}{
		{"disk", "254:0", "vda", ""},
		{"partition", "254:2", "vda", ""},
		{"partition in a directory", "104:1", "cciss!c0d0", ""},
		{"mapped", "253:0", "vda", ""},
		{"mapped twice", "253:1", "vda", ""},
		{"on two disks", "253:2", "", "disk of device 253:2: dm-2 is on two disks, cciss!c0d0 and vda"},
		{"gone", "7:0", "", "disk of device 7:0: no disk has gone"},
		{"without a name", "7:1", "", "disk of device 7:1: it has no name"},
		{"no device", "0:30", "", "disk of device 0:30: open dev/block/0:30/uevent: file does not exist"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := sysblock.DiskOf(node(), tt.device)
			if diff := cmp.Diff([]string{tt.want, tt.err}, []string{got, text(err)}); diff != "" {
				t.Errorf("DiskOf(%s): disk and error (-want +got):\n%s", tt.device, diff)
			}
		})
	}
}

func TestPartition(t *testing.T) {
	got, err := sysblock.Partition(node(), "vda", 3)
	want := sysblock.Part{Name: "vda3", Device: "254:3", Start: 2056 * 512, Size: 8 * 512}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("Partition: %v (-want +got):\n%s", err, diff)
	}
	_, err = sysblock.Partition(node(), "vda", 1)
	if !errors.Is(err, sysblock.ErrAbsent) || text(err) != "partition 1: the kernel shows no such partition" {
		t.Errorf("Partition that is not there: %v, want %v", err, sysblock.ErrAbsent)
	}
	if _, err := sysblock.Partition(node(), "sda", 1); text(err) != "open block/sda: file does not exist" {
		t.Errorf("Partition of a disk that is not there: %v", err)
	}
}

func TestSize(t *testing.T) {
	size, sector, err := sysblock.Size(node(), "cciss!c0d0")
	if size != 8*512 || sector != 4096 || err != nil {
		t.Errorf("Size = %d, %d, %v, want 4096 bytes in a sector of 4096", size, sector, err)
	}
	sys := node()
	for _, odd := range []string{"-1", "x", "9223372036854775807"} {
		sys["block/vda/size"] = &fstest.MapFile{Data: []byte(odd)}
		if _, _, err := sysblock.Size(sys, "vda"); text(err) != `block/vda/size: "`+odd+`" is no number` {
			t.Errorf("Size of %q: %v, want that it is no number", odd, err)
		}
	}
	if got := sysblock.NodeName("cciss!c0d0"); got != "cciss/c0d0" {
		t.Errorf("NodeName = %q, want cciss/c0d0", got)
	}
}
