package apiserver

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	godbus "github.com/godbus/dbus/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/sources/internal/healthfile"
)

// A fakeUnit is a unit as systemd lists it.
type fakeUnit struct {
	Name, Description, Load, Active, Sub, Followed string
	Path                                           godbus.ObjectPath
	Job                                            uint32
	JobType                                        string
	JobPath                                        godbus.ObjectPath
}

// A fakeJob is a job as systemd lists it.
type fakeJob struct {
	ID                 uint32
	Unit, Kind, Status string
	Path, UnitPath     godbus.ObjectPath
}

// A fakeBus is a message bus with a systemd behind it that answers three
// questions.
type fakeBus struct {
	t     *testing.T
	units []fakeUnit
	jobs  []fakeJob
	goal  atomic.Value // string: how the unit is with which a boot is complete
	asked atomic.Int32
}

// serve answers on the socket at path until the test ends.
func (b *fakeBus) serve(path string) {
	b.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		b.t.Fatal(err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		b.t.Fatal(err)
	}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			work.Go(func() { // there are two at a time, one of them for signals
				if err := b.answer(c); err != nil && !errors.Is(err, io.EOF) {
					b.t.Errorf("message bus: %v", err)
				}
				_ = c.Close()
			})
		}
	})
	b.t.Cleanup(func() {
		_ = l.Close()
		work.Wait()
	})
}

// answer serves one connection.
func (b *fakeBus) answer(c net.Conn) error {
	r := bufio.NewReader(c)
	if _, err := r.ReadByte(); err != nil { // one zero before all else
		return err
	}
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		line = strings.TrimSpace(line)
		if line == "BEGIN" {
			break
		}
		reply := "ERROR\r\n"
		switch {
		case line == "AUTH": // asks for the ways
			reply = "REJECTED EXTERNAL\r\n"
		case strings.HasPrefix(line, "AUTH "):
			reply = "OK 0123456789abcdef0123456789abcdef\r\n"
		}
		if _, err := io.WriteString(c, reply); err != nil {
			return err
		}
	}
	for {
		m, err := godbus.DecodeMessage(r)
		if err != nil {
			return err
		}
		if err := b.reply(c, m); err != nil {
			return err
		}
	}
}

func (b *fakeBus) reply(c net.Conn, m *godbus.Message) error {
	var body any = ":1.1"
	switch m.Headers[godbus.FieldMember].Value() {
	case "ListUnitsFiltered":
		b.asked.Add(1)
		body = b.units
	case "ListUnitsByNames":
		state, _ := b.goal.Load().(string)
		body = []fakeUnit{{Name: goal, Active: state, Path: "/m", JobPath: "/"}}
	case "ListJobs":
		body = b.jobs
	}
	answer := &godbus.Message{
		Type: godbus.TypeMethodReply, Body: []any{body},
		Headers: map[godbus.HeaderField]godbus.Variant{
			godbus.FieldReplySerial: godbus.MakeVariant(m.Serial()),
			godbus.FieldSignature:   godbus.MakeVariant(godbus.SignatureOf(body)),
		},
	}
	var buf bytes.Buffer
	if err := answer.EncodeTo(&buf, binary.LittleEndian); err != nil {
		return err
	}
	// The library numbers only what it sends by itself, and takes no zero.
	binary.LittleEndian.PutUint32(buf.Bytes()[8:], m.Serial())
	_, err := c.Write(buf.Bytes())
	return err
}

func TestHostFaults(t *testing.T) {
	root := t.TempDir()
	h := newHost(root)
	if got := h.Faults(t.Context()); got != nil {
		t.Errorf("faults of a bare root: %v, want none", got)
	}
	lost := report.Fault{Severity: report.Error, Code: "data-lost", Detail: "DATA is gone"}
	if err := os.MkdirAll(filepath.Join(root, "run"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := healthfile.WriteTo(filepath.Join(root, healthfile.Dir), "storage", []report.Fault{lost}); err != nil {
		t.Fatal(err)
	}
	bus := &fakeBus{t: t, units: []fakeUnit{
		{Name: "z.service", Description: "Last", Active: "failed", Path: "/z", JobPath: "/"},
		{Name: "a.service", Description: "First", Active: "failed", Path: "/a", JobPath: "/"},
	}}
	bus.serve(h.bus)
	h = newHost(root) // that has not looked yet
	lost.Source = "storage"
	want := []report.Fault{
		lost,
		{Severity: report.Error, Code: codeUnitFailed, Source: "a.service", Detail: "the unit has failed: First", Hint: "apiclient logs a.service says why"},
		{Severity: report.Error, Code: codeUnitFailed, Source: "z.service", Detail: "the unit has failed: Last", Hint: "apiclient logs z.service says why"},
	}
	for range 2 {
		if diff := cmp.Diff(want, h.Faults(t.Context())); diff != "" {
			t.Errorf("faults (-want +got):\n%s", diff)
		}
	}
	if n := bus.asked.Load(); n != 1 {
		t.Errorf("systemd was asked %d times within a moment, want once", n)
	}
}

// While the node boots, it says what for it waits, and asks soon again.
func TestHostStarting(t *testing.T) {
	h := newHost(t.TempDir())
	h.sandbox = false
	bus := &fakeBus{t: t, jobs: []fakeJob{
		{1, "slow.service", "start", "running", "/1", "/s"},
		{2, "multi-user.target", "start", "waiting", "/2", "/m"},
		{3, "old.service", "stop", "running", "/3", "/o"},
		{4, "boot-status.service", "start", "running", "/4", "/b"}, // it asks
	}}
	bus.serve(h.bus)
	want := []report.Fault{{Severity: report.Info, Code: codeUnitStarting, Source: "slow.service", Detail: "the boot waits for the unit"}}
	if diff := cmp.Diff(want, h.Faults(t.Context())); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	if h.Booted() {
		t.Error("booted while a unit is being started")
	}
	bus.goal.Store("active")
	h.asked = h.asked.Add(-bootFresh)
	if got := h.Faults(t.Context()); len(got) != 0 {
		t.Errorf("faults when the boot is complete: %v, want none", got)
	}
	if !h.Booted() {
		t.Errorf("not booted when %s is active", goal)
	}
}

// A bus that nobody answers on is a fault, and not that of a unit.
func TestHostWithoutSystemd(t *testing.T) {
	h := newHost(t.TempDir())
	if err := os.MkdirAll(filepath.Dir(h.bus), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(h.bus, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	got := h.Faults(t.Context())
	if len(got) != 1 || got[0].Code != codeUnitsUnknown || got[0].Severity != report.Warning {
		t.Errorf("faults: %v, want that units are not known", got)
	}
}

func TestBooted(t *testing.T) {
	h := newHost(t.TempDir())
	if !h.Booted() {
		t.Error("a sandbox boots, want that it never does")
	}
	h.sandbox = false
	if h.Booted() {
		t.Error("booted without the note of it")
	}
	if err := os.MkdirAll(filepath.Join(h.root, "run/bulkhead"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(h.root, "run/bulkhead/boot.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if !h.Booted() {
		t.Error("not booted with the note of it")
	}
}
