package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	tests := []struct {
		name   string
		args   []string
		status int
		stdout string
		stderr string
	}{
		{"list", []string{"/usr/bin/bulkhead-containers"}, 0, "usage: bulkhead-containers PROGRAM", ""},
		{"unknown", []string{"bulkhead-containers", "nothing"}, 2, "", `there is no program "nothing"`},
		{"by name", []string{"/usr/bin/host-containers"}, 2, "", "host-containers: name a step"},
		{"by argument", []string{"bulkhead-containers", "bootstrap-commands"}, 2, "", "bootstrap-commands: 0 arguments"},
		{"nothing to do", []string{"bootstrap-commands", "--health", "HEALTH", "/nonexistent"}, 0, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for i, arg := range tt.args {
				if arg == "HEALTH" {
					tt.args[i] = t.TempDir()
				}
			}
			var stdout, stderr bytes.Buffer
			status := file.Run(tt.args, &stdout, &stderr)
			if status != tt.status || !strings.Contains(stdout.String(), tt.stdout) || !strings.Contains(stderr.String(), tt.stderr) {
				t.Errorf("run(%q) = %d with output %q and %q, want %d with %q and %q", tt.args, status, &stdout, &stderr, tt.status, tt.stdout, tt.stderr)
			}
		})
	}
}
