// Package autoscaling holds the settings of hosts that belong to an EC2 Auto
// Scaling group.
package autoscaling

// Settings is the group autoscaling.
type Settings struct {
	// Whether the host waits to join its cluster until Auto Scaling has put it
	// into service. Instances of a warm pool need this: they are started, stopped
	// and kept ready, and must not appear in the cluster before their time. It is
	// read on boot; an instance waits at most once in its life.
	ShouldWait *bool `setting:"should-wait"`
}
