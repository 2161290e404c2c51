package cli

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/updater"
)

func TestProgressLine(t *testing.T) {
	going := func(step string, done, total int64) updater.Status {
		return updater.Status{Progress: &updater.Progress{Action: updater.Apply, Step: step, Version: "1.1.0", Running: true, Total: total, Patched: 10, Reused: done - 10, Received: 5}}
	}
	begins := updater.Status{Progress: &updater.Progress{Running: true}}
	tests := []struct {
		name     string
		terminal bool
		show     []updater.Status
		want     string
	}{
		{
			name: "lines", show: []updater.Status{begins, going("root", 100, 1000), going("root", 150, 1000), going("root", 250, 1000), going("esp\x1b[2J", 1000, 1000), {}},
			want: "apiclient: apply 1.1.0: root 10 %, 100 B of 1.0 kB (patched 10 B, reused 90 B, received 5 B)\n" +
				"apiclient: apply 1.1.0: root 25 %, 250 B of 1.0 kB (patched 10 B, reused 240 B, received 5 B)\n" +
				"apiclient: apply 1.1.0: esp�[2J 100 %, 1.0 kB of 1.0 kB (patched 10 B, reused 990 B, received 5 B)\n",
		},
		{
			name: "one line on a terminal", terminal: true, show: []updater.Status{begins, going("root", 100, 1000), going("root", 250, 1000), {}},
			want: "\r\x1b[Kapply 1.1.0: root 10 %, 100 B of 1.0 kB (patched 10 B, reused 90 B, received 5 B)" +
				"\r\x1b[Kapply 1.1.0: root 25 %, 250 B of 1.0 kB (patched 10 B, reused 240 B, received 5 B)\n",
		},
		{name: "nothing to show", terminal: true, show: []updater.Status{begins, {}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			cmd := &cobra.Command{}
			cmd.SetErr(&out)
			l := &progressLine{p: &program{}, cmd: cmd, terminal: tt.terminal}
			for _, s := range tt.show {
				l.show(s)
			}
			l.end()
			if diff := cmp.Diff(tt.want, out.String()); diff != "" {
				t.Errorf("progress (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBytesText(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 999_949: "999.9 kB", 999_950: "1.0 MB", 1_500_000_000: "1.5 GB", 1 << 60: "1152921.5 TB"} {
		if got := bytesText(n); got != want {
			t.Errorf("bytesText(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestUpdateText(t *testing.T) {
	why := "the mirror\nis gone"
	s := updater.Status{
		State: updater.Available, ActivePartition: &updater.Partition{Image: updater.Image{Version: "1.0.0"}, NextToBoot: true},
		Checked: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC), Waiting: "wave 2",
		Progress:    &updater.Progress{Action: updater.Apply, Step: "root", Running: true},
		LastCommand: &updater.Command{Type: updater.Prepare, Status: updater.CommandFailed, Timestamp: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC), Stderr: &why},
		Failed:      map[string]string{"1.10.0": "hung", "1.9.0": "did not start"},
	}
	const want = `state      Available
running    1.0.0, starts at the next boot
other slot empty
update     none
waits      wave 2
checked    2026-11-21T10:00:00Z
now        apply: root
last       prepare: failed, 2026-11-21T09:00:00Z: the mirror�is gone
failed     1.9.0: did not start
failed     1.10.0: hung
`
	if diff := cmp.Diff(want, string(updateText(s))); diff != "" {
		t.Errorf("updateText (-want +got):\n%s", diff)
	}
}
