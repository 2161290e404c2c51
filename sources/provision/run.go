package provision

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/bulkhead-os/bulkhead/api/applier"
	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/sources/internal/healthfile"
)

// programName is what the program calls itself in reports.
const programName = "provision"

// Codes of faults of the program.
const (
	codeUnreadable report.Code = "user-data-unreadable" // the source of user data cannot be read
	codeFailed     report.Code = "user-data-failed"     // the API did not take user data, for reasons that are not in the data
	codeForgotten  report.Code = "user-data-forgotten"  // it cannot be written down that user data was taken
)

// answerLimit is how long the API may take to answer. The daemon has said that it
// is ready before this program starts.
const answerLimit = time.Minute

// look is how often an API is looked for that does not answer yet.
const look = 200 * time.Millisecond

// A run is one run of the program.
type run struct {
	api     *client.Client
	sources []Source
	state   string // directory that outlives boots
	health  string // directory of health files
	now     func() time.Time
	log     *slog.Logger

	faults []report.Fault
}

// run takes user data, if the node has not had it, and has everything applied.
// What is wrong with the user data is reported and is no error.
func (r *run) run(ctx context.Context) error {
	if err := r.await(ctx); err != nil {
		return err
	}
	dataErr := r.userData(ctx)
	for _, f := range r.faults {
		r.log.Warn("user data", "fault", f.String())
	}
	healthErr := healthfile.WriteTo(r.health, programName, r.faults)
	return errors.Join(dataErr, healthErr, r.apply(ctx))
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

// userData takes the user data of the first source that has some, once in the
// life of the node. A node that found none looks again at its next boot.
func (r *run) userData(ctx context.Context) error {
	was, taken, err := load(r.state)
	if err != nil {
		r.fault(codeForgotten, report.Warning, err.Error(), "the history of the settings tells whether it was")
	}
	if taken {
		r.faults = append(r.faults, was.recalled()...)
		return nil
	}
	for _, s := range r.sources {
		data, err := s.Read(ctx)
		if err != nil {
			r.fault(codeUnreadable, report.Error, fmt.Sprintf("read %s: %v", s.Name(), err), "correct it and reboot")
			continue
		}
		if len(data) > 0 {
			return r.take(ctx, s.Name(), data)
		}
	}
	return nil
}

// take makes user data the settings and remembers that.
func (r *run) take(ctx context.Context, source string, data []byte) error {
	rec := record{Source: source, SHA256: digest(data), Time: r.now().UTC()}
	// A power cut after the commit leaves no record. What was set since must not
	// be taken back.
	g, had, err := had(ctx, r.api)
	if err != nil {
		return r.failed(err)
	}
	if had {
		rec.Generation = g.ID
		return r.remember(rec)
	}
	rec.Generation, rec.Faults, err = submit(ctx, r.api, source, data)
	r.faults = append(r.faults, rec.Faults...)
	if err != nil {
		return r.failed(err)
	}
	r.log.Info("took user data", "source", source, "generation", rec.Generation, "faults", len(rec.Faults))
	return r.remember(rec)
}

// remember writes down that user data was taken. The commit before it is what
// counts: without a record the history tells.
func (r *run) remember(rec record) error {
	if err := rec.save(r.state); err != nil {
		r.fault(codeForgotten, report.Warning, fmt.Sprintf("remember that user data was taken: %v", err), "it may be taken again at the next boot")
	}
	return nil
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
