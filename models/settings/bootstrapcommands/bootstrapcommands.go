// Package bootstrapcommands holds the settings of bootstrap commands: calls of
// the API client that run while the host boots, before bootstrap containers.
package bootstrapcommands

import (
	"maps"
	"slices"
	"strconv"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// Settings is the group bootstrap-commands: lists of commands by name. The
// entries run one after the other, in the order of their names.
type Settings map[scalar.Identifier]Entry

// An Entry is one list of commands with the boots they run on.
type Entry struct {
	// The commands, run one after the other. Each is a list of words whose first
	// is "apiclient", as in ["apiclient", "set", "motd=hello"]; no shell takes
	// part. A reboot that one of them asks for waits until all have run.
	Commands []Command `setting:"commands"`

	// On which boots the commands run: "always", "once" (the next one; after a
	// successful run the setting becomes "off") or "off". Unset means "off". A
	// change never starts a command on the running host.
	Mode *scalar.BootstrapMode `setting:"mode"`

	// Whether the boot depends on the commands: when true, a command that fails
	// ends the run and stops the boot before the orchestrator starts; when false
	// or unset, it is logged and the next command runs.
	Essential *bool `setting:"essential"`
}

// Check reports entries that never do anything, and commands that cannot work
// as early as this.
func (s *Settings) Check(p report.Place) {
	for _, name := range slices.SortedFunc(maps.Keys(*s), scalar.Identifier.Compare) {
		e := (*s)[name]
		e.check(p.In(name.String()))
	}
}

func (e *Entry) check(p report.Place) {
	runs := e.Mode != nil && *e.Mode != scalar.BootstrapOff
	switch {
	case runs && len(e.Commands) == 0:
		p.Warn("commands", nil,
			"mode is "+string(*e.Mode)+" and there are no commands, so the entry does nothing",
			"add commands, or remove the entry")
	case e.Mode == nil && len(e.Commands) > 0:
		p.Warn("mode", nil,
			"the entry has commands and mode is not set, which means off: they never run",
			"set mode to once or always")
	}
	for i, c := range e.Commands {
		if words := c.Words(); len(words) > 1 && words[1] == "exec" {
			p.Warn("commands["+strconv.Itoa(i)+"]", c.String(),
				c.String()+" runs a program in a host container, and host containers do not run this early",
				"use a bootstrap container")
		}
	}
}
