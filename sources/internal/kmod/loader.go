package kmod

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrAbsent says that a module is not in the set. It may be built into the kernel.
var ErrAbsent = errors.New("there is none")

// A Loader loads modules of a set, each at most once.
type Loader struct {
	set    *Set
	insert func(path string) error // gives the file of a module to the kernel
	done   map[string]error
}

// NewLoader returns a Loader of the modules of set. It calls insert with the
// path of each file, as modules.dep has it.
func NewLoader(set *Set, insert func(path string) error) *Loader {
	return &Loader{set: set, insert: insert, done: map[string]error{}}
}

// Load loads the module with what it needs. A module that was tried before is
// not tried again and has the same result.
func (l *Loader) Load(name string) error {
	name = moduleName(name)
	if err, ok := l.done[name]; ok {
		return err
	}
	l.done[name] = nil // for modules that name each other
	l.done[name] = l.load(name)
	return l.done[name]
}

func (l *Loader) load(name string) error {
	f, ok := l.set.files[name]
	if !ok {
		return fmt.Errorf("load kernel module %s: %w", name, ErrAbsent)
	}
	l.wish(l.set.before[name])
	for _, need := range f.needs {
		if err := l.Load(need); err != nil {
			return fmt.Errorf("load kernel module %s: %w", name, err)
		}
	}
	if err := l.insert(f.path); err != nil {
		return fmt.Errorf("load kernel module %s: %w", name, err)
	}
	l.wish(l.set.after[name])
	return nil
}

// wish loads modules that another works better with. They may be absent, or
// built into the kernel.
func (l *Loader) wish(names []string) {
	for _, name := range names {
		_ = l.Load(name)
	}
}

// InsertFrom returns a function that gives the kernel the module at a path
// below dir. A module that is there already is no fault.
func InsertFrom(dir *os.Root) func(path string) error {
	return func(path string) error {
		f, err := dir.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		flags := 0
		if !strings.HasSuffix(path, ".ko") {
			flags = unix.MODULE_INIT_COMPRESSED_FILE
		}
		err = unix.FinitModule(int(f.Fd()), "", flags)
		if err != nil && !errors.Is(err, unix.EEXIST) {
			return os.NewSyscallError("finit_module", err)
		}
		return nil
	}
}
