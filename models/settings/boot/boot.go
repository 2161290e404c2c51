// Package boot holds the settings that a host needs before it reads any others:
// parameters for the kernel and for init, passed on by the boot loader. Where
// another version of the system could take over, the one that is started with
// other parameters has to become healthy with them.
package boot

import "github.com/bulkhead-os/bulkhead/models/scalar"

// Settings is the group boot.
type Settings struct {
	// Sets of parameters that came with the image, by name: "confidentiality" (of
	// lockdown), "debug", "iommu", "nosmt" and "serial-1" (a console at the second
	// port). They were signed when the image was made, so that they are the only
	// ones that take effect under Secure Boot. They take effect at the next boot.
	Addons []scalar.Identifier `setting:"addons"`

	// Parameters for the kernel, by name; each has a list of values, as in
	// "console" = ["tty0", "ttyS0,115200"]. An empty list stands for a parameter
	// without value. They take effect at the next boot, and under Secure Boot not
	// at all.
	Kernel map[ParameterName][]ParameterValue `setting:"kernel" alias:"kernel-parameters"`

	// Parameters for init and the programs it starts, by name, as in
	// "systemd.log_level" = ["debug"]. They take effect at the next boot, and under
	// Secure Boot not at all.
	Init map[ParameterName][]ParameterValue `setting:"init" alias:"init-parameters"`

	// Whether the host reboots once more, late in the boot, when the parameters it
	// was booted with are not those that the settings ask for. This is for
	// parameters in user data, which would otherwise wait for the next boot. Unset
	// means false.
	RebootToReconcile *bool `setting:"reboot-to-reconcile"`
}
