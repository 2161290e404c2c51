package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/sources/internal/atomicfile"
	"github.com/bulkhead-os/bulkhead/sources/internal/disklayout"
	"github.com/bulkhead-os/bulkhead/sources/internal/healthfile"
	"github.com/bulkhead-os/bulkhead/sources/internal/machineid"
)

// options say where things are.
type options struct {
	disk string       // in sysfs; empty for that of the root
	root string       // what stands for the root of the node
	step func(string) // called before each step
}

// A Report says what the storage of the node is. It is in /run/bulkhead for
// everybody to read.
type Report struct {
	Disk    string         `json:"disk"`
	Volumes []VolumeReport `json:"volumes"`
	Steps   []string       `json:"steps"` // that were done
	Faults  []report.Fault `json:"faults"`
	Seconds float64        `json:"seconds"` // that it took
}

// A VolumeReport says what is mounted at a directory.
type VolumeReport struct {
	Name string `json:"name"`
	Dir  string `json:"dir"`
	// Lost says that the directory is kept in memory, in place of the volume.
	Lost bool `json:"lost,omitempty"`
}

const (
	reportDir  = "run/bulkhead"
	reportFile = "storage.json"
	healthName = "storage"
)

func (v Volume) private() bool { return v.Name == disklayout.Private }

// run is one run of the program.
type run struct {
	*machine
	log    *slog.Logger
	step   func(string)
	report Report
}

// setUp makes and mounts what the node keeps. An error says that the node cannot
// do without what is missing; everything else is a fault of its health.
func setUp(ctx context.Context, opt options, log *slog.Logger) (err error) {
	began := time.Now()
	sys := os.DirFS("/sys")
	r := &run{log: log, step: opt.step, report: Report{Disk: opt.disk}}
	r.machine = &machine{root: opt.root}
	done, err := r.mounted(disklayout.DataDir)
	if err != nil {
		return err
	}
	if done {
		log.InfoContext(ctx, "storage is mounted already")
		return nil
	}
	plan, err := r.open(sys, opt)
	if err != nil {
		plan = withoutDisk(err)
	}
	if r.file != nil {
		defer func() { err = errors.Join(err, r.close()) }()
	}
	if err := r.carryOut(ctx, plan); err != nil {
		return err
	}
	if err := r.reset(ctx); err != nil {
		return err
	}
	r.checkIdentity()
	if err := r.admitJournal(); err != nil {
		log.WarnContext(ctx, "the journal is kept in memory at first", "err", err)
	}
	r.report.Seconds = time.Since(began).Seconds()
	return r.tell()
}

// open finds the disk, and returns the plan for it.
func (r *run) open(sys fs.FS, opt options) (Plan, error) {
	disk := opt.disk
	if disk == "" {
		var err error
		if disk, err = diskOfRoot(sys); err != nil {
			return Plan{}, err
		}
	}
	r.report.Disk = disk
	m, err := openMachine(sys, disk, opt.root)
	if err != nil {
		return Plan{}, err
	}
	r.machine = m
	state, err := survey(sys, disk, m.file)
	if err != nil {
		return Plan{}, err
	}
	return state.Plan(), nil
}

// withoutDisk is the plan for a node whose disk cannot be used.
func withoutDisk(err error) Plan {
	return Plan{Volumes: []Volume{
		lost(disklayout.Data, codeDataLost, err.Error(), hintData),
		lost(disklayout.Private, codePrivateLost, err.Error(), hintPrivate),
	}}
}

// carryOut returns an error where not even memory can be mounted.
func (r *run) carryOut(ctx context.Context, plan Plan) error {
	for _, f := range plan.Faults {
		r.fault(ctx, f)
	}
	for _, s := range plan.Table {
		if err := r.take(ctx, s); err != nil {
			r.fault(ctx, fault(codeTable, fmt.Sprintf("%s: %v", s, err), "what is on the disk is used as it is; see whether the disk fails"))
			break
		}
	}
	for _, v := range plan.Volumes {
		if err := r.mountVolume(ctx, v); err != nil {
			return err
		}
	}
	return nil
}

// mountVolume mounts v, or memory in its place.
func (r *run) mountVolume(ctx context.Context, v Volume) error {
	for _, s := range v.Steps {
		if err := r.take(ctx, s); err != nil {
			f := fault(kinds[v.Name].code, fmt.Sprintf("%s: %v", s, err), kinds[v.Name].hint)
			v.Lost = &f
			break
		}
	}
	r.report.Volumes = append(r.report.Volumes, VolumeReport{Name: v.Name, Dir: v.Dir, Lost: v.Lost != nil})
	if v.Lost != nil {
		r.fault(ctx, *v.Lost)
		if err := r.mountMemory(v); err != nil {
			return fmt.Errorf("without volume %s: %w", v.Name, err)
		}
	}
	if !v.private() {
		if err := r.bind(disklayout.OptSource, disklayout.OptDir); err != nil {
			r.fault(ctx, fault(codeMount, err.Error(), "what is installed below /opt is missing"))
		}
	}
	if v.Lost != nil {
		return nil
	}
	for _, s := range v.Grow {
		if err := r.take(ctx, s); err != nil {
			f := fault(codeNotGrown, err.Error(), "the file system is used with the size it has")
			f.Severity = report.Warning
			r.fault(ctx, f)
		}
	}
	return nil
}

// take carries a step out.
func (r *run) take(ctx context.Context, s Step) error {
	r.step(s.String())
	began := time.Now()
	note, err := r.do(ctx, s)
	if err != nil {
		return err
	}
	r.report.Steps = append(r.report.Steps, s.String())
	r.log.InfoContext(ctx, s.String(), "took", time.Since(began).Round(time.Millisecond))
	if note != "" {
		r.fault(ctx, report.Fault{
			Severity: report.Info, Code: codeMended, Detail: fmt.Sprintf("%s: %s", s, note),
			Hint: "after a power cut nothing need be done; otherwise see whether the disk fails",
		})
	}
	return nil
}

func (r *run) fault(ctx context.Context, f report.Fault) {
	level := slog.LevelError
	if f.Severity != report.Error {
		level = slog.LevelWarn
	}
	r.log.Log(ctx, level, f.Detail, "code", string(f.Code), "hint", f.Hint)
	r.report.Faults = append(r.report.Faults, f)
}

// checkIdentity tells when the machine id of this boot is not the one that the
// node keeps, since the initial RAM disk could not read or keep it.
func (r *run) checkIdentity() {
	kept, err := r.identity(disklayout.PrivateDir)
	now, _ := r.identity("etc") // systemd has seen to it
	if kept == now && err == nil || r.lost(disklayout.Private) {
		return
	}
	detail := fmt.Sprintf("the machine id %s holds for this boot only, the node keeps %s", now, kept)
	if err != nil {
		detail = fmt.Sprintf("the machine id %s holds for this boot only: %v", now, err)
	}
	r.fault(context.Background(), report.Fault{
		Severity: report.Warning, Code: codeIdentity, Detail: detail,
		Hint: "the journal of this boot is kept under another name; reboot",
	})
}

func (r *run) identity(dir string) (machineid.ID, error) {
	root, err := os.OpenRoot(filepath.Join(r.root, dir))
	if err != nil {
		return machineid.ID{}, err
	}
	defer root.Close()
	return machineid.Read(root)
}

// journalMark tells journald, which starts behind this program, that it need not
// keep its journal in memory until it is asked to copy it.
const journalMark = "run/systemd/journal/flushed"

// admitJournal lets journald write to /var from its start on. Its sandbox shows it
// of /var what is there by then.
func (r *run) admitJournal() error {
	mark := filepath.Join(r.root, journalMark)
	return errors.Join(
		os.MkdirAll(filepath.Join(r.root, disklayout.DataDir, "log/journal"), 0o755),
		os.MkdirAll(filepath.Dir(mark), 0o755),
		os.WriteFile(mark, nil, 0o644),
	)
}

func (r *run) lost(name string) bool {
	for _, v := range r.report.Volumes {
		if v.Name == name {
			return v.Lost
		}
	}
	return true
}

// tell writes the report, and what of it is about health.
func (r *run) tell() error {
	defer unix.Umask(unix.Umask(0o022)) // both are for everybody
	r.report.Faults = append([]report.Fault{}, r.report.Faults...)
	data, err := json.MarshalIndent(r.report, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(r.root, reportDir), 0o755); err != nil {
		return err
	}
	dir, err := os.OpenRoot(filepath.Join(r.root, reportDir))
	if err != nil {
		return err
	}
	defer dir.Close()
	err = atomicfile.Replace(dir, reportFile, append(data, '\n'), atomicfile.Attributes{Mode: 0o644, UID: -1, GID: -1})
	return errors.Join(err, healthfile.WriteTo(filepath.Join(r.root, healthfile.Dir), healthName, r.report.Faults))
}
