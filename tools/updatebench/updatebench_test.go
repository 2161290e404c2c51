package updatebench

import (
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// Edits fit the programs as they are now, and leave programs.
func TestOverlay(t *testing.T) {
	root, err := workspace.Find(".")
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{root: root, dir: t.TempDir()}
	for name, edits := range map[string][]edit{"same length": sameLength, "longer": longer, "more code": moreCode} {
		t.Run(name, func(t *testing.T) {
			file, err := b.overlay(edits)
			if err != nil {
				t.Fatalf("overlay(%s): %v", name, err)
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var overlay struct{ Replace map[string]string }
			if err := json.Unmarshal(text, &overlay); err != nil {
				t.Fatal(err)
			}
			for old, next := range overlay.Replace {
				before, err1 := os.ReadFile(old)
				after, err2 := os.ReadFile(next)
				if err := errors.Join(err1, err2); err != nil {
					t.Fatal(err)
				}
				if got := len(before) == len(after); got != (name == "same length") || string(before) == string(after) {
					t.Errorf("overlay(%s) makes %d bytes of %d, want a change of that kind", name, len(after), len(before))
				}
				if _, err := parser.ParseFile(token.NewFileSet(), old, after, parser.AllErrors); err != nil {
					t.Errorf("overlay(%s) makes no program: %v", name, err)
				}
			}
		})
	}
	if _, err := b.overlay([]edit{{mainFile, "words that are not there", ""}}); err == nil || !strings.Contains(err.Error(), "0 times, want once") {
		t.Errorf("overlay of what is not there: error %v", err)
	}
}

func TestMedian(t *testing.T) {
	values := []int64{9, 1, 5}
	got, err := median(3, func() (int64, error) { v := values[0]; values = values[1:]; return v, nil })
	if diff := cmp.Diff(int64(5), got); diff != "" || err != nil {
		t.Errorf("median of 9, 1, 5: error %v (-want +got):\n%s", err, diff)
	}
	fault := errors.New("fault")
	if _, err := median(3, func() (int64, error) { return 0, fault }); !errors.Is(err, fault) {
		t.Errorf("median of what fails: error %v, want %v", err, fault)
	}
}

// A program has anonymous memory while it runs, and none afterwards.
func TestAnonymous(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	got := int64(0) // until it has come to its own
	for end := time.Now().Add(time.Minute); got == 0 && time.Now().Before(end); runtime.Gosched() {
		got = anonymous(cmd)
	}
	if got <= 0 || got > 64<<20 {
		t.Errorf("anonymous(cat) = %d, want some kilobytes", got)
	}
	if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
		t.Fatal(err)
	}
	if got := anonymous(cmd); got != 0 {
		t.Errorf("anonymous(cat, ended) = %d, want 0", got)
	}
}

func TestCopySynced(t *testing.T) {
	from := filepath.Join(t.TempDir(), "from")
	if err := os.WriteFile(from, []byte("some bytes"), 0o600); err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	if err := read(from, &got); err != nil || got.String() != "some bytes" {
		t.Errorf("read = %q, %v, want some bytes", got.String(), err)
	}
	if err := copySynced(from, from+".copy"); err != nil {
		t.Errorf("copySynced: %v", err)
	}
	if err := copySynced(from+".none", from+".copy"); err == nil {
		t.Errorf("copySynced of what is not there: no error")
	}
}
