package image

import (
	"context"

	"github.com/bulkhead-os/bulkhead/tools/debtree"
	"github.com/bulkhead-os/bulkhead/tools/run"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// suite is the one that images and the tools to make them come from. A tool
// must be as new as what it makes.
const suite = "trixie"

// tools are the programs that make file systems, from the unpacked packages at
// the path. Nothing is installed on this machine.
type tools string

func toolsTree(root workspace.Root) debtree.Tree {
	return debtree.Tree{
		Dir: root.Path("build", "image", "tools"), Suite: suite,
		Packages: []string{"dosfstools", "e2fsprogs", "erofs-utils", "kmod", "mtools", "qemu-utils", "systemd", "systemd-boot-efi", "xz-utils", "zstd"},
	}
}

// epoch is the time that files in images have: they differ by their contents.
const epoch = "SOURCE_DATE_EPOCH=1"

func (t tools) command(name string, args ...string) (run.Command, error) {
	cmd, err := debtree.Program(string(t), name, args...)
	cmd.Env = append(cmd.Env, epoch, "TZ=UTC")
	return cmd, err
}

func (t tools) run(ctx context.Context, name string, args ...string) error {
	cmd, err := t.command(name, args...)
	if err != nil {
		return err
	}
	return cmd.Run(ctx)
}
