package hostcontainers_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/sources/hostcontainers"
)

func TestMisuse(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{}, "name a step: run, stop, clean-up, pull or tidy"},
		{[]string{"list"}, `step "list" is not known, want run, stop, clean-up, pull or tidy`},
		{[]string{"run"}, "0 arguments, want one: run NAME"},
		{[]string{"stop", "a", "b"}, "2 arguments, want one: stop NAME"},
		{[]string{"tidy", "a"}, "1 arguments, want none: tidy"},
		{[]string{"run", "--force", "a"}, "unknown flag: --force"},
	} {
		cmd := hostcontainers.Command()
		cmd.SetArgs(tt.args)
		cmd.SetErr(&bytes.Buffer{})
		cmd.SetOut(&bytes.Buffer{})
		err := cmd.Execute()
		coder, ok := errors.AsType[interface {
			error
			ExitCode() int
		}](err)
		if !ok || coder.ExitCode() != 2 || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("host-containers %q: %v, want a mistake with %q", tt.args, err, tt.want)
		}
	}
}
