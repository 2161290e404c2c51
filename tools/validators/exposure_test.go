package validators_test

import (
	"strings"
	"testing"
)

// The programs around the settings can do little beside their work.
func TestExposed(t *testing.T) {
	m, _ := machine(t, "metal-dev")
	for unit, limit := range map[string]int{"apiserver.service": 15, "apply.service": 30, "boot-status.service": 20, "console.service": 20, "provision.service": 15, "provision-network.service": 20} {
		if err := m.Exposed(t.Context(), unit, limit); err != nil {
			t.Errorf("Exposed(%q, %d): %v", unit, limit, err)
		}
	}
	if err := m.Exposed(t.Context(), "containerd.service", 50); err == nil || !strings.Contains(err.Error(), "UNSAFE") {
		t.Errorf("Exposed(containerd.service, 50): %v, want UNSAFE", err)
	}
}
