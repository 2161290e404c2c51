package cluster_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/tools/cluster"
)

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestNew(t *testing.T) {
	const want = ": want at most 32 small letters, digits and hyphens, the first a letter and the last no hyphen"
	tests := []struct{ name, cluster, want string }{
		{"usual", "dev", ""},
		{"with digits and hyphen", "lab-2", ""},
		{"empty", "", `cluster ""` + want},
		{"way out", "../x", `cluster "../x"` + want},
		{"capital", "Dev", `cluster "Dev"` + want},
		{"hyphen at the end", "dev-", `cluster "dev-"` + want},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := cluster.New(t.TempDir(), tt.cluster)
			if diff := cmp.Diff(tt.want, text(err)); diff != "" {
				t.Errorf("New(%q): error (-want +got):\n%s", tt.cluster, diff)
			}
		})
	}
}

func TestNumber(t *testing.T) {
	c, err := cluster.New(t.TempDir(), "dev")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, machine string
		want          int
		err           string
	}{
		{"first", "dev-1", 1, ""},
		{"last", "dev-64", 64, ""},
		{"one too many", "dev-65", 0, `machine "dev-65": want dev-1 to dev-64`},
		{"none", "dev-0", 0, `machine "dev-0": want dev-1 to dev-64`},
		{"another form", "dev-01", 0, `machine "dev-01": want dev-1 to dev-64`},
		{"of another cluster", "lab-1", 0, `machine "lab-1": want dev-1 to dev-64`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := c.Number(tt.machine)
			if got != tt.want || text(err) != tt.err {
				t.Errorf("Number(%q) = %d, %v, want %d, %s", tt.machine, got, err, tt.want, tt.err)
			}
		})
	}
}
