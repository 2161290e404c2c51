package suite_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/tools/suite"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// repository makes a workspace of one module called one, out of files.
func repository(t *testing.T, files map[string]string) workspace.Root {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "go.work", "go 1.26.0\n\nuse ./one\n")
	write(t, dir, "one/go.mod", "module "+workspace.Module+"/one\n\ngo 1.26.0\n")
	for name, text := range files {
		write(t, dir, name, text)
	}
	return workspace.Root(dir)
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

const mixed = `package a

import (
	"os"
	"testing"
)

func TestGood(t *testing.T) {}

func TestBad(t *testing.T) {
	t.Run("one", func(t *testing.T) { t.Error("one is wrong") })
	t.Run("two", func(t *testing.T) {})
}

func TestSoak(t *testing.T) {
	if os.Getenv("BULKHEAD_SOAK") == "" {
		t.Skip("BULKHEAD_SOAK is not set")
	}
}

func TestLong(t *testing.T) {
	if testing.Short() {
		t.Skip("it is long")
	}
}
`

var elapsed = regexp.MustCompile(`[0-9.]+m?s\n`)

func TestTestOfChosenPackages(t *testing.T) {
	tests := []struct {
		name string
		opt  suite.Options
		want string
		err  error
	}{
		{
			name: "failures",
			opt:  suite.Options{Packages: []string{"./one/..."}},
			want: "FAIL  one/a                            T\n" +
				"      TestBad/one\n" +
				"            a_test.go:11: one is wrong\n" +
				"skip  one/a TestSoak: BULKHEAD_SOAK is not set\n" +
				"3 passed, 1 failed, 1 skipped\n",
			err: suite.ErrFailed,
		},
		{
			name: "a pattern for names, in short form",
			opt:  suite.Options{Packages: []string{"./one/a"}, Run: "Good|Long", Short: true},
			want: "ok    one/a                            1 test, 1 skipped, T\n" +
				"skip  one/a TestLong: it is long\n" +
				"1 passed, 0 failed, 1 skipped\n",
		},
		{
			name: "in long form",
			opt:  suite.Options{Packages: []string{"./one/a"}, Run: "Soak", Soak: true},
			want: "ok    one/a                            1 test, T\n" +
				"1 passed, 0 failed, 0 skipped\n",
		},
	}
	root := repository(t, map[string]string{"one/a/a_test.go": mixed, "one/b/b.go": "package b\n"})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			s := suite.Suite{Root: root, Out: &out}
			if err := s.Test(t.Context(), tt.opt); !errors.Is(err, tt.err) {
				t.Errorf("Test(%+v): error %v, want %v", tt.opt, err, tt.err)
			}
			got := elapsed.ReplaceAllString(out.String(), "T\n")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Test(%+v): output (-want +got):\n%s", tt.opt, diff)
			}
		})
	}
}

func TestTestOfNoSuchPackage(t *testing.T) {
	var out bytes.Buffer
	s := suite.Suite{Root: repository(t, nil), Out: &out}
	err := s.Test(t.Context(), suite.Options{Packages: []string{"./nosuch"}})
	if !errors.Is(err, suite.ErrFailed) {
		t.Errorf("Test(./nosuch): error %v, want %v", err, suite.ErrFailed)
	}
	for _, want := range []string{"nosuch: directory not found", "\n0 passed, 1 failed, 0 skipped\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("Test(./nosuch): output\n%swant %q in it", out.String(), want)
		}
	}
}

// A repository without the pinned checkers shows that what cannot be checked
// has failed.
func TestCheckWithoutCheckers(t *testing.T) {
	root := repository(t, map[string]string{
		"one/a/a.go":                   "package a\n\nimport \"fmt\"\n\nfunc A() { fmt.Printf(\"%d\", \"x\") }\n",
		"one/policy.go":                "package one\n",
		"tools/policy/policy_test.go":  "package policy\n",
		"tools/generate/generate.go":   "package generate\n",
		"tools/go.mod":                 "module " + workspace.Module + "/tools\n\ngo 1.26.0\n",
		"go.work":                      "go 1.26.0\n\nuse (\n\t./one\n\t./tools\n)\n",
		"tools/policy/doc.go":          "package policy\n",
		"tools/policy/another_test.go": "package policy\n\nimport \"testing\"\n\nfunc TestPolicy(t *testing.T) {}\n",
	})
	var out bytes.Buffer
	s := suite.Suite{Root: root, Out: &out}
	if err := s.Check(t.Context()); !errors.Is(err, suite.ErrFailed) {
		t.Errorf("Check: error %v, want %v", err, suite.ErrFailed)
	}
	for _, want := range []string{
		"FAIL  format\n        build gofumpt: ",
		"FAIL  vet one\n", `fmt.Printf format %d has arg "x" of wrong type string`,
		"ok    vet tools ",
		"FAIL  staticcheck\n        build staticcheck: ",
		"ok    packages ",
		"ok    tools/policy ",
		"\n4 passed, 3 failed, 0 skipped\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("Check: output\n%swant %q in it", out.String(), want)
		}
	}
}

// What is wrong with packages is told one a line.
func TestCheckOfPackages(t *testing.T) {
	root := repository(t, map[string]string{
		"one/a/a.go":      "// Package a is here.\npackage a\n",
		"variants/v.toml": "[variant]\nname = \"v\"\nsummary = \"For tests\"\nsettings = [\"motd\", \"autoscaling\"]\npackages = [\"p\"]\n",
		"packages/p/package.toml": "[package]\nname = \"p\"\nsummary = \"For tests\"\nlicense = \"MIT\"\n" +
			"[[reads]]\nsettings = [\"settings.motd\", \"settings.kernel.lockdown\"]\nby = \"program\"\n",
	})
	var out bytes.Buffer
	s := suite.Suite{Root: root, Out: &out}
	if err := s.Check(t.Context()); !errors.Is(err, suite.ErrFailed) {
		t.Errorf("Check: error %v, want %v", err, suite.ErrFailed)
	}
	want := "FAIL  packages\n" +
		"        p: program reads settings.kernel.lockdown, which no variant with this package has\n" +
		"        v: nothing reads settings.autoscaling.should-wait\n"
	if !strings.Contains(out.String(), want) {
		t.Errorf("Check: output\n%swant %q in it", out.String(), want)
	}
}
