package bootstrapcommands_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/internal/valuetest"
	"github.com/bulkhead-os/bulkhead/models/settings/bootstrapcommands"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

func TestCommand(t *testing.T) {
	tests := []struct {
		name string
		in   *syntax.Node
		out  string // the JSON
		want string // the error, or empty where in is accepted
	}{
		{name: "program only", in: valuetest.Strings("apiclient"), out: `["apiclient"]`},
		{name: "arguments", in: valuetest.Strings("apiclient", "set", "motd=<a & b>\n"), out: `["apiclient","set","motd=<a & b>\n"]`},
		{name: "empty argument", in: valuetest.Strings("apiclient", ""), out: `["apiclient",""]`},
		{name: "empty list", in: valuetest.Strings(), want: "command is an empty list"},
		{name: "other program", in: valuetest.Strings("bash", "-c"), want: `command starts with "bash" instead of "apiclient"`},
		{name: "path of the program", in: valuetest.Strings("/usr/bin/apiclient"), want: `command starts with "/usr/bin/apiclient" instead of "apiclient"`},
		{name: "string", in: syntax.NewString("apiclient"), want: `command is "apiclient", not a list of strings`},
		{name: "number among the words", in: syntax.NewArray(syntax.NewString("apiclient"), valuetest.Integer("1")), want: "command: word 2 is 1, not a string"},
		{name: "NUL", in: valuetest.Strings("apiclient", "a\x00"), want: "command: word 2 has a NUL at byte 2, which no argument can hold"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var c bootstrapcommands.Command
			err := c.UnmarshalSetting(tt.in)
			if diff := cmp.Diff(tt.want, valuetest.ErrorText(err)); diff != "" {
				t.Fatalf("UnmarshalSetting of %s: error (-want +got):\n%s", tt.in.Describe(), diff)
			}
			if err != nil {
				return
			}
			if got, err := c.MarshalJSON(); string(got) != tt.out || err != nil {
				t.Errorf("MarshalJSON of %s = %s, %v, want %s", c, got, err, tt.out)
			}
		})
	}
}

func TestCommandString(t *testing.T) {
	c, err := bootstrapcommands.NewCommand("apiclient", "set", "motd=a b", "", `"`)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.String(), `apiclient set "motd=a b" "" "\""`; got != want {
		t.Errorf("String = %s, want %s", got, want)
	}
	if other, err := bootstrapcommands.NewCommand(c.Words()...); err != nil || !other.Equal(c) {
		t.Errorf("command made of the words of %s = %s, %v", c, other, err)
	}
}
