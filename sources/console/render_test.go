package console

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/report"
)

var update = flag.Bool("update", false, "write the golden files")

func fault(severity report.Severity, code report.Code, source, detail, hint string) report.Fault {
	return report.Fault{Severity: severity, Code: code, Source: source, Detail: detail, Hint: hint}
}

func TestRender(t *testing.T) {
	base := status{Version: "1.2.3", Variant: "qemu-dev", Host: "node-1", State: stateOK}
	with := func(change func(*status)) status {
		s := base
		change(&s)
		return s
	}
	lost := fault(report.Error, "data-lost", "storage", "the file system of DATA cannot be repaired", "reboot with another disk, or set it up anew")
	refused := report.Fault{
		Severity: report.Error, Code: report.UnknownSetting, Source: "user-data", Line: 3, Column: 1,
		Path: "settings.mtod", Detail: `there is no setting "mtod" here`, Hint: `did you mean "motd"?`,
	}
	many := make([]report.Fault, 12)
	for i := range many {
		many[i] = fault(report.Warning, "x", "test", "fault "+strings.Repeat("i", i+1), "")
	}
	tests := []struct {
		name string
		in   status
	}{
		{"plain", base},
		{"addresses", with(func(s *status) {
			s.Links = []link{{"eth0", []string{"10.0.2.15/24", "fd00::15/64"}}, {"eth1", []string{"192.0.2.1/32"}}}
		})},
		{"remote", with(func(s *status) {
			s.Links = []link{{"eth0", []string{"10.0.2.15/24"}}}
			s.Remote = &remote{Listen: []string{"[::]:8443"}, Fingerprint: strings.Repeat("0123456789abcdef", 4)}
		})},
		{"waits for settings", with(func(s *status) {
			s.Remote = &remote{Listen: []string{"[::]:8443"}, Fingerprint: strings.Repeat("0123456789abcdef", 4)}
			s.Code, s.State = "K7QD-2MXP", "degraded"
			s.Faults = []report.Fault{fault(report.Warning, "waits-for-settings", "", "the node has no settings, and waits for its first ones on the network", "apiclient apply")}
		})},
		{"starting", with(func(s *status) { s.State = stateStarting })},
		{"one fault", with(func(s *status) { s.State, s.Faults = "degraded", []report.Fault{lost} })},
		{"faults of all kinds", with(func(s *status) {
			s.State = "degraded"
			s.Faults = []report.Fault{fault(report.Info, "grown", "storage", "DATA has grown to 5 GB", ""), refused, lost}
		})},
		{"information only", with(func(s *status) {
			s.Faults = []report.Fault{fault(report.Info, "grown", "storage", "DATA has grown to 5 GB", "")}
		})},
		{"many faults", with(func(s *status) { s.State, s.Faults = "degraded", many })},
		{"silent", with(func(s *status) {
			s.State = stateSilent
			s.Faults = []report.Fault{fault(report.Error, codeSilent, "", "connect to /run/api.sock: connection refused", "it is started again by itself")}
		})},
		{"hostile", with(func(s *status) {
			s.Host = "no\x1b[2Jde\r\n\u202e"
			s.State = "degraded"
			s.Faults = []report.Fault{fault(report.Error, "x", "", "a\x9b31m\xff\nbulkhead 1.2.3 (qemu-dev) is ready", strings.Repeat("long ", 200))}
		})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := render(tt.in)
			golden := filepath.Join("testdata", strings.ReplaceAll(tt.name, " ", "-")+".txt")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("render(%+v) (-want +got):\n%s", tt.in, diff)
			}
		})
	}
}

// Whatever others wrote, it neither makes lines of its own nor controls the
// terminal.
func FuzzRender(f *testing.F) {
	for _, s := range []string{"", "x", "\x1b[2J", "a\nb", "\xff", "\u202e", "\u009b"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, detail, hint string) {
		got := render(status{Version: detail, Variant: "v", Host: hint, State: "degraded", Faults: []report.Fault{fault(report.Error, "x", "", detail, hint)}})
		lines := 5
		if hint != "" {
			lines++
		}
		if n := strings.Count(got, "\n"); n != lines {
			t.Errorf("render of %q, %q has %d lines, want %d", detail, hint, n, lines)
		}
		for _, r := range got {
			if r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 {
				t.Errorf("render of %q, %q holds %q", detail, hint, r)
			}
		}
	})
}
