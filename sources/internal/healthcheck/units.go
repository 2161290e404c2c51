package healthcheck

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/coreos/go-systemd/v22/dbus"
)

// workload are the units that variants run their workload with. Each counts
// where an image has it and starts it at boot.
var workload = []string{"containerd.service", "docker.service", "kubelet.service", "ecs.service"}

// answers is where a unit of the workload says how it is. One that runs may still
// do nothing.
type answers map[string]string

// workloadAnswers returns where the units of a node answer.
func workloadAnswers() answers {
	return answers{"kubelet.service": "http://127.0.0.1:10248/healthz"}
}

// active is the state of a unit that runs.
const active = "active"

// A Unit is what systemd says of one.
type Unit struct {
	Loaded bool
	Active string // state: active, inactive, activating, failed and others
	// Passed says that systemd found a condition of the unit not met, so that there
	// is nothing for it to do.
	Passed bool
	// WantedBy are the units that start it along with themselves.
	WantedBy []string
	// NeededBy are those that cannot do without it.
	NeededBy []string
	// Around are those that it is ordered after or before.
	Around []string
}

// Units tells about units.
type Units interface {
	Unit(ctx context.Context, name string) (Unit, error)
}

// workloadFaults returns a fault for each unit of the workload that does not run
// and should, or says itself that it is not well.
func workloadFaults(ctx context.Context, units Units, at answers) []string {
	var faults []string
	for _, name := range workload {
		u, err := units.Unit(ctx, name)
		if err != nil {
			return append(faults, err.Error()) // of all the same
		}
		if u.Loaded && u.Active == active {
			faults = append(faults, at.fault(ctx, name)...)
			continue
		}
		if !u.Loaded {
			continue
		}
		due, err := isDue(ctx, units, name, slices.DeleteFunc(slices.Clone(workload), func(o string) bool { return o == name }))
		if err != nil {
			return append(faults, err.Error())
		}
		if due {
			faults = append(faults, fmt.Sprintf("unit %s is %s, want active", name, u.Active))
		}
	}
	return faults
}

// fault returns what a unit that runs says of itself, if that is not good.
func (a answers) fault(ctx context.Context, name string) []string {
	url, ok := a[name]
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, defaultTimeout)
	defer cancel()
	if err := get(ctx, url); err != nil {
		return []string{fmt.Sprintf("unit %s runs and is not well: %v", name, err)}
	}
	return nil
}

// isDue reports whether a unit is started at boot: by a target, or because one
// of others, which is due, needs it.
func isDue(ctx context.Context, units Units, name string, others []string) (bool, error) {
	u, err := units.Unit(ctx, name)
	if err != nil || !u.Loaded || u.Passed {
		return false, err
	}
	if slices.ContainsFunc(u.WantedBy, func(s string) bool { return strings.HasSuffix(s, ".target") }) {
		return true, nil
	}
	for i, other := range others {
		if !slices.Contains(u.NeededBy, other) {
			continue
		}
		rest := slices.Delete(slices.Clone(others), i, i+1) // in a circle nothing is due by itself
		if due, err := isDue(ctx, units, other, rest); due || err != nil {
			return due, err
		}
	}
	return false, nil
}

// Systemd tells about the units of this node. It is to be closed.
type Systemd struct{ conn *dbus.Conn }

// Connect reaches systemd.
func Connect(ctx context.Context) (Systemd, error) {
	conn, err := dbus.NewSystemdConnectionContext(ctx)
	if err != nil {
		return Systemd{}, fmt.Errorf("reach systemd: %w", err)
	}
	return Systemd{conn}, nil
}

// Close ends the connection.
func (s Systemd) Close() { s.conn.Close() }

// Reboot restarts the node in order.
func (s Systemd) Reboot(ctx context.Context) error {
	if _, err := s.conn.StartUnitContext(ctx, "reboot.target", "replace-irreversibly", nil); err != nil {
		return fmt.Errorf("reboot: %w", err)
	}
	return nil
}

// Unit returns what systemd says of a unit.
func (s Systemd) Unit(ctx context.Context, name string) (Unit, error) {
	p, err := s.conn.GetUnitPropertiesContext(ctx, name)
	if err != nil {
		return Unit{}, fmt.Errorf("ask systemd for unit %s: %w", name, err)
	}
	u, err := unitOf(p)
	if err != nil {
		return Unit{}, fmt.Errorf("ask systemd for unit %s: %w", name, err)
	}
	return u, nil
}

// unitOf reads the properties that systemd gives of a unit.
func unitOf(p map[string]any) (Unit, error) {
	load, ok1 := p["LoadState"].(string)
	state, ok2 := p["ActiveState"].(string)
	met, ok3 := p["ConditionResult"].(bool)
	asked, ok4 := p["ConditionTimestamp"].(uint64)
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return Unit{}, errors.New("the answer lacks a state")
	}
	list := func(name string) []string {
		all, _ := p[name].([]string) // some kinds of units have none
		return all
	}
	return Unit{
		Loaded: load == "loaded", Active: state, Passed: asked > 0 && !met,
		WantedBy: slices.Concat(list("WantedBy"), list("RequiredBy")),
		NeededBy: slices.Concat(list("RequiredBy"), list("BoundBy"), list("RequisiteOf")),
		Around:   slices.Concat(list("After"), list("Before")),
	}, nil
}
