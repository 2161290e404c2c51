package journalexec_test

import (
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/sources/journalexec"
)

// child is the variable with which this program becomes what it tests.
const child = "JOURNALEXEC_SOCKET"

func TestMain(m *testing.M) {
	if socket := os.Getenv(child); socket != "" {
		err := journalexec.Exec(socket, os.Args[1], os.Args[2], os.Args[3:])
		os.Stderr.WriteString(err.Error() + "\n")
		coder, _ := err.(interface{ ExitCode() int })
		os.Exit(coder.ExitCode())
	}
	os.Exit(m.Run())
}

func TestExec(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const head = "admin\na.service\n30\n1\n0\n0\n0\n"
	tests := []struct {
		name    string
		words   []string
		journal string // what the journal gets
		own     string // what goes where output went before
		status  int
	}{
		{name: "both outputs", words: []string{"sh", "-c", "echo out; echo err >&2; exit 3"}, journal: head + "out\nerr\n", status: 3},
		{name: "a path", words: []string{"/bin/echo", "a b", "c"}, journal: head + "a b c\n"},
		{name: "not there", words: []string{"not-there"}, journal: head + "start not-there: there is no such program in /usr/bin:/bin\n", status: 127},
		{name: "no program", words: []string{"/etc/passwd"}, journal: head + "start /etc/passwd: permission denied\n", status: 126},
		{name: "nothing", own: "no program is named\n", status: 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			socket := filepath.Join(t.TempDir(), "s")
			l, err := net.Listen("unix", socket)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			got := make(chan string, 1)
			go func() {
				conn, err := l.Accept()
				if err != nil {
					got <- ""
					return
				}
				defer conn.Close()
				text, _ := io.ReadAll(conn)
				got <- string(text)
			}()
			cmd := exec.Command(self, append([]string{"a.service", "admin"}, tt.words...)...)
			cmd.Env = []string{child + "=" + socket, "PATH=/usr/bin:/bin"}
			own, _ := cmd.CombinedOutput() // the status is looked at
			if tt.journal == "" {
				l.Close()
			}
			var journal string
			select {
			case journal = <-got:
			case <-time.After(time.Minute):
				t.Error("the connection to the journal does not end")
			}
			type result struct {
				Journal, Own string
				Status       int
			}
			if diff := cmp.Diff(result{tt.journal, tt.own, tt.status}, result{journal, string(own), cmd.ProcessState.ExitCode()}); diff != "" {
				t.Errorf("Exec(%q) (-want +got):\n%s", tt.words, diff)
			}
		})
	}
}

// A program is started where there is no journal, too.
func TestExecWithoutJournal(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "", "admin", "echo", "hello")
	cmd.Env = []string{child + "=/nonexistent/socket", "PATH=/usr/bin:/bin"}
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "hello\n" {
		t.Errorf("Exec without a journal: %q, %v, want hello", out, err)
	}
}

// Variables come from files where that is asked for, and what is asked for in vain
// is told.
func TestVariables(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "JOURNALEXEC_WORD"), []byte("a\nb"), 0o400); err != nil {
		t.Fatal(err)
	}
	t.Setenv("JOURNALEXEC_WORD", "before")
	for _, tt := range []struct {
		dir, want, word string
	}{
		{dir, "start /etc/passwd: permission denied", "a\nb"},
		{dir + "/none", "take variables from files: open " + dir + "/none: no such file or directory", "a\nb"},
	} {
		cmd := journalexec.Command()
		cmd.SetArgs([]string{"--variables", tt.dir, "/nonexistent/socket", "", "x", "/etc/passwd"})
		err := cmd.Execute()
		if err == nil || err.Error() != tt.want || os.Getenv("JOURNALEXEC_WORD") != tt.word {
			t.Errorf("journal-exec --variables %s: %v, word %q, want %s, %q", tt.dir, err, os.Getenv("JOURNALEXEC_WORD"), tt.want, tt.word)
		}
	}
}
