package validators_test

import (
	"github.com/bulkhead-os/bulkhead/tools/validators"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
	"os"
	"testing"
)

func TestPrepTmp(t *testing.T) {
	r, _ := workspace.Find(".")
	if err := validators.Prepare(t.Context(), r, os.Stdout); err != nil {
		t.Fatal(err)
	}
}
