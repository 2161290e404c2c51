package userdata

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/schema"
	"github.com/bulkhead-os/bulkhead/models/settings"
)

// Every setting that a hint names exists.
func TestHintsNameSettings(t *testing.T) {
	all := schema.For(settings.Type, "all", schema.For(settings.Type, "none", nil).AllGroups())
	hints := slices.Concat(slices.Collect(maps.Values(cloudHints)), slices.Collect(maps.Values(ignitionHints)))
	for _, l := range otherLanguages {
		hints = append(hints, l.hint)
	}
	for _, o := range otherTypes {
		hints = append(hints, o.hint)
	}
	for _, f := range fileHints {
		hints = append(hints, f.hint)
	}
	hints = append(hints, hintTrust, hintFiles)
	named := 0
	for _, hint := range hints {
		if hint == "" {
			t.Error("a hint is empty")
		}
		for _, name := range regexp.MustCompile(`settings(\.[a-z-]+)+`).FindAllString(hint, -1) {
			named++
			k, err := key.Parse(strings.Replace(name, "host-containers.admin", "host-containers.x", 1))
			if err != nil {
				t.Errorf("hint %q: %v", hint, err)
				continue
			}
			if _, ok := all.Lookup(k); !ok {
				t.Errorf("hint %q: there is no setting %s", hint, name)
			}
		}
	}
	if named < 50 {
		t.Errorf("%d settings named in hints, want more: is the pattern right?", named)
	}
}

func TestFileHint(t *testing.T) {
	tests := []struct{ in, want string }{
		{"/etc/motd", "set settings.motd"},
		{"/etc//motd.d/10-x", "set settings.motd"},
		{"/etc/hostsx", hintFiles},
		{"/etc/kubernetes/manifests/a.yaml", "set settings.kubernetes.static-pods"},
		{"/etc/kubernetes/x/../kubelet.conf", "set settings.kubernetes"},
		{"/var/lib/foo", hintFiles},
		{"", hintFiles},
	}
	for _, tt := range tests {
		if got := fileHint(tt.in); got != tt.want {
			t.Errorf("fileHint(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}
