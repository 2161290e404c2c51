package vm

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// emulator answers the lines that it is sent with the given ones, after a
// greeting, and returns what it was sent when the connection ends.
func emulator(t *testing.T, greeting string, answers ...string) (net.Conn, func() []string) {
	t.Helper()
	ours, theirs := net.Pipe()
	var got []string
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer theirs.Close()
		fmt.Fprintln(theirs, greeting)
		questions := bufio.NewScanner(theirs)
		for questions.Scan() {
			got = append(got, questions.Text())
			if len(answers) == 0 {
				return
			}
			if _, err := io.WriteString(theirs, answers[0]+"\n"); err != nil {
				return
			}
			answers = answers[1:]
		}
	}()
	return ours, func() []string { _ = ours.Close(); <-done; return got }
}

const greeting = `{"QMP": {"version": {}, "capabilities": []}}`

func TestMonitor(t *testing.T) {
	conn, asked := emulator(t, greeting, `{"return": {}}`,
		`{"event": "POWERDOWN"} {"event": "SHUTDOWN"} {"return": {}}`,
		`{"error": {"class": "GenericError", "desc": "no such command"}}`)
	m, err := newMonitor(conn)
	if err != nil {
		t.Fatalf("newMonitor: %v", err)
	}
	if err := m.execute("system_powerdown"); err != nil {
		t.Errorf("execute with events before the answer: %v", err)
	}
	if err := m.execute("x"); err == nil || err.Error() != "emulator: x: no such command" {
		t.Errorf("execute of what is refused: %v, want emulator: x: no such command", err)
	}
	if err := m.execute("y"); err == nil {
		t.Error("execute of what is not answered: no error")
	}
	want := []string{`{"execute":"qmp_capabilities"}`, `{"execute":"system_powerdown"}`, `{"execute":"x"}`, `{"execute":"y"}`}
	if diff := cmp.Diff(want, asked()); diff != "" {
		t.Errorf("questions (-want +got):\n%s", diff)
	}
}

func TestMonitorGreeting(t *testing.T) {
	for _, greeting := range []string{`{}`, `hello`} {
		conn, asked := emulator(t, greeting)
		if _, err := newMonitor(conn); err == nil {
			t.Errorf("newMonitor took the greeting %s", greeting)
		}
		asked()
	}
}
