// Package bootprobe makes a virtual machine run the program probe.
//
// The system in the machine stays as it is, down to the last byte: the kernel
// starts the probe from its RAM disk in place of the first program, and the probe
// leaves a copy of itself behind and becomes that program.
package bootprobe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/bulkhead-os/bulkhead/tools/cpio"
	"github.com/bulkhead-os/bulkhead/tools/vm"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// name is that of the program in the RAM disk.
const name = "probe"

// Build returns an archive with the program, to be unpacked by a kernel.
func Build(ctx context.Context, root workspace.Root) (archive []byte, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("build the probe: %w", err)
		}
	}()
	dir, err := os.MkdirTemp("", "probe-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	program := filepath.Join(dir, name)
	build := root.Go("build", "-trimpath", "-ldflags=-s -w", "-o", program, "./tools/cmd/probe")
	build.Env = append(build.Env, "CGO_ENABLED=0")
	if err := build.Run(ctx); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := cpio.NewWriter(&b)
	if err := errors.Join(w.File(name, data, 0o755), w.Close()); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Add makes a machine that is started with k run the program of the archive.
// Its RAM disk is kept in the directory at dir.
func Add(k vm.Kernel, archive []byte, dir string) (vm.Kernel, error) {
	data, err := os.ReadFile(k.Initrd)
	if err != nil {
		return k, err
	}
	// The kernel unpacks one archive after the other, and takes zeros for nothing.
	data = append(append(data, make([]byte, -len(data)&3)...), archive...)
	k.Initrd = filepath.Join(dir, "initrd-with-probe")
	k.Cmdline += " rdinit=/" + name
	return k, os.WriteFile(k.Initrd, data, 0o644)
}
