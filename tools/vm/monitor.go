package vm

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// answerTime is how long the emulator may take to answer. It answers between
// two steps of the machine.
const answerTime = 20 * time.Second

// A monitor talks to the emulator about the machine, in QEMU's own protocol.
type monitor struct {
	mu      sync.Mutex // one question at a time
	conn    net.Conn
	answers *json.Decoder
}

type question struct {
	Execute   string         `json:"execute"`
	Arguments map[string]any `json:"arguments,omitempty"`
}

type answer struct {
	Greeting json.RawMessage `json:"QMP"`
	Event    string          `json:"event"`
	Return   json.RawMessage `json:"return"`
	Error    *struct {
		Desc string `json:"desc"`
	} `json:"error"`
}

// newMonitor takes the emulator's greeting and answers it.
func newMonitor(conn net.Conn) (*monitor, error) {
	m := &monitor{conn: conn, answers: json.NewDecoder(conn)}
	if err := m.greet(); err != nil {
		return nil, fmt.Errorf("emulator: %w", errors.Join(err, conn.Close()))
	}
	return m, nil
}

func (m *monitor) greet() error {
	if err := m.conn.SetDeadline(time.Now().Add(answerTime)); err != nil {
		return err
	}
	var a answer
	if err := m.answers.Decode(&a); err != nil {
		return fmt.Errorf("greeting: %w", err)
	}
	if a.Greeting == nil {
		return errors.New("greeting: it is none")
	}
	return m.execute("qmp_capabilities")
}

// execute has the emulator do something and waits until it has begun.
func (m *monitor) execute(command string) error { return m.executeWith(command, nil) }

// executeWith is as execute, for a command with arguments.
func (m *monitor) executeWith(command string, arguments map[string]any) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.ask(question{command, arguments}); err != nil {
		return fmt.Errorf("emulator: %s: %w", command, err)
	}
	return nil
}

func (m *monitor) ask(q question) error {
	if err := m.conn.SetDeadline(time.Now().Add(answerTime)); err != nil {
		return err
	}
	if err := json.NewEncoder(m.conn).Encode(q); err != nil {
		return err
	}
	for {
		var a answer
		if err := m.answers.Decode(&a); err != nil {
			return err
		}
		switch {
		case a.Error != nil:
			return errors.New(a.Error.Desc)
		case a.Return != nil:
			return nil
		}
		// Events come at any time.
	}
}

func (m *monitor) close() error { return m.conn.Close() }
