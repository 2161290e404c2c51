package suite

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/tools/debian"
)

func TestNeeds(t *testing.T) {
	compiler, systemd, networks, runc, tables := debian.RaceDetector.What, debian.Systemd.What, debian.Networks.What, debian.Containers.What, debian.PartitionTables.What
	tests := []struct {
		name string
		opt  Options
		root bool
		want []string
	}{
		{"everything", Options{}, true, []string{compiler, systemd, networks, runc, tables}},
		{"everything, by a user that can boot nothing", Options{}, false, []string{compiler}},
		{"names in all packages", Options{Run: "Boot"}, true, []string{compiler, systemd, networks, runc, tables}},
		{"packages that boot", Options{Packages: []string{"./models/...", "./sources/apply"}}, true, []string{compiler, systemd, networks, runc}},
		{"tools", Options{Packages: []string{"./tools/disk"}}, true, []string{compiler, tables}},
		{"packages that do not", Options{Packages: []string{"./models/..."}}, true, []string{compiler}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, n := range tt.opt.needs(tt.root) {
				got = append(got, n.What)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%+v.needs(%t) (-want +got):\n%s", tt.opt, tt.root, diff)
			}
		})
	}
}
