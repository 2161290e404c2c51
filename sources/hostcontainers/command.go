// Package hostcontainers starts and stops the host containers of a node.
//
// The service manager calls it, once for each step in the life of a container, and
// nothing of it stays in between: the unit of a container is alive for as long as
// its control group has processes.
package hostcontainers

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/sources/internal/hostcontainerd"
	"github.com/bulkhead-os/bulkhead/sources/internal/journallog"
	"github.com/bulkhead-os/bulkhead/sources/internal/usage"
)

// program is what the steps have in common.
type program struct {
	socket string
	config string
}

// Command returns the program.
func Command() *cobra.Command {
	var p program
	cmd := &cobra.Command{
		Use:   "host-containers",
		Short: "Start and stop the host containers of a node",
		Long: `Start and stop the containers that serve the operators of a node. Its steps are
for the unit of a container; what containers there are is in the settings.`,
		SilenceUsage: true, SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage.Mistake(fmt.Errorf("name a step: run, stop, clean-up, pull or tidy"))
			}
			return usage.Mistake(fmt.Errorf("step %q is not known, want run, stop, clean-up, pull or tidy", args[0]))
		},
		RunE: func(*cobra.Command, []string) error { return nil },
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage.Mistake(err) })
	f := cmd.PersistentFlags()
	f.StringVar(&p.socket, "socket", hostcontainerd.Socket, "`SOCKET` of containerd")
	f.StringVar(&p.config, "config", "/etc/host-containers", "`DIR` with a file for each container")
	cmd.AddCommand(
		p.step("run NAME", "Fetch the image of a container and start it", p.run),
		p.step("stop NAME", "End a container", p.stop),
		p.step("clean-up NAME", "Say how a container ended, and remove what is left of it", p.cleanUp),
		p.step("pull SOURCE", "Fetch an image", p.pull),
		p.tidyStep(),
	)
	return cmd
}

// An action is done to a container, or an image, through a connection.
type action func(ctx context.Context, c *hostcontainerd.Client, log *slog.Logger, name string) error

func (p *program) step(use, short string, do action) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage.Mistake(fmt.Errorf("%d arguments, want one: %s", len(args), use))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return p.do(cmd, args[0], do) },
	}
}

// tidyStep is the one that is about no container.
func (p *program) tidyStep() *cobra.Command {
	return &cobra.Command{
		Use: "tidy", Short: "Remove images that nobody needs",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage.Mistake(fmt.Errorf("%d arguments, want none: tidy", len(args)))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return p.do(cmd, "", p.tidy) },
	}
}

func (p *program) do(cmd *cobra.Command, name string, do action) error {
	log := journallog.New(cmd.ErrOrStderr())
	c, err := hostcontainerd.Connect(cmd.Context(), hostcontainerd.Options{Socket: p.socket, Unit: hostcontainerd.Unit}, log)
	if err != nil {
		return err
	}
	defer c.Close()
	return do(cmd.Context(), c, log, name)
}

// definition reads what the container called name is.
func (p *program) definition(name string) (hostcontainerd.Definition, error) {
	d := hostcontainerd.Definition{Kind: hostcontainerd.Host}
	read, err := hostcontainerd.Read(filepath.Join(p.config, name+".toml"), &d)
	d.Name = read
	return d, err
}

func (p *program) run(ctx context.Context, c *hostcontainerd.Client, _ *slog.Logger, name string) error {
	d, err := p.definition(name)
	if err != nil {
		return err
	}
	return c.Start(ctx, d)
}

func (p *program) stop(ctx context.Context, c *hostcontainerd.Client, _ *slog.Logger, name string) error {
	return c.Stop(ctx, hostcontainerd.Host.ID(name))
}

func (p *program) cleanUp(ctx context.Context, c *hostcontainerd.Client, log *slog.Logger, name string) error {
	id := hostcontainerd.Host.ID(name)
	code, ended, err := c.Outcome(ctx, id)
	if err != nil {
		log.Warn("it is not known how the container ended", "container", name, "error", err)
	}
	if ended {
		log.Info("container has ended", "container", name, "status", code)
		if err := hostcontainerd.NoteEnd(id, code); err != nil {
			log.Warn("how the container ended is not noted", "container", name, "error", err)
		}
	}
	if err := c.Remove(ctx, id); err != nil {
		return err
	}
	tidyUp(ctx, c, log) // its settings may have gone, too
	return nil
}

func (p *program) tidy(ctx context.Context, c *hostcontainerd.Client, _ *slog.Logger, _ string) error {
	return c.TidyNode(ctx)
}

// tidyUp tidies for those who have done something else, which is not to fail for
// that.
func tidyUp(ctx context.Context, c *hostcontainerd.Client, log *slog.Logger) {
	if err := c.TidyNode(ctx); err != nil {
		log.Warn("images that nobody needs cannot be removed", "error", err)
	}
}

func (p *program) pull(ctx context.Context, c *hostcontainerd.Client, log *slog.Logger, source string) error {
	image, err := c.Pull(ctx, source, hostcontainerd.Proxy{})
	if err != nil {
		return err
	}
	log.Info("image is here", "image", image.Name(), "digest", image.Target().Digest.String())
	tidyUp(ctx, c, log)
	return nil
}
