package updatetest

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/updater"
	"github.com/bulkhead-os/bulkhead/models/update"
	"github.com/bulkhead-os/bulkhead/tools/publish/repo"
)

// everything returns a sum for each file of the node: its disk, and all that the updater
// keeps. Locks and sockets hold nothing.
func (b *bench) everything() map[string]string {
	b.Helper()
	out := map[string]string{}
	b.must(filepath.WalkDir(b.Node.Dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.HasPrefix(name, b.path("run")) {
			return err
		}
		data, err := os.ReadFile(name)
		out[name] = fmt.Sprintf("%x", sha256.Sum256(data))
		return err
	}))
	return out
}

// foreseen returns what the updater says that it would do, and fails if it does any of it.
func (b *bench) foreseen(words ...string) updater.Plan {
	b.Helper()
	before := b.everything()
	out, err := b.Command(b.Context(), append(words, "--dry-run", "-o", "json")...).Output()
	if err != nil {
		b.Fatalf("updater %q --dry-run: %v", words, err)
	}
	if diff := cmp.Diff(before, b.everything()); diff != "" {
		b.Errorf("updater %q --dry-run changes files (-before +after):\n%s", words, diff)
	}
	var p updater.Plan
	b.must(json.Unmarshal(out, &p))
	return p
}

// A dry run says what is fetched and done, from where, and changes nothing: neither what
// is on the disk, nor what the node knows of the repository.
func TestDryRun(t *testing.T) {
	b := newBench(t)
	from, err := update.ParseVersion("1.0.0")
	b.must(err)
	old, err := b.releases["1.0.0"].Root()
	b.must(err)
	changed := append([]byte{}, old...)
	changed[100]++
	b.releaseAs("1.2.0", changed, repo.Addition{Patching: repo.Patching{From: []update.Version{from}}})

	const write = "write version 1.1.0 to slot B"
	first := updater.Plan{
		Action: updater.Refresh, Running: "1.0.0", Version: "1.2.0", From: []string{b.server.URL + "/targets"},
		Steps: []string{"choose version 1.2.0 for the next prepare"},
	}
	if diff := cmp.Diff(first, b.foreseen("refresh")); diff != "" {
		t.Errorf("refresh --dry-run (-want +got):\n%s", diff)
	}
	p := b.foreseen("apply", "--version", "1.1.0", "--reboot")
	if diff := cmp.Diff([]string{write, "write the boot program bulkhead-1.1.0.efi.staged", "activate version 1.1.0: the next boot tries it", "reboot"}, p.Steps); diff != "" {
		t.Errorf("steps of apply --dry-run (-want +got):\n%s", diff)
	}
	var kinds []string
	for _, f := range p.Fetch {
		kinds = append(kinds, fmt.Sprintf("%s %v", f.For, f.AtMost))
	}
	if diff := cmp.Diff([]string{"tree false", "boot-program false", "boot-program true", "root true"}, kinds); diff != "" {
		t.Errorf("what apply --dry-run fetches (-want +got):\n%s", diff)
	}

	// With patches it is known to the byte.
	p = b.foreseen("prepare")
	want := int64(0)
	for _, f := range p.Fetch {
		if f.AtMost || !strings.HasSuffix(f.Target, ".patch") {
			t.Errorf("prepare --dry-run fetches %+v, want patches only", f)
		}
		want += f.Bytes
	}
	b.run("refresh")
	known := b.status().Progress.Received
	b.run("prepare")
	if got := b.status().Progress.Received; got < want || got > want+2*known {
		t.Errorf("prepare has received %d bytes, want the %d that were foreseen, and metadata (%d)", got, want, known)
	}
	if p := b.foreseen("apply"); len(p.Fetch) > 0 || !cmp.Equal(p.Steps, []string{"activate version 1.2.0: the next boot tries it"}) {
		t.Errorf("apply --dry-run of what is staged: %+v, want that it is only activated", p)
	}
	b.run("activate")
	if p := b.foreseen("apply", "--reboot"); !cmp.Equal(p.Steps, []string{"reboot"}) {
		t.Errorf("apply --dry-run of what is activated: steps %q, want the reboot only", p.Steps)
	}
	p = b.foreseen("apply", "--version", "1.1.0")
	steps := []string{
		"deactivate version 1.2.0", "remove the boot program bulkhead-1.2.0+3.efi", write, "write the boot program bulkhead-1.1.0.efi.staged",
		"activate version 1.1.0: the next boot tries it",
	}
	if diff := cmp.Diff(steps, p.Steps); diff != "" {
		t.Errorf("steps in place of another version (-want +got):\n%s", diff)
	}
	p = b.foreseen("deactivate")
	if len(p.Steps) == 0 || p.Version != "1.0.0" {
		t.Errorf("deactivate --dry-run: %+v, want steps that lead to 1.0.0", p)
	}
}

// What would be refused is refused in a dry run.
func TestDryRunRefused(t *testing.T) {
	b := newBench(t)
	for _, tt := range []struct{ name, words, want string }{
		{"nothing is staged", "activate", "activate is not possible in the state Idle"},
		{"no such version", "apply --version 9.9.9", "there is no version to install: 9.9.9 is not one of those that are offered: 1.1.0"},
		{"no way back", "rollback", "roll back: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := b.everything()
			err := b.Updater(t.Context(), append(strings.Fields(tt.words), "--dry-run")...)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s --dry-run: %v, want %q", tt.words, err, tt.want)
			}
			if diff := cmp.Diff(before, b.everything()); diff != "" {
				t.Errorf("%s --dry-run changes files (-before +after):\n%s", tt.words, diff)
			}
		})
	}
	b.release("1.9.0", Image(9, 1500))
	if err := b.Updater(t.Context(), "apply", "--dry-run"); err == nil || !strings.Contains(err.Error(), "the slot has room for") {
		t.Errorf("apply --dry-run of what does not fit: %v, want that it is refused", err)
	}
}

// The same from the command line of the node, in words and as data.
func TestDryRunFromTheCommandLine(t *testing.T) {
	b := newBench(t)
	socket := b.api()
	const text = `running   1.0.0
version   1.1.0
from      %s/targets
fetch     tree: 28672 bytes, qemu-dev-x86_64-1.1.0-root.verity
`
	before := b.everything()
	stdout, stderr, err := b.apiclient(socket, "update", "apply", "--dry-run", "--reboot")
	if want := fmt.Sprintf(text, b.server.URL); err != nil || !strings.HasPrefix(stdout, want) || !strings.HasSuffix(stdout, "          reboot\n") {
		t.Errorf("update apply --dry-run: %v, %s\n%swant it to begin with\n%s", err, stderr, stdout, want)
	}
	for _, command := range []string{"check", "stage", "apply"} {
		stdout, stderr, err := b.apiclient(socket, "update", command, "--dry-run", "-o", "json")
		var p updater.Plan
		if err != nil || json.Unmarshal([]byte(stdout), &p) != nil || p.Version != "1.1.0" || len(p.Steps) == 0 {
			t.Errorf("update %s --dry-run -o json: %v, %s\n%swant steps that lead to 1.1.0", command, err, stderr, stdout)
		}
	}
	if _, stderr, err := b.apiclient(socket, "update", "activate", "--dry-run"); err == nil || !strings.Contains(stderr, "is not possible in the state Idle") {
		t.Errorf("update activate --dry-run: %v, %s, want that it is refused", err, stderr)
	}
	if diff := cmp.Diff(before, b.everything()); diff != "" {
		t.Errorf("dry runs change files (-before +after):\n%s", diff)
	}
	if _, stderr, err := b.apiclient(socket, "update", "apply", "--dry-run", "--wait"); err == nil || !strings.Contains(stderr, "there is nothing to wait for") {
		t.Errorf("update apply --dry-run --wait: %v, %s, want that it is refused", err, stderr)
	}
}
