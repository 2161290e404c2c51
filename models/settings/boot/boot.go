// Package boot holds the settings that a host needs before it reads any others:
// parameters for the kernel and for init, passed on by the boot loader.
package boot

// Settings is the group boot.
type Settings struct {
	// Parameters for the kernel, by name; each has a list of values, as in
	// "console" = ["tty0", "ttyS0,115200"]. An empty list stands for a parameter
	// without value. They take effect at the next boot.
	Kernel map[ParameterName][]ParameterValue `setting:"kernel" alias:"kernel-parameters"`

	// Parameters for init and the programs it starts, by name, as in
	// "systemd.log_level" = ["debug"]. They take effect at the next boot.
	Init map[ParameterName][]ParameterValue `setting:"init" alias:"init-parameters"`

	// Whether the host reboots once more, late in the boot, when the parameters it
	// was booted with are not those that the settings ask for. This is for
	// parameters in user data, which would otherwise wait for the next boot. Unset
	// means false.
	RebootToReconcile *bool `setting:"reboot-to-reconcile"`
}
