package cli

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/models/update"
	"github.com/bulkhead-os/bulkhead/tools/publish/repo"
	"github.com/bulkhead-os/bulkhead/tools/publish/sign"
)

func publishRepoCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "repo",
		Short: "Make and change a repository of updates",
		Long: "A repository is a directory. Changes are staged first, then signed, and become public with\n" +
			"repo release, which signs with the keys that it is given as well.\n\n" +
			"A key is a file, or exec:PROGRAM for one that a program keeps: at the word \"public\" it\n" +
			"prints the public key as PEM; at \"sign\" it reads a message and prints the signature, raw.",
		Example: "  shipyard publish repo init updates --root-key root.key --targets-key targets.key --online-key online.key\n" +
			"  shipyard publish repo add updates build/images/qemu-dev\n" +
			"  shipyard publish repo release updates --key root.key --key targets.key --key online.key",
		Args: usage(noWords),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(repoInitCommand(), repoAddCommand(), repoPatchCommand(), repoRootCommand(), repoRenewCommand(), repoSignCommand(), repoReleaseCommand(), repoRefreshCommand())
	cmd.AddCommand(repoWavesCommand(), repoHoldCommand(), repoLimitCommand(), repoDenyCommand(), repoRetireCommand(), repoPruneCommand())
	cmd.AddCommand(repoDelegateCommand(), repoUndelegateCommand(), repoExtensionCommand())
	cmd.AddCommand(repoValidateCommand(), repoExpireCheckCommand())
	return cmd
}

// withRepository opens the repository in dir for f.
func withRepository(dir string, f func(*repo.Repository) error) (err error) {
	r, err := repo.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return f(r)
}

func keyFlag(cmd *cobra.Command, refs *[]string) {
	cmd.Flags().StringArrayVar(refs, "key", nil, "sign with `KEY`, a file or exec:PROGRAM; may be repeated")
}

func repoInitCommand() *cobra.Command {
	var l repo.Lifetimes
	var opt struct {
		root, targets, online           []string
		rootThreshold, targetsThreshold int
	}
	cmd := &cobra.Command{
		Use:   "init DIR",
		Short: "Make a repository",
		Long: "Make a repository in DIR with the keys given, of which public halves will do. Its root and\n" +
			"an empty list of releases are staged: sign and release them. Nodes are then given\n" +
			"DIR/public/metadata/1.root.json to trust.",
		Example: "  shipyard publish repo init updates --root-key a.key.pub --root-key b.key.pub --root-threshold 2 \\\n" +
			"      --targets-key targets.key.pub --online-key online.key",
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c := repo.RootChange{Add: map[string][]sign.Key{}, Thresholds: map[string]int{"root": opt.rootThreshold, "targets": opt.targetsThreshold}}
			for role, refs := range map[string][]string{"root": opt.root, "targets": opt.targets, "snapshot": opt.online, "timestamp": opt.online} {
				keys, err := sign.OpenAll(cmd.Context(), refs)
				if err != nil {
					return err
				}
				c.Add[role] = keys
			}
			return repo.Init(args[0], l, c, time.Now())
		},
	}
	d, f := repo.DefaultLifetimes, cmd.Flags()
	f.StringArrayVar(&opt.root, "root-key", nil, "let `KEY` sign the root; may be repeated")
	f.StringArrayVar(&opt.targets, "targets-key", nil, "let `KEY` sign lists of releases; may be repeated")
	f.StringArrayVar(&opt.online, "online-key", nil, "let `KEY` sign snapshots and timestamps; may be repeated")
	f.IntVar(&opt.rootThreshold, "root-threshold", 1, "`N` keys have to sign the root")
	f.IntVar(&opt.targetsThreshold, "targets-threshold", 1, "`N` keys have to sign a list of releases")
	f.TextVar(&l.Root, "root-lifetime", d.Root, "a root is valid for `TIME`")
	f.TextVar(&l.Targets, "targets-lifetime", d.Targets, "a list of releases is valid for `TIME`")
	f.TextVar(&l.Snapshot, "snapshot-lifetime", d.Snapshot, "a snapshot is valid for `TIME`")
	f.TextVar(&l.Timestamp, "timestamp-lifetime", d.Timestamp, "a timestamp is valid for `TIME`")
	return cmd
}

func repoAddCommand() *cobra.Command {
	var opt struct {
		arch, waves, start, min, notes, migrations string
		cves, channels, patches                    []string
		floor, dry                                 bool
	}
	cmd := &cobra.Command{
		Use:   "add DIR IMAGE",
		Short: "Stage a release",
		Long: "Stage the image in the directory IMAGE, as shipyard build made it, as a release. It becomes\n" +
			"the highest version of its variant, unless there is a higher one.",
		Example: "  shipyard publish repo add updates build/images/qemu-dev --waves waves.toml --start 2026-12-01T08:00:00Z\n" +
			"  shipyard publish repo add updates build/images/qemu-dev --patch-from 1.1.0 --patch-from 1.0.0\n" +
			"  shipyard publish repo add updates build/images/qemu-dev --notes notes.md --cve CVE-2026-1234=kernel",
		Args: usage(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			a := repo.Addition{Image: args[1], Arch: opt.arch, Floor: opt.floor, Migrations: opt.migrations, Channels: opt.channels}
			now := time.Now()
			if a.Patching, err = patching(opt.patches, opt.dry, cmd.ErrOrStderr()); err != nil {
				return err
			}
			if a.Waves, err = wavesOf(opt.waves, opt.start, now); err != nil {
				return err
			}
			if opt.min != "" {
				if a.MinVersion, err = update.ParseVersion(opt.min); err != nil {
					return usageError{err}
				}
			}
			if opt.notes != "" {
				text, err := os.ReadFile(opt.notes)
				if err != nil {
					return err
				}
				a.Notes = string(text)
			}
			for _, c := range opt.cves {
				id, note, _ := strings.Cut(c, "=")
				a.CVEs = append(a.CVEs, update.CVE{ID: id, Note: note})
			}
			return withRepository(args[0], func(r *repo.Repository) error {
				rel, err := r.Add(cmd.Context(), a, now)
				if err == nil {
					fmt.Fprintln(cmd.OutOrStdout(), rel.Name())
				}
				return err
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&opt.arch, "arch", "x86_64", "the image is for the architecture `NAME`")
	wavesFlags(cmd, &opt.waves, &opt.start)
	f.StringVar(&opt.min, "min-version", "", "it installs on version `X` and later only")
	f.BoolVar(&opt.floor, "floor", false, "nodes that are older do not go past it without having run it")
	f.StringVar(&opt.notes, "notes", "", "say what is new with the text in `FILE`")
	f.StringArrayVar(&opt.cves, "cve", nil, "say that it mends `ID`, or ID=NOTE; may be repeated")
	f.StringVar(&opt.migrations, "migrations", "", "carry the migrations of settings in `FILE` (default: those that the image carries)")
	f.StringArrayVar(&opt.channels, "channel", nil, "only nodes that follow the channel `NAME` see it; may be repeated")
	f.StringArrayVar(&opt.patches, "patch-from", nil, "make patches from version `X`, which is in the repository; may be repeated")
	f.BoolVar(&opt.dry, "dry-run", false, "stage nothing, say only what would be staged")
	return cmd
}

func wavesFlags(cmd *cobra.Command, policy, start *string) {
	cmd.Flags().StringVar(policy, "waves", "", "roll it out as the policy in `FILE` says, instead of to all at once")
	cmd.Flags().StringVar(start, "start", "", "begin the roll-out at `TIME`, such as 2026-12-01T08:00:00Z, instead of now")
}

func wavesOf(policy, start string, now time.Time) (update.Waves, error) {
	if start != "" {
		var err error
		if now, err = time.Parse(time.RFC3339, start); err != nil {
			return nil, usageError{fmt.Errorf("start %q: want a time such as 2026-12-01T08:00:00Z", start)}
		}
	}
	switch {
	case policy == "" && start == "":
		return nil, nil
	case policy == "":
		return update.Waves{0: now}, nil
	}
	text, err := os.ReadFile(policy)
	if err != nil {
		return nil, err
	}
	p, err := update.ParsePolicy(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", policy, err)
	}
	return p.At(now.Truncate(time.Second)), nil
}

func repoRootCommand() *cobra.Command {
	var opt struct{ add, remove, threshold []string }
	cmd := &cobra.Command{
		Use:   "root DIR",
		Short: "Stage new root metadata: other keys, or a later expiry",
		Long: "Stage new root metadata. It is signed by enough of the old root keys and of the new ones.\n" +
			"Whoever changes the key of another role releases with the old and the new one, where\n" +
			"the old one is not lost: then no node is refused in between.",
		Example: "  shipyard publish repo root updates     # only valid for longer\n" +
			"  shipyard publish repo root updates --add root=new.key.pub --remove root=3f6c91d2 --threshold root=2",
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c := repo.RootChange{Add: map[string][]sign.Key{}, Remove: map[string][]string{}, Thresholds: map[string]int{}}
			err := errors.Join(
				eachRole(opt.add, func(role, ref string) error {
					k, err := sign.Open(cmd.Context(), ref)
					c.Add[role] = append(c.Add[role], k)
					return err
				}),
				eachRole(opt.remove, func(role, id string) error {
					c.Remove[role] = append(c.Remove[role], id)
					return nil
				}),
				eachRole(opt.threshold, func(role, number string) (err error) {
					c.Thresholds[role], err = strconv.Atoi(number)
					return err
				}),
			)
			if err != nil {
				return err
			}
			return withRepository(args[0], func(r *repo.Repository) error { return r.ChangeRoot(c, time.Now()) })
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&opt.add, "add", nil, "let a key sign, as `ROLE=KEY`; the role online is snapshot and timestamp")
	f.StringArrayVar(&opt.remove, "remove", nil, "let a key sign no longer, as `ROLE=ID`, of which the beginning will do")
	f.StringArrayVar(&opt.threshold, "threshold", nil, "let so many keys of a role have to sign, as `ROLE=N`")
	return cmd
}

// eachRole calls f for each of words, which are ROLE=VALUE.
func eachRole(words []string, f func(role, value string) error) error {
	for _, w := range words {
		role, value, _ := strings.Cut(w, "=")
		roles := []string{role}
		if role == "online" {
			roles = repo.Online
		} else if !known(role) || value == "" {
			return usageError{fmt.Errorf("%q: want ROLE=VALUE with the role root, targets, snapshot, timestamp or online", w)}
		}
		for _, one := range roles {
			if err := f(one, value); err != nil {
				return err
			}
		}
	}
	return nil
}

func known(role string) bool {
	for _, r := range repo.Roles {
		if r == role {
			return true
		}
	}
	return false
}
