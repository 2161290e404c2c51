package kernelsettings

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/bulkhead-os/bulkhead/sources/internal/healthfile"
)

const huge2M, huge1G = "hugepages-2048kB/nr_hugepages", "hugepages-1048576kB/nr_hugepages"

func TestPlan(t *testing.T) {
	files := map[string]string{
		lockdownFile:                            "none [integrity] confidentiality\n",
		transparentDir + "/enabled":             "always [madvise] never\n",
		transparentDir + "/defrag":              "always defer defer+madvise [madvise] never\n",
		hugepagesDir + "/" + huge2M:             "8\n",
		nodesDir + "/node0/hugepages/" + huge2M: "4\n",
	}
	read := func(file string) (string, error) {
		text, ok := files[file]
		if !ok {
			return "", os.ErrNotExist
		}
		return text, nil
	}
	tests := []struct {
		name, in string
		want     []string
	}{
		{name: "nothing"},
		{name: "all as it is", in: "lockdown = \"integrity\"\n[transparent-hugepages]\nenabled = \"madvise\"\n[static-hugepages.counts]\n2Mi = \"8\"\n"},
		{name: "lockdown raised", in: `lockdown = "confidentiality"`, want: []string{lockdownFile + " = confidentiality, essential"}},
		{name: "lockdown lowered", in: `lockdown = "none"`, want: []string{"lockdown stays at integrity: the kernel never lowers it, and the image asks for it at boot"}},
		{
			name: "transparent", in: "[transparent-hugepages]\nenabled = \"never\"\ndefrag = \"defer+madvise\"\n",
			want: []string{transparentDir + "/enabled = never", transparentDir + "/defrag = defer+madvise"},
		},
		{
			name: "pages", in: "[static-hugepages]\nessential = true\n[static-hugepages.counts]\n1Gi = \"2\"\n2Mi = \"0:4,1:6\"\n",
			want: []string{nodesDir + "/node1/hugepages/" + huge2M + " = 6, essential", hugepagesDir + "/" + huge1G + " = 2, essential"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Parse([]byte(tt.in))
			if err != nil {
				t.Fatalf("Parse(%q): %v", tt.in, err)
			}
			var got []string
			for _, step := range Plan(s, read) {
				text := step.Note
				if text == "" {
					text = step.File + " = " + step.Value
				}
				if step.Essential {
					text += ", essential"
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("Plan(%s) (-want +got):\n%s", tt.in, diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, in := range []string{"lockdown", "[static-hugepages.counts]\n3Mi = \"1\"\n", "[static-hugepages.counts]\n2Mi = \"many\"\n"} {
		if s, err := Parse([]byte(in)); err == nil {
			t.Errorf("Parse(%q) = %+v, want an error", in, s)
		}
	}
}

// A file stands for one of the kernel: what is written to it is read from it.
// One that the kernel lacks is a fault, and a failure where it is essential.
func TestRun(t *testing.T) {
	tests := []struct {
		name, in string
		fault    string
		fails    bool
	}{
		{name: "set", in: "[transparent-hugepages]\nenabled = \"never\"\n[static-hugepages.counts]\n2Mi = \"12\"\n"},
		{name: "absent", in: "[static-hugepages.counts]\n1Gi = \"1\"\n", fault: "the kernel has no /" + hugepagesDir + "/" + huge1G},
		{name: "absent and essential", in: "[static-hugepages]\nessential = true\n[static-hugepages.counts]\n1Gi = \"1\"\n", fault: "the kernel has no", fails: true},
		{name: "lockdown that the kernel lacks", in: "lockdown = \"integrity\"\n", fault: "the kernel has no /" + lockdownFile, fails: true},
		{name: "fewer pages than asked for", in: "[static-hugepages.counts]\n4Mi = \"10\"\n", fault: "the kernel set aside 109 of 10 pages"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			put := func(file, text string) {
				t.Helper()
				file = filepath.Join(dir, file)
				if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			put("settings.toml", tt.in)
			put(transparentDir+"/enabled", "")
			put(hugepagesDir+"/"+huge2M, "")
			// What is written is shorter than what is there, which stays behind it, as
			// if the kernel had done something else.
			put(hugepagesDir+"/hugepages-4096kB/nr_hugepages", "999")
			err := run(filepath.Join(dir, "settings.toml"), dir, filepath.Join(dir, "health"), slog.New(slog.NewTextHandler(io.Discard, nil)))
			if (err != nil) != tt.fails {
				t.Errorf("run with %s: %v, want a failure: %t", tt.in, err, tt.fails)
			}
			faults, err := healthfile.ReadAll(filepath.Join(dir, "health"))
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, f := range faults {
				got += f.Detail
			}
			if (got == "") != (tt.fault == "") || !strings.Contains(got, tt.fault) {
				t.Errorf("run with %s: faults %q, want %q", tt.in, got, tt.fault)
			}
		})
	}
}
