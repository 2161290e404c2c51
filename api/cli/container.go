package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/client"
)

func (p *program) containerCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "container",
		Short: "Show, start and stop the containers of the host",
		Long: `Show, start and stop the containers that the settings define: host containers,
bootstrap containers, and containers that do the node's work. Those of an
orchestrator are not among them.

What these commands do lasts until the next boot, or the next change of the settings
of the container; what is to last for good is a setting.`,
		Example: `  apiclient container list
  apiclient container restart admin
  apiclient container logs -f control
  apiclient container pull registry.example.org/team/tool:v2`,
		Args: noStray,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return &UsageError{Err: errors.New("no command is given"), Hint: cmd.CommandPath() + " --help"}
		},
	}
	control := func(verb, short, long string, do func(*client.Client, context.Context, string) error) *cobra.Command {
		return &cobra.Command{
			Use: verb + " CONTAINER", Short: short, Long: long,
			Example: "  apiclient container " + verb + " admin",
			Args:    between(1, 1, "one CONTAINER"), ValidArgsFunction: p.completeContainers,
			RunE: func(cmd *cobra.Command, args []string) error { return do(p.client(cmd), cmd.Context(), args[0]) },
		}
	}
	cmd.AddCommand(
		p.containerListCommand(),
		control("start", "Start a container that was stopped", "Start a container that was stopped. Its image is fetched first, so that it may not run\nyet when the command has ended; apiclient container logs CONTAINER shows how it goes on.", (*client.Client).StartContainer),
		control("stop", "Stop a container", "Stop a container: it is asked to end, and after 20 s killed. It stays so until the next\nboot, or the next change of its settings.", (*client.Client).StopContainer),
		control("restart", "Make a container anew and start it", "Stop a container, make it anew from its image, and start it. An image with a tag is\nlooked for anew.", (*client.Client).RestartContainer),
		p.containerLogsCommand(),
		p.containerPullCommand(),
	)
	return cmd
}

func (p *program) containerListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the containers of the host",
		Long: `List the containers of the host: kind, name, state, for how long, how often it was
started again by itself, how it ended last, and its image.

A container that is waiting has ended and is started again soon. One that is off is
not enabled in the settings.`,
		Example: `  apiclient container list
  apiclient container list -o json`,
		Args: noStray,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := p.client(cmd).Containers(cmd.Context())
			if err != nil {
				return err
			}
			r := rows{head: []string{"KIND", "NAME", "STATE", "SINCE", "RESTARTS", "STATUS", "IMAGE"}}
			for _, c := range list {
				r.cells = append(r.cells, containerRow(c))
			}
			return p.list(cmd, list, "containers", r)
		},
	}
}

func containerRow(c client.Container) []string {
	since, status := "-", "-"
	if c.Started != nil {
		since = c.Started.UTC().Format(time.RFC3339)
	}
	if c.ExitStatus != nil {
		status = strconv.Itoa(*c.ExitStatus)
	}
	image := c.Image
	if image == "" {
		image = "-"
	}
	return []string{c.Kind, c.Name, c.State, since, strconv.Itoa(c.Restarts), status, image}
}

func (p *program) containerLogsCommand() *cobra.Command {
	var r client.LogsRequest
	cmd := &cobra.Command{
		Use:   "logs CONTAINER",
		Short: "Print what a container writes",
		Long:  "Print what a container writes, and what systemd says about it, from the journal. The\noptions are those of logs.",
		Example: `  apiclient container logs admin
  apiclient container logs -f control`,
		Args: between(1, 1, "one CONTAINER"), ValidArgsFunction: p.completeContainers,
		RunE: func(cmd *cobra.Command, args []string) error {
			list, err := p.client(cmd).Containers(cmd.Context())
			if err != nil {
				return err
			}
			c, err := pick(list, args[0])
			if err != nil {
				return err
			}
			r.Unit = unitOf(c)
			return p.logs(cmd, r)
		},
	}
	logFlags(cmd, &r)
	return cmd
}

// pick returns the container called name.
func pick(list []client.Container, name string) (client.Container, error) {
	for _, kind := range []string{"host", "declared", "bootstrap"} {
		for _, c := range list {
			if c.Kind == kind && c.Name == name {
				return c, nil
			}
		}
	}
	return client.Container{}, &hinted{fmt.Errorf("there is no container %q", name), "see which there are with: apiclient container list"}
}

// unitOf returns the unit of c, also of one that was not started in this boot.
func unitOf(c client.Container) string {
	switch {
	case c.Unit != "":
		return c.Unit
	case c.Kind == "host":
		return "host-container@" + c.Name + ".service"
	case c.Kind == "declared":
		return "container@" + c.Name + ".service"
	}
	return "bootstrap-containers.service"
}

func (p *program) containerPullCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "pull IMAGE",
		Short: "Fetch an image",
		Long: `Have the node fetch an image, by the mirrors, credentials and proxy of its settings.
Containers that run go on with the image that they were made from; apiclient
container restart makes them anew.`,
		Example: `  apiclient container pull registry.example.org/team/tool:v2`,
		Args:    between(1, 1, "one IMAGE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			line := p.newProgressLine(cmd)
			image, err := p.client(cmd).PullImage(cmd.Context(), args[0], func(done, total int64) {
				line.write(fmt.Sprintf("fetching %s: %s of %s", args[0], bytesText(done), bytesText(total)), "")
			})
			line.end()
			if err != nil {
				return err
			}
			return p.list(cmd, image, "image", rows{head: []string{"IMAGE", "DIGEST"}, cells: [][]string{{image.Name, image.Digest}}})
		},
	}
}

// completeContainers completes the name of a container, as the first argument.
func (p *program) completeContainers(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
	defer cancel()
	list, err := p.client(cmd).Containers(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, c := range list {
		names = append(names, described(c.Name, strings.TrimSpace(c.Kind+", "+c.State)))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
