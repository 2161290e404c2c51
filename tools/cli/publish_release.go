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

func repoRenewCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "renew DIR",
		Short: "Stage the list of releases as it is, valid for longer",
		Long: "Stage the list of releases as it is, to be signed again before it expires. What is staged\n" +
			"already stays, and loses its signatures.",
		Example: "  shipyard publish repo renew updates",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			return withRepository(args[0], func(r *repo.Repository) error { return r.Renew(time.Now()) })
		},
	}
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
		Long: "Stage that an old release is no longer there. It is refused where nodes that are behind\n" +
			"would not get as far as before without it. Its files go with repo prune.",
		Example: "  shipyard publish repo retire updates 1.0.0",
	}
	return releaseCommand(cmd, (*repo.Repository).Retire)
}

func repoPruneCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "prune DIR",
		Short: "Remove files that no node needs",
		Long: "Remove metadata that was replaced and has expired, and images that none of the metadata\n" +
			"names which is left. What a node may be fetching stays.",
		Example: "  shipyard publish repo prune updates",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withRepository(args[0], func(r *repo.Repository) error {
				removed, err := r.Prune(time.Now())
				for _, name := range removed {
					fmt.Fprintln(cmd.OutOrStdout(), name)
				}
				return err
			})
		},
	}
}

// sourceOf returns the repository at place: an address, a directory or a bundle.
func sourceOf(place string) (repo.Source, error) {
	if repo.IsBundle(place) {
		return repo.FromBundle(place)
	}
	return repo.From(place), nil
}

func repoValidateCommand() *cobra.Command {
	var root string
	var fetch bool
	cmd := &cobra.Command{
		Use:   "validate REPOSITORY",
		Short: "Look at a repository as a node does",
		Long: "Verify a repository as a node does, and print what a node finds. REPOSITORY is a directory,\n" +
			"an address or a bundle.",
		Example: "  shipyard publish repo validate updates --targets\n" +
			"  shipyard publish repo validate https://updates.example.org/ --root 1.root.json",
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			trusted, err := trustedRoot(root)
			if err != nil {
				return err
			}
			s, err := sourceOf(args[0])
			if err != nil {
				return err
			}
			now := time.Now()
			v, err := s.View(cmd.Context(), trusted, now)
			if err != nil {
				return err
			}
			printView(cmd.OutOrStdout(), v, now)
			if !fetch {
				return nil
			}
			n, err := v.CheckTargets(cmd.Context())
			if err == nil {
				fmt.Fprintf(cmd.OutOrStdout(), "all %d targets are as signed, %d bytes\n", len(v.Targets), n)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&root, "root", "", "trust the root metadata in `FILE` instead of the first of the repository")
	cmd.Flags().BoolVar(&fetch, "targets", false, "fetch all images, too, and verify them")
	return cmd
}

func printView(out io.Writer, v *repo.View, now time.Time) {
	for _, r := range v.Roles {
		fmt.Fprintf(out, "%-9s %d, expires %s\n", r.Name, r.Version, r.Expires.Format(time.RFC3339))
	}
	for _, rel := range v.Manifest.Updates {
		note := fmt.Sprintf("offered to %.1f %% of the nodes", 100*rel.Waves.Share(now))
		if rel.Version.Compare(rel.MaxVersion) > 0 {
			note = "above the highest version"
		}
		for _, d := range v.Manifest.Denied {
			if d.Variant == rel.Variant && d.Arch == rel.Arch && d.Version == rel.Version {
				note = "withdrawn: " + d.Reason
			}
		}
		fmt.Fprintf(out, "%s: %s\n", rel.Name(), note)
	}
}

func repoExpireCheckCommand() *cobra.Command {
	var root string
	within := "3 days"
	cmd := &cobra.Command{
		Use:   "expire-check REPOSITORY",
		Short: "Say what expires soon",
		Long: "Print the roles whose metadata expires soon. The exit status is 1 if there are any, which\n" +
			"makes this a check for monitoring.",
		Example: "  shipyard publish repo expire-check https://updates.example.org/ --within \"4 days\"",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			span, err := update.ParseSpan(within)
			if err != nil {
				return usageError{err}
			}
			trusted, err := trustedRoot(root)
			if err != nil {
				return err
			}
			s, err := sourceOf(args[0])
			if err != nil {
				return err
			}
			soon, err := s.Expiring(cmd.Context(), trusted, time.Now().Add(time.Duration(span)))
			if err != nil {
				return err
			}
			for _, r := range soon {
				fmt.Fprintf(cmd.OutOrStdout(), "%s %d expires %s\n", r.Name, r.Version, r.Expires.Format(time.RFC3339))
			}
			if len(soon) > 0 {
				return errors.New("the repository expires soon")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&root, "root", "", "trust the root metadata in `FILE` instead of the first of the repository")
	cmd.Flags().StringVar(&within, "within", within, "soon is within `TIME`")
	return cmd
}
