package image

import (
	"context"
	"errors"
	"fmt"
)

// A Manifest lists what is in an image.
type Manifest struct {
	Variant  string    `json:"variant"`
	Version  string    `json:"version"`
	Kernel   string    `json:"kernel"`
	RootHash string    `json:"root-hash"`
	Cmdline  string    `json:"cmdline"`
	Files    []File    `json:"files"`
	Absent   []Absence `json:"absent,omitempty"`
}

func (b *builder) writeManifest(context.Context) (string, error) {
	m := Manifest{
		Variant: b.opt.Variant, Version: b.opt.Version, Kernel: b.kernel, RootHash: b.hash.String(), Cmdline: b.cmdline,
		Files: b.files, Absent: b.absent,
	}
	return fmt.Sprintf("%d files", len(b.files)), errors.Join(writeJSON(b.out(ManifestFile), m), b.writeLock(), b.writeSBOM())
}
