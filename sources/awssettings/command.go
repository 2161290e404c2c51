// Package awssettings finds settings of nodes on Amazon EC2: those that the
// instance, its cluster on EKS and the API of EC2 know.
//
// It is a program of its own, which runs when a node boots and ends, so that what
// it takes to talk to AWS is in no resident process.
package awssettings

import (
	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/sources/internal/generator"
	"github.com/bulkhead-os/bulkhead/sources/platform/imds"
)

// Command returns the program.
func Command() *cobra.Command {
	return generator.Program{
		Name: "aws-settings", Report: "aws-settings",
		Short: "Find settings on Amazon EC2",
		Long: `Show what the instance, its cluster and EC2 know of settings that nobody has set, and
with --stage network store it. Requests to AWS are signed with the role of the instance.`,
		List:  generators(),
		Facts: func(root string) generator.Facts { return newInstance(root, imds.New()) },
	}.Command()
}
