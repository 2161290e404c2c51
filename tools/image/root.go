package image

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// updateRoot is where nodes have what they trust updates by.
const updateRoot = shareDir + "/updates/root.json"

// UpdateRootFile is the name of the root of trust among keys.
const UpdateRootFile = "update-root.json"

// addUpdateRoot adds the root of trust for updates. A node without one finds no
// updates, which is right for images that nobody publishes.
func (b *builder) addUpdateRoot() error {
	file := b.opt.Root
	if file == "" {
		file = filepath.Join(b.opt.Keys, UpdateRootFile)
	}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) && b.opt.Root == "" {
		return nil
	}
	if err != nil {
		return fmt.Errorf("root of trust for updates: %w", err)
	}
	if err := checkUpdateRoot(data); err != nil {
		return fmt.Errorf("root of trust for updates: %s: %w", file, err)
	}
	b.contents.file(updateRoot, data, 0o644)
	return nil
}

// checkUpdateRoot refuses what nodes could not begin with.
func checkUpdateRoot(data []byte) error {
	root, err := metadata.Root().FromBytes(data)
	if err != nil {
		return err
	}
	return root.VerifyDelegate(metadata.ROOT, root)
}
