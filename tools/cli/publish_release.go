package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/models/update"
	"github.com/bulkhead-os/bulkhead/tools/publish/repo"
	"github.com/bulkhead-os/bulkhead/tools/publish/sign"
)

// plainCommand is a command that changes a repository and is told nothing more.
func plainCommand(cmd *cobra.Command, f func(r *repo.Repository, out io.Writer) error) *cobra.Command {
	cmd.Args = usage(cobra.ExactArgs(1))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withRepository(args[0], func(r *repo.Repository) error { return f(r, cmd.OutOrStdout()) })
	}
	return cmd
}

func repoRenewCommand() *cobra.Command {
	return plainCommand(&cobra.Command{
		Use:   "renew DIR",
		Short: "Stage the list of releases as it is, valid for longer",
		Long: "Stage the list of releases as it is, to be signed again before it expires. What is staged\n" +
			"already stays, and loses its signatures.",
		Example: "  shipyard publish repo renew updates",
	}, func(r *repo.Repository, _ io.Writer) error { return r.Renew(time.Now()) })
}

// signingCommand is a command that works on a repository with keys.
func signingCommand(cmd *cobra.Command, f func(ctx context.Context, r *repo.Repository, keys []sign.Key, out io.Writer) error) *cobra.Command {
	var refs []string
	cmd.Args = usage(cobra.ExactArgs(1))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		keys, err := sign.OpenAll(cmd.Context(), refs)
		if err != nil {
			return err
		}
		return withRepository(args[0], func(r *repo.Repository) error { return f(cmd.Context(), r, keys, cmd.OutOrStdout()) })
	}
	keyFlag(cmd, &refs)
	return cmd
}

func repoSignCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sign DIR",
		Short: "Sign what is staged",
		Long: "Add signatures to what is staged, with each key where it counts, and say how far the\n" +
			"signatures are. Without keys, only say so.",
		Example: "  shipyard publish repo sign updates --key root-1.key\n  shipyard publish repo sign updates --key \"exec:token-signer slot-3\"",
	}
	return signingCommand(cmd, func(ctx context.Context, r *repo.Repository, keys []sign.Key, out io.Writer) error {
		all, err := r.Sign(ctx, keys)
		for _, p := range all {
			fmt.Fprintln(out, p)
		}
		return err
	})
}

func repoReleaseCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "release DIR",
		Short: "Publish what is staged",
		Long: "Publish what is staged, after signing it with the keys given. Nodes see all of it or\n" +
			"nothing. What was cut off is made whole by the same command.",
		Example: "  shipyard publish repo release updates --key targets.key --key online.key",
	}
	return signingCommand(cmd, func(ctx context.Context, r *repo.Repository, keys []sign.Key, _ io.Writer) error {
		return r.Release(ctx, keys, time.Now())
	})
}

func repoRefreshCommand() *cobra.Command {
	var expired bool
	cmd := &cobra.Command{
		Use:   "refresh DIR",
		Short: "Keep a repository valid",
		Long: "Sign the snapshot and the timestamp anew, so that they do not expire. Run it daily. Nothing\n" +
			"that is staged becomes public.",
		Example: "  shipyard publish repo refresh updates --key online.key",
	}
	cmd.Flags().BoolVar(&expired, "expired", false, "do so although the repository has expired")
	return signingCommand(cmd, func(ctx context.Context, r *repo.Repository, keys []sign.Key, _ io.Writer) error {
		return r.Refresh(ctx, keys, expired, time.Now())
	})
}

// releaseCommand is a command that stages a change of one release.
func releaseCommand(cmd *cobra.Command, f func(r *repo.Repository, s repo.Selector, now time.Time) error) *cobra.Command {
	var s selector
	cmd.Args = usage(cobra.ExactArgs(2))
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		which, err := s.release(args[1])
		if err != nil {
			return err
		}
		return withRepository(args[0], func(r *repo.Repository) error { return f(r, which, time.Now()) })
	}
	s.flags(cmd)
	return cmd
}

func repoPatchCommand() *cobra.Command {
	var from []string
	var dry bool
	cmd := &cobra.Command{
		Use:   "patch DIR VERSION",
		Short: "Stage patches for a release that is there",
		Long: "Stage patches that make the images of a release from those of other releases in the\n" +
			"repository, as repo add --patch-from does for a new one. A patch that would have more than\n" +
			"70 per cent of the image is not made.",
		Example: "  shipyard publish repo patch updates 1.2.0 --from 1.1.0 --from 1.0.0",
	}
	f := cmd.Flags()
	f.StringArrayVar(&from, "from", nil, "make patches from version `X`; may be repeated")
	f.BoolVar(&dry, "dry-run", false, "stage nothing, say only how large they would be")
	return releaseCommand(cmd, func(r *repo.Repository, s repo.Selector, now time.Time) error {
		p, err := patching(from, dry, cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		if len(p.From) == 0 {
			return usageError{errors.New("patch: --from X is missing")}
		}
		return r.Patch(cmd.Context(), s, p, now)
	})
}

func patching(from []string, dry bool, out io.Writer) (repo.Patching, error) {
	p := repo.Patching{DryRun: dry, Out: out}
	for _, text := range from {
		v, err := update.ParseVersion(text)
		if err != nil {
			return repo.Patching{}, usageError{err}
		}
		p.From = append(p.From, v)
	}
	return p, nil
}

func repoWavesCommand() *cobra.Command {
	var policy, start string
	cmd := &cobra.Command{
		Use:     "waves DIR VERSION",
		Short:   "Stage another roll-out of a release",
		Long:    "Stage another roll-out of a release: as a policy says, or to all at once.",
		Example: "  shipyard publish repo waves updates 1.2.0 --waves slow.toml --start 2026-12-01T08:00:00Z",
	}
	wavesFlags(cmd, &policy, &start)
	return releaseCommand(cmd, func(r *repo.Repository, s repo.Selector, now time.Time) error {
		w, err := wavesOf(policy, start, now)
		if err != nil {
			return err
		}
		return r.SetWaves(s, w, now)
	})
}

func repoHoldCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "hold DIR VERSION",
		Short: "Stage that a roll-out stops where it is",
		Long: "Stage that a release is offered to nobody to whom it has not been offered yet. With repo\n" +
			"waves it goes on.",
		Example: "  shipyard publish repo hold updates 1.2.0",
	}
	return releaseCommand(cmd, (*repo.Repository).Hold)
}

func repoLimitCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "limit DIR VERSION",
		Short: "Stage the highest version that nodes should run",
		Long: "Stage the highest version that nodes of the variant should run. Nodes that run a higher one\n" +
			"are offered this one, or an older one.",
		Example: "  shipyard publish repo limit updates 1.1.0",
	}
	return releaseCommand(cmd, (*repo.Repository).Limit)
}

func repoDenyCommand() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "deny DIR VERSION",
		Short: "Stage that a release is withdrawn",
		Long: "Stage that nobody is offered a release any longer, not even by name. Nodes that run it stay\n" +
			"until there is a newer one.",
		Example: "  shipyard publish repo deny updates 1.2.0 --reason \"loses the network on bond interfaces\"",
	}
	cmd.Flags().StringVar(&reason, "reason", "", "tell nodes the reason `TEXT`")
	return releaseCommand(cmd, func(r *repo.Repository, s repo.Selector, now time.Time) error {
		if reason == "" {
			return usageError{errors.New("deny: --reason TEXT is missing: nodes tell it to their operators")}
		}
		return r.Deny(s, reason, now)
	})
}

func repoRetireCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "retire DIR VERSION",
		Short: "Stage that an old release goes",
		Long: "Stage that an old release is no longer there, nor the patches from it. It is refused where\n" +
			"nodes that are behind would not get as far as before without it. Its files go with repo\n" +
			"prune.",
		Example: "  shipyard publish repo retire updates 1.0.0",
	}
	return releaseCommand(cmd, (*repo.Repository).Retire)
}

func repoPruneCommand() *cobra.Command {
	return plainCommand(&cobra.Command{
		Use:   "prune DIR",
		Short: "Remove files that no node needs",
		Long: "Remove metadata that was replaced and has expired, and images and patches that none of the\n" +
			"metadata names which is left. What a node may be fetching stays.",
		Example: "  shipyard publish repo prune updates",
	}, func(r *repo.Repository, out io.Writer) error {
		removed, err := r.Prune(time.Now())
		for _, name := range removed {
			fmt.Fprintln(out, name)
		}
		return err
	})
}
