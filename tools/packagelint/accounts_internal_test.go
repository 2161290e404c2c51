package packagelint

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAccount(t *testing.T) {
	tests := []struct {
		name, line string
		want       []string
	}{
		{name: "comment", line: "# g x -"},
		{name: "empty", line: "\n"},
		{name: "group", line: "g x 300\n"},
		{name: "user", line: "u x 300 \"X\" /\n"},
		{name: "user and group", line: "u x 300:301 \"X\" /\n"},
		{name: "user that is locked", line: "u! x 300 \"X\"\n"},
		{name: "member", line: "m x y\n"},
		{name: "group as it comes", line: "g x -\n", want: []string{`group x has "-" for a number, want a fixed one`}},
		{name: "no number", line: "g x\n", want: []string{`group x has "-" for a number, want a fixed one`}},
		{name: "user as it comes", line: "u x -:300\n", want: []string{`user x has "-" for a number, want a fixed one`}},
		{name: "number of a file", line: "g x /etc/passwd\n", want: []string{`group x has "/etc/passwd" for a number, want a fixed one`}},
		{name: "taken", line: "g x 274\n", want: []string{"group x has number 274, which is that of api"}},
		{name: "user and group taken", line: "u x 274\n", want: []string{"user x has number 274, which is that of api", "group x has number 274, which is that of api"}},
		{name: "the same again", line: "u api 274:274\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			taken := map[string]string{"user274": "api", "group274": "api"}
			if diff := cmp.Diff(tt.want, account(tt.line, taken)); diff != "" {
				t.Errorf("account(%q) (-want +got):\n%s", tt.line, diff)
			}
		})
	}
}
