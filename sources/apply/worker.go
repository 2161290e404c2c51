package apply

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bulkhead-os/bulkhead/api/applier"
	"github.com/bulkhead-os/bulkhead/api/plan"
	"github.com/bulkhead-os/bulkhead/api/problem"
	"github.com/bulkhead-os/bulkhead/api/render"
	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/schema"
)

// templatePatience is how long one template may run on a node. They take a millisecond,
// and have been checked by a shorter one; but a machine that is shared, or
// emulated, may stand still for a while.
const templatePatience = 20 * time.Second

// A worker makes plans for the files below a root and carries them out. Plans
// may be made at any time; one plan is carried out at a time.
type worker struct {
	root    *os.Root
	image   string // directory that holds it
	manager Manager
	log     *slog.Logger
	step    func(string) // called between steps; tests end the process there

	mu     sync.Mutex
	images map[string]*image // by variant; guarded by mu
}

// A job is a plan with all that is needed to carry it out.
type job struct {
	generation uint64
	plan       *plan.Plan
	files      map[string]*plan.File // that are wanted, by path
	state      *state
	disk       *disk
	censor     censor
	notes      []string
}

// load returns the image of the variant called name. It is read once.
func (w *worker) load(name string) (*image, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if img := w.images[name]; img != nil {
		return img, nil
	}
	img, err := loadImage(w.image, name)
	if err != nil {
		return nil, err
	}
	w.images[name] = img
	return img, nil
}

// warm reads what applies to the image os need, and asks for a unit so that the
// manager is reached.
func (w *worker) warm(ctx context.Context, os applier.OS) error {
	if _, err := w.load(os.Variant); err != nil {
		return err
	}
	_, err := w.manager.State(ctx, "apply.service")
	return err
}

// prepare makes the plan for req. It changes nothing. The error is a
// *problem.Problem where req is at fault.
func (w *worker) prepare(ctx context.Context, req applier.Request) (*job, error) {
	img, err := w.load(req.OS.Variant)
	if err != nil {
		return nil, err
	}
	in := img.variant.Schema.ReadJSON(req.Settings, schema.Options{})
	if in.Report.HasErrors() {
		return nil, problem.Invalid(in.Report)
	}
	effective := in.Patch.Set
	settings, err := render.NewSettings(img.variant.Schema, effective)
	if err != nil {
		return nil, err
	}
	changes, err := readChanges(req.Changes)
	if err != nil {
		return nil, err
	}
	rendered := img.set.Render(ctx, render.Input{Settings: settings, OS: img.facts(req.OS), Node: nodeFacts(req.OS.Region), Patience: templatePatience})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	j := &job{
		generation: req.Generation, disk: newDisk(w.root), files: map[string]*plan.File{},
		censor: newCensor(img.variant.Schema, effective),
	}
	for i := range rendered.Files {
		j.files[rendered.Files[i].Path] = &rendered.Files[i]
	}
	if j.state, err = loadState(w.root); err != nil {
		w.log.Warn("state put aside", "err", err)
		j.notes = append(j.notes, err.Error())
	}
	previous := j.state.previous(j.files)
	j.plan = plan.Make(plan.Input{
		Changes: changes, Files: rendered.Files, Faults: slices.Concat(img.faults, rendered.Faults),
		Disk: j.read(previous), Previous: previous, Packages: img.packages,
	})
	return j, nil
}

// read returns the files on disk that are wanted or were.
func (j *job) read(previous map[string]plan.Written) map[string]plan.DiskFile {
	found := map[string]plan.DiskFile{}
	for path, want := range j.files {
		if f, ok := j.disk.read(path, want); ok {
			found[path] = f
		}
	}
	for path := range previous {
		if j.files[path] != nil {
			continue
		}
		if f, ok := j.disk.read(path, nil); ok {
			found[path] = f
		}
	}
	return found
}

func readChanges(in []applier.Change) ([]document.Change, error) {
	var out []document.Change
	for _, c := range in {
		k, err := key.Parse(c.Key)
		if err != nil {
			return nil, problem.New(problem.BadRequest, "changes: %v", err)
		}
		out = append(out, document.Change{Key: k, Old: readValue(c.Old), New: readValue(c.New)})
	}
	return out, nil
}

func readValue(raw json.RawMessage) *document.Value {
	if text := string(raw); text != "" && text != "null" {
		v := document.NewValue(text)
		return &v
	}
	return nil
}

// check refuses a request that cannot be carried out at all.
func (w *worker) check(req applier.Request) error {
	img, err := w.load(req.OS.Variant)
	if err != nil {
		return err
	}
	if in := img.variant.Schema.ReadJSON(req.Settings, schema.Options{}); in.Report.HasErrors() {
		return problem.Invalid(in.Report)
	}
	return nil
}

// makePlan returns the plan for req.
func (w *worker) makePlan(ctx context.Context, req applier.Request) (*plan.Plan, error) {
	j, err := w.prepare(ctx, req)
	if err != nil {
		return nil, err
	}
	return j.plan, nil
}

// apply makes the plan for req and carries it out. When ctx ends, what is under
// way is finished and the rest left to the next apply. Tell is told what gets
// done; it may be called from several goroutines.
func (w *worker) apply(ctx context.Context, req applier.Request, tell func(applier.Item)) applier.Result {
	res := applier.Result{
		ID: strings.ToLower(rand.Text()[:12]), Generation: req.Generation, Started: time.Now().UTC(),
		Files: []applier.File{}, Actions: []applier.Action{}, Units: []applier.Unit{}, Faults: []plan.Fault{},
	}
	j, err := w.prepare(ctx, req)
	switch {
	case ctx.Err() != nil:
		res.Error = errEnding.Error()
	case err != nil:
		res.Error = err.Error()
	default:
		w.carryOut(ctx, j, &res, tell)
	}
	res.Finished = time.Now().UTC()
	res.Status = status(&res)
	w.log.Info("applied", "id", res.ID, "generation", res.Generation, "reason", req.Reason, "status", res.Status,
		"files", len(res.Files), "units", len(res.Units), "took", res.Finished.Sub(res.Started), "err", res.Error)
	return res
}

// carryOut does what the plan of j says, in the order of its parts.
func (w *worker) carryOut(ctx context.Context, j *job, res *applier.Result, tell func(applier.Item)) {
	r := &run{worker: w, job: j, res: res, tell: tell, ledger: newLedger(j)}
	res.Faults, res.Notes = append(res.Faults, j.plan.Faults...), j.notes
	r.begin()
	r.writeFiles(ctx)
	r.reload(ctx)
	r.actions(ctx)
	r.units(ctx)
	r.end()
	res.Error = joined(r.faults)
}

func joined(faults []error) string {
	if err := errors.Join(faults...); err != nil {
		return err.Error()
	}
	return ""
}

// status sums res up.
func status(res *applier.Result) applier.Status {
	bad := res.Error != "" || len(res.Faults) > 0 ||
		slices.ContainsFunc(res.Files, func(f applier.File) bool { return f.Error != "" }) ||
		slices.ContainsFunc(res.Actions, func(a applier.Action) bool { return a.Error != "" }) ||
		slices.ContainsFunc(res.Units, func(u applier.Unit) bool { return u.Error != "" })
	switch {
	case bad:
		return applier.Failed
	case len(res.Files)+len(res.Actions)+len(res.Units) == 0:
		return applier.Nothing
	}
	return applier.OK
}

// errEnding is the fault of items that an apply did not get to.
var errEnding = errors.New("not done: apply was told to end")

// deepest sorts directories so that each stands before those that hold it.
func deepest(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) }
