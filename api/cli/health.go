package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/client"
)

// What a node says of itself, and the exit status of health for each.
const (
	healthOK       = "ok"
	healthStarting = "starting"
	healthDegraded = "degraded"

	exitDegraded = 3
	exitStarting = 4
)

// An exitStatus ends the program with a status of its own. What there is to say
// has been said.
type exitStatus struct{ code int }

func (e *exitStatus) Error() string { return fmt.Sprintf("exit status %d", e.code) }

func (p *program) healthCommand() *cobra.Command {
	var wait bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Tell how the node is",
		Long: `Tell how the node is: ok, degraded when something is wrong, or starting, and what
is wrong. With --wait, wait until it is ok, also when it cannot be reached yet;
what keeps it from being ok goes to standard error.

Exit status: 0 ok, 1 not reached, 2 misused, 3 degraded, 4 starting. With --wait it
is that of the state at the end of the time.`,
		Example: `  apiclient health
  apiclient --context lab-1 health --wait --timeout 10m
  apiclient health -o json`,
		Args: noStray,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !wait {
				if cmd.Flags().Changed("timeout") {
					return usage("--timeout is for --wait")
				}
				h, err := p.client(cmd).Health(cmd.Context())
				if err != nil {
					return err
				}
				return p.reportHealth(cmd, h)
			}
			if err := checkTimeout(timeout); err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			h, err := p.awaitHealth(cmd, ctx, p.client(cmd))
			if err != nil {
				return timedOut(err, cmd.Context(), timeout, "is not known to be ok")
			}
			return p.reportHealth(cmd, h)
		},
	}
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until it is ok")
	timeoutFlag(cmd, &timeout, 5*time.Minute)
	return cmd
}

func timeoutFlag(cmd *cobra.Command, timeout *time.Duration, usual time.Duration) {
	cmd.Flags().DurationVar(timeout, "timeout", usual, "wait at most `TIME`")
}

func checkTimeout(timeout time.Duration) error {
	if timeout <= 0 {
		return usage("--timeout %s: want more than 0", timeout)
	}
	return nil
}

// awaitHealth waits until the node is ok. When time runs out and it has told
// how it is, that is the result.
func (p *program) awaitHealth(cmd *cobra.Command, ctx context.Context, api *client.Client) (client.Health, error) {
	var last client.Health
	say := p.progress(cmd)
	_, err := api.AwaitHealth(ctx, func(h client.Health) bool { return h.Status == healthOK }, func(h client.Health, err error) {
		if err == nil {
			last = h
			if h.Status != healthOK {
				say("%s", healthLine(h))
			}
			return
		}
		if ctx.Err() == nil {
			last = client.Health{}
			say("%v", err)
		}
	})
	if err != nil && last.Status != "" && cmd.Context().Err() == nil {
		return last, nil
	}
	return last, err
}

// progress returns a function that says something unless it was just said.
func (p *program) progress(cmd *cobra.Command) func(format string, args ...any) {
	var last string
	return func(format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		if text != last {
			p.note(cmd, "%s", visible(text))
			last = text
		}
	}
}

// timedOut returns err, or what it means that time has run out.
func timedOut(err error, command context.Context, timeout time.Duration, what string) error {
	if command.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("the node %s after %s", what, timeout)
}

// healthLine gives the state and what is wrong on one line.
func healthLine(h client.Health) string {
	var what []string
	for _, f := range h.Faults {
		what = append(what, strings.TrimPrefix(f.Source+": "+f.Detail, ": "))
	}
	if len(what) == 0 {
		return h.Status
	}
	return h.Status + ": " + strings.Join(what, "; ")
}

// reportHealth prints h, and makes the exit status say it, too.
func (p *program) reportHealth(cmd *cobra.Command, h client.Health) error {
	if err := p.writeHealth(cmd, h); err != nil {
		return err
	}
	switch h.Status {
	case healthOK:
		return nil
	case healthStarting:
		return &exitStatus{exitStarting}
	case healthDegraded:
		return &exitStatus{exitDegraded}
	}
	return fmt.Errorf("the node says that it is %q, which this apiclient does not know", h.Status)
}

func (p *program) writeHealth(cmd *cobra.Command, h client.Health) error {
	if p.output != "" && p.output != "table" {
		return p.write(cmd, nodeOf(h), "json", "health")
	}
	var b bytes.Buffer
	paint := p.painter(cmd)
	state := h.Status
	if h.Status == healthOK {
		state = paint(green, state)
	} else {
		state = paint(red, state)
	}
	fmt.Fprintf(&b, "%s: %s %s, generation %d\n", state, h.Variant, h.Version, h.Generation)
	for _, f := range h.Faults {
		hint := f.Hint
		f.Hint = ""
		fmt.Fprintf(&b, "  %s\n", visible(f.String()))
		if hint != "" {
			fmt.Fprintf(&b, "      %s\n", visible(hint))
		}
	}
	_, err := cmd.OutOrStdout().Write(b.Bytes())
	return err
}
