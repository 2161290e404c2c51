package updatebench

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/tools/debtree"
)

func TestChoose(t *testing.T) {
	of := func(pairs ...string) (r debtree.Record) {
		for i := 0; i < len(pairs); i += 2 {
			r = append(r, debtree.Package{Name: pairs[i], Source: pairs[i+1] + " 1"})
		}
		return r
	}
	now := of("libssl3", "openssl", "openssl", "openssl", "zlib1g", "zlib", "libpcre2-8-0", "pcre2", "libxml2", "libxml2", "libsystemd0", "systemd", "systemd", "systemd")
	tests := []struct {
		name   string
		older  debtree.Record
		want   []string
		number int // of packages
	}{
		{"nothing is older", nil, nil, 0},
		{"all", now, []string{"openssl", "pcre2", "zlib"}, 4},
		{"others in their place", of("libxml2", "libxml2", "libsystemd0", "systemd", "zlib1g", "zlib", "libssl3", "openssl"), []string{"openssl", "zlib", "libxml2"}, 3},
		{"programs with a library are none", of("libsystemd0", "systemd", "systemd", "systemd"), nil, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			chosen, names := choose(now, tt.older)
			if diff := cmp.Diff(tt.want, names); diff != "" || len(chosen) != tt.number {
				t.Errorf("choose: %d packages, want %d, names (-want +got):\n%s", len(chosen), tt.number, diff)
			}
		})
	}
}
