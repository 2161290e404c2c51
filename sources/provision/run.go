package provision

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"github.com/bulkhead-os/bulkhead/api/applier"
	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/sources/internal/generator"
	"github.com/bulkhead-os/bulkhead/sources/internal/healthfile"
	"github.com/bulkhead-os/bulkhead/sources/platform"
)

// Codes of faults of the program.
const (
	codeUnreadable report.Code = "user-data-unreadable" // the source of user data cannot be read
	codeFailed     report.Code = "user-data-failed"     // the API did not take user data, for reasons that are not in the data
	codeForgotten  report.Code = "user-data-forgotten"  // it cannot be written down that user data was taken
	codeChanged    report.Code = "user-data-changed"    // there is other user data than what the node has taken
)

// answerLimit is how long the API may take to answer. The daemon has said that it
// is ready before this program starts.
const answerLimit = time.Minute

// look is how often an API is looked for that does not answer yet.
const look = 200 * time.Millisecond

// A run is one run of the program.
type run struct {
	api     *client.Client
	stage   stage
	sources []Source // the one that counts most last
	later   bool     // there are sources for the stage of the network
	state   string   // directory that outlives boots
	health  string   // directory of health files
	runtime string   // directory for what others are told in this boot
	machine platform.Machine
	now     func() time.Time
	log     *slog.Logger
	runner  func(context.Context) (*generator.Runner, error) // of generators; none
	ready   func()                                           // called when the boot may go on; nil for nobody

	faults    []report.Fault
	generated bool // a generator has found something new
}

// A stage is a time of the boot at which user data is taken. Each has a record
// and reports of its own.
type stage struct {
	name   string
	report string // name of the health file
	record string
	limit  time.Duration // for the sources
}

// The stages.
var (
	localStage   = stage{name: "local", report: "provision", record: "user-data.json", limit: localLimit}
	networkStage = stage{name: "network", report: "provision-network", record: "network-user-data.json", limit: networkLimit}
)

// run takes user data, if the node has not had it, and has everything applied.
// What is wrong with the user data is reported and is no error.
func (r *run) run(ctx context.Context) error {
	defer r.goOn()
	if err := r.await(ctx); err != nil {
		return err
	}
	if r.stage == networkStage {
		return r.runNetwork(ctx)
	}
	r.generate(ctx, generator.Start)
	_, dataErr := r.userData(ctx)
	r.generate(ctx, generator.Boot)
	if !r.later {
		r.awaitSettings(ctx)
	}
	return errors.Join(dataErr, r.announce(), r.tell(), r.apply(ctx))
}

// runNetwork does what needs others. Everything has been applied once by now, so
// that this is done again only if there are new settings.
func (r *run) runNetwork(ctx context.Context) error {
	took, dataErr := r.userData(ctx)
	r.generate(ctx, generator.Boot) // the platform has named the machine
	r.awaitSettings(ctx)
	err := errors.Join(dataErr, r.tell())
	if took || r.generated {
		err = errors.Join(err, r.apply(ctx))
	}
	return err
}

// goOn lets the boot go on, which may be before the program ends.
func (r *run) goOn() {
	if r.ready != nil {
		r.ready()
	}
	r.ready = nil
}

// tell reports the faults.
func (r *run) tell() error {
	for _, f := range r.faults {
		r.log.Warn("provision", "fault", f.String())
	}
	return healthfile.WriteTo(r.health, r.stage.report, r.faults)
}

// await waits until the API answers, which takes longer when the daemon has
// ended and is started again.
func (r *run) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		_, err := r.api.Health(ctx)
		if err == nil {
			return nil
		}
		if _, refused := errors.AsType[*client.Problem](err); refused {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the settings API: %w", err)
		case <-tick.C:
		}
	}
}

// userData takes the user data of all sources, once in the life of the node, and
// reports whether it took any. A node that found none looks again at its next
// boot.
func (r *run) userData(ctx context.Context) (took bool, err error) {
	was, had, err := load(r.recordFile())
	if err != nil {
		r.fault(codeForgotten, report.Warning, err.Error(), "the history of the settings tells whether it was")
	}
	if had {
		r.goOn()
		r.faults = append(r.faults, was.recalled()...)
		r.compare(was, readAll(ctx, r.sources, r.stage.limit))
		return false, nil
	}
	found := readAll(ctx, r.sources, r.stage.limit)
	r.describe(found)
	found = slices.DeleteFunc(found, func(f reading) bool {
		if f.err != nil {
			r.fault(codeUnreadable, report.Error, fmt.Sprintf("read %s: %v", f.source.Name(), f.err), "correct it and reboot")
		}
		return !f.has()
	})
	if len(found) == 0 {
		return false, nil
	}
	past, err := loadHistory(ctx, r.api)
	if err != nil {
		return false, r.failed(err)
	}
	if past.byHand() {
		r.log.Info("somebody has given the node its first settings; user data is not taken")
		return false, nil
	}
	return r.takeAll(ctx, found, past)
}

// takeAll takes what was found, and remembers that unless something is to be tried
// again.
func (r *run) takeAll(ctx context.Context, found []reading, past history) (took bool, err error) {
	rec := record{Time: r.now().UTC()}
	var faults []error
	for _, f := range found {
		t, err := r.take(ctx, f, past)
		if err != nil {
			faults = append(faults, r.failed(err))
			continue
		}
		rec.Taken = append(rec.Taken, t)
	}
	if len(faults) == 0 {
		r.remember(rec)
	}
	return len(rec.Taken) > 0, errors.Join(faults...)
}

func (r *run) recordFile() string { return filepath.Join(r.state, r.stage.record) }

// compare reports sources that have something else by now than when the node took
// its user data. That one has nothing any more is usual.
func (r *run) compare(was record, found []reading) {
	r.describe(found)
	for _, f := range found {
		if f.err != nil {
			r.log.Info("source cannot be read", "source", f.source.Name(), "err", f.err)
		}
		if !f.has() || f.err != nil {
			continue
		}
		if how := was.differs(f.source, f.data); how != "" {
			r.fault(codeChanged, report.Info, fmt.Sprintf("%s %s when the node took its own, on %s", f.source.Name(), how, was.Time.Format(time.DateOnly)),
				"it is not taken; change the settings through the API")
		}
	}
}

// take makes user data the settings. An error is one that another try may mend.
func (r *run) take(ctx context.Context, f reading, past history) (taken, error) {
	t := taken{Source: f.source.Name(), From: f.data.From, SHA256: fingerprint(f.data), Instance: f.data.InstanceID}
	// A power cut after the commit leaves no record. What was set since must not
	// be taken back.
	if g, had := past.of(t.Source); had {
		t.Generation = g.ID
		return t, nil
	}
	var err error
	t.Generation, t.Faults, err = submit(ctx, r.api, t.Source, f.data)
	r.faults = append(r.faults, t.Faults...)
	if err != nil {
		return t, err
	}
	r.log.Info("took user data", "source", t.Source, "from", t.From, "generation", t.Generation, "faults", len(t.Faults))
	return t, nil
}

// remember writes down that user data was taken. The commit before it is what
// counts: without a record the history tells.
func (r *run) remember(rec record) {
	if err := rec.save(r.recordFile()); err != nil {
		r.fault(codeForgotten, report.Warning, fmt.Sprintf("remember that user data was taken: %v", err), "it may be taken again at the next boot")
	}
}

func (r *run) failed(err error) error {
	r.fault(codeFailed, report.Error, fmt.Sprintf("user data was not taken: %v", err), "it is tried again at the next boot")
	return fmt.Errorf("take user data: %w", err)
}

func (r *run) fault(code report.Code, s report.Severity, detail, hint string) {
	r.faults = append(r.faults, report.Fault{Severity: s, Code: code, Detail: detail, Hint: hint})
}

// apply makes all files what the settings say and waits until that is done. An
// apply that goes wrong in part is the daemon's to report: the node goes on with
// what it has.
func (r *run) apply(ctx context.Context) error {
	limit := time.Minute
	if at, ok := ctx.Deadline(); ok {
		limit = min(time.Until(at)*9/10, 10*time.Minute) // the API waits no longer
	}
	done, err := r.api.ApplyCurrent(ctx, limit.Truncate(time.Second))
	if err != nil {
		return fmt.Errorf("apply settings: %w", err)
	}
	if !done.Done() {
		return fmt.Errorf("apply settings: not done within %s", limit.Round(time.Second))
	}
	if done.Status == applier.Failed {
		r.log.Warn("applied in part", "apply", done.ID, "err", done.Error)
		return nil
	}
	r.log.Info("applied", "apply", done.ID, "status", done.Status, "files", len(done.Files), "units", len(done.Units))
	return nil
}
