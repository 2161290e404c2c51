package esp

import (
	"testing"
	"testing/fstest"
)

func TestPartition(t *testing.T) {
	event := func(name string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte("DEVTYPE=partition\nPARTNAME=" + name + "\n")}
	}
	sys := fstest.MapFS{
		"block/vda/uevent": {Data: []byte("DEVTYPE=disk\n")}, "block/vda/size": {Data: []byte("1\n")}, "block/vda/queue/rotational": {Data: []byte("0\n")},
		"block/vda/vda1/uevent": event("ROOT-A"), "block/vda/vda2/uevent": event("ESP"),
		"block/cciss!c0d0/cciss!c0d0p1/uevent": event("ESP"),
		"block/vdb/vdb1/uevent":                event("ESP-OLD"),
	}
	tests := []struct{ disk, want string }{{"vda", "/dev/vda2"}, {"cciss!c0d0", "/dev/cciss/c0d0p1"}, {"vdb", ""}, {"vdc", ""}}
	for _, tt := range tests {
		got, err := partition(sys, tt.disk)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("partition of %s = %q, %v, want %q", tt.disk, got, err, tt.want)
		}
	}
}
