package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRun(t *testing.T) {
	const programs = "usage: bulkhead PROGRAM [ARGUMENT...]\n\nprograms:\n" +
		"  apiserver        Keep the settings of a node and answer the settings API\n" +
		"  apply            Make the files and units of a node what its settings say\n" +
		"  audit-verify     Check that the audit record has not been changed\n" +
		"  boot-settings    Prepare the command line of the next boot\n" +
		"  boot-slot        Show and change which version a node starts\n" +
		"  console-status   Show on the console how the node is\n" +
		"  crash-report     Keep what the kernel said when it last died\n" +
		"  disk-names       Print the name under which a disk was attached\n" +
		"  generate         Find values for settings that nobody has set\n" +
		"  kernel-settings  Set lockdown and huge pages of the running kernel\n" +
		"  kubelet-health   Find out how the kubelet of the node is\n" +
		"  network-config   Give systemd-networkd its files\n" +
		"  power            Reboot a node, or switch it off\n" +
		"  provision        Take user data once, and apply the settings\n" +
		"  storage          Make and mount what the node keeps on its disk\n" +
		"  trust-store      Put together the certificates that the host trusts\n"
	tests := []struct {
		name           string
		args           []string
		status         int
		stdout, stderr string // how they begin
	}{
		{"alone", []string{"/usr/bin/bulkhead"}, 0, programs, ""},
		{"unknown program", []string{"bulkhead", "frob"}, 2, "", "bulkhead: there is no program \"frob\"\n" + programs},
		{"program as argument", []string{"bulkhead", "apiserver", "--variant"}, 2, "", "apiserver: flag needs an argument: --variant\n"},
		{"program by name", []string{"/usr/bin/apiserver", "--frob"}, 2, "", "apiserver: unknown flag: --frob\n"},
		{"another program", []string{"bulkhead", "apply", "--units", "frob"}, 2, "", "apply: --units \"frob\", want systemd or record\n"},
		{"help", []string{"apiserver", "--help"}, 0, "Keep the settings of a node and answer the settings API on a Unix socket.\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var stdout, stderr strings.Builder
			got := file.Run(tt.args, &stdout, &stderr)
			if got != tt.status {
				t.Errorf("Run(%q) = %d, want %d", tt.args, got, tt.status)
			}
			out := stdout.String()
			if len(out) > len(tt.stdout) && tt.stdout != "" {
				out = out[:len(tt.stdout)]
			}
			if diff := cmp.Diff([]string{tt.stdout, tt.stderr}, []string{out, stderr.String()}); diff != "" {
				t.Errorf("Run(%q): output (-want +got):\n%s", tt.args, diff)
			}
		})
	}
}
