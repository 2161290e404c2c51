package validators

import (
	"context"
	"fmt"
	"strings"
)

// Exposed returns an error when systemd finds that the service called unit could
// do more to the machine than limit lets it: from 0, which is nothing, to 100.
func (m *Machine) Exposed(ctx context.Context, unit string, limit int) error {
	cmd := m.cage.Command("/usr/bin/systemd-analyze", "security", "--offline=yes", "--no-pager", fmt.Sprintf("--threshold=%d", limit), unit)
	report, err := cmd.Output(ctx)
	if err == nil {
		return nil
	}
	verdict := strings.TrimSpace(string(report))
	return fmt.Errorf("%w: %s", err, verdict[strings.LastIndexByte(verdict, '\n')+1:])
}
