// Package localfile finds user data in files that somebody has put onto the
// node's disk, as is done with computers that have no host to ask.
package localfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/bulkhead-os/bulkhead/sources/platform"
	"github.com/bulkhead-os/bulkhead/sources/platform/medium"
)

// A Source is a directory with user-data.toml, user-data.json or user-data, and
// net.toml.
type Source struct{ Dir string }

// Name says what the place is, for people.
func (s Source) Name() string { return "the files in " + s.Dir }

// Read returns what is there.
func (s Source) Read(context.Context) (platform.Data, error) {
	root, err := os.OpenRoot(s.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return platform.Data{}, nil
	}
	if err != nil {
		return platform.Data{}, err
	}
	defer root.Close()
	d, err := medium.Files(root.FS(), ".")
	if err != nil {
		return platform.Data{}, fmt.Errorf("in %s: %w", s.Dir, err)
	}
	return d, nil
}
