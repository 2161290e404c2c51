package containerservice_test

import (
	"testing"

	"github.com/bulkhead-os/bulkhead/sources/containerservice"
	"github.com/bulkhead-os/bulkhead/sources/internal/usage"
)

func TestMisuse(t *testing.T) {
	for want, args := range map[string][]string{
		"no socket is handed over: the program is started by the service manager": nil,
		`argument "now" is not expected`:                                          {"now"},
		"unknown flag: --fast":                                                    {"--fast"},
	} {
		cmd := containerservice.Command()
		cmd.SetArgs(args)
		err := cmd.ExecuteContext(t.Context())
		if !usage.Is(err) || err.Error() != want {
			t.Errorf("container-service %q: %v, want %q", args, err, want)
		}
	}
}
