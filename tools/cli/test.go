package cli

import (
	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/tools/suite"
)

func testCommand() *cobra.Command {
	var opt suite.Options
	cmd := &cobra.Command{
		Use:   "test [PACKAGE...]",
		Short: "Run all checks and tests",
		Long: "Run the checks of the source (format, vet, staticcheck, packages) and all tests of all\n" +
			"modules with the race detector. The last line counts the tests; each check counts as one.\n" +
			"The exit status is 1 when anything failed.\n\n" +
			"With packages or --run, only those tests are run, without the checks.\n\n" +
			"The race detector needs a C compiler. As root on Debian it is installed when missing.\n" +
			"Programs of a node that check its files are fetched and built into build/tools the first\n" +
			"time, which takes minutes; with --short their tests are skipped.",
		Example: "  shipyard test\n" +
			"  shipyard test ./models/...\n" +
			"  shipyard test -run TestCommit ./api/store\n" +
			"  shipyard test --soak ./api/store",
		RunE: func(cmd *cobra.Command, packages []string) error {
			root, err := here()
			if err != nil {
				return err
			}
			opt.Packages = packages
			s := suite.Suite{Root: root, Out: cmd.OutOrStdout()}
			return s.Test(cmd.Context(), opt)
		},
	}
	cmd.Flags().StringVar(&opt.Run, "run", "", "run only tests whose name matches `RE`")
	cmd.Flags().BoolVar(&opt.Short, "short", false, "run tests in their short form")
	cmd.Flags().BoolVar(&opt.Soak, "soak", false, "run tests that have a long form in that one")
	return cmd
}

func checkCommand() *cobra.Command {
	var exposure bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Run the fast checks",
		Long: "Run format, vet, staticcheck, the checks of packages with their templates, what their\n" +
			"services could do to a machine, the policies of the repository and the test that\n" +
			"generated files are fresh. It takes seconds once the checkers are built.",
		Example: "  shipyard check\n  shipyard check --exposure",
		Args:    usage(noWords),
		RunE: func(cmd *cobra.Command, _ []string) error {
			root, err := here()
			if err != nil {
				return err
			}
			s := suite.Suite{Root: root, Out: cmd.OutOrStdout()}
			if exposure {
				return s.Exposures(cmd.Context())
			}
			return s.Check(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&exposure, "exposure", false, "only list what each service could do to a machine, as systemd counts it")
	return cmd
}
