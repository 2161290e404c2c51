package cli

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/api/exec"
)

// openTerminal returns a terminal of the given size.
func openTerminal(t *testing.T, rows, cols uint16) *os.File {
	t.Helper()
	ptmx, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { ptmx.Close() })
	n, err := unix.IoctlGetInt(int(ptmx.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(ptmx.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(int(ptmx.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: cols}); err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close() })
	return tty
}

// A terminal passes on each key while a program has it, and is as before then. The
// program hears of its size, and of another one.
func TestTerminal(t *testing.T) {
	tty := openTerminal(t, 24, 80)
	mode := func() unix.Termios {
		t.Helper()
		m, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
		if err != nil {
			t.Fatal(err)
		}
		return *m
	}
	cmd := &cobra.Command{}
	cmd.SetIn(tty)
	cmd.SetOut(tty)
	before := mode()
	var o exec.Options
	restore, err := attachTerminal(cmd, &o)
	if err != nil {
		t.Fatal(err)
	}
	if o.TTY == nil || o.TTY.Size == nil || *o.TTY.Size != (exec.Size{Rows: 24, Cols: 80}) {
		t.Errorf("terminal of the program: %+v, want 24 by 80", o.TTY)
	}
	if during := mode(); during.Lflag&(unix.ICANON|unix.ECHO|unix.ISIG) != 0 {
		t.Errorf("mode of the terminal while a program has it: %#x, want one that passes on each key", during.Lflag)
	}
	if err := unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: 132}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Kill(os.Getpid(), unix.SIGWINCH); err != nil {
		t.Fatal(err)
	}
	if got := <-o.Resized; got != (exec.Size{Rows: 50, Cols: 132}) {
		t.Errorf("size after a change: %v, want 50 by 132", got)
	}
	restore()
	if after := mode(); after != before {
		t.Errorf("mode of the terminal afterwards: %+v, want %+v", after, before)
	}
}

func TestSessionEnd(t *testing.T) {
	lost := &exec.LostError{Reason: "gone"}
	for _, tt := range []struct {
		name   string
		cause  error
		status int
		err    error
		code   int
	}{
		{"well", nil, 0, nil, 0},
		{"status", nil, 7, nil, 7},
		{"killed inside", nil, 137, nil, 137},
		{"interrupted", &signalled{unix.SIGINT}, 0, lost, 130},
		{"told to end", &signalled{unix.SIGTERM}, 0, nil, 143},
		{"lost", nil, 0, lost, 1},
		{"not begun", nil, 0, errors.New("no"), 1},
	} {
		if got := ExitCode(sessionEnd(tt.cause, tt.status, tt.err)); got != tt.code {
			t.Errorf("exit status when %s: %d, want %d", tt.name, got, tt.code)
		}
	}
}
