package containers

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/sources/internal/atomicfile"
	"github.com/bulkhead-os/bulkhead/sources/internal/healthfile"
)

// A state is what the steps of a container tell one another. It is gone when the
// node is switched off.
type state struct {
	Started  time.Time     `json:"started,omitzero"`  // when it runs
	Stopping bool          `json:"stopping,omitzero"` // somebody asked for its end
	Healthy  bool          `json:"healthy,omitzero"`  // it was, since it was started
	Failures int           `json:"failures,omitzero"` // of health, in a row
	Fault    *report.Fault `json:"fault,omitzero"`    // in the health of the node
}

// Codes of what can be wrong with a container.
const (
	codeStart     report.Code = "container-start"         // it cannot be made
	codeImage     report.Code = "container-image"         // there is no image
	codeFull      report.Code = "container-disk-full"     // its image or files do not fit
	codePort      report.Code = "container-port-taken"    // a port of the node is in use
	codeWaits     report.Code = "container-waits"         // another one that it starts after does not run
	codeEnded     report.Code = "container-ended"         // it ended by itself
	codeMemory    report.Code = "container-out-of-memory" // it was killed for it
	codeUnhealthy report.Code = "container-unhealthy"     // it runs, and does not work
)

// reporter is the name by which a container's health is reported.
func reporter(name string) string { return "container-" + name }

func (p *host) load(name string) (state, error) {
	var s state
	data, err := os.ReadFile(filepath.Join(p.state, name+".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	return s, err
}

// change calls f with the state of the container called name, and keeps what it
// makes of it. Its fault is in the health of the node from then on.
func (p *host) change(name string, f func(*state)) error {
	return p.locked(name, func(root *os.Root) error {
		s, err := p.load(name)
		if err != nil {
			return err
		}
		f(&s)
		data, err := json.Marshal(s)
		if err != nil {
			return err
		}
		var faults []report.Fault
		if s.Fault != nil {
			faults = append(faults, *s.Fault)
		}
		return errors.Join(
			atomicfile.Replace(root, name+".json", data, atomicfile.Attributes{Mode: 0o600, UID: -1, GID: -1}),
			healthfile.WriteTo(p.health, reporter(name), faults))
	})
}

// forget removes all that is kept about the container called name.
func (p *host) forget(name string) error {
	return p.locked(name, func(root *os.Root) error {
		err := root.Remove(name + ".json")
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return errors.Join(err, healthfile.RemoveFrom(p.health, reporter(name)))
	})
}

// forgetGone forgets containers that have no file and do not run.
func (p *host) forgetGone() error {
	kept, err := filepath.Glob(filepath.Join(p.state, "*.json"))
	if err != nil {
		return err
	}
	for _, file := range kept {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		if _, err := os.Stat(p.file(name)); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		s, err := p.load(name)
		if err != nil {
			return err
		}
		if !s.Started.IsZero() {
			continue // it is about to be stopped, and cleaned up behind
		}
		if err := p.forget(name); err != nil {
			return err
		}
	}
	return nil
}

// locked calls f while nobody else changes what is kept.
func (p *host) locked(name string, f func(*os.Root) error) error {
	if err := os.MkdirAll(p.state, 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(p.state)
	if err != nil {
		return err
	}
	defer root.Close()
	lock, err := root.OpenFile("lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return err
	}
	if err := f(root); err != nil {
		return fmt.Errorf("state of container %s: %w", name, err)
	}
	return nil
}

func fault(name string, code report.Code, hint, format string, words ...any) *report.Fault {
	return &report.Fault{
		Severity: report.Warning, Path: "settings.containers." + name, Code: code, Detail: fmt.Sprintf(format, words...), Hint: hint,
	}
}

// looking is what to do about most faults.
func looking(name string) string {
	return "apiclient logs container@" + name + ".service has what it wrote"
}
