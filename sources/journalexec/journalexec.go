// Package journalexec starts a program whose output goes to the journal.
//
// It is the first program of each container of the host. It connects to the
// journal as services are connected by the service manager, and becomes the
// program: nothing stays between the two.
package journalexec

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// priority is that of lines which do not start with one: facility daemon, level
// information.
const priority = 3<<3 | 6

// Statuses that shells use for a program that cannot be started.
const (
	cannotRun = 126
	notFound  = 127
)

// Command returns the program. Its first arguments are the socket of the journal, a
// unit and a name, and what follows is the program to become with its arguments.
func Command() *cobra.Command {
	return &cobra.Command{
		Use:           "journal-exec [--variables DIR] SOCKET UNIT NAME PROGRAM [ARGUMENT...]",
		Short:         "Become a program whose output goes to the journal",
		SilenceUsage:  true,
		SilenceErrors: true,
		// All words are those of the program.
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 && args[0] == "--variables" {
				if err := setVariables(args[1]); err != nil {
					return failure{err, cannotRun}
				}
				args = args[2:]
			}
			if len(args) < 3 {
				return failure{errors.New("name the socket of the journal, and the unit and the name it is to know the program by"), 2}
			}
			return Exec(args[0], args[1], args[2], args[3:])
		},
	}
}

// setVariables has the environment hold a variable for each file in dir: values
// that are to be in no other place.
func setVariables(dir string) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("take variables from files: %w", err)
	}
	for _, f := range files {
		value, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err == nil {
			err = os.Setenv(f.Name(), string(value))
		}
		if err != nil {
			return fmt.Errorf("take variables from files: %w", err)
		}
	}
	return nil
}

// failure is an error with the exit status for it.
type failure struct {
	error
	code int
}

func (f failure) ExitCode() int { return f.code }

// Exec becomes the program words[0], with the words after it as arguments. What
// it writes goes to the journal at socket, as that of unit and by the name of
// identifier, unless there is no such socket. It returns only when that fails.
func Exec(socket, unit, identifier string, words []string) error {
	if len(words) == 0 {
		return failure{errors.New("no program is named"), 2}
	}
	if err := connect(socket, unit, identifier); err != nil && !errors.Is(err, unix.ENOENT) {
		fmt.Fprintln(os.Stderr, "journal-exec: connect to the journal:", err) // better silent than not at all
	}
	path, err := find(words[0], os.Getenv("PATH"))
	if err != nil {
		return failure{fmt.Errorf("start %s: %w", words[0], err), notFound}
	}
	return failure{fmt.Errorf("start %s: %w", words[0], syscall.Exec(path, words, os.Environ())), cannotRun}
}

// connect has the outputs of this process go to the journal.
func connect(socket, unit, identifier string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: socket}); err != nil {
		return err
	}
	// Name, unit, priority, then whether lines may start with a priority, and
	// whether they also go to syslog, the kernel's log and the console. The journal
	// finds the unit by the control group; of a process that has ended before it
	// looks it takes what is said here.
	header := oneLine(identifier) + "\n" + oneLine(unit) + "\n" + strconv.Itoa(priority) + "\n1\n0\n0\n0\n"
	if _, err := unix.Write(fd, []byte(header)); err != nil {
		return err
	}
	for _, out := range []int{1, 2} {
		if err := unix.Dup3(fd, out, 0); err != nil {
			return err
		}
	}
	return nil
}

func oneLine(s string) string { return strings.ReplaceAll(s, "\n", " ") }

// find returns the file of the program called name, looked for in the directories
// of path as shells do.
func find(name, path string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for _, dir := range filepath.SplitList(path) {
		file := filepath.Join(dir, name)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && unix.Access(file, unix.X_OK) == nil {
			return file, nil
		}
	}
	return "", fmt.Errorf("there is no such program in %s", path)
}
