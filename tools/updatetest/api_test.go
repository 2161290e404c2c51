package updatetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/api/cli"
	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/api/updater"
)

// api starts the settings daemon beside the updater as a service, and returns its
// socket.
func (b *bench) api() (socket string) {
	b.Helper()
	b.service()
	dir := b.TempDir()
	b.must(os.MkdirAll(b.Places().Dir, 0o750))
	for name, at := range map[string]string{
		"run/bulkhead/updater.sock": b.Places().Socket, "run/bulkhead/updater.lock": b.Places().Lock, "var/lib/bulkhead/updates": b.Places().Dir,
	} {
		name = filepath.Join(dir, name)
		b.must(os.MkdirAll(filepath.Dir(name), 0o755))
		b.must(os.Symlink(at, name))
	}
	socket = filepath.Join(dir, "api.sock")
	b.daemon(exec.Command(programs.Bulkhead, "apiserver", "--root", dir, "--socket", socket, "--variant", "qemu-dev"), socket)
	return socket
}

// apiclient runs apiclient with these words and returns what it prints.
func (b *bench) apiclient(socket string, words ...string) (stdout, stderr string, err error) {
	b.Helper()
	var out, errs bytes.Buffer
	cmd := cli.Command()
	cmd.SetArgs(append([]string{"--socket", socket}, words...))
	cmd.SetOut(&out)
	cmd.SetErr(&errs)
	err = cmd.ExecuteContext(b.Context())
	cli.WriteError(&errs, err)
	if testing.Verbose() {
		b.Logf("apiclient %s\n%s%s", strings.Join(words, " "), &errs, &out)
	}
	return out.String(), errs.String(), err
}

// From the command line to the disk and back: apiclient, daemon, updater.
func TestFromTheCommandLine(t *testing.T) {
	b := newBench(t)
	socket := b.api()
	do := func(want string, words ...string) {
		t.Helper()
		stdout, stderr, err := b.apiclient(socket, words...)
		if err != nil || !strings.Contains(stdout+stderr, want) {
			t.Errorf("apiclient %s: %v\n%s%s\nwant %q", strings.Join(words, " "), err, stdout, stderr, want)
		}
	}
	refused := func(want string, words ...string) {
		t.Helper()
		if _, stderr, err := b.apiclient(socket, words...); err == nil || !strings.Contains(stderr, want) {
			t.Errorf("apiclient %s: %v, %s, want %q", strings.Join(words, " "), err, stderr, want)
		}
	}
	state := func(want updater.State) {
		t.Helper()
		if got := b.status().State; got != want {
			t.Errorf("state %s, want %s", got, want)
		}
	}
	refused("updates were never looked for", "update", "status")
	refused("prepare", "update", "activate")
	do(`"update_state": "Available"`, "update", "check")
	do("1.1.0\tupdate", "update", "list")
	do("", "update", "stage")
	state(updater.Staged)
	do("", "update", "activate")
	state(updater.Ready)
	do("version 1.1.0 is active already", "update", "apply", "--check")
	do("", "update", "cancel")
	state(updater.Staged)
	do("", "update", "apply", "--version", "1.1.0", "--ignore-waves")
	state(updater.Ready)
	do("running    1.0.0\nother slot 1.1.0, starts at the next boot", "update", "status")
	refused("nothing goes on", "raw", "-m", "POST", "-u", "/actions/cancel-update")
	refused("there is no version to install", "update", "apply", "--version", "9.9.9")
	do("update-check-failed", "raw", "-u", "/health")
	do("failed", "update", "history")

	// The way back, and what the boot after it makes of it.
	b.must(b.Boot(b.releases["1.1.0"]))
	b.must(b.Bless(t.Context()))
	do(`"version": "1.1.0"`, "update", "check")
	do("there is no update to install", "update", "apply")
	do("", "update", "rollback")
	do("other slot 1.0.0, starts at the next boot", "update", "status")
}

// A bundle goes through the daemon to the updater without a repository.
func TestBundleFromTheCommandLine(t *testing.T) {
	b := newBench(t)
	bundle := b.bundle("1.1.0", "")
	b.server.Close()
	socket := b.api()
	if _, stderr, err := b.apiclient(socket, "update", "apply", "--bundle", bundle); err != nil || !strings.Contains(stderr, "sending the bundle: 100 %") {
		t.Errorf("apply of a bundle: %v\n%s", err, stderr)
	}
	if got := b.status().State; got != updater.Ready {
		t.Errorf("state %s, want Ready", got)
	}
	if _, stderr, err := b.apiclient(socket, "update", "apply", "--bundle", os.Args[0]); err == nil {
		t.Errorf("apply of what is no bundle: no error\n%s", stderr)
	}
}

// asked does what agents for other systems do: they remember the time of the last
// command, ask for one, and read the status until there is one of its kind with
// another time. They know no other kinds and no other codes.
func (b *bench) asked(c *client.Client, route, kind string) (state string) {
	b.Helper()
	type status struct {
		State   string `json:"update_state"`
		Command *struct {
			Type, Status, Timestamp string
		} `json:"most_recent_command"`
	}
	read := func() (s status, code int) {
		b.Helper()
		res, err := c.Do(b.Context(), client.Request{URI: "/updates/status"})
		if p, ok := errors.AsType[*client.Problem](err); ok {
			return s, p.Status
		}
		b.must(err)
		text := strings.NewReplacer(`"cmd_type"`, `"Type"`, `"cmd_status"`, `"Status"`, `"timestamp"`, `"Timestamp"`).Replace(string(res.Body))
		b.must(json.Unmarshal([]byte(text), &s))
		if s.Command != nil && !slices.Contains([]string{"refresh", "prepare", "activate", "deactivate"}, s.Command.Type) {
			b.Errorf("a command of kind %s, which agents do not know", s.Command.Type)
		}
		return s, res.Status
	}
	before, code := read()
	if code != http.StatusOK && code != http.StatusNotFound {
		b.Fatalf("status before %s: %d", route, code)
	}
	_, err := c.Do(b.Context(), client.Request{Method: "POST", URI: route})
	b.must(err)
	var now status
	b.until(route+" has ended", func() bool {
		now, code = read()
		return code == http.StatusOK && now.Command != nil && now.Command.Type == kind && (before.Command == nil || before.Command.Timestamp != now.Command.Timestamp)
	})
	if now.Command.Status != "Success" {
		b.Errorf("%s: %s, want Success", route, now.Command.Status)
	}
	return now.State
}

func TestAsOtherAgentsDo(t *testing.T) {
	b := newBench(t)
	c := client.New(b.api())
	for _, tt := range []struct{ route, kind, state string }{
		{"/actions/refresh-updates", "refresh", "Available"},
		{"/actions/prepare-update", "prepare", "Staged"},
		{"/actions/activate-update", "activate", "Ready"},
		{"/actions/deactivate-update", "deactivate", "Staged"},
		{"/actions/refresh-updates", "refresh", "Staged"},
		{"/actions/apply-update", "activate", "Ready"},
	} {
		if got := b.asked(c, tt.route, tt.kind); got != tt.state {
			t.Errorf("POST %s leads to %s, want %s", tt.route, got, tt.state)
		}
	}
	for route, want := range map[string]int{"/actions/prepare-update": http.StatusConflict, "/actions/activate-update": http.StatusConflict} {
		_, err := c.Do(t.Context(), client.Request{Method: "POST", URI: route})
		if p, ok := errors.AsType[*client.Problem](err); !ok || p.Status != want {
			t.Errorf("POST %s in the state Ready: %v, want status %d", route, err, want)
		}
	}
}
