package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"shipyard": func() { os.Exit(Run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) },
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:  "testdata",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"image": writeImage, "smaller": smaller},
	})
}

// writeImage is the command image DIR VERSION SEED: it makes what a build leaves,
// small. Images of one seed differ as those of two releases do, in a few words.
func writeImage(ts *testscript.TestScript, _ bool, args []string) {
	dir, version, seed := ts.MkAbs(args[0]), args[1], args[2]
	ts.Check(os.MkdirAll(dir, 0o755))
	body := func(name string, blocks int) string {
		out := ""
		for i := range blocks {
			out += fmt.Sprintf("%-4096s", fmt.Sprintf("%s %s %d", seed, name, i))
		}
		return out + version
	}
	hash := fmt.Sprintf("%x", version)
	for name, text := range map[string]string{
		"manifest.json": fmt.Sprintf(`{"variant": "qemu-dev", "version": %q, "root-hash": %q}`, version, hash),
		"root.erofs":    body("root", 200), "root.verity": body("tree", 5), "uki.efi": body("kernel", 40) + hash,
	} {
		ts.Check(os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
}

// smaller is the command smaller FILE OTHER: the first has at most a tenth of the
// bytes of the other.
func smaller(ts *testscript.TestScript, _ bool, args []string) {
	var size [2]int64
	for i := range size {
		info, err := os.Stat(ts.MkAbs(args[i]))
		ts.Check(err)
		size[i] = info.Size()
	}
	if 10*size[0] > size[1] {
		ts.Fatalf("%s has %d bytes, and %s %d", args[0], size[0], args[1], size[1])
	}
}
