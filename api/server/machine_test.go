package server_test

import (
	"encoding/json"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/server"
)

func TestReadMachine(t *testing.T) {
	root := fstest.MapFS{
		"proc/sys/kernel/random/boot_id":     {Data: []byte("f07e4a4e-1c4b-4b3f-9e52-7f3a6b7f9f10\n")},
		"proc/sys/kernel/osrelease":          {Data: []byte("6.12.0\n")},
		"proc/cmdline":                       {Data: []byte("quiet roothash=00ff panic=1\n")},
		"etc/machine-id":                     {Data: []byte("0123456789abcdef0123456789abcdef\n")},
		"sys/block/dm-0/slaves/vda1/uevent":  {Data: []byte("DEVNAME=vda1\nPARTNAME=ROOT-B-VERITY\n")},
		"sys/block/dm-0/slaves/vda2/uevent":  {Data: []byte("DEVNAME=vda2\nPARTNAME=ROOT-B\n")},
		"sys/block/vda/vda4/uevent":          {Data: []byte("PARTNAME=ROOT-A\n")},
		"sys/block/dm-1/slaves/other/uevent": {Data: []byte("DEVNAME=other\n")},
	}
	want := server.Machine{
		BootID: "f07e4a4e1c4b4b3f9e527f3a6b7f9f10", MachineID: "0123456789abcdef0123456789abcdef", Kernel: "6.12.0", RootHash: "00ff", Slot: "B",
	}
	if diff := cmp.Diff(want, server.ReadMachine(root)); diff != "" {
		t.Errorf("ReadMachine (-want +got):\n%s", diff)
	}
	if got := server.ReadMachine(fstest.MapFS{}); got != (server.Machine{}) {
		t.Errorf("ReadMachine of nothing: %+v, want nothing", got)
	}
}

// Where the machine is known it is told about, beside the image.
func TestMachineFacts(t *testing.T) {
	n := start(t, func(o *server.Options) {
		o.Machine = server.Machine{BootID: "b", MachineID: "m", Kernel: "k", RootHash: "r", Slot: "A"}
	})
	want := map[string]any{
		"variant_id": "test-dev", "arch": "x86_64", "version_id": "1.2.3", "pretty_name": "Bulkhead 1.2.3 (test-dev)", "build_id": "abcdef",
		"boot_id": "b", "machine_id": "m", "kernel": "k", "root_hash": "r", "slot": "A",
	}
	for _, path := range []string{"/os", "/os?prefix=os", "/", "/?prefix=os."} {
		body := n.do(get(path)).body
		var got map[string]any
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatal(err)
		}
		if section, ok := got["os"].(map[string]any); ok {
			got = section
		}
		if up, ok := got["uptime"].(float64); !ok || up <= 0 {
			t.Errorf("GET %s: uptime %v, want some seconds", path, got["uptime"])
		}
		delete(got, "uptime")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("GET %s (-want +got):\n%s", path, diff)
		}
	}
	if got := n.do(get("/os?prefix=boot")).body; got != `{"boot_id":"b"}` {
		t.Errorf("GET /os?prefix=boot: %s, want one fact", got)
	}
}
