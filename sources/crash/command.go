// Package crash keeps what a kernel said when it died.
//
// The kernel leaves its last words in memory of the machine that outlives a
// restart, in pieces and in little room. The next boot moves them to the disk,
// writes them to the journal and reports the cause with the health of the node.
package crash

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/sources/internal/healthfile"
	"github.com/bulkhead-os/bulkhead/sources/internal/usage"
)

// Where things are on a node.
const (
	pstoreDir = "/sys/fs/pstore"
	keepDir   = "/var/lib/crash-report"
)

// Command returns the program.
func Command() *cobra.Command {
	k := keeper{pstore: pstoreDir, dir: keepDir, health: healthfile.Dir}
	cmd := &cobra.Command{
		Use:   "crash-report",
		Short: "Keep what the kernel said when it last died",
		Long: `Move what the kernel left of its log when it died to ` + keepDir + `, where
the last ` + fmt.Sprint(maxKept) + ` are kept, print it, and report the cause with the health of the node.`,
		SilenceUsage: true, SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage.Mistake(fmt.Errorf("argument %q is not expected", args[0]))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return k.run(cmd.OutOrStdout()) },
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage.Mistake(err) })
	return cmd
}
