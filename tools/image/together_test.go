package image

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A command of others can be imported when its package and its function have
// other names, and nothing else has changed.
func TestImportable(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{
			"a command", "// Command main does main things.\npackage main // main\n\nimport \"x/main\"\n\nfunc main() { main.Run(\"func main()\") }\n",
			"// Command main does main things.\npackage command // main\n\nimport \"x/main\"\n\nfunc Main() { main.Run(\"func main()\") }\n",
		},
		{"more of it", "package main\n\ntype t struct{}\n\nfunc (t) main() {}\n", "package command\n\ntype t struct{}\n\nfunc (t) main() {}\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := importable("x.go", []byte(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("importable (-want +got):\n%s", diff)
			}
		})
	}
	if _, err := importable("x.go", []byte("package")); err == nil {
		t.Error("importable of something that is no Go: no error")
	}
}

// The file of all is the command that it is called by the name of.
func TestMainOfMany(t *testing.T) {
	o := overlay{dir: t.TempDir(), at: "/src/together", replace: map[string]string{}}
	if err := o.addMain("example.org/p/together", []string{"x.org/a/bridge", "x.org/b/host-local"}); err != nil {
		t.Fatal(err)
	}
	file := o.replace["/src/together/main.go"]
	if file == "" {
		t.Fatalf("the overlay has %v, want a file for /src/together/main.go", o.replace)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`c1 "example.org/p/together/host-local"`, "case \"host-local\":\n\t\tc1.Main()"} {
		if !strings.Contains(string(got), want) {
			t.Errorf("the main package does not have %s:\n%s", want, got)
		}
	}
}
