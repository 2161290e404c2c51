package provision

import (
	"fmt"
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/api/client"
)

// A node that has no settings waits for them on the network, if its image wants
// that, and no other one does.
func TestAwaitSettings(t *testing.T) {
	tests := []struct {
		name, variant, data string
		want                bool
	}{
		{"no user data", "metal-dev", "", true},
		{"nothing valid in it", "metal-dev", "[settings]\nmotd = 5\n", true},
		{"user data", "metal-dev", greeting, false},
		{"an image that does not want it", "qemu-dev", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := startAs(t, tt.variant)
			if tt.data != "" {
				n.give(tt.data)
			}
			n.boot()
			m, err := n.api.Maintenance(t.Context())
			if err != nil || m.Waiting != tt.want || (m.Code != "") != tt.want {
				t.Errorf("Maintenance: %+v, %v, want %t and a code if so", m, err, tt.want)
			}
			if got := strings.Contains(fmt.Sprint(n.faults()), "waits for its first ones"); got != tt.want {
				t.Errorf("faults %q: waiting %t, want %t", n.faults(), got, tt.want)
			}
		})
	}
}

// Once somebody has given the node its first settings, it takes no user data any
// more.
func TestFirstCallerIsUserData(t *testing.T) {
	n := startAs(t, "metal-dev")
	n.boot()
	if _, err := n.api.PatchPairs(t.Context(), "", []string{"motd=first"}); err != nil {
		t.Fatal(err)
	}
	if _, err := n.api.Commit(t.Context(), client.CommitRequest{Message: "user data of somebody at 192.0.2.1, who had the code on the console"}); err != nil {
		t.Fatal(err)
	}
	n.give(greeting)
	n.boot()
	if got := n.user(); got != `{"motd":"first"}` {
		t.Errorf("settings: %s, want those of the first caller", got)
	}
}
