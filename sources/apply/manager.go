package apply

import (
	"context"
	"errors"
	"time"

	"github.com/bulkhead-os/bulkhead/api/plan"
)

// A Manager starts and stops units. Its methods may be called at the same time
// for different units. They take as long as it takes, up to a limit of their
// own, and return an error when the unit is not as asked for afterwards.
type Manager interface {
	DaemonReload(ctx context.Context) error
	Start(ctx context.Context, u plan.UnitAction) error
	Stop(ctx context.Context, u plan.UnitAction) error
	Restart(ctx context.Context, u plan.UnitAction) error
	Reload(ctx context.Context, u plan.UnitAction) error // or restarts a unit that cannot reload
	State(ctx context.Context, name string) (State, error)
	// Settled waits until the unit is not activating any more.
	Settled(ctx context.Context, name string) error
	// Run runs the program of an action and returns the end of its output.
	Run(ctx context.Context, a plan.Action) (output string, err error)
	// Journal returns the last lines that the unit wrote.
	Journal(ctx context.Context, name string) []string
}

// A State is how a unit is.
type State struct {
	Active string // active, reloading, inactive, failed, activating, deactivating
	Sub    string
	Absent bool          // no such unit is known
	Began  time.Duration // on the monotonic clock: when it last ceased to be inactive
}

// errQueued says that a job waits for its turn while the node boots. Its unit
// may come after the very one that asked for the apply, so nobody must wait.
var errQueued = errors.New("the job waits for its turn")
