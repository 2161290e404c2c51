package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/models/report"
)

func TestWriteError(t *testing.T) {
	faults := []report.Fault{
		{Severity: report.Error, Path: "settings.a", Detail: "is wrong", Hint: "want b"},
		{Severity: report.Error, Path: "settings.c", Detail: "is wrong", Hint: "want b"},
		{Severity: report.Warning, Path: "settings.d", Detail: "is old", Source: "f.toml", Line: 3, Column: 4},
	}
	tests := []struct {
		name   string
		err    error
		want   string
		status int
	}{
		{"nothing", nil, "", 0},
		{"misused", usage("want %s", "more"), "apiclient: want more\n", 2},
		{"misused, with advice", &UsageError{Err: errors.New("wrong"), Hint: "read"}, "apiclient: wrong\nhint: read\n", 2},
		{"faults", &client.Problem{Errors: faults}, "apiclient: settings.a: is wrong\napiclient: settings.c: is wrong\nhint: want b\nf.toml:3:4: warning: settings.d: is old\n", 1},
		{"refusal", &report.Refusal{Report: report.Report{Faults: faults[:1]}}, "apiclient: settings.a: is wrong\nhint: want b\n", 1},
		{"problem", &client.Problem{Detail: "unknown", Path: "settings.x", Hint: "did you mean y?"}, "apiclient: settings.x: unknown\nhint: did you mean y?\n", 1},
		{"forbidden", &client.Problem{Detail: "no", Status: 403}, "apiclient: no\nhint: root and members of group api may change settings, by /run/api.sock; those of api-read may read them\n", 1},
		{"several", errors.Join(errors.New("a"), errors.New("b")), "apiclient: a\napiclient: b\n", 1},
		{"interrupted", fmt.Errorf("GET /: %w", context.Canceled), "apiclient: interrupted\n", 1},
		{"refused", &client.Unreachable{Socket: "/s", Err: os.ErrPermission}, "apiclient: connect to /s: permission denied\nhint: root and members of group api may use /run/api.sock; members of api-read name the socket for readers: --socket /run/api-read.sock\n", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			WriteError(&b, tt.err)
			if diff := cmp.Diff(tt.want, b.String()); diff != "" {
				t.Errorf("WriteError (-want +got):\n%s", diff)
			}
			if got := ExitCode(tt.err); got != tt.status {
				t.Errorf("ExitCode(%v) = %d, want %d", tt.err, got, tt.status)
			}
		})
	}
}

func TestParseSelection(t *testing.T) {
	tests := []struct {
		in, section, prefix string
	}{
		{"s", "settings", "settings."},
		{"settings", "settings", "settings."},
		{"settings.", "settings", "settings."},
		{"settings.mot", "settings", "settings.mot"},
		{"motd", "settings", "settings.motd"},
		{"o", "os", "os."},
		{"os.v", "os", "os.v"},
		{"oci-defaults", "settings", "settings.oci-defaults"},
		{"setting", "settings", "settings."},
		{"sets", "settings", "settings.sets"},
		{`kubernetes.node-labels."a.b"`, "settings", `settings.kubernetes.node-labels."a.b"`},
		{`"kubernetes".node-labels`, "settings", `settings.kubernetes.node-labels`},
		{`kubernetes.node-labels."a.`, "settings", `settings.kubernetes.node-labels."a.`},
	}
	for _, tt := range tests {
		got, err := parseSelection(tt.in)
		if want := (selection{section(tt.section), tt.prefix}); got != want || err != nil {
			t.Errorf("parseSelection(%q) = %+v, %v, want %+v", tt.in, got, err, want)
		}
	}
}

// Whatever is asked for selects settings or facts, and nothing else.
func FuzzParseSelection(f *testing.F) {
	for _, s := range []string{"s", "os.v", `a."b`, "settings.x", "\x00", "settingsx"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		s, err := parseSelection(in)
		if err != nil {
			if in != "" {
				t.Errorf("parseSelection(%q): error %v", in, err)
			}
			return
		}
		if !strings.HasPrefix(s.prefix, string(s.section)+".") {
			t.Errorf("parseSelection(%q) = %+v, want a prefix in its section", in, s)
		}
	})
}

func TestUnwrap(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", `{ "motd": "x" }`, `{ "motd": "x" }`},
		{"wrapped alone", `{"settings": {"motd": "x"}}`, `{"settings": {"motd": "x"}}`},
		{"both", `{"kernel":{"lockdown":"none","sysctl":{"a":"1"}},"settings":{"kernel":{"sysctl":{"a":"2","b":"3"}},"motd":"x"}}`, `{"kernel":{"lockdown":"none","sysctl":{"a":"2","b":"3"}},"motd":"x"}`},
		{"malformed", `{"a":`, `{"a":`},
		{"given twice", `{"a":1,"a":2,"settings":{}}`, `{"a":1,"a":2,"settings":{}}`},
		{"settings are no table", `{"settings":1,"a":2}`, `{"settings":1,"a":2}`},
		{"no object", `[1]`, `[1]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, string(unwrap(tt.in))); diff != "" {
				t.Errorf("unwrap(%s) (-want +got):\n%s", tt.in, diff)
			}
		})
	}
}

func TestWrap(t *testing.T) {
	got := wrap("aa bb cc dd\nee\n\nsecond paragraph", "  ", 8)
	want := "  aa bb\n  cc dd\n  ee\n\n  second\n  paragraph"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("wrap (-want +got):\n%s", diff)
	}
	if got := sentence("Takes numbers, e.g. 1.5 or 2.\nMore. And more."); got != "Takes numbers, e.g. 1.5 or 2." {
		t.Errorf("sentence = %q, want the first one", got)
	}
}

func TestOSVariant(t *testing.T) {
	path := filepath.Join(t.TempDir(), "os-release")
	if got := osVariant(path); got != "" {
		t.Errorf("osVariant of no file = %q, want nothing", got)
	}
	if err := os.WriteFile(path, []byte("ID=bulkhead\nVARIANT_ID=\"qemu-dev\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := osVariant(path); got != "qemu-dev" {
		t.Errorf("osVariant = %q, want qemu-dev", got)
	}
}

func TestShorten(t *testing.T) {
	for in, want := range map[string]string{"abc": "abc", "abcdef": "abcd… (6 bytes)", "abcéf": "abc… (6 bytes)"} {
		if got := shorten(in, 4); got != want {
			t.Errorf("shorten(%q, 4) = %q, want %q", in, got, want)
		}
	}
}

// Every command explains itself, and its options say what they do.
func TestHelp(t *testing.T) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: short help %q, want a phrase without full stop", c.CommandPath(), c.Short)
		}
		for line := range strings.Lines(c.Long + "\n" + c.Example) {
			if len(line) > 100 {
				t.Errorf("%s: help line %q has %d bytes, want at most 100", c.CommandPath(), line, len(line))
			}
		}
		if c.HasParent() && c.Runnable() && c.Args == nil && c.ValidArgsFunction == nil && c.Name() != "apply" && c.Name() != "validate" {
			t.Errorf("%s does not say which arguments it takes", c.CommandPath())
		}
		for _, s := range c.Commands() {
			walk(s)
		}
	}
	walk(Command())
}

func TestStateOf(t *testing.T) {
	tests := []struct {
		name string
		g    client.Generation
		want string
	}{
		{"old", client.Generation{Confirmed: true}, ""},
		{"current", client.Generation{Confirmed: true, Current: true}, "current"},
		{"on trial", client.Generation{Try: true, Current: true}, "current, on trial"},
		{"trial ran out", client.Generation{Try: true}, "not confirmed"},
		{"revert", client.Generation{Confirmed: true, Origin: "revert"}, "revert"},
	}
	for _, tt := range tests {
		if got := stateOf(tt.g); got != tt.want {
			t.Errorf("%s: stateOf(%+v) = %q, want %q", tt.name, tt.g, got, tt.want)
		}
	}
	when := time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600))
	if got := timeText(&when); got != "2026-01-02T02:04:05Z" {
		t.Errorf("timeText = %q, want UTC without fraction", got)
	}
}
