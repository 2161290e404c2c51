// Package kernel holds the settings of the running Linux kernel: lockdown,
// modules, sysctl values and huge pages. What the kernel is given when it
// starts belongs to the group boot.
package kernel

import (
	"maps"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// Settings is the group kernel.
type Settings struct {
	// How far the kernel protects itself from root: "integrity" (nobody changes the
	// running kernel) or "confidentiality" (besides, nobody reads its memory).
	// Raising it takes effect at once. The kernel never lowers it while it runs, so
	// a lower value takes effect at the next boot. Images are started with
	// integrity, on a command line that is part of what is signed: "none", which
	// is accepted too, has no effect.
	Lockdown *Lockdown `setting:"lockdown"`

	// Which kernel modules may be loaded and which are loaded on boot, by name of
	// the module. A module that is not listed may be loaded.
	Modules map[ModuleName]Module `setting:"modules"`

	// Values of kernel parameters below /proc/sys, by name, as in
	// "net.ipv4.ip_forward" = "1". Numbers are written in quotes. They are applied
	// at once and on each boot; one that the kernel refuses is logged and does not
	// hold up the others. Removing an entry leaves the running kernel's value as
	// it is until the next boot.
	Sysctl map[SysctlKey]SysctlValue `setting:"sysctl"`

	// Memory set aside for, or gathered into, pages larger than the usual ones.
	Hugepages *Hugepages `setting:"hugepages"`
}

// Lockdown is a mode of the kernel's lockdown.
type Lockdown string

// Rule describes the type.
func (Lockdown) Rule() scalar.Rule {
	return scalar.Enum("lockdown mode", "none", "integrity", "confidentiality")
}

// A Module says what may be done with a kernel module.
type Module struct {
	// Whether the module may be loaded. False, and unset for a listed module,
	// keeps it from being loaded from now on; a module that is loaded already
	// stays until the next boot.
	Allowed *bool `setting:"allowed"`

	// Whether the module is loaded on boot, and at once when this is set on a
	// running host. It has an effect only where allowed is true.
	Autoload *bool `setting:"autoload"`
}

// Check reports settings that undo one another or have no effect.
func (s *Settings) Check(p report.Place) {
	if s.Lockdown != nil && *s.Lockdown == "none" {
		p.Warn("lockdown", *s.Lockdown, "images are started with lockdown integrity, which the kernel never lowers, so that none has no effect",
			"unset it, or set integrity or confidentiality")
	}
	checkModules(s.Modules, p.In("modules"))
	checkSysctl(s.Sysctl, p.In("sysctl"))
	if s.Hugepages != nil {
		s.Hugepages.check(p.In("hugepages"), s.Sysctl)
	}
}

func checkModules(modules map[ModuleName]Module, p report.Place) {
	seen := map[string]ModuleName{}
	for _, name := range slices.SortedFunc(maps.Keys(modules), ModuleName.Compare) {
		m := modules[name]
		allowed := m.Allowed != nil && *m.Allowed
		if m.Autoload != nil && *m.Autoload && !allowed {
			p.In(name.String()).Warn("autoload", true,
				"autoload is true and allowed is not, so the module is not loaded",
				"set allowed to true as well, or autoload to false")
		}
		// To the kernel, hyphen and underscore are the same in names of modules.
		kernelName := strings.ReplaceAll(name.String(), "-", "_")
		if other, dup := seen[kernelName]; dup {
			p.Warn(name.String(), nil,
				"the module is listed as "+other.String()+" too: hyphen and underscore mean the same",
				"keep one of the two entries")
		}
		seen[kernelName] = name
	}
}

func checkSysctl(sysctl map[SysctlKey]SysctlValue, p report.Place) {
	seen := make(map[string]SysctlKey, len(sysctl))
	for _, name := range slices.SortedFunc(maps.Keys(sysctl), SysctlKey.Compare) {
		path := name.Path()
		if other, dup := seen[path]; dup && sysctl[other] != sysctl[name] {
			p.Conflict(name.String(), sysctl[name],
				"is "+sysctl[name].String()+", and "+other.String()+", which names the same parameter, is "+sysctl[other].String(),
				"keep one of the two entries")
		}
		seen[path] = name
	}
}
