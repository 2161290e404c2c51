package apply

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	godbus "github.com/godbus/dbus/v5"

	"github.com/bulkhead-os/bulkhead/api/plan"
	"github.com/bulkhead-os/bulkhead/sources/internal/program"
)

const (
	// unitLimit is how long a unit may take to do what it is told. It is
	// systemd's own default.
	unitLimit = 90 * time.Second
	// callLimit is how long systemd may take to answer. It reads all its units
	// within it.
	callLimit = 25 * time.Second
	// actionLimit is how long the program of an action may take.
	actionLimit = time.Minute
	// look is how often a job is looked at that systemd does not report on. The
	// first looks follow each other sooner: while the node boots, the first may
	// already tell that there is nothing to be waited for.
	look      = time.Second
	firstLook = 20 * time.Millisecond
	// journalLines is how much of a unit's journal is told.
	journalLines = 10
)

// replace is the mode of all jobs: they take the place of contrary ones.
const replace = "replace"

// A systemd is the Manager of a node. It talks to systemd over its private
// socket, which needs no message bus and is there as long as systemd is.
type systemd struct {
	socket string
	limit  time.Duration // for a unit

	mu   sync.Mutex
	conn *dbus.Conn // nil before the first use; guarded by mu
}

func newSystemd(socket string, limit time.Duration) *systemd {
	return &systemd{socket: socket, limit: limit}
}

func (s *systemd) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
}

// connect returns the connection, a new one when there is none or systemd has
// closed it, as it does when it is executed anew.
func (s *systemd) connect() (*dbus.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil && s.conn.Connected() {
		return s.conn, nil
	}
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
	conn, err := dbus.NewConnection(s.dial)
	if err != nil {
		return nil, fmt.Errorf("reach systemd: %w", err)
	}
	s.conn = conn
	return conn, nil
}

// dial connects to systemd itself, where there is no Hello to be said.
func (s *systemd) dial() (*godbus.Conn, error) {
	// The context is that of the connection. It only ends one that does not
	// come about.
	ctx, cancel := context.WithCancel(context.Background())
	timer := time.AfterFunc(callLimit, cancel)
	defer timer.Stop()
	conn, err := godbus.Dial("unix:path="+dbusEscape(s.socket), godbus.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	if err := conn.Auth([]godbus.Auth{godbus.AuthExternal(strconv.Itoa(os.Getuid()))}); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// dbusEscape writes a path as addresses of D-Bus take it.
func dbusEscape(path string) string {
	var b strings.Builder
	for i := range len(path) {
		c := path[i]
		switch {
		case c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', strings.IndexByte("-_/.", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02x", c)
		}
	}
	return b.String()
}

// DaemonReload makes systemd read its units again.
func (s *systemd) DaemonReload(ctx context.Context) error {
	conn, err := s.connect()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	return conn.ReloadContext(ctx)
}

// State returns how systemd has the unit.
func (s *systemd) State(ctx context.Context, name string) (State, error) {
	conn, err := s.connect()
	if err != nil {
		return State{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	p, err := conn.GetUnitPropertiesContext(ctx, name)
	if err != nil {
		return State{}, fmt.Errorf("state of %s: %w", name, err)
	}
	st := State{Absent: p["LoadState"] == "not-found"}
	st.Active, _ = p["ActiveState"].(string)
	st.Sub, _ = p["SubState"].(string)
	began, _ := p["InactiveExitTimestampMonotonic"].(uint64)
	st.Began = time.Duration(began) * time.Microsecond
	return st, nil
}

// Start starts the unit.
func (s *systemd) Start(ctx context.Context, u plan.UnitAction) error {
	return s.job(ctx, "start", u.Name, (*dbus.Conn).StartUnitContext)
}

// Stop stops the unit.
func (s *systemd) Stop(ctx context.Context, u plan.UnitAction) error {
	return s.job(ctx, "stop", u.Name, (*dbus.Conn).StopUnitContext)
}

// Restart restarts the unit, also one that has failed too often to be started
// by itself.
func (s *systemd) Restart(ctx context.Context, u plan.UnitAction) error {
	return s.job(ctx, "restart", u.Name, (*dbus.Conn).RestartUnitContext)
}

// Reload reloads the unit, or restarts it if it cannot.
func (s *systemd) Reload(ctx context.Context, u plan.UnitAction) error {
	return s.job(ctx, "reload", u.Name, (*dbus.Conn).ReloadOrRestartUnitContext)
}

// Settled waits for the job by which the unit is being activated: a further
// start becomes one with it.
func (s *systemd) Settled(ctx context.Context, name string) error {
	err := s.job(ctx, "start", name, (*dbus.Conn).StartUnitContext)
	if errors.Is(err, errQueued) {
		return nil
	}
	return err
}

// A method asks systemd for a job.
type method func(c *dbus.Conn, ctx context.Context, name, mode string, done chan<- string) (int, error)

// job asks for a job and waits until it is done.
func (s *systemd) job(ctx context.Context, verb, name string, begin method) error {
	conn, err := s.connect()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	if verb != "stop" {
		// Units that have failed or been restarted often are else refused for a
		// while. One that is not loaded has nothing to be reset.
		_ = conn.ResetFailedUnitContext(ctx, name)
	}
	done := make(chan string, 1) // the connection must never wait for us
	id, err := begin(conn, ctx, name, replace, done)
	if err != nil {
		return fmt.Errorf("%s %s: %w", verb, name, err)
	}
	result, err := s.wait(ctx, conn, id, done)
	switch {
	case errors.Is(err, errQueued):
		return err
	case err != nil:
		return fmt.Errorf("%s %s: %w", verb, name, err)
	case result != "done" && result != "skipped":
		return fmt.Errorf("%s %s: %s", verb, name, outcome(result))
	}
	return nil
}

// wait waits for the end of a job. While the node boots it does not wait for
// one that has not begun.
func (s *systemd) wait(ctx context.Context, conn *dbus.Conn, id int, done <-chan string) (string, error) {
	for pause := firstLook; ; pause = min(2*pause, look) {
		select {
		case result := <-done:
			return result, nil
		case <-ctx.Done():
			return "", fmt.Errorf("not done within %s", s.limit)
		case <-time.After(pause):
		}
		if !conn.Connected() {
			return "", errors.New("the connection to systemd has broken off")
		}
		if s.waitsForBoot(ctx, conn, id) {
			return "", errQueued
		}
	}
}

// waitsForBoot reports whether a job waits for its turn while the node boots.
func (s *systemd) waitsForBoot(ctx context.Context, conn *dbus.Conn, id int) bool {
	state, err := conn.SystemStateContext(ctx)
	if err != nil {
		return false // the wait for the job shows what is wrong
	}
	if text, _ := state.Value.Value().(string); text != "starting" && text != "initializing" {
		return false
	}
	jobs, err := conn.ListJobsContext(ctx)
	if err != nil {
		return false
	}
	for _, j := range jobs {
		if int(j.Id) == id {
			return j.Status == "waiting"
		}
	}
	return false
}

// outcome says in words how a job has ended.
func outcome(result string) string {
	switch result {
	case "failed":
		return "the unit has failed"
	case "timeout":
		return "the unit took too long"
	case "dependency":
		return "a unit that it needs has failed"
	case "canceled":
		return "something else was asked of the unit meanwhile"
	}
	return "the job ended as " + result
}

// Run runs the program of an action.
func (s *systemd) Run(ctx context.Context, a plan.Action) (string, error) {
	return program.Run(ctx, actionLimit, a.Exec...)
}

// Journal returns the end of what the unit wrote. It is read by journalctl: the
// library for it takes C.
func (s *systemd) Journal(ctx context.Context, name string) []string {
	if _, err := exec.LookPath("journalctl"); err != nil {
		return []string{"(the journal is not at hand: there is no journalctl)"}
	}
	out, err := program.Run(ctx, callLimit, "journalctl", "--quiet", "--no-pager", "--output=cat",
		"--lines="+strconv.Itoa(journalLines), "--unit="+name)
	if err != nil {
		return []string{"(the journal is not at hand: " + err.Error() + ")"}
	}
	if out = strings.TrimRight(out, "\n"); out == "" {
		return nil
	}
	return strings.Split(out, "\n")
}
