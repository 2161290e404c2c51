// Package resources holds the settings that say how much of a node a container
// may take.
package resources

// Limits are how much of a node a container may take. What is not set is not
// limited.
type Limits struct {
	// The most memory that the processes of the container have together, such as
	// "512MiB", at least 32MiB. When they need more, one is killed, and the container
	// is started anew.
	Memory *Memory `setting:"memory"`

	// The processor time of the container, as a number of processors: 0.5 is half of
	// the time of one. The rest of the time the container waits.
	CPUs *CPUs `setting:"cpus"`

	// The most processes and threads that the container has at a time, at least 32.
	PIDs *PIDs `setting:"pids"`
}
