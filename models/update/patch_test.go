package update_test

import (
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/models/update"
)

func TestReleasePatch(t *testing.T) {
	rel := manifest(t, "1.1.0", "1.1.0").Updates[0]
	rel.Patches = []update.Patch{
		{Image: update.RootImage, From: version(t, "1.0.0"), Target: "a"},
		{Image: update.BootImage, From: version(t, "1.0.0"), Target: "b"},
		{Image: update.RootImage, From: version(t, "0.9.0"), Target: "c"},
	}
	tests := []struct {
		name  string
		image update.Image
		from  string
		want  string // the target, or empty
	}{
		{name: "root", image: update.RootImage, from: "1.0.0", want: "a"},
		{name: "boot", image: update.BootImage, from: "1.0.0", want: "b"},
		{name: "older", image: update.RootImage, from: "0.9.0", want: "c"},
		{name: "no such image", image: update.HashImage, from: "1.0.0"},
		{name: "no such version", image: update.RootImage, from: "0.8.0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := rel.Patch(tt.image, version(t, tt.from))
			if got.Target != tt.want || ok != (tt.want != "") {
				t.Errorf("Patch(%s, %s) = %+v, %v, want the target %q", tt.image, tt.from, got, ok, tt.want)
			}
		})
	}
}

func TestManifestPatches(t *testing.T) {
	good := update.Patch{Image: update.RootImage, From: version(t, "1.0.0"), Target: "root.patch"}
	with := func(f func(*update.Patch)) []update.Patch {
		p := good
		f(&p)
		return []update.Patch{p}
	}
	tests := []struct {
		name    string
		patches []update.Patch
		want    string // in the error, or empty
	}{
		{name: "good", patches: []update.Patch{good}},
		{name: "image of later days", patches: with(func(p *update.Patch) { p.Image = "firmware" })},
		{name: "no target", patches: with(func(p *update.Patch) { p.Target = "" }), want: "image, from or target is missing"},
		{name: "from nothing", patches: with(func(p *update.Patch) { p.From = update.Version{} }), want: "image, from or target is missing"},
		{name: "from itself", patches: with(func(p *update.Patch) { p.From = version(t, "1.1.0") }), want: "the patch root.patch is from the version itself"},
		{name: "twice", patches: []update.Patch{good, {Image: good.Image, From: good.From, Target: "other"}}, want: "there are two patches of the image root from 1.0.0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := manifest(t, "1.1.0", "1.1.0")
			m.Updates[0].Patches = tt.patches
			err := m.Check()
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Check(%+v): error %v, want %q", tt.patches, err, tt.want)
			}
		})
	}
}

// Who follows a channel gets further than who does not.
func TestPathInChannel(t *testing.T) {
	m := channel(manifest(t, "1.2.0", "1.1.0", "1.2.0"), 1, "beta")
	for name, want := range map[string]string{"": "1.1.0", "beta": "1.2.0", "edge": "1.1.0"} {
		got := m.Path("qemu-dev", "x86_64", name, version(t, "1.0.0"))
		if len(got) != 1 || got[0] != version(t, want) {
			t.Errorf("Path in channel %q = %v, want %s", name, got, want)
		}
	}
}
