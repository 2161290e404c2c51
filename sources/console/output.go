package console

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// writeLimit is how long a terminal may take. One whose other end wants no more
// would hold up the program for ever.
const writeLimit = 5 * time.Second

// consoles returns the devices of all consoles that the kernel writes to. Its
// own name for them, /dev/console, is only the last one.
func (o options) consoles() []string {
	active, err := os.ReadFile(o.path("sys/class/tty/console/active"))
	if err != nil {
		return nil
	}
	var out []string
	for _, name := range strings.Fields(string(active)) {
		out = append(out, o.path(filepath.Join("dev", name)))
	}
	return out
}

// show writes text to the consoles, or else to /dev/console. One is enough.
func (o options) show(text string) error {
	var errs []error
	done := false
	for _, name := range o.consoles() {
		err := writeTerminal(name, text)
		done = done || err == nil
		errs = append(errs, err)
	}
	if done {
		return nil
	}
	err := writeTerminal(o.path("dev/console"), text)
	if err == nil {
		return nil
	}
	return errors.Join(append(errs, err)...)
}

func writeTerminal(name, text string) (err error) {
	f, err := os.OpenFile(name, os.O_WRONLY|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil && !errors.Is(err, os.ErrNoDeadline) {
		return err
	}
	_, err = f.WriteString(text)
	return err
}
