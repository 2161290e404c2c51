package generate_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/tools/generate"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

func constant(files generate.Files) generate.Generator {
	return generate.Generator{Name: "constants", Files: func(context.Context, workspace.Root) (generate.Files, error) {
		return files, nil
	}}
}

func TestWriteThenFresh(t *testing.T) {
	root := workspace.Root(t.TempDir())
	g := constant(generate.Files{"docs/b.md": []byte("b\n"), "docs/deep/a.md": []byte("a\n"), "empty.txt": {}})
	for _, want := range [][]string{{"docs/b.md", "docs/deep/a.md", "empty.txt"}, nil} {
		got, err := generate.Write(t.Context(), root, g)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Write: changed files (-want +got):\n%s", diff)
		}
	}
	stale, err := generate.Stale(t.Context(), root, g)
	if err != nil || stale != "" {
		t.Errorf("Stale after Write = %q, %v, want nothing", stale, err)
	}
	info, err := os.Stat(root.Path("docs", "b.md"))
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode(); got != 0o644 {
		t.Errorf("mode of a written file %v, want -rw-r--r--", got)
	}
}

func TestStale(t *testing.T) {
	numbers := func(n int, change string) string {
		lines := strings.Split(strings.Repeat("line\n", n), "\n")
		lines[5] = change
		return strings.Join(lines, "\n")
	}
	tests := []struct{ name, old, fresh, want string }{
		{name: "fresh", old: "a\n", fresh: "a\n"},
		{
			name: "a line changes", old: numbers(10, "old"), fresh: numbers(10, "new"),
			want: "f.txt is stale:\n@@ line 4 @@\n line\n line\n-old\n+new\n line\n line\n",
		},
		{name: "added at the end", old: "a\n", fresh: "a\nb\n", want: "f.txt is stale:\n@@ line 1 @@\n a\n+b\n \n"},
		{name: "first line goes", old: "a\nb\n", fresh: "b\n", want: "f.txt is stale:\n@@ line 1 @@\n-a\n b\n \n"},
		{
			name: "a long line", old: "a\n", fresh: strings.Repeat("ä", 100) + "\n",
			want: "f.txt is stale:\n@@ line 1 @@\n-a\n+" + strings.Repeat("ä", 80) + "…\n \n",
		},
		{
			name: "very much", old: "", fresh: strings.Repeat("x\n", 100),
			want: "f.txt is stale:\n@@ line 1 @@\n" + strings.Repeat("+x\n", 30) + "+ … and 70 lines more\n \n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := workspace.Root(t.TempDir())
			if err := os.WriteFile(root.Path("f.txt"), []byte(tt.old), 0o644); err != nil {
				t.Fatal(err)
			}
			got, err := generate.Stale(t.Context(), root, constant(generate.Files{"f.txt": []byte(tt.fresh)}))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Stale (-want +got):\n%s", diff)
			}
		})
	}
}

func TestErrorsNameTheGenerator(t *testing.T) {
	cause := errors.New("no comments")
	g := generate.Generator{Name: "pages", Files: func(context.Context, workspace.Root) (generate.Files, error) { return nil, cause }}
	_, err := generate.Write(t.Context(), workspace.Root(t.TempDir()), g)
	if want := "generate pages: no comments"; !errors.Is(err, cause) || err.Error() != want {
		t.Errorf("Write: error %v, want %q", err, want)
	}
	_, err = generate.Stale(t.Context(), workspace.Root(t.TempDir()), g)
	if !errors.Is(err, cause) {
		t.Errorf("Stale: error %v, want one that is %v", err, cause)
	}
}
