package crash

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/sources/internal/atomicfile"
	"github.com/bulkhead-os/bulkhead/sources/internal/healthfile"
)

// maxKept is how many dumps are kept: a node that crashes over and over does
// not fill its disk.
const maxKept = 16

// The name of the program's report on health, and its codes.
const (
	reporter                   = "crash-report"
	codeCrash      report.Code = "kernel-crash"
	codeUnreadable report.Code = "kernel-crash-lost"
)

// A keeper moves dumps.
type keeper struct {
	pstore, dir, health string // directories
}

// run keeps what is there, prints it on out and reports it.
func (k keeper) run(out io.Writer) error {
	records, err := readRecords(k.pstore)
	var faults []report.Fault
	if err != nil {
		faults = append(faults, report.Fault{Severity: report.Warning, Code: codeUnreadable, Detail: "what the kernel said when it died cannot be read: " + err.Error()})
	}
	dumps := assemble(records)
	for _, d := range dumps {
		name, err := k.keep(d)
		fmt.Fprintf(out, "%s of the kernel at %s:\n%s", d.reason, d.time.Format("2006-01-02 15:04:05"), d.text())
		if err != nil {
			faults = append(faults, report.Fault{Severity: report.Warning, Code: codeUnreadable, Detail: err.Error()})
			continue
		}
		if d.isLast(dumps) {
			faults = append(faults, d.fault(name))
		}
	}
	return errors.Join(k.prune(), healthfile.WriteTo(k.health, reporter, faults))
}

// isLast reports whether d is what the last boot that crashed ended in. An oops
// comes before the panic that it leads to.
func (d dump) isLast(all []dump) bool {
	return d.time.Equal(all[len(all)-1].time) && d.reason == all[len(all)-1].reason
}

// fault returns what the health of the node says. It is of interest, and no
// reason to call the node degraded: it has booted.
func (d dump) fault(name string) report.Fault {
	return report.Fault{
		Severity: report.Info, Code: codeCrash,
		Detail: fmt.Sprintf("the last boot ended in a %s: %s", strings.ToLower(d.reason), d.cause()),
		Hint:   fmt.Sprintf("%s and the journal of crash-report.service have what the kernel said before", name),
	}
}

// keep writes d into a file, whose path it returns, and then takes its pieces
// away from where the kernel left them.
func (k keeper) keep(d dump) (string, error) {
	name := d.time.Format("20060102T150405Z") + "-" + strings.ToLower(d.reason) + ".txt"
	file := filepath.Join(k.dir, name)
	root, err := os.OpenRoot(k.dir)
	if err != nil {
		return "", fmt.Errorf("keep crash: %w", err)
	}
	defer root.Close()
	if err := atomicfile.Replace(root, name, []byte(d.text()), atomicfile.Attributes{Mode: 0o600, UID: -1, GID: -1}); err != nil {
		return "", fmt.Errorf("keep crash in %s: %w", file, err)
	}
	// The file is there, and will be after a power cut. From here on the pieces
	// may go; those that stay make the same file again.
	var errs []error
	for _, p := range d.parts {
		errs = append(errs, os.Remove(filepath.Join(k.pstore, p.file)))
	}
	return file, errors.Join(errs...)
}

// prune removes the oldest files above the number that is kept.
func (k keeper) prune() error {
	files, err := filepath.Glob(filepath.Join(k.dir, "*.txt"))
	if err != nil {
		return err
	}
	slices.Sort(files) // by time
	var errs []error
	for len(files) > maxKept {
		errs = append(errs, os.Remove(files[0]))
		files = files[1:]
	}
	return errors.Join(errs...)
}
