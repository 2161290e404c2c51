// Package containerruntime holds the settings of the containerd that runs the
// pods of a node.
//
// What is unset is left to containerd. A change writes its configuration anew
// and restarts it; containers go on running meanwhile.
package containerruntime

import (
	"fmt"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// Settings configure containerd.
type Settings struct {
	// The longest line, in bytes, that a container's log keeps in one piece.
	// Longer ones are split; -1 splits none.
	MaxContainerLogLineSize *int32 `setting:"max-container-log-line-size"`

	// How many layers of one image are downloaded at the same time at most.
	MaxConcurrentDownloads *int32 `setting:"max-concurrent-downloads"`

	// Whether containers may listen on ports below 1024 without a capability for
	// it.
	EnableUnprivilegedPorts *bool `setting:"enable-unprivileged-ports"`

	// Whether containers may send ICMP echo requests (ping) without a capability
	// for it.
	EnableUnprivilegedICMP *bool `setting:"enable-unprivileged-icmp"`

	// How the layers of images become file systems: overlayfs, what holds if
	// unset, or soci, which is configured in
	// container-runtime-plugins.soci-snapshotter. It takes effect at the next
	// boot, and a change removes all images from the node.
	Snapshotter *Snapshotter `setting:"snapshotter"`

	// The size of the pieces in which a layer is downloaded in parallel, in bytes
	// or with a unit (64MB, 10MiB). Below 512 bytes layers come in one piece.
	ConcurrentDownloadChunkSize *scalar.ByteSize `setting:"concurrent-download-chunk-size" alias:"concurrent-layer-fetch-buffer"`

	// How many layers of one image are unpacked at the same time at most.
	MaxConcurrentUnpacks *int32 `setting:"max-concurrent-unpacks"`
}

// A Snapshotter makes file systems of the layers of images.
type Snapshotter string

// The snapshotters.
const (
	Overlayfs Snapshotter = "overlayfs"
	SOCI      Snapshotter = "soci"
)

// Rule lists the snapshotters.
func (Snapshotter) Rule() scalar.Rule {
	return scalar.Enum("snapshotter", string(Overlayfs), string(SOCI))
}

// leastChunk is the size below which containerd does not split downloads.
const leastChunk = 512

// Check warns of a chunk size that switches off what it is meant to tune.
func (s *Settings) Check(p report.Place) {
	const member = "concurrent-download-chunk-size"
	if c := s.ConcurrentDownloadChunkSize; c != nil && 0 < c.Int64() && c.Int64() < leastChunk {
		p.Warn(member, c, fmt.Sprintf("%s is %s bytes, too small for layers to be downloaded in parallel", member, c),
			"want 512 or more, or 0 to switch it off")
	}
}
