package auditverify_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/api/audit"
	"github.com/bulkhead-os/bulkhead/sources/auditverify"
)

func run(t *testing.T, root string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cmd := auditverify.Command()
	cmd.SetOut(&out)
	cmd.SetArgs([]string{"--root", root})
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestVerify(t *testing.T) {
	root := t.TempDir()
	if out, err := run(t, root); err != nil || out != "the audit record is empty\n" {
		t.Errorf("without a record: %q, %v", out, err)
	}
	dir := filepath.Join(root, "var/lib/bulkhead/audit")
	log := audit.Open(audit.Options{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	for _, actor := range []string{"root", "alice", "bob"} {
		log.Append(audit.Entry{Actor: actor, Method: "PATCH", Route: "/settings", Result: 204})
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if out, err := run(t, root); err != nil || out != "entries 1 to 3 are unbroken, 3 in 1 files\n" {
		t.Errorf("whole record: %q, %v", out, err)
	}
	file := filepath.Join(dir, "audit.log")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, bytes.Replace(data, []byte("alice"), []byte("mallo"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t, root); err == nil || !strings.Contains(err.Error(), "audit.log:2: entry ") {
		t.Errorf("changed record: %v, want the second line named", err)
	}
}
