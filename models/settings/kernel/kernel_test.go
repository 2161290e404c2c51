package kernel_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/internal/valuetest"
	"github.com/bulkhead-os/bulkhead/models/settings/kernel"
)

func TestCheck(t *testing.T) {
	module := func(s string) kernel.ModuleName { return *valuetest.Parse[kernel.ModuleName](t, s) }
	sysctl := func(s string) kernel.SysctlKey { return *valuetest.Parse[kernel.SysctlKey](t, s) }
	value := func(s string) kernel.SysctlValue { return *valuetest.Parse[kernel.SysctlValue](t, s) }
	size := func(s string) kernel.HugepageSize { return *valuetest.Parse[kernel.HugepageSize](t, s) }
	pages := func(s string) kernel.StaticPages {
		return kernel.StaticPages{Count: valuetest.Parse[kernel.HugepageAllocation](t, s)}
	}
	static := func(sizes map[kernel.HugepageSize]kernel.StaticPages) *kernel.Hugepages {
		return &kernel.Hugepages{Static: &kernel.StaticHugepages{Essential: new(true), Sizes: sizes}}
	}
	tests := []struct {
		name string
		in   kernel.Settings
		want []string
	}{
		{name: "nothing"},
		{name: "in order", in: kernel.Settings{
			Modules:   map[kernel.ModuleName]kernel.Module{module("udf"): {Allowed: new(false)}, module("zfs"): {Allowed: new(true), Autoload: new(true)}},
			Sysctl:    map[kernel.SysctlKey]kernel.SysctlValue{sysctl("net.ipv4.ip_forward"): value("1"), sysctl("net/ipv4/ip_forward"): value("1")},
			Hugepages: static(map[kernel.HugepageSize]kernel.StaticPages{size("2Mi"): pages("0:1,1:1"), size("1Gi"): pages("1")}),
		}},
		{name: "stricter lockdown", in: kernel.Settings{Lockdown: new(kernel.Lockdown("confidentiality"))}},
		{
			name: "lockdown that has no effect", in: kernel.Settings{Lockdown: new(kernel.Lockdown("none"))},
			want: []string{"warning: settings.kernel.lockdown: images are started with lockdown integrity, which the kernel never lowers, so that none has no effect (unset it, or set integrity or confidentiality)"},
		},
		{
			name: "autoload of a module that is not allowed",
			in:   kernel.Settings{Modules: map[kernel.ModuleName]kernel.Module{module("udf"): {Autoload: new(true)}}},
			want: []string{"warning: settings.kernel.modules.udf.autoload: autoload is true and allowed is not, so the module is not loaded (set allowed to true as well, or autoload to false)"},
		},
		{
			name: "two spellings of a module",
			in:   kernel.Settings{Modules: map[kernel.ModuleName]kernel.Module{module("nf-nat"): {}, module("nf_nat"): {}}},
			want: []string{"warning: settings.kernel.modules.nf_nat: the module is listed as nf-nat too: hyphen and underscore mean the same (keep one of the two entries)"},
		},
		{
			name: "two spellings of a parameter",
			in:   kernel.Settings{Sysctl: map[kernel.SysctlKey]kernel.SysctlValue{sysctl("vm.swappiness"): value("1"), sysctl("vm/swappiness"): value("2")}},
			want: []string{"settings.kernel.sysctl.vm/swappiness: is 2, and vm.swappiness, which names the same parameter, is 1 (keep one of the two entries)"},
		},
		{
			name: "essential without pages", in: kernel.Settings{Hugepages: static(nil)},
			want: []string{`warning: settings.kernel.hugepages.static.essential: essential is true and no pages are set aside, so it has no effect (add a size, as in "2Mi" = { count = "512" })`},
		},
		{
			name: "one size twice, one node twice, and the parameter besides",
			in: kernel.Settings{
				Sysctl:    map[kernel.SysctlKey]kernel.SysctlValue{sysctl("vm.nr_hugepages"): value("10")},
				Hugepages: static(map[kernel.HugepageSize]kernel.StaticPages{size("1024Ki"): pages("0:1,0:2"), size("1Mi"): pages("5")}),
			},
			want: []string{
				"settings.kernel.hugepages.static.1024Ki.count: count is 0:1,0:2, which gives node 0 both 1 and 2 pages (name each node once)",
				"settings.kernel.hugepages.static.1Mi: is the same size as 1024Ki, which has a count of its own (keep one of the two entries)",
				"warning: settings.kernel.hugepages.static.1024Ki: kernel.sysctl sets vm.nr_hugepages to 10 as well, and the one applied last wins (set the number of pages in one place)",
			},
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, valuetest.Faults(tt.in.Check, "kernel")); diff != "" {
				t.Errorf("faults of kernel (-want +got):\n%s", diff)
			}
		})
	}
}
