package update_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/update"
)

func version(t *testing.T, s string) update.Version {
	t.Helper()
	if s == "" {
		return update.Version{}
	}
	v, err := update.ParseVersion(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// manifest has one release of each version; the bound is max.
func manifest(t *testing.T, highest string, versions ...string) update.Manifest {
	t.Helper()
	var m update.Manifest
	for _, v := range versions {
		m.Updates = append(m.Updates, update.Release{
			Variant: "qemu-dev", Arch: "x86_64", Version: version(t, v), MaxVersion: version(t, highest),
			Images: update.Images{Boot: v + ".efi", Root: v + ".erofs", Hash: v + ".verity"},
		})
	}
	return m
}

func TestVersionOrder(t *testing.T) {
	ascending := []string{
		"0.9.0", "1.0.0-1", "1.0.0-11", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta.2", "1.0.0-beta.11",
		"1.0.0-rc.1", "1.0.0", "1.2.0", "1.10.0", "10.0.0",
	}
	for i, a := range ascending {
		for j, b := range ascending {
			want := 0
			switch {
			case i < j:
				want = -1
			case i > j:
				want = 1
			}
			if got := version(t, a).Compare(version(t, b)); got != want {
				t.Errorf("Compare(%s, %s) = %d, want %d", a, b, got, want)
			}
		}
	}
	for _, bad := range []string{"", "latest", "v1.0.0", "1.0", "1.0.0+build"} {
		if v, err := update.ParseVersion(bad); err == nil {
			t.Errorf("ParseVersion(%q) = %s, want an error", bad, v)
		}
	}
}

func channel(m update.Manifest, i int, names ...string) update.Manifest {
	m.Updates[i].Channels = names
	return m
}

func TestSelect(t *testing.T) {
	three := func(t *testing.T) update.Manifest { return manifest(t, "1.2.0", "1.0.0", "1.1.0", "1.2.0") }
	tests := []struct {
		name     string
		manifest func(*testing.T) update.Manifest
		running  string
		request  update.Request
		version  string
		want     string
	}{
		{name: "the newest", manifest: three, running: "1.0.0", want: "1.2.0"},
		{name: "nothing newer", manifest: three, running: "1.2.0"},
		{name: "another variant", manifest: three, running: "1.0.0", request: update.Request{Variant: "qemu-k8s"}},
		{name: "by name", manifest: three, running: "1.0.0", version: "1.1.0", want: "1.1.0"},
		{name: "down by name", manifest: three, running: "1.2.0", version: "1.0.0", want: "1.0.0"},
		{name: "the running one by name", manifest: three, running: "1.2.0", version: "1.2.0"},
		{name: "newer than published", manifest: func(t *testing.T) update.Manifest { return manifest(t, "1.3.0", "1.2.0") }, running: "1.3.0"},
		{
			name: "above the bound goes back", running: "1.2.0", want: "1.1.0",
			manifest: func(t *testing.T) update.Manifest { return manifest(t, "1.1.0", "1.0.0", "1.1.0", "1.2.0") },
		},
		{name: "failed here", manifest: three, running: "1.0.0", request: update.Request{Avoid: []update.Version{version(t, "1.2.0")}}, want: "1.1.0"},
		{name: "failed here, by name", manifest: three, running: "1.0.0", version: "1.2.0", request: update.Request{Avoid: []update.Version{version(t, "1.2.0")}}, want: "1.2.0"},
		{
			name: "withdrawn", running: "1.0.0", want: "1.1.0",
			manifest: func(t *testing.T) update.Manifest { return deny(three(t), "1.2.0") },
		},
		{
			name: "withdrawn, by name", running: "1.0.0", version: "1.2.0",
			manifest: func(t *testing.T) update.Manifest { return deny(three(t), "1.2.0") },
		},
		{
			name: "who runs a withdrawn one stays", running: "1.2.0",
			manifest: func(t *testing.T) update.Manifest { return deny(three(t), "1.2.0") },
		},
		{name: "a floor comes first", running: "1.0.0", want: "1.1.0", manifest: func(t *testing.T) update.Manifest { return floor(three(t), 1) }},
		{name: "a floor comes first, by name", running: "1.0.0", version: "1.2.0", want: "1.1.0", manifest: func(t *testing.T) update.Manifest { return floor(three(t), 1) }},
		{name: "a floor was passed", running: "1.1.0", want: "1.2.0", manifest: func(t *testing.T) update.Manifest { return floor(three(t), 1) }},
		{name: "a withdrawn floor is none", running: "1.0.0", want: "1.2.0", manifest: func(t *testing.T) update.Manifest { return deny(floor(three(t), 1), "1.1.0") }},
		{
			name: "installs on newer ones only", running: "1.0.0", want: "1.1.0",
			manifest: func(t *testing.T) update.Manifest { return from(three(t), 2, version(t, "1.1.0")) },
		},
		{name: "denied by the settings", manifest: three, running: "1.0.0", request: update.Request{Deny: []update.Version{version(t, "1.2.0")}}, want: "1.1.0"},
		{name: "denied by the settings, by name", manifest: three, running: "1.0.0", version: "1.2.0", request: update.Request{Deny: []update.Version{version(t, "1.2.0")}}, want: "1.2.0"},
		{name: "kept to a line", manifest: three, running: "1.0.0", request: update.Request{Pin: "1.1"}, want: "1.1.0"},
		{name: "kept to a line, by name", manifest: three, running: "1.0.0", version: "1.2.0", request: update.Request{Pin: "1.1"}, want: "1.2.0"},
		{name: "kept to a line that has nothing", manifest: three, running: "1.0.0", request: update.Request{Pin: "2"}},
		{name: "kept to a line that only begins alike", manifest: three, running: "1.0.0", request: update.Request{Pin: "1.1.0.1"}},
		{name: "in a channel", running: "1.0.0", want: "1.1.0", manifest: func(t *testing.T) update.Manifest { return channel(three(t), 2, "beta") }},
		{name: "in another channel", running: "1.0.0", want: "1.1.0", request: update.Request{Channel: "edge"}, manifest: func(t *testing.T) update.Manifest { return channel(three(t), 2, "beta") }},
		{name: "in the channel", running: "1.0.0", want: "1.2.0", request: update.Request{Channel: "beta"}, manifest: func(t *testing.T) update.Manifest { return channel(three(t), 2, "edge", "beta") }},
		{name: "in a channel, by name", running: "1.0.0", version: "1.2.0", manifest: func(t *testing.T) update.Manifest { return channel(three(t), 2, "beta") }},
		{name: "a floor in another channel is none", running: "1.0.0", want: "1.2.0", manifest: func(t *testing.T) update.Manifest { return channel(floor(three(t), 1), 1, "beta") }},
		{name: "not yet", running: "1.0.0", want: "1.1.0", manifest: func(t *testing.T) update.Manifest { return wave(three(t), time.Hour) }},
		{name: "not yet, by name", running: "1.0.0", version: "1.2.0", manifest: func(t *testing.T) update.Manifest { return wave(three(t), time.Hour) }},
		{name: "now", running: "1.0.0", want: "1.2.0", manifest: func(t *testing.T) update.Manifest { return wave(three(t), 0) }},
		{name: "waves ignored", running: "1.0.0", want: "1.2.0", request: update.Request{IgnoreWaves: true}, manifest: func(t *testing.T) update.Manifest { return wave(three(t), time.Hour) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := tt.request
			if r.Variant == "" {
				r.Variant = "qemu-dev"
			}
			r.Arch, r.Running, r.Version, r.Seed = "x86_64", version(t, tt.running), version(t, tt.version), 100
			got, ok, err := tt.manifest(t).Select(r, start)
			if err != nil || ok != (tt.want != "") || got.Release.Version.String() != tt.want {
				t.Errorf("Select(%+v) = %s, %v, %v, want %q", r, got.Release.Version, ok, err, tt.want)
			}
		})
	}
}

func deny(m update.Manifest, v string) update.Manifest {
	parsed, _ := update.ParseVersion(v)
	m.Denied = []update.Denial{{Variant: "qemu-dev", Arch: "x86_64", Version: parsed, Reason: "loses data"}}
	return m
}

func floor(m update.Manifest, i int) update.Manifest {
	m.Updates[i].Floor = true
	return m
}

func from(m update.Manifest, i int, v update.Version) update.Manifest {
	m.Updates[i].MinVersion = v
	return m
}

func wave(m update.Manifest, in time.Duration) update.Manifest {
	m.Updates[2].Waves = update.Waves{0: start.Add(in)}
	return m
}

func TestCandidatesSayWhyNot(t *testing.T) {
	m := manifest(t, "1.4.0", "1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0", "1.5.0")
	m = deny(from(wave(m, time.Hour), 3, version(t, "1.2.0")), "1.4.0")
	got, err := m.Candidates(update.Request{Variant: "qemu-dev", Arch: "x86_64", Running: version(t, "1.1.0"), Avoid: []update.Version{version(t, "1.0.0")}}, start)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, c := range got {
		lines = append(lines, c.Release.Version.String()+" "+c.Refusal)
	}
	want := []string{
		"1.5.0 above the highest version for this variant, 1.4.0", "1.4.0 withdrawn: loses data", "1.3.0 it installs on 1.2.0 and later",
		"1.2.0 wave 1 offers it at 2026-11-01T13:00:00Z", "1.1.0 it is running", "1.0.0 it failed on this node",
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("Candidates: versions with refusals (-want +got):\n%s", diff)
	}
}

func TestPath(t *testing.T) {
	m := from(floor(manifest(t, "1.4.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0"), 1), 3, version(t, "1.3.0"))
	var got []string
	for _, v := range m.Path("qemu-dev", "x86_64", "", version(t, "1.0.0")) {
		got = append(got, v.String())
	}
	if diff := cmp.Diff([]string{"1.2.0", "1.3.0", "1.4.0"}, got); diff != "" {
		t.Errorf("Path(1.0.0) (-want +got):\n%s", diff)
	}
}

func TestManifestRoundTrip(t *testing.T) {
	m := deny(from(floor(wave(manifest(t, "1.2.0", "1.0.0", "1.1.0", "1.2.0"), 0), 1), 2, version(t, "1.0.0")), "1.1.0")
	m.Updates[2].Notes, m.Updates[2].CVEs = "New kernel.", []update.CVE{{ID: "CVE-2026-1234", Note: "kernel"}}
	m.Updates[0].Waves, m.Updates[1].Waves = update.Waves{}, update.Waves{}
	data, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	got, err := update.ParseManifest(data)
	if err != nil {
		t.Fatalf("ParseManifest(%s): %v", data, err)
	}
	if diff := cmp.Diff(m, got, cmp.Comparer(func(a, b update.Version) bool { return a == b })); diff != "" {
		t.Errorf("ParseManifest(Bytes()) (-want +got):\n%s", diff)
	}
}

func TestParseManifestErrors(t *testing.T) {
	const one = `{"variant":"v","arch":"a","version":"1.0.0","max_version":"1.0.0","waves":{},"images":{"boot":"b","root":"r","hash":"h"},"new":1}`
	tests := []struct{ name, in, want string }{
		{name: "unknown members", in: `{"updates":[` + one + `],"migrations":{}}`},
		{name: "twice", in: `{"updates":[` + one + `,` + one + `]}`, want: "manifest: v a 1.0.0 is listed twice"},
		{name: "two bounds", in: `{"updates":[` + one + `,` + strings.ReplaceAll(one, "1.0.0", "2.0.0") + `]}`, want: "manifest: v a 2.0.0: max_version is 2.0.0, and 1.0.0 in another release of the variant"},
		{name: "no image", in: `{"updates":[` + strings.Replace(one, `"root":"r"`, `"root":""`, 1) + `]}`, want: "manifest: v a 1.0.0: images.root is missing"},
		{name: "a wave for nobody", in: `{"updates":[` + strings.Replace(one, `{}`, `{"2049":"2026-11-01T12:00:00Z"}`, 1) + `]}`, want: "manifest: v a 1.0.0: waves: key 2049 is above 2048"},
		{
			name: "waves that go back", in: `{"updates":[` + strings.Replace(one, `{}`, `{"1":"2026-11-01T12:00:00Z","2":"2026-11-01T12:00:00Z"}`, 1) + `]}`,
			want: "manifest: v a 1.0.0: waves: key 2 has the time 2026-11-01T12:00:00Z, which is not after 2026-11-01T12:00:00Z at key 1",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := update.ParseManifest([]byte(tt.in))
			if diff := cmp.Diff(tt.want, text(err)); diff != "" {
				t.Errorf("ParseManifest(%s): error (-want +got):\n%s", tt.in, diff)
			}
		})
	}
	for _, bad := range []string{`{"updates":[],"updates":[]}`, `[]`, `{"updates":[{"version":"x"}]}`, ``} {
		if _, err := update.ParseManifest([]byte(bad)); err == nil {
			t.Errorf("ParseManifest(%s) = nil, want an error", bad)
		}
	}
}

// What is accepted prints as something that is read as the same.
func FuzzParseManifest(f *testing.F) {
	f.Add([]byte(`{"updates":[{"variant":"v","arch":"a","version":"1.0.0","max_version":"1.0.0","waves":{"0":"2026-11-01T12:00:00Z"},"images":{"boot":"b","root":"r","hash":"h"}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := update.ParseManifest(data)
		if err != nil {
			return
		}
		once, err := m.Bytes()
		if err != nil {
			t.Fatalf("Bytes of %s: %v", data, err)
		}
		again, err := update.ParseManifest(once)
		if err != nil {
			t.Fatalf("ParseManifest(%s), made of %s: %v", once, data, err)
		}
		if twice, err := again.Bytes(); err != nil || string(twice) != string(once) {
			t.Errorf("Bytes after ParseManifest(%s) = %s, %v, want no change", once, twice, err)
		}
	})
}
