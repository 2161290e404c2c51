// Package containerruntimeplugins holds the settings of the plugins of the
// containerd that runs the pods of a node.
package containerruntimeplugins

import (
	"fmt"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// Settings configure the plugins, each in a table of its own.
type Settings struct {
	// The SOCI snapshotter, which is used where container-runtime.snapshotter is
	// soci.
	SOCISnapshotter *SOCISnapshotter `setting:"soci-snapshotter"`
}

// SOCISnapshotter configures the SOCI snapshotter.
type SOCISnapshotter struct {
	// How images are fetched: parallel-pull-unpack downloads and unpacks several
	// pieces at the same time.
	PullMode *PullMode `setting:"pull-mode"`

	// The limits of the pull mode parallel-pull-unpack.
	ParallelPullUnpack *ParallelPullUnpack `setting:"parallel-pull-unpack"`
}

// A PullMode says how images are fetched.
type PullMode string

// Parallel is the pull mode that fetches and unpacks in parallel.
const Parallel PullMode = "parallel-pull-unpack"

// Rule lists the pull modes.
func (PullMode) Rule() scalar.Rule { return scalar.Enum("pull mode", string(Parallel)) }

// ParallelPullUnpack bounds what is done at the same time. A negative number
// is no bound.
type ParallelPullUnpack struct {
	// How many downloads there are at the same time at most, for all images
	// together. If unset there is no bound.
	MaxConcurrentDownloads *int64 `setting:"max-concurrent-downloads"`

	// How many downloads there are at the same time at most for one image. If
	// unset, 3.
	MaxConcurrentDownloadsPerImage *int64 `setting:"max-concurrent-downloads-per-image"`

	// The size of the pieces in which a layer is downloaded, in bytes or with a
	// unit (16MB, 8MiB), or unlimited for whole layers, what holds if unset.
	ConcurrentDownloadChunkSize *scalar.ByteSizeOrUnlimited `setting:"concurrent-download-chunk-size"`

	// How many layers are unpacked at the same time at most, for all images
	// together. If unset there is no bound.
	MaxConcurrentUnpacks *int64 `setting:"max-concurrent-unpacks"`

	// How many layers of one image are unpacked at the same time at most. If
	// unset, 1.
	MaxConcurrentUnpacksPerImage *int64 `setting:"max-concurrent-unpacks-per-image"`

	// Whether the downloaded form of a layer is removed once it is unpacked. That
	// saves disk space; an image can then not be pushed from this node.
	DiscardUnpackedLayers *bool `setting:"discard-unpacked-layers"`
}

// Check warns of bounds that have no effect.
func (s *Settings) Check(p report.Place) {
	if s.SOCISnapshotter == nil || s.SOCISnapshotter.ParallelPullUnpack == nil {
		return
	}
	p = p.In("soci-snapshotter")
	if s.SOCISnapshotter.PullMode == nil {
		p.Warn("pull-mode", nil, "parallel-pull-unpack is set and pull-mode is not: its limits have no effect",
			"set pull-mode to parallel-pull-unpack")
	}
	l, at := s.SOCISnapshotter.ParallelPullUnpack, p.In("parallel-pull-unpack")
	warnAbove(at, "max-concurrent-downloads", l.MaxConcurrentDownloads, l.MaxConcurrentDownloadsPerImage)
	warnAbove(at, "max-concurrent-unpacks", l.MaxConcurrentUnpacks, l.MaxConcurrentUnpacksPerImage)
}

// warnAbove compares the bound for one image with that for all of them.
func warnAbove(p report.Place, member string, all, one *int64) {
	if all == nil || one == nil || *all < 0 || *one <= *all {
		return
	}
	perImage := member + "-per-image"
	p.Warn(perImage, *one, fmt.Sprintf("%s is %d, more than %s, which is %d for all images together", perImage, *one, member, *all),
		fmt.Sprintf("want at most %d", *all))
}
