package vm

import (
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/tools/debtree"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// Translation works everywhere. What does not is told by the probe, and not
// taken.
func TestProbe(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the programs that run machines are x86_64")
	}
	root, err := workspace.Find(".")
	if err != nil {
		t.Fatal(err)
	}
	e, err := Prepare(t.Context(), root, io.Discard)
	if errors.Is(err, debtree.ErrNoTools) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := (Emulator{dir: e.dir, accel: TCG}).probe(t.Context()); err != nil {
		t.Errorf("probe of translation: %v", err)
	}
	err = (Emulator{dir: e.dir, accel: "abacus"}).probe(t.Context())
	if err == nil || !strings.Contains(err.Error(), "invalid accelerator abacus") {
		t.Errorf("probe of an accelerator that is none: %v, want QEMU's words about it", err)
	}
	if found, ok := Find(t.Context(), root); !ok || found != e {
		t.Errorf("Find = %v, %t, want what was prepared, %v", found, ok, e)
	}
}
