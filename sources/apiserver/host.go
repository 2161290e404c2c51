package apiserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	godbus "github.com/godbus/dbus/v5"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/sources/internal/healthfile"
)

// Codes of faults of the node.
const (
	codeUnitFailed   report.Code = "unit-failed"
	codeUnitStarting report.Code = "unit-starting" // the boot is not complete, and waits for the unit
	codeUnitsUnknown report.Code = "units-unknown" // systemd does not tell which units have failed
)

const (
	busLimit = 3 * time.Second // for an answer of systemd
	busFresh = time.Second     // how long an answer counts

	// bootFresh is how long one counts while the node boots: somebody waits for
	// the end of it.
	bootFresh = 50 * time.Millisecond
)

// goal is the unit with which a boot is complete.
const goal = "multi-user.target"

// A host is the node below a root: what its programs report, and its units.
type host struct {
	root    string
	sandbox bool   // nothing boots there
	bus     string // socket of the message bus; without it, units are not asked for

	mu     sync.Mutex // guards what follows
	units  []report.Fault
	asked  time.Time
	booted bool // systemd has said so
}

func newHost(root string) *host {
	return &host{root: root, sandbox: root != "/", bus: filepath.Join(root, "run/dbus/system_bus_socket")}
}

// Booted reports whether the boot was complete when Faults last asked systemd, or
// a program has noted its end since.
func (h *host) Booted() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.hasBooted()
}

func (h *host) hasBooted() bool {
	if h.sandbox || h.booted {
		return true
	}
	_, err := os.Stat(filepath.Join(h.root, "run/bulkhead/boot.json"))
	return err == nil
}

// Faults returns what programs of the node have reported, and a fault for each
// unit that has failed. While the node boots, there is one for each unit that it
// waits for.
func (h *host) Faults(ctx context.Context) []report.Fault {
	out, err := healthfile.ReadAll(filepath.Join(h.root, healthfile.Dir))
	if err != nil {
		out = []report.Fault{{Severity: report.Warning, Code: healthfile.Broken, Detail: err.Error()}}
	}
	return append(out, h.failed(ctx)...)
}

// failed returns the faults of units. It asks systemd no more often than is
// needed: health is looked at by many.
func (h *host) failed(ctx context.Context) []report.Fault {
	h.mu.Lock()
	defer h.mu.Unlock()
	booted, fresh := h.hasBooted(), busFresh
	if !booted {
		fresh = bootFresh
	}
	if !h.asked.IsZero() && time.Since(h.asked) < fresh {
		return h.units
	}
	ctx, cancel := context.WithTimeout(ctx, busLimit)
	defer cancel()
	units, booted, err := unitFaults(ctx, h.bus, booted)
	switch {
	case errors.Is(err, fs.ErrNotExist): // a sandbox, or early in the boot
		units = nil
	case err != nil:
		units = []report.Fault{{Severity: report.Warning, Code: codeUnitsUnknown, Detail: fmt.Sprintf("ask systemd for units that have failed: %v", err)}}
	}
	h.units, h.asked, h.booted = units, time.Now(), h.booted || booted
	return units
}

// unitFaults asks systemd for units that have failed and, unless the boot is known
// to be complete, whether it is, and what it waits for.
func unitFaults(ctx context.Context, socket string, known bool) (out []report.Fault, booted bool, err error) {
	if _, err := os.Stat(socket); err != nil {
		return nil, false, err
	}
	conn, err := dbus.NewConnection(func() (*godbus.Conn, error) { return dialBus(ctx, socket) })
	if err != nil {
		return nil, false, err
	}
	defer conn.Close()
	units, err := conn.ListUnitsFilteredContext(ctx, []string{"failed"})
	if err != nil {
		return nil, false, err
	}
	for _, u := range units {
		out = append(out, report.Fault{
			Severity: report.Error, Code: codeUnitFailed, Source: u.Name,
			Detail: "the unit has failed: " + u.Description, Hint: "apiclient logs " + u.Name + " says why",
		})
	}
	if booted = known; !booted {
		goals, err := conn.ListUnitsByNamesContext(ctx, []string{goal})
		if err != nil {
			return nil, false, err
		}
		booted = len(goals) == 1 && goals[0].ActiveState == "active"
	}
	if !booted {
		jobs, err := conn.ListJobsContext(ctx)
		if err != nil {
			return nil, false, err
		}
		out = append(out, starting(jobs)...)
	}
	slices.SortStableFunc(out, func(a, b report.Fault) int { return cmp.Compare(a.Source, b.Source) })
	return out, booted, nil
}

// tellers show what is returned here while they run, and are not what a boot
// waits for.
var tellers = []string{"boot-status.service", "console.service"}

// starting returns an information for each unit that is being started. Jobs
// that wait do so for one of these.
func starting(jobs []dbus.JobStatus) []report.Fault {
	var out []report.Fault
	for _, j := range jobs {
		if j.JobType == "start" && j.Status == "running" && !slices.Contains(tellers, j.Unit) {
			out = append(out, report.Fault{Severity: report.Info, Code: codeUnitStarting, Source: j.Unit, Detail: "the boot waits for the unit"})
		}
	}
	return out
}

// dialBus connects to the message bus. Its address is not taken from the
// environment: that of the library lies below /var.
func dialBus(ctx context.Context, socket string) (*godbus.Conn, error) {
	conn, err := godbus.Dial("unix:path="+socket, godbus.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	if err := conn.Auth([]godbus.Auth{godbus.AuthExternal(strconv.Itoa(os.Getuid()))}); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if err := conn.Hello(); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}
