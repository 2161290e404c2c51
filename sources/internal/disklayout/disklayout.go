// Package disklayout names the parts of a node's disk that are not the image's.
package disklayout

import "github.com/bulkhead-os/bulkhead/sources/internal/gpt"

// Names of partitions, by which they are found.
const (
	Private = "PRIVATE" // settings and the state of boots; comes with the image
	Data    = "DATA"    // what runs on the node keeps; made at the first boot
	// NewData is the name of DATA until it has a file system. Whatever has this
	// name is given a new one: nobody has used it yet.
	NewData = "DATA-NEW"
)

// Where the partitions are mounted.
const (
	DataDir    = "/var"
	PrivateDir = "/var/lib/bulkhead"
	// A directory of DATA is seen in a second place.
	OptDir    = "/opt"
	OptSource = "/var/opt"
)

// LinuxData returns the type of both partitions: that of any file system of
// Linux.
func LinuxData() gpt.GUID {
	return gpt.FromBytes([16]byte{0x0f, 0xc6, 0x3d, 0xaf, 0x84, 0x83, 0x47, 0x72, 0x8e, 0x79, 0x3d, 0x69, 0xd8, 0x47, 0x7d, 0xe4})
}
