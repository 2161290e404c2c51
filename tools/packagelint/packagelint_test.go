package packagelint_test

import (
	"os"
	"testing"

	"github.com/bulkhead-os/bulkhead/tools/packagelint"
)

const root = "../.."

func load(t *testing.T) []packagelint.Composition {
	t.Helper()
	out, err := packagelint.Load(os.DirFS(root+"/variants"), os.DirFS(root+"/packages"))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestPackages(t *testing.T) {
	problems, err := packagelint.Check(load(t), os.DirFS(root+"/packages"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Error(p)
	}
}
