package cli

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/tools/publish/repo"
	"github.com/bulkhead-os/bulkhead/tools/publish/sign"
)

func repoDelegateCommand() *cobra.Command {
	var keys []string
	g := repo.Delegation{Threshold: 1}
	cmd := &cobra.Command{
		Use:   "delegate DIR ROLE",
		Short: "Stage that others sign for some targets",
		Long: "Stage that others sign for targets with certain names, such as extensions of theirs, and for\n" +
			"nothing else; or that they do so with other keys or for other names than before. Public\n" +
			"halves of their keys will do.",
		Example: "  shipyard publish repo delegate updates acme --path \"acme-*\" --role-key anne.key.pub --role-key ben.key.pub --threshold 2",
		Args:    usage(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			g.Role = args[1]
			if g.Keys, err = sign.OpenAll(cmd.Context(), keys); err != nil {
				return err
			}
			return withRepository(args[0], func(r *repo.Repository) error { return r.Delegate(g, time.Now()) })
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&g.Paths, "path", nil, "they sign for targets whose name is like `PATTERN`; may be repeated")
	f.StringArrayVar(&keys, "role-key", nil, "let `KEY` sign; may be repeated")
	f.IntVar(&g.Threshold, "threshold", 1, "`N` keys have to sign")
	return cmd
}

func repoUndelegateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "undelegate DIR ROLE",
		Short: "Stage that others sign for nothing any longer",
		Long: "Stage that a role to which repo delegate had given targets signs for nothing any longer. What\n" +
			"it signed for is then no longer there.",
		Example: "  shipyard publish repo undelegate updates acme",
		Args:    usage(cobra.ExactArgs(2)),
		RunE: func(_ *cobra.Command, args []string) error {
			return withRepository(args[0], func(r *repo.Repository) error { return r.Undelegate(args[1], time.Now()) })
		},
	}
}

func repoExtensionCommand() *cobra.Command {
	var remove []string
	cmd := &cobra.Command{
		Use:   "extension DIR ROLE [FILE...]",
		Short: "Stage what others sign for",
		Long: "Stage files as targets that the role signs for to which their names were delegated. Without\n" +
			"files its list is staged as it is, valid for longer. The list is signed with repo sign and\n" +
			"published with repo release, like the list of releases, and without that one.",
		Example: "  shipyard publish repo extension updates acme acme-agent.raw\n" +
			"  shipyard publish repo extension updates acme --remove acme-agent.raw",
		Args: usage(cobra.MinimumNArgs(2)),
		RunE: func(_ *cobra.Command, args []string) error {
			return withRepository(args[0], func(r *repo.Repository) error { return r.Extend(args[1], args[2:], remove, time.Now()) })
		},
	}
	cmd.Flags().StringArrayVar(&remove, "remove", nil, "take the target `NAME` away; may be repeated")
	return cmd
}
