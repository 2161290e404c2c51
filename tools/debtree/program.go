package debtree

import (
	"fmt"
	"path"
	"path/filepath"

	"github.com/bulkhead-os/bulkhead/tools/run"
)

// Program returns a command of the tree at dir that runs with this machine's
// files: the tree's own loader starts it with the tree's libraries, which takes
// no privileges. Name is a path in the tree.
func Program(dir, name string, args ...string) (run.Command, error) {
	loader, err := filepath.Glob(filepath.Join(dir, "usr/lib*/ld-linux*.so.*"))
	if err != nil || len(loader) == 0 {
		return run.Command{}, fmt.Errorf("%s has no loader", dir)
	}
	libraries, err := filepath.Glob(filepath.Join(dir, "usr/lib/*-linux-gnu"))
	if err != nil || len(libraries) == 0 {
		return run.Command{}, fmt.Errorf("%s has no libraries", dir)
	}
	search := libraries[0] + ":" + filepath.Join(libraries[0], "systemd")
	// Some programs are links to one file, which looks at its name.
	words := []string{loader[0], "--library-path", search, "--argv0", path.Base(name), filepath.Join(dir, name)}
	return run.Command{Args: append(words, args...), Env: []string{"LC_ALL=C"}}, nil
}
