package storage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/sources/internal/disklayout"
	"github.com/bulkhead-os/bulkhead/sources/internal/nodereset"
)

// Codes of what becomes of a reset.
const (
	codeReset       report.Code = "reset"        // it was carried out
	codeResetFailed report.Code = "reset-failed" // it is still due
)

// reset carries out the reset that is due, if one is. All is mounted. The mark
// goes last: a run that is cut off is begun again by the next one, and each part
// of it can be repeated. Only what a failed reset leaves is an error.
func (r *run) reset(ctx context.Context) error {
	if r.lost(disklayout.Private) {
		return nil // nothing is kept, and no mark either
	}
	mark, due, err := r.due()
	switch {
	case err != nil:
		r.resetFailed(ctx, err)
		return nil
	case !due:
		return nil
	}
	if !mark.KeepData {
		if err := r.remakeData(ctx); err != nil {
			return err
		}
		if r.lost(disklayout.Private) || r.lost(disklayout.Data) {
			r.resetFailed(ctx, errors.New("what the node keeps could not be mounted again"))
			return nil
		}
	}
	if err := r.forget(); err != nil {
		r.resetFailed(ctx, err)
		return nil
	}
	what := "settings and data"
	if mark.KeepData {
		what = "settings"
	}
	r.fault(ctx, report.Fault{
		Severity: report.Info, Code: codeReset, Detail: "the node was reset: its " + what + " are those of its first boot",
		Hint: "asked for on " + mark.Time.UTC().Format("2006-01-02 15:04:05Z") + " " + mark.Reason,
	})
	return nil
}

func (r *run) resetFailed(ctx context.Context, err error) {
	r.fault(ctx, fault(codeResetFailed, fmt.Sprintf("the node was not reset: %v", err), "it is tried again at the next boot; see whether the disk fails"))
}

func (r *run) private() (*os.Root, error) {
	return os.OpenRoot(filepath.Join(r.root, disklayout.PrivateDir))
}

func (r *run) due() (nodereset.Mark, bool, error) {
	dir, err := r.private()
	if err != nil {
		return nodereset.Mark{}, false, err
	}
	defer dir.Close()
	return nodereset.Due(dir)
}

// forget empties PRIVATE, and then removes the mark.
func (r *run) forget() error {
	dir, err := r.private()
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := nodereset.Wipe(dir, func(name string) { r.stepped("forget " + name) }); err != nil {
		return err
	}
	r.stepped("end the reset")
	return nodereset.Clear(dir)
}

// stepped notes a step that is no part of a plan.
func (r *run) stepped(what string) {
	r.step(what)
	r.report.Steps = append(r.report.Steps, what)
}

// remakeData unmounts everything, gives DATA the name of a partition that nobody
// has used, and mounts what a new plan says, which then is that of a first boot.
// Until DATA has its name again, the next run makes its file system.
func (r *run) remakeData(ctx context.Context) error {
	r.unmountAll()
	r.report.Volumes, r.report.Faults = nil, nil // all is looked at anew
	plan, err := r.planAnew(ctx)
	if err != nil {
		plan = withoutDisk(err)
	}
	return r.carryOut(ctx, plan)
}

// unmountAll unmounts what has just been mounted. Nothing runs yet that could
// use it; a file system that is in use all the same is refused by what would
// make it.
func (r *run) unmountAll() {
	r.stepped("unmount everything for the reset")
	for _, dir := range []string{disklayout.OptDir, disklayout.PrivateDir, disklayout.DataDir} {
		if mounted, err := r.mounted(dir); err == nil && mounted {
			_ = unix.Unmount(filepath.Join(r.root, dir), unix.MNT_DETACH) // fails for what is not mounted
		}
	}
}

// planAnew renames DATA, and returns the plan for the disk as it then is.
func (r *run) planAnew(ctx context.Context) (Plan, error) {
	state, err := survey(r.sys, r.disk, r.file)
	if err != nil {
		return Plan{}, err
	}
	if state.Table == nil {
		return Plan{}, state.Fault
	}
	table := state.Table.Clone()
	i, err := table.Find(disklayout.Data)
	if err != nil {
		return Plan{}, err
	}
	if i >= 0 {
		table.Partitions[i].Name = disklayout.NewData
		s := WriteTable{Table: table, Why: fmt.Sprintf("rename partition %d to %s for the reset", table.Partitions[i].Number, disklayout.NewData)}
		if err := r.take(ctx, s); err != nil {
			return Plan{}, err
		}
		if state, err = survey(r.sys, r.disk, r.file); err != nil {
			return Plan{}, err
		}
	}
	return state.Plan(), nil
}
