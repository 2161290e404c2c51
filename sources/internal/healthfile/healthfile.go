// Package healthfile holds what programs of a node report about its health.
//
// Each program has one file, which says all that it found wrong when it last
// looked. The health of the node is what all files say together.
package healthfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/sources/internal/atomicfile"
)

// Dir is where the files of a node are.
const Dir = "/run/bulkhead/health"

const suffix = ".json"

// maxSize bounds what one file can make its readers hold in memory.
const maxSize = 1 << 20

// Broken is the code of the fault that stands for a file that cannot be read.
const Broken report.Code = "health-unreadable"

type file struct {
	Faults []report.Fault `json:"faults"`
}

// Write makes faults the report of the program called name, in place of what
// it reported before. No faults are a report too: that all is well.
func Write(name string, faults []report.Fault) error { return WriteTo(Dir, name, faults) }

// WriteTo is Write for the files in dir, which is made if need be.
func WriteTo(dir, name string, faults []report.Fault) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("report the health of %s: %w", name, err)
		}
	}()
	if name == "" || strings.HasPrefix(name, ".") || strings.ContainsRune(name, '/') {
		return errors.New("that is no name of a program")
	}
	data, err := json.Marshal(file{Faults: append([]report.Fault{}, faults...)})
	if err != nil {
		return err
	}
	if err := makeDir(dir); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return atomicfile.Replace(root, name+suffix, append(data, '\n'), atomicfile.Attributes{Mode: 0o644, UID: -1, GID: -1})
}

// RemoveFrom removes the report of the program called name from dir, where there
// is one.
func RemoveFrom(dir, name string) error {
	err := os.Remove(filepath.Join(dir, name+suffix))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// makeDir makes dir readable for everybody, whatever the umask of a program
// that keeps its other files to itself.
func makeDir(dir string) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, d := range []string{filepath.Dir(dir), dir} {
		err := os.Mkdir(d, 0o755)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := os.Chmod(d, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// ReadAll returns what all programs reported in dir, in the order of their
// names. The source of a fault is the program, unless that named another. A file
// that cannot be read is a fault of its own, so that it does not hide the rest.
// Without dir nothing has been reported.
func ReadAll(dir string) ([]report.Fault, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read reports of health: %w", err)
	}
	var all []report.Fault
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), suffix)
		if !ok || strings.HasPrefix(name, ".") || !e.Type().IsRegular() {
			continue // a temporary file
		}
		faults, err := read(filepath.Join(dir, e.Name()))
		if err != nil {
			faults = []report.Fault{{Severity: report.Warning, Code: Broken, Detail: err.Error()}}
		}
		for _, f := range faults {
			if f.Source == "" {
				f.Source = name
			}
			all = append(all, f)
		}
	}
	return all, nil
}

func read(name string) ([]report.Fault, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxSize {
		return nil, fmt.Errorf("%s is larger than %d bytes", name, maxSize)
	}
	var content file
	if err := json.Unmarshal(data, &content); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return content.Faults, nil
}
