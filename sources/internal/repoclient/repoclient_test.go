package repoclient

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

func TestWellFormed(t *testing.T) {
	tests := []struct {
		name, in, want string
	}{
		{"timestamp", `{"signed": {"_type": "timestamp", "meta": {"snapshot.json": {"version": 1}}}}`, ""},
		{"root", `{"signed": {"_type": "root", "roles": {"root": {"keyids": []}}, "keys": {"a": {}}}}`, ""},
		{"delegations", `{"signed": {"_type": "targets", "targets": {}, "delegations": {"keys": {"a": {}}, "roles": []}}}`, ""},
		{"members that nobody knows", `{"signed": {"_type": "root", "x": null}, "y": null}`, ""},
		{"no JSON", `{`, "it is no metadata"},
		{"a list", `[]`, "it is no metadata"},
		{"no snapshot", `{"signed": {"_type": "timestamp", "meta": {}}}`, "it names no snapshot"},
		{"snapshot is null", `{"signed": {"_type": "timestamp", "meta": {"snapshot.json": null}}}`, `"snapshot.json" is null`},
		{"target is null", `{"signed": {"_type": "targets", "targets": {"a": null}}}`, `"a" is null`},
		{"key is null", `{"signed": {"_type": "root", "keys": {"a": null}}}`, `"a" is null`},
		{"role is null", `{"signed": {"_type": "root", "roles": {"a": null}}}`, `the role "a" is null`},
		{"delegated key is null", `{"signed": {"_type": "targets", "delegations": {"keys": {"a": null}}}}`, `the key "a" is null`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := wellFormed([]byte(tt.in))
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("wellFormed(%s) = %v, want %q", tt.in, err, tt.want)
			}
		})
	}
}

// Names of roles cannot lead out of the directory.
func TestFileName(t *testing.T) {
	for role, want := range map[string]string{"targets": "targets.json", "../../x": "..%2F..%2Fx.json", "a b/ü?": "a%20b%2F%C3%BC%3F.json", "..": "...json"} {
		if got := fileName(role); got != want {
			t.Errorf("fileName(%q) = %q, want %q", role, got, want)
		}
	}
}

func TestVerifier(t *testing.T) {
	file, err := metadata.TargetFile().FromBytes("x", []byte("contents"), "sha256", "sha512")
	if err != nil {
		t.Fatal(err)
	}
	target := Target{Name: "x", Length: file.Length, hashes: file.Hashes}
	for in, good := range map[string]bool{"contents": true, "Contents": false, "content": false, "contents!": false} {
		if err := target.Check(strings.NewReader(in)); (err == nil) != good || err != nil && !errors.Is(err, ErrRefused) {
			t.Errorf("Check(%q) = %v, want accepted: %v", in, err, good)
		}
	}
}

func TestNoRoot(t *testing.T) {
	dir, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if _, err := Open(dir, nil); err == nil {
		t.Error("Open without a root = nil, want that it is refused")
	}
	if _, err := Open(dir, []byte(`{"signed": {"_type": "root"}}`)); err == nil {
		t.Error("Open with a root that nobody signed = nil, want that it is refused")
	}
}

// Whatever a server says is accepted or refused, and nothing else happens.
func FuzzMetadata(f *testing.F) {
	f.Add([]byte(`{"signatures": [], "signed": {"_type": "timestamp", "meta": {"snapshot.json": {"version": 1}}, "version": 1, "expires": "2030-01-01T00:00:00Z"}}`))
	f.Add([]byte(`{"signatures": [], "signed": {"_type": "root", "roles": {"root": {"keyids": [], "threshold": 1}}, "keys": {}, "version": 1}}`))
	f.Add([]byte(`{"signatures": [], "signed": {"_type": "targets", "targets": {"a": {"length": 1, "hashes": {}}}, "delegations": {"keys": {}, "roles": [{"name": "x", "paths": ["*"]}]}}}`))
	f.Fuzz(func(_ *testing.T, data []byte) {
		if wellFormed(data) != nil {
			return
		}
		if root, err := metadata.Root().FromBytes(data); err == nil {
			_ = root.VerifyDelegate(metadata.ROOT, root)
			_ = root.VerifyDelegate(metadata.TIMESTAMP, root)
		}
		if m, err := metadata.Timestamp().FromBytes(data); err == nil {
			_ = m.Signed.Meta[fileName(metadata.SNAPSHOT)].Version
		}
		if m, err := metadata.Targets().FromBytes(data); err == nil && m.Signed.Delegations != nil {
			_ = m.Signed.Delegations.GetRolesForTarget("a/b")
			_ = m.VerifyDelegate("x", m)
		}
	})
}
