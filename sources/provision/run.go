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
	codeOff        report.Code = "user-data-off"        // its owner has switched a source off
	codeFailed     report.Code = "user-data-failed"     // the API did not take user data, for reasons that are not in the data
	codeForgotten  report.Code = "user-data-forgotten"  // it cannot be written down that user data was taken
	codeChanged    report.Code = "user-data-changed"    // there is other user data than what the node has taken
)

// answerLimit is how long the API may take to answer. The daemon is started beside
// this program.
const answerLimit = 2 * time.Minute

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
	show    func(string) error                               // on the console; none
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
	var last error // that is not about the end of our own patience
	for {
		_, err := r.api.Health(ctx)
		if err == nil {
			return nil
		}
		if _, refused := errors.AsType[*client.Problem](err); refused {
			return err
		}
		if last == nil || !errors.Is(err, context.DeadlineExceeded) {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the settings API: %w", last)
		case <-tick.C:
		}
	}
}

// userData takes the user data of all sources, once in the life of the node
// unless the settings want it at each boot, and reports whether it took any. A
// node that found none looks again at its next boot.
func (r *run) userData(ctx context.Context) (took bool, err error) {
	was, had, err := load(r.recordFile())
	if err != nil {
		r.fault(codeForgotten, report.Warning, err.Error(), "the history of the settings tells whether it was")
	}
	always := had && r.always(ctx)
	if had && !always {
		r.goOn()
		r.say("user data was taken on %s", was.Time.Format(time.DateOnly))
		r.faults = append(r.faults, was.recalled()...)
		r.compare(was, r.ask(ctx))
		return false, nil
	}
	found := r.found(ctx, had)
	if len(found) == 0 {
		return false, nil
	}
	past, err := loadHistory(ctx, r.api)
	if err != nil {
		return false, r.failed(err)
	}
	switch {
	case always && r.same(was, found, past):
		r.say("user data is what the node has")
		r.faults = append(r.faults, was.faults()...)
		return false, nil
	case always:
		past = nil // what was taken before is taken again
	case past.byHand() && !r.always(ctx):
		r.log.Info("somebody has given the node its first settings; user data is not taken")
		return false, nil
	}
	return r.takeAll(ctx, found, past, was)
}

// ask reads the sources of the stage.
func (r *run) ask(ctx context.Context) []reading {
	found := readAll(ctx, r.sources, r.stage.limit, func(names string, after time.Duration) {
		r.say("no answer yet after %s of %s: %s", span(after), span(r.stage.limit), names)
	})
	r.describe(found)
	return found
}

// found returns what the sources have, and reports those that cannot be read: a
// node that had user data has settings without them.
func (r *run) found(ctx context.Context, had bool) []reading {
	if r.stage == networkStage {
		r.say("asking %s; for %s at most", names(r.sources), span(r.stage.limit))
	}
	severity, hint := report.Error, "correct it and reboot"
	if had {
		severity, hint = report.Warning, "the node keeps the settings that it has; correct it and reboot"
	}
	found := slices.DeleteFunc(r.ask(ctx), func(f reading) bool {
		if errors.Is(f.err, platform.ErrOff) {
			r.fault(codeOff, report.Info, fmt.Sprintf("%s gives no user data: %v", f.source.Name(), f.err), "switch it on for user data from there")
			r.say("%s is switched off", f.source.Name())
		} else if f.err != nil {
			r.fault(codeUnreadable, severity, fmt.Sprintf("read %s: %v", f.source.Name(), f.err), hint)
			r.say("%s cannot be read: %v", f.source.Name(), f.err)
		}
		return !f.has()
	})
	if len(found) == 0 {
		r.say("no user data was found")
	}
	for _, f := range found {
		r.say("user data was found in %s", f.place())
	}
	return found
}

// takeAll takes what was found, and remembers that unless something is to be tried
// again. Of sources that have nothing any more, what was remembered stays.
func (r *run) takeAll(ctx context.Context, found []reading, past history, was record) (took bool, err error) {
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
	took = len(rec.Taken) > 0
	if len(faults) == 0 {
		r.remember(rec.after(was))
	}
	return took, errors.Join(faults...)
}

func (r *run) recordFile() string { return filepath.Join(r.state, r.stage.record) }

// compare reports sources that have something else by now than when the node took
// its user data. That one has nothing any more is usual.
func (r *run) compare(was record, found []reading) {
	for _, f := range found {
		if f.err != nil {
			r.log.Info("source cannot be read", "source", f.source.Name(), "err", f.err)
		}
		if !f.has() || f.err != nil {
			continue
		}
		if how := was.differs(f.source, f.data); how != "" {
			r.fault(codeChanged, report.Info, fmt.Sprintf("%s %s when the node took its own, on %s", f.source.Name(), how, was.Time.Format(time.DateOnly)),
				"it is not taken; change the settings through the API, or set settings.provision.reapply")
			r.say("%s %s when the node took its own; it is not taken", f.source.Name(), how)
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
	r.say("user data of %s: %s", t.Source, t.outcome())
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
		r.say("settings were applied in part; the rest is in the health of the node")
		r.log.Warn("applied in part", "apply", done.ID, "err", done.Error)
		return nil
	}
	r.say("settings were applied: %s, %s", count(len(done.Files), "file"), count(len(done.Units), "unit"))
	r.log.Info("applied", "apply", done.ID, "status", done.Status, "files", len(done.Files), "units", len(done.Units))
	return nil
}
