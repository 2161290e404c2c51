package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/plan"
)

func TestDiff(t *testing.T) {
	long := func(change string) string {
		var b strings.Builder
		for i := range 20 {
			fmt.Fprintf(&b, "%d\n", i)
		}
		return strings.NewReplacer("2\n3\n", "2\n"+change+"3\n", "17\n", "17"+change+"\n").Replace(b.String())
	}
	tests := []struct{ name, old, new, want string }{
		{name: "same", old: "a\n", new: "a\n"},
		{name: "one line", old: "a\nb\nc\n", new: "a\nx\nc\n", want: "--- f\n+++ f\n@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n"},
		{name: "no newline", old: "a\nb", new: "a\nb\n", want: "--- f\n+++ f\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+b\n"},
		{name: "from empty", old: "", new: "a\n", want: "--- f\n+++ f\n@@ -0,0 +1 @@\n+a\n"},
		{name: "to empty", old: "a\nb\n", new: "", want: "--- f\n+++ f\n@@ -1,2 +0,0 @@\n-a\n-b\n"},
		{
			name: "two hunks", old: long(""), new: long("x\n"),
			want: "--- f\n+++ f\n@@ -1,6 +1,7 @@\n 0\n 1\n 2\n+x\n 3\n 4\n 5\n@@ -15,6 +16,7 @@\n 14\n 15\n 16\n-17\n+17x\n+\n 18\n 19\n",
		},
		{name: "binary", old: "a\x00", new: "\xff", want: "binary contents differ: 2 bytes before, 1 after\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, plan.Diff("f", []byte(tt.old), []byte(tt.new))); diff != "" {
				t.Errorf("Diff(%q, %q) (-want +got):\n%s", tt.old, tt.new, diff)
			}
		})
	}
	if got := plan.Diff("f", nil, []byte("a\n")); !strings.HasPrefix(got, "--- /dev/null\n+++ f\n") {
		t.Errorf("Diff(nil, a) = %q, want it to start from /dev/null", got)
	}
}

// A difference leads from the old text to the new one.
func FuzzDiff(f *testing.F) {
	f.Add("a\nb\nc", "a\nc\n")
	f.Add("", "\n\n")
	f.Add("a\na\nb\na\n", "b\na\na\n")
	f.Add("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nx\n6\n7\n8\n9\n10\n")
	f.Fuzz(func(t *testing.T, old, new string) {
		d := plan.Diff("f", []byte(old), []byte(new))
		if strings.HasPrefix(d, "binary") {
			return
		}
		if got := patch(t, old, d); got != new {
			t.Errorf("Diff(%q, %q) leads to %q:\n%s", old, new, got, d)
		}
	})
}

// patch applies a unified difference.
func patch(t *testing.T, old, diff string) string {
	t.Helper()
	if diff == "" {
		return old
	}
	from := strings.SplitAfter(old, "\n")
	var out strings.Builder
	at := 0
	lines := strings.SplitAfter(diff, "\n")[2:]
	for i, l := range lines {
		text := ""
		if len(l) > 0 {
			text = l[1:]
		}
		if i+1 < len(lines) && strings.HasPrefix(lines[i+1], `\`) {
			text = strings.TrimSuffix(text, "\n")
		}
		switch {
		case strings.HasPrefix(l, "@@"):
			var start, count int
			span, _, _ := strings.Cut(strings.TrimPrefix(l, "@@ -"), " ")
			if n, _ := fmt.Sscanf(span, "%d,%d", &start, &count); n == 1 {
				count = 1
			}
			if count > 0 {
				start--
			}
			for ; at < start; at++ {
				out.WriteString(from[at])
			}
		case strings.HasPrefix(l, " "), strings.HasPrefix(l, "-"):
			if from[at] != text {
				t.Errorf("line %q of the difference is %q in the old text", l, from[at])
			}
			if l[0] == ' ' {
				out.WriteString(text)
			}
			at++
		case strings.HasPrefix(l, "+"):
			out.WriteString(text)
		}
	}
	out.WriteString(strings.Join(from[at:], ""))
	return out.String()
}
