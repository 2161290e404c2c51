// Package generate lets people and units run the generators of settings that
// need nothing but the node itself.
package generate

import (
	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/sources/internal/generator"
)

// Command returns the program.
func Command() *cobra.Command {
	return generator.Program{
		Name: "generate", Report: "generate",
		Short: "Find values for settings that nobody has set",
		Long: `Show what generators find for settings that nobody has set, and with --stage store
it. A generator runs while what it gives a value to is not set otherwise and what it goes
by is there. Without --stage nothing is changed.`,
		List:  generator.Local(),
		Facts: func(root string) generator.Facts { return generator.Node{Root: root} },
	}.Command()
}
