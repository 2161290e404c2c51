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
		{"list", []string{"/usr/bin/bulkhead-aws"}, 0, "  eks-token     Prove to a cluster", ""},
		{"unknown", []string{"bulkhead-aws", "nothing"}, 2, "", `there is no program "nothing"`},
		{"by name", []string{"/usr/bin/eks-token"}, 2, "", "eks-token: name the cluster with --cluster"},
		{"by argument", []string{"bulkhead-aws", "aws-settings", "--nothing"}, 2, "", "aws-settings: unknown flag"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			status := file.Run(tt.args, &stdout, &stderr)
			if status != tt.status || !strings.Contains(stdout.String(), tt.stdout) || !strings.Contains(stderr.String(), tt.stderr) {
				t.Errorf("run(%q) = %d with output %q and %q, want %d with %q and %q", tt.args, status, &stdout, &stderr, tt.status, tt.stdout, tt.stderr)
			}
		})
	}
}
