package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/models/update"
	"github.com/bulkhead-os/bulkhead/tools/publish/repo"
)

// sourceOf returns the repository at place: an address, a directory or a bundle.
func sourceOf(place string) (repo.Source, error) {
	if repo.IsBundle(place) {
		return repo.FromBundle(place)
	}
	return repo.From(place), nil
}

// viewCommand is a command that looks at a repository as a node does, one that
// trusts the root metadata trusted.
func viewCommand(cmd *cobra.Command, f func(ctx context.Context, place string, s repo.Source, trusted []byte, out io.Writer) error) *cobra.Command {
	var root string
	cmd.Args = usage(cobra.ExactArgs(1))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		trusted, err := trustedRoot(root)
		if err != nil {
			return err
		}
		s, err := sourceOf(args[0])
		if err != nil {
			return err
		}
		return f(cmd.Context(), args[0], s, trusted, cmd.OutOrStdout())
	}
	cmd.Flags().StringVar(&root, "root", "", "trust the root metadata in `FILE` instead of the first of the repository")
	return cmd
}

func repoValidateCommand() *cobra.Command {
	var fetch bool
	cmd := &cobra.Command{
		Use:   "validate REPOSITORY",
		Short: "Look at a repository as a node does",
		Long: "Verify a repository as a node does, and print what a node finds. REPOSITORY is a directory,\n" +
			"an address or a bundle.",
		Example: "  shipyard publish repo validate updates --targets\n" +
			"  shipyard publish repo validate https://updates.example.org/ --root 1.root.json",
	}
	cmd.Flags().BoolVar(&fetch, "targets", false, "fetch all images and patches, too, and verify them")
	return viewCommand(cmd, func(ctx context.Context, place string, s repo.Source, trusted []byte, out io.Writer) error {
		now := time.Now()
		v, err := s.View(ctx, trusted, now)
		if err != nil {
			return err
		}
		printView(out, v, now)
		if !fetch {
			return nil
		}
		n, size, err := v.CheckTargets(ctx, repo.IsBundle(place))
		if err == nil {
			fmt.Fprintf(out, "all %d targets are as signed, %d bytes\n", n, size)
		}
		return err
	})
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
		if len(rel.Channels) > 0 {
			note += ", in channel " + strings.Join(rel.Channels, ", ")
		}
		fmt.Fprintf(out, "%s: %s\n", rel.Name(), note)
		for _, p := range rel.Patches {
			fmt.Fprintf(out, "  patch of the image %s from %s: %d bytes\n", p.Image, p.From, v.Targets[p.Target].Length)
		}
	}
}

func repoExpireCheckCommand() *cobra.Command {
	within := "3 days"
	cmd := &cobra.Command{
		Use:   "expire-check REPOSITORY",
		Short: "Say what expires soon",
		Long: "Print the roles whose metadata expires soon. The exit status is 1 if there are any, which\n" +
			"makes this a check for monitoring.",
		Example: "  shipyard publish repo expire-check https://updates.example.org/ --within \"4 days\"",
	}
	cmd.Flags().StringVar(&within, "within", within, "soon is within `TIME`")
	return viewCommand(cmd, func(ctx context.Context, _ string, s repo.Source, trusted []byte, out io.Writer) error {
		span, err := update.ParseSpan(within)
		if err != nil {
			return usageError{err}
		}
		soon, err := s.Expiring(ctx, trusted, time.Now().Add(time.Duration(span)))
		if err != nil {
			return err
		}
		for _, r := range soon {
			fmt.Fprintf(out, "%s %d expires %s\n", r.Name, r.Version, r.Expires.Format(time.RFC3339))
		}
		if len(soon) > 0 {
			return errors.New("the repository expires soon")
		}
		return nil
	})
}
