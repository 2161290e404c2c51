package bench

import (
	"os"
	"testing"

	"github.com/bulkhead-os/bulkhead/models/variant"
	"github.com/bulkhead-os/bulkhead/tools/daemon"
	"github.com/bulkhead-os/bulkhead/tools/sandbox"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// What the sandbox and the bench begin with is valid, without a warning, and
// stays so when it is made larger.
func TestUserDataIsValid(t *testing.T) {
	root, err := workspace.Find(".")
	if err != nil {
		t.Fatal(err)
	}
	v, err := variant.Load(os.DirFS(root.Path("variants")), daemon.Variant)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(root.Path(sandbox.UserData))
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range validate(v, data).Faults {
		t.Errorf("validate(%s): %+v, want no fault and no warning", sandbox.UserData, fault)
	}
	large := enlarge(data, 1_000_000)
	if err := validate(v, large).Err(); err != nil {
		t.Errorf("validate of %d bytes: %v", len(large), err)
	}
}
