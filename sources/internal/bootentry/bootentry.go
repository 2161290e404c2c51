// Package bootentry holds what the entries of settings have in common that do
// something while the node boots.
package bootentry

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/sources/internal/program"
)

// Codes of what an entry can lead to.
const (
	Failed   report.Code = "bootstrap-failed"   // it did not do what it was to do
	NotOff   report.Code = "bootstrap-not-off"  // it has run, and will again although it was to run once
	Unusable report.Code = "bootstrap-unusable" // its file cannot be read
)

// settingLimit is how long a change of a setting may take.
const settingLimit = 2 * time.Minute

// An Entry is what the file of each has.
type Entry struct {
	Mode      scalar.BootstrapMode `toml:"mode"`
	Essential bool                 `toml:"essential"`
}

// Fault returns that the entry called name of group failed, for the health of the
// node. The boot stops for an essential one.
func (e Entry) Fault(group, name string, err error) report.Fault {
	f := report.Fault{
		Severity: report.Warning, Path: "settings." + group + "." + name, Code: Failed, Detail: err.Error(),
		Hint: "look into the journal of " + group + ".service; it runs again on the next boot",
	}
	if e.Essential {
		f.Severity = report.Error
		f.Detail += "; it is essential, so nothing that needs a configured node was started"
	}
	return f
}

// Done notes that the entry called name of group has done its work: one that was
// to run once is switched off in the settings. A power cut before that has it run
// once more. It returns a fault when the settings stay as they are.
func (e Entry) Done(ctx context.Context, client, group, name string, log *slog.Logger) []report.Fault {
	if e.Mode != scalar.BootstrapOnce {
		return nil
	}
	setting := group + "." + name + ".mode"
	_, err := program.Run(ctx, settingLimit, client, "set", setting+"="+string(scalar.BootstrapOff))
	if err == nil {
		log.Info("entry is off from now on", "setting", setting)
		return nil
	}
	log.Error("entry that was to run once cannot be switched off", "setting", setting, "error", err)
	return []report.Fault{{
		Severity: report.Warning, Path: "settings." + setting, Code: NotOff,
		Detail: fmt.Sprintf("it has run and cannot be switched off, so it runs again on the next boot: %v", err),
		Hint:   "set it to off",
	}}
}

// Files returns the files of entries in dir, in the order of their names. Without
// dir there are none.
func Files(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".toml") && !strings.HasPrefix(e.Name(), ".") {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	slices.SortFunc(files, func(a, b string) int { return strings.Compare(Name(a), Name(b)) })
	return files, nil
}

// Name returns the name of the entry in file.
func Name(file string) string { return strings.TrimSuffix(filepath.Base(file), ".toml") }
