package cli

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/client"
)

func (p *program) rebootCommand() *cobra.Command {
	var wait bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "reboot",
		Short: "Start the node anew",
		Long: `Start the node anew. With --wait, wait until it has, which its boot id shows, and
until its health is ok; what happens meanwhile goes to standard error. The exit
status with --wait is that of health.`,
		Example: `  apiclient --context lab-1 reboot
  apiclient --context lab-1 reboot --wait --timeout 3m`,
		Args: noStray,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !wait {
				if cmd.Flags().Changed("timeout") {
					return usage("--timeout is for --wait")
				}
				return p.client(cmd).Reboot(cmd.Context())
			}
			if err := checkTimeout(timeout); err != nil {
				return err
			}
			return p.rebootAndWait(cmd, timeout)
		},
	}
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until the node is up again and ok")
	timeoutFlag(cmd, &timeout, 10*time.Minute)
	return cmd
}

func (p *program) rebootAndWait(cmd *cobra.Command, timeout time.Duration) error {
	api := p.client(cmd)
	ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
	defer cancel()
	old, err := api.Boot(ctx)
	if err != nil {
		return err
	}
	if old.ID == "" {
		return &hinted{errors.New("the node does not tell its boot id, so that its next boot could not be known"), "reboot it without --wait"}
	}
	if err := api.Reboot(ctx); err != nil {
		return err
	}
	p.note(cmd, "the node reboots")
	start := time.Now()
	boot, err := p.awaitBoot(cmd, ctx, api, old)
	if err != nil {
		return timedOut(err, cmd.Context(), timeout, "is not up again")
	}
	p.note(cmd, "boot %s answers after %s", boot.ID, time.Since(start).Round(time.Second))
	h, err := p.awaitHealth(cmd, ctx, api)
	if err != nil {
		return timedOut(err, cmd.Context(), timeout, "is up again, but not known to be ok")
	}
	return p.reportHealth(cmd, h)
}

// awaitBoot waits for another boot than old. That the node is away for a while
// is as it should be.
func (p *program) awaitBoot(cmd *cobra.Command, ctx context.Context, api *client.Client, old client.Boot) (client.Boot, error) {
	away := false
	return api.AwaitBoot(ctx, old, func(err error) {
		switch {
		case err == nil || ctx.Err() != nil:
		case !away:
			away = true
			p.note(cmd, "the node does not answer any more")
		default:
			p.detail(cmd, "%v", err)
		}
	})
}

func (p *program) shutdownCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "shutdown",
		Short:   "Switch the node off",
		Long:    "Stop everything on the node and switch it off. It has to be switched on at the\nmachine, or by whatever runs it.",
		Example: "  apiclient --context lab-1 shutdown",
		Args:    noStray,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.client(cmd).Shutdown(cmd.Context())
		},
	}
}
