package storage

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/sources/internal/usage"
)

func TestCommandMisuse(t *testing.T) {
	cmd := Command()
	cmd.SetArgs([]string{"now"})
	cmd.SetOut(io.Discard)
	err := cmd.ExecuteContext(t.Context())
	if !usage.Is(err) || err.Error() != `argument "now" is not expected` {
		t.Errorf("storage now: %v, want a misuse", err)
	}
}

// A node whose disk cannot be found comes up in memory, and says so.
func TestNoDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting takes root's rights")
	}
	n := newNode(t, 19)
	v := n.bootDisk("nonexistent")
	if v.Var != "memory" || v.Private != "memory" || v.Err != "" {
		t.Errorf("boot without a disk: %+v, want memory at /var and /var/lib/bulkhead", v)
	}
	if got := n.report().codes(); got != "data-lost private-lost" {
		t.Errorf("faults %s, want data-lost private-lost", got)
	}
	if got := n.report().Faults[0].Detail; got != "open /dev/nonexistent: no such file or directory" {
		t.Errorf("fault %q", got)
	}
}

// Where there is not even a directory for the state of the node, it does not go
// on.
func TestNoDirectory(t *testing.T) {
	root := filepath.Join(t.TempDir(), "absent")
	err := setUp(t.Context(), options{disk: "nonexistent", root: root, step: func(string) {}}, slog.New(slog.DiscardHandler))
	if !errors.Is(err, unix.ENOENT) {
		t.Errorf("setUp below %s: %v, want %v", root, err, unix.ENOENT)
	}
}

func TestStepStrings(t *testing.T) {
	got := []string{
		TellKernel{Number: 3, New: true}.String(), TellKernel{Number: 3, Extent: Extent{Size: 5 * mebibyte}}.String(),
		CheckSystem{Number: 2}.String(), GrowSystem{Dir: "/var", Blocks: 7}.String(),
	}
	want := []string{
		"tell the kernel of partition 3", "tell the kernel that partition 3 has 5 MiB",
		"check the file system of partition 2", "grow the file system at /var to 7 blocks",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}
