package healthfile_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/sources/internal/healthfile"
)

func fault(code report.Code) report.Fault {
	return report.Fault{Severity: report.Error, Code: code, Detail: "of " + string(code), Hint: "none"}
}

func from(program string, f report.Fault) report.Fault {
	f.Source = program
	return f
}

func TestReadAll(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "bulkhead", "health")
	if got, err := healthfile.ReadAll(dir); err != nil || got != nil {
		t.Errorf("ReadAll before any report = %v, %v, want nothing", got, err)
	}
	defer unix.Umask(unix.Umask(0o077)) // as programs with secrets have it
	for _, w := range []struct {
		name   string
		faults []report.Fault
	}{
		{"storage", []report.Fault{fault("old")}},
		{"storage", []report.Fault{fault("data-lost"), from("elsewhere", fault("x"))}},
		{"provision", []report.Fault{fault("bad-key")}},
		{"console", nil},
	} {
		if err := healthfile.WriteTo(dir, w.name, w.faults); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"zzz.json": "{", ".temporary.json": "{", "note": "{"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := healthfile.ReadAll(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []report.Fault{
		from("provision", fault("bad-key")),
		from("storage", fault("data-lost")), from("elsewhere", fault("x")),
		{Severity: report.Warning, Code: healthfile.Broken, Source: "zzz", Detail: filepath.Join(dir, "zzz.json") + ": unexpected end of JSON input"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ReadAll (-want +got):\n%s", diff)
	}
	for name, mode := range map[string]os.FileMode{dir: 0o755 | os.ModeDir, filepath.Join(dir, "storage.json"): 0o644} {
		info, err := os.Stat(name)
		if err != nil || info.Mode() != mode {
			t.Errorf("mode of %s: %v, %v, want %v", name, info.Mode(), err, mode)
		}
	}
}

// That all is well is written down as well.
func TestWriteNothing(t *testing.T) {
	dir := t.TempDir()
	if err := healthfile.WriteTo(dir, "console", nil); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "console.json"))
	if err != nil || string(got) != "{\"faults\":[]}\n" {
		t.Errorf("report without faults: %q, %v, want an empty list", got, err)
	}
}

func TestWriteRefuses(t *testing.T) {
	for _, name := range []string{"", "a/b", ".hidden", ".."} {
		err := healthfile.WriteTo(t.TempDir(), name, nil)
		if err == nil || !strings.Contains(err.Error(), "no name of a program") {
			t.Errorf("WriteTo for %q: %v, want a refusal", name, err)
		}
	}
}

func TestReadAllLarge(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.json"), make([]byte, 2<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := healthfile.ReadAll(dir)
	if err != nil || len(got) != 1 || !strings.Contains(got[0].Detail, "larger than") {
		t.Errorf("ReadAll of a large file = %v, %v, want one fault", got, err)
	}
}
