package bootstrapcommands_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/internal/valuetest"
	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/settings/bootstrapcommands"
)

func TestCheck(t *testing.T) {
	command := func(words ...string) bootstrapcommands.Command {
		c, err := bootstrapcommands.NewCommand(words...)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	set := []bootstrapcommands.Command{command("apiclient", "set", "motd=hello")}
	name := *valuetest.Parse[scalar.Identifier](t, "setup")
	tests := []struct {
		name string
		in   bootstrapcommands.Settings
		want []string
	}{
		{name: "nothing"},
		{name: "complete", in: bootstrapcommands.Settings{name: {Commands: set, Mode: new(scalar.BootstrapAlways)}}},
		{name: "off", in: bootstrapcommands.Settings{name: {Mode: new(scalar.BootstrapOff)}}},
		{
			name: "mode and no commands", in: bootstrapcommands.Settings{name: {Mode: new(scalar.BootstrapOnce)}},
			want: []string{"warning: settings.bootstrap-commands.setup.commands: mode is once and there are no commands, so the entry does nothing (add commands, or remove the entry)"},
		},
		{
			name: "commands and no mode", in: bootstrapcommands.Settings{name: {Commands: set}},
			want: []string{"warning: settings.bootstrap-commands.setup.mode: the entry has commands and mode is not set, which means off: they never run (set mode to once or always)"},
		},
		{
			name: "exec", in: bootstrapcommands.Settings{name: {Commands: append(set, command("apiclient", "exec", "admin", "ls")), Mode: new(scalar.BootstrapOnce)}},
			want: []string{"warning: settings.bootstrap-commands.setup.commands[1]: apiclient exec admin ls runs a program in a host container, and host containers do not run this early (use a bootstrap container)"},
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, valuetest.Faults(tt.in.Check, "bootstrap-commands")); diff != "" {
				t.Errorf("faults of bootstrap-commands (-want +got):\n%s", diff)
			}
		})
	}
}
