package containerservice

import (
	"context"
	"fmt"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
)

// A systemd is the manager of a node. It is reached over systemd's private
// socket, which needs no message bus.
type systemd struct{}

// jobLimit is how long a job may take: more than a stop has.
const jobLimit = 2 * time.Minute

// List returns units whose names match one of patterns.
func (systemd) List(ctx context.Context, patterns []string) ([]unit, error) {
	conn, err := dbus.NewSystemdConnectionContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("reach systemd: %w", err)
	}
	defer conn.Close()
	found, err := conn.ListUnitsByPatternsContext(ctx, nil, patterns)
	if err != nil {
		return nil, fmt.Errorf("ask systemd for units: %w", err)
	}
	var list []unit
	for _, f := range found {
		u := unit{name: f.Name, active: f.ActiveState, sub: f.SubState}
		if p, err := conn.GetServicePropertyContext(ctx, f.Name, "NRestarts"); err == nil {
			n, _ := p.Value.Value().(uint32)
			u.restarts = int(n)
		}
		if p, err := conn.GetUnitPropertyContext(ctx, f.Name, "ActiveEnterTimestamp"); err == nil {
			if t, _ := p.Value.Value().(uint64); t > 0 {
				u.started = time.UnixMicro(int64(t))
			}
		}
		list = append(list, u)
	}
	return list, nil
}

// Do carries out a verb on a unit, and waits for that.
func (systemd) Do(ctx context.Context, verb, unit string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, jobLimit)
	defer cancel()
	conn, err := dbus.NewSystemdConnectionContext(ctx)
	if err != nil {
		return "", fmt.Errorf("reach systemd: %w", err)
	}
	defer conn.Close()
	do := map[string]func(context.Context, string, string, chan<- string) (int, error){
		"start": conn.StartUnitContext, "stop": conn.StopUnitContext, "restart": conn.RestartUnitContext,
	}[verb]
	result := make(chan string, 1)
	if _, err := do(ctx, unit, "replace", result); err != nil {
		return "", fmt.Errorf("%s %s: %w", verb, unit, err)
	}
	select {
	case r := <-result:
		return r, nil
	case <-ctx.Done():
		return "", fmt.Errorf("%s %s: %w", verb, unit, ctx.Err())
	}
}
