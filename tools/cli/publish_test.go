package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// From keys to a bundle, as docs/guide/publish.md has it.
func TestPublish(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("image", 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"image/manifest.json": `{"variant": "qemu-dev", "version": "1.0.0", "root-hash": "abcd"}`,
		"image/root.erofs":    "root", "image/root.verity": "tree", "image/uki.efi": "kernel roothash=abcd",
		"waves.toml": "[[waves]]\nstart_after = \"1 hour\"\nfleet_percentage = 100\n",
		"bad.toml":   "[[waves]]\nstart_after = \"1 hour\"\nfleet_percentage = 10\n",
	} {
		if err := os.WriteFile(filepath.FromSlash(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	steps := []struct {
		args   string
		status int
		want   string // in what is printed
	}{
		{args: "key anna.key"},
		{args: "key boris.key --type ecdsa"},
		{args: "key online.key"},
		{args: "key online.key", status: 1, want: "make key: open online.key: file exists"},
		{args: "key rsa.key --type rsa", status: 1, want: `no kind of key "rsa", want ed25519 or ecdsa`},
		{args: "repo init updates --root-key anna.key.pub --root-key boris.key.pub --root-threshold 3", status: 1, want: "role root has 2 keys, and 3 of them would have to sign"},
		{args: "repo init updates --root-lifetime soon", status: 2, want: `time "soon": want a number of minutes, hours, days or weeks`},
		{args: "repo init updates --root-key anna.key.pub --root-key boris.key.pub --root-threshold 2 --targets-key anna.key --online-key online.key --timestamp-lifetime=26hours", status: 2, want: "want a number"},
		{args: "repo init updates --root-key anna.key.pub --root-key boris.key.pub --root-threshold 2 --targets-key anna.key --online-key online.key"},
		{args: "repo add updates image --waves bad.toml", status: 1, want: "bad.toml: wave policy: the last wave leads to 10 per cent, want 100"},
		{args: "repo add updates image --start noon", status: 2, want: `start "noon": want a time such as 2026-12-01T08:00:00Z`},
		{args: "repo add updates image --waves waves.toml --cve CVE-2026-1=kernel", want: "qemu-dev x86_64 1.0.0\n"},
		{args: "repo sign updates --key anna.key", want: "root 1: 1 of 2 signatures by the keys of root 1\n"},
		{args: "repo release updates --key online.key", status: 1, want: "not released: root 1: 1 of 2 signatures"},
		{args: "repo release updates --key online.key --key boris.key"},
		{args: "repo validate updates --targets", want: "qemu-dev x86_64 1.0.0: offered to 0.0 % of the nodes\nall 5 targets are as signed"},
		{args: "repo waves updates 1.0.0"},
		{args: "repo release updates --key online.key --key anna.key"},
		{args: "repo validate updates", want: "offered to 100.0 % of the nodes\n"},
		{args: "repo deny updates 1.0.0", status: 2, want: "deny: --reason TEXT is missing"},
		{args: "bundle updates 1.0.0", status: 2, want: "bundle: --out FILE is missing"},
		{args: "repo limit updates 1.0", status: 2, want: `version "1.0" has 2 numbers instead of 3`},
		{args: "repo retire updates 1.0.0", status: 1, want: "would not come to 1.0.0"},
		{args: "repo root updates --remove root=zz", status: 1, want: `0 keys of role root begin with "zz", want one`},
		{args: "repo root updates --threshold nobody=1", status: 2, want: `"nobody=1": want ROLE=VALUE`},
		{args: "repo root updates --add online=boris.key.pub --threshold root=1"},
		{args: "repo release updates --key anna.key --key boris.key --key online.key"},
		{args: "repo refresh updates --key boris.key"},
		{args: "repo expire-check updates"},
		{args: "repo expire-check updates --within 8days", status: 2, want: "want a number"},
		{args: "bundle updates 1.0.0 --out one.bundle"},
		{args: "repo validate one.bundle --targets --root updates/public/metadata/1.root.json", want: "all 5 targets are as signed"},
		{args: "repo prune updates"},
	}
	for _, s := range steps {
		var stdout, stderr bytes.Buffer
		args := append([]string{"publish"}, strings.Fields(s.args)...)
		got := Run(t.Context(), args, &stdout, &stderr)
		if out := stdout.String() + stderr.String(); got != s.status || !strings.Contains(out, s.want) {
			t.Fatalf("Run(%q) = %d, want %d; printed:\n%swant in it: %s", args, got, s.status, out, s.want)
		}
	}
}
