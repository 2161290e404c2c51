package initrd

import (
	"errors"
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/sources/internal/sysblock"
	"github.com/bulkhead-os/bulkhead/sources/internal/verity"
)

func TestVerityDevice(t *testing.T) {
	root, err := verity.ParseRootHash(hash)
	if err != nil {
		t.Fatal(err)
	}
	sb := verity.Superblock{UUID: [16]byte{0xaa}, DataBlock: 4096, HashBlock: 4096, DataBlocks: 300}
	d := verityDevice(sb, rootParts{data: sysblock.Part{Device: "254:2"}, tree: sysblock.Part{Device: "254:3"}}, root)
	if d.Name != "root" || d.UUID != "CRYPT-VERITY-aa"+strings.Repeat("0", 30)+"-root" || d.Sectors != 2400 {
		t.Errorf("verityDevice: name %q, UUID %q, %d sectors; want root, CRYPT-VERITY-aa00…-root, 2400", d.Name, d.UUID, d.Sectors)
	}
	if want := "1 254:2 254:3 4096 4096 300 1 sha256 " + hash + " - 1 restart_on_corruption"; d.Target != "verity" || d.Params != want {
		t.Errorf("verityDevice: target %q with %q, want verity with %q", d.Target, d.Params, want)
	}
}

// A message to the kernel log is one line with its level.
func TestKernelLog(t *testing.T) {
	var b closeBuffer
	k := kernelLog{&b}
	k.fault(errAny)
	k.info("c")
	if got, want := b.String(), "<3>initrd: a\n<3>initrd: b\n<6>initrd: c\n"; got != want {
		t.Errorf("kernel log holds %q, want %q", got, want)
	}
}

func TestRunByHand(t *testing.T) {
	if err := Run(nil); err != ErrNotFirst {
		t.Errorf("Run as another process than the first: %v, want %v", err, ErrNotFirst)
	}
}

type closeBuffer struct{ strings.Builder }

func (*closeBuffer) Close() error { return nil }

var errAny = errors.New("a\nb")
