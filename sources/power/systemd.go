package power

import (
	"context"
	"fmt"

	"github.com/coreos/go-systemd/v22/dbus"
)

// irreversibly is the mode of a job that nothing asked for later undoes.
const irreversibly = "replace-irreversibly"

// A systemd is the manager of a node. It is reached over systemd's private
// socket, which needs no message bus.
type systemd struct{}

// Ready returns why target cannot be started now: systemd does not answer, has
// no such unit, or ends already.
func (systemd) Ready(ctx context.Context, target string) error {
	conn, err := dbus.NewSystemdConnectionContext(ctx)
	if err != nil {
		return fmt.Errorf("reach systemd: %w", err)
	}
	defer conn.Close()
	p, err := conn.GetUnitPropertyContext(ctx, target, "LoadState")
	if err != nil {
		return fmt.Errorf("ask systemd for %s: %w", target, err)
	}
	if state, _ := p.Value.Value().(string); state != "loaded" {
		return fmt.Errorf("the node has no %s: it is %s", target, state)
	}
	state, err := conn.SystemStateContext(ctx)
	if err != nil {
		return fmt.Errorf("ask systemd for its state: %w", err)
	}
	if text, _ := state.Value.Value().(string); text == "stopping" {
		return fmt.Errorf("the node is ending already")
	}
	return nil
}

// Start begins to start target.
func (systemd) Start(ctx context.Context, target string) error {
	conn, err := dbus.NewSystemdConnectionContext(ctx)
	if err != nil {
		return fmt.Errorf("reach systemd: %w", err)
	}
	defer conn.Close()
	if _, err := conn.StartUnitContext(ctx, target, irreversibly, nil); err != nil {
		return fmt.Errorf("start %s: %w", target, err)
	}
	return nil
}
