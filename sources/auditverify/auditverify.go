// Package auditverify is the program that checks the audit record of a node.
package auditverify

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/audit"
)

// Command returns the program audit-verify.
func Command() *cobra.Command {
	root := "/"
	cmd := &cobra.Command{
		Use:   "audit-verify",
		Short: "Check that the audit record has not been changed",
		Long: `Check the chain of the audit record: each entry holds a digest of the one before,
so that no entry can be changed, removed or put in between without a break. What
this cannot show is that the newest entries were cut off; compare the number of
the last one with a copy kept elsewhere.

The status is 1 when the chain breaks, and the message names file and line.`,
		Example:       "  bulkhead audit-verify\n  bulkhead audit-verify --root /tmp/sandbox",
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			sum, err := audit.Verify(filepath.Join(root, "var/lib/bulkhead/audit"))
			if err != nil {
				return err
			}
			if sum.Entries == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "the audit record is empty")
				return nil
			}
			fmt.Fprintf(cmd.OutOrStdout(), "entries %d to %d are unbroken, %d in %d files\n", sum.First, sum.Last, sum.Entries, sum.Files)
			return nil
		},
	}
	cmd.Flags().StringVar(&root, "root", root, "`DIR` that stands for the root of the node")
	return cmd
}
