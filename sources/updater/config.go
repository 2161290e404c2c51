package updater

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/settings/updates"
	"github.com/bulkhead-os/bulkhead/models/update"
)

// A config is what the settings say, as it is rendered.
type config struct {
	MetadataURL string   `toml:"metadata-base-url"`
	TargetsURL  string   `toml:"targets-base-url"`
	Mirrors     []string `toml:"mirrors"`
	RateLimit   int64    `toml:"rate-limit"`
	Seed        *uint32  `toml:"seed"`
	VersionLock string   `toml:"version-lock"`
	IgnoreWaves bool     `toml:"ignore-waves"`
	Pin         string   `toml:"pin"`
	Deny        []string `toml:"deny"`
	Channel     string   `toml:"channel"`
	Auto        bool     `toml:"auto"`
	Jitter      string   `toml:"jitter"`
	Window      *window  `toml:"window"`
	Proxy       struct {
		HTTPS  string   `toml:"https"`
		Direct []string `toml:"direct"`
	} `toml:"proxy"`
}

type window struct {
	Days     []string `toml:"days"`
	Start    string   `toml:"start"`
	End      string   `toml:"end"`
	TimeZone string   `toml:"time-zone"`
}

// readConfig returns what is in a file; without one nothing is configured.
func readConfig(name string) (config, error) {
	var c config
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err == nil {
		err = toml.Unmarshal(data, &c)
	}
	if err != nil {
		return c, fmt.Errorf("configuration %s: %w", name, err)
	}
	return c, nil
}

// request returns what the node asks of a manifest.
func (c config) request(r facts, failed []update.Version) (update.Request, error) {
	out := update.Request{
		Variant: r.variant, Arch: r.arch, Running: r.version, IgnoreWaves: c.IgnoreWaves, Pin: c.Pin, Channel: c.Channel, Avoid: failed,
	}
	if c.Seed != nil {
		out.Seed = *c.Seed
	}
	for _, text := range c.Deny {
		v, err := parseVersion(text)
		if err != nil {
			return out, fmt.Errorf("deny: %w", err)
		}
		out.Deny = append(out.Deny, v)
	}
	if c.VersionLock != "" && c.VersionLock != "latest" {
		v, err := parseVersion(c.VersionLock)
		if err != nil {
			return out, fmt.Errorf("version-lock: %w", err)
		}
		out.Version = v
	}
	return out, nil
}

// parseVersion reads a version as settings have it, perhaps with a v in front.
func parseVersion(text string) (update.Version, error) {
	v, err := scalar.ParseVersion(text)
	if err != nil {
		return update.Version{}, err
	}
	return update.ParseVersion(v.Semver())
}

// hours returns when the node may reboot by itself; nil for always.
func (c config) hours() (*updates.Window, error) {
	if c.Window == nil {
		return nil, nil
	}
	w := &updates.Window{}
	if len(c.Window.Days) > 0 {
		days := make([]updates.Weekday, len(c.Window.Days))
		for i, d := range c.Window.Days {
			days[i] = updates.Weekday(d)
		}
		w.Days = &days
	}
	for _, t := range []struct {
		text string
		to   **updates.TimeOfDay
	}{{c.Window.Start, &w.Start}, {c.Window.End, &w.End}} {
		if t.text == "" {
			continue
		}
		v, err := updates.ParseTimeOfDay(t.text)
		if err != nil {
			return nil, err
		}
		*t.to = &v
	}
	if c.Window.TimeZone != "" {
		z, err := updates.ParseTimeZone(c.Window.TimeZone)
		if err != nil {
			return nil, err
		}
		w.TimeZone = &z
	}
	return w, nil
}

// defaultJitter is that of the setting.
const defaultJitter = 10 * time.Minute

func (c config) jitter() time.Duration {
	d, err := updates.ParseDuration(c.Jitter)
	if c.Jitter == "" || err != nil {
		return defaultJitter
	}
	return d.Value()
}

// facts are what the image says of itself.
type facts struct {
	variant, arch string
	version       update.Version
}

// readFacts reads what the image below root is.
func readFacts(root string) (facts, error) {
	data, err := os.ReadFile(filepath.Join(root, "usr/lib/os-release"))
	if err != nil {
		return facts{}, fmt.Errorf("what runs: %w", err)
	}
	values := map[string]string{}
	for line := range strings.Lines(string(data)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			values[name] = strings.Trim(value, `"'`)
		}
	}
	f := facts{variant: values["VARIANT_ID"], arch: arch()}
	if f.version, err = update.ParseVersion(values["VERSION_ID"]); err != nil {
		return facts{}, fmt.Errorf("what runs: %w", err)
	}
	if f.variant == "" {
		return facts{}, errors.New("what runs: os-release names no variant")
	}
	return f, nil
}

// arch returns how releases call the architecture of this program.
func arch() string {
	if a, ok := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]; ok {
		return a
	}
	return runtime.GOARCH
}
