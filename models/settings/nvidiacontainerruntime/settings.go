// Package nvidiacontainerruntime holds the settings of the program that gives
// containers their NVIDIA GPUs.
//
// They say which ways of asking for a GPU count. A change takes effect for
// containers started after it.
package nvidiacontainerruntime

// Settings configure how containers may ask for GPUs.
type Settings struct {
	// Whether a container gets the GPUs that are mounted into it as volumes by
	// the device plugin. This way needs the right to mount, so users cannot give
	// GPUs to themselves.
	VisibleDevicesAsVolumeMounts *bool `setting:"visible-devices-as-volume-mounts"`

	// Whether a container without privileges gets the GPUs it names in its
	// environment variable NVIDIA_VISIBLE_DEVICES. Any pod can then use any GPU,
	// whether or not Kubernetes has given it one.
	VisibleDevicesEnvvarWhenUnprivileged *bool `setting:"visible-devices-envvar-when-unprivileged"`
}
