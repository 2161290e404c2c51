package apiserver_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	renames = "[[migration]]\nformat = 2\n[[migration.step]]\nkind = 'map'\nkey = 'settings.motd'\nvalues = [['old', 'new']]\n"
	drops   = "[[migration]]\nformat = 3\n[[migration.step]]\nkind = 'drop'\nkey = 'settings.updates.seed'\n"
)

// image makes an image of a version that carries migrations.
func image(t *testing.T, version string, migrations ...string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "usr/lib/os-release"), "VARIANT_ID=qemu-dev\nVERSION_ID="+version+"\n")
	for i, text := range migrations {
		write(t, filepath.Join(dir, "usr/share/bulkhead/migrations", string(rune('1'+i))+".toml"), text)
	}
	return dir
}

// An update migrates the settings, and the way back gives them as they were, with
// what was changed since.
func TestMigrations(t *testing.T) {
	root := t.TempDir()
	v1, v2 := image(t, "1.0.0"), image(t, "1.1.0", renames, drops)
	p := start(t, root, "--image", v1)
	p.set(`{"motd":"old","updates":{"seed":7,"ignore-waves":true}}`)
	p.stop()

	p = start(t, root, "--image", v2)
	if got, want := p.must("GET", "/settings?layer=user", ""), `{"motd":"new","updates":{"ignore-waves":true}}`; got != want {
		t.Errorf("settings after the update: %s, want %s", got, want)
	}
	if got := p.must("GET", "/health", ""); !strings.Contains(got, `"status":"ok"`) {
		t.Errorf("health after the update: %s", got)
	}
	p.set(`{"updates":{"ignore-waves":false}}`)
	p.stop()

	p = start(t, root, "--image", v1)
	if got, want := p.must("GET", "/settings?layer=user", ""), `{"motd":"old","updates":{"ignore-waves":false,"seed":7}}`; got != want {
		t.Errorf("settings after the way back: %s, want %s", got, want)
	}
	p.stop()

	// What the updater has fetched is a way, too, where there is no other.
	copied := filepath.Join(root, "var/lib/bulkhead/settings/settings.toml")
	text, err := os.ReadFile(copied)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"settings.db", "settings.toml"} {
		if err := os.Remove(filepath.Join(root, "var/lib/bulkhead/settings", name)); err != nil {
			t.Fatal(err)
		}
	}
	write(t, copied, strings.Replace(strings.Replace(string(text), `"format":1`, `"format":3`, 1), "#=", "# =", 1))
	p = launch(t, filepath.Join(root, "api.sock"), nil, "--root", root, "--socket", filepath.Join(root, "api.sock"), "--image", v1)
	p.ready()
	if got := p.must("GET", "/health", ""); !strings.Contains(got, `"status":"degraded"`) || !strings.Contains(got, "settings-not-migrated") {
		t.Errorf("health without a way: %s, want settings-not-migrated", got)
	}
	if status, body, err := p.try("PATCH", "/settings", `{"motd":"x"}`); err != nil || status != 503 || !strings.Contains(body, "read-only") {
		t.Errorf("PATCH without a way: %d %s, want 503 read-only", status, body)
	}
	p.stop()
	write(t, filepath.Join(root, "var/lib/bulkhead/updates/migrations/1.1.0.toml"), renames+drops)
	write(t, filepath.Join(root, "var/lib/bulkhead/updates/migrations/1.0.0.toml"), renames)
	p = start(t, root, "--image", v1)
	if got := p.motd(); got != "old" {
		t.Errorf("motd after the way that was fetched: %q, want old", got)
	}
}
