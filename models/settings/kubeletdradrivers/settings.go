// Package kubeletdradrivers holds the settings of the drivers that give pods
// devices through dynamic resource allocation.
package kubeletdradrivers

// Settings configure the drivers, each in a table of its own.
type Settings struct {
	// The driver for NVIDIA GPUs.
	NVIDIA *Driver `setting:"nvidia"`
}

// A Driver is one driver of dynamic resource allocation.
type Driver struct {
	// Whether the driver runs. If unset it does not.
	Enabled *bool `setting:"enabled"`
}
