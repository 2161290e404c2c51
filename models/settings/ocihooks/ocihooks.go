// Package ocihooks holds the settings of the hooks that run while a container
// is started.
package ocihooks

// Settings is the group oci-hooks.
type Settings struct {
	// Formerly turned on a hook that patched Log4j in running Java programs. The
	// hook is gone; the setting is accepted and does nothing.
	Log4jHotpatchEnabled *bool `setting:"log4j-hotpatch-enabled" deprecated:"the hot patch was removed, and the setting has no effect: remove it"`
}
