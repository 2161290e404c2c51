package store

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/document"
)

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeFile(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// wantCopy checks that the plain copy holds generation id with the settings
// that text says.
func wantCopy(t testing.TB, n *node, id uint64, text string) {
	t.Helper()
	c, err := readCopy(n.path("settings.toml"))
	if err != nil || !c.whole || c.Generation != id {
		t.Errorf("plain copy: generation %d, whole %v, %v, want generation %d", c.Generation, c.whole, err, id)
		return
	}
	// People give the whole file, comments included, to whatever reads TOML.
	d, err := document.ParseTOML(readFile(t, n.path("settings.toml")))
	if diff := cmp.Diff(string(parse(t, text).TOML()), string(d.TOML())); err != nil || diff != "" {
		t.Errorf("plain copy: %v (-want +got):\n%s", err, diff)
	}
}

func TestCopyIsWrittenWithinASecond(t *testing.T) {
	inBubble(t, func(t *testing.T, n *node, s *Store) {
		change(t, s, "a = 1")
		change(t, s, "a = 2\nsecret = \"x\\u007Fy\"")
		sleep(time.Second)
		wantCopy(t, n, 2, "a = 2\nsecret = \"x\\u007Fy\"")
		info, err := os.Stat(n.path("settings.toml"))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode of the copy: %v, %v, want 0600", info.Mode(), err)
		}
		if err := s.SetGenerated(t.Context(), GeneratedRequest{Patch: set(t, "g = 1"), Generator: "del\x7f\n"}); err != nil {
			t.Fatal(err)
		}
		sleep(time.Second)
		wantCopy(t, n, 2, "a = 2\nsecret = \"x\\u007Fy\"")
		if c, _ := readCopy(n.path("settings.toml")); len(c.Generated) != 1 || c.Revision != 1 {
			t.Errorf("generated values in the copy: %v, want g", c.Generated)
		}
		// What is being tried is not good yet.
		try(t, s, "a = 3", time.Minute)
		sleep(10 * time.Second)
		wantCopy(t, n, 2, "a = 2\nsecret = \"x\\u007Fy\"")
		if _, err := s.Confirm(t.Context(), ConfirmRequest{}); err != nil {
			t.Fatal(err)
		}
		sleep(time.Second)
		wantCopy(t, n, 3, "a = 3\nsecret = \"x\\u007Fy\"")
	})
}

func TestCopyWithoutRun(t *testing.T) {
	n := newNode(t)
	s := n.open()
	change(t, s, "a = 1")
	n.kill(s)
	writeFile(t, n.path(".settings.toml123"), []byte("left by a crash"))
	s = n.open()
	wantCopy(t, n, 1, "a = 1")
	if _, err := os.Stat(n.path(".settings.toml123")); err == nil {
		t.Error("the leftover of a crash is still there")
	}
	change(t, s, "a = 2")
	n.stop(s)
	wantCopy(t, n, 2, "a = 2")
	info := readFile(t, n.path("settings.toml"))
	writeFile(t, n.path("settings.toml"), append(bytes.Clone(info), "[settings.b]\nx = 1\n"...))
	s = n.open()
	wantCopy(t, n, 2, "a = 2")
	wantUser(t, s, "a = 2")
	wantFault(t, s)
}

func TestCopyThatCannotBeWritten(t *testing.T) {
	inBubble(t, func(t *testing.T, n *node, s *Store) {
		if err := os.MkdirAll(n.path("settings.toml", "in the way"), 0o700); err != nil {
			t.Fatal(err)
		}
		change(t, s, "a = 1")
		sleep(time.Second)
		wantFault(t, s, CodeNoCopy)
		if err := os.RemoveAll(n.path("settings.toml")); err != nil {
			t.Fatal(err)
		}
		sleep(copyRetry)
		wantFault(t, s)
		wantCopy(t, n, 1, "a = 1")
	})
}

// A copy newer than the database tells that the disk has lost a commit that
// was acknowledged.
func TestCopyAhead(t *testing.T) {
	n := newNode(t)
	s := n.open()
	change(t, s, "a = 1")
	n.stop(s)
	old := readFile(t, n.path("settings.db"))
	s = n.open()
	change(t, s, "a = 2\nb = 1")
	n.stop(s)
	n.told()
	writeFile(t, n.path("settings.db"), old)
	s = n.open()
	wantUser(t, s, "a = 2\nb = 1")
	wantHistory(t, s, "1<0", "3<1 recovery")
	wantFault(t, s, CodeRecovered)
	wantEvents(t, n, "recovered 3 a,b")
	wantCopy(t, n, 3, "a = 2\nb = 1")
	s = n.reboot(s)
	wantFault(t, s, CodeRecovered) // nobody has looked yet
	wantHistory(t, s, "1<0", "3<1 recovery")
	change(t, s, "a = 3")
	wantFault(t, s)
}

func FuzzReadCopy(f *testing.F) {
	text, err := encodeCopy(copyHeader{Generation: 7, Last: 8, Format: 1}, parse(f, "a = 1\nb.c = 'x'"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(strings.ReplaceAll(string(text), headerMark, "#? ")))
	f.Add([]byte("[settings]\na = 1\n"))
	f.Add([]byte("#! {}\n\n"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		writeFile(t, dir+"/copy", b)
		c, err := readCopy(dir + "/copy")
		if err != nil || !c.whole {
			return
		}
		d, err := document.ParseTOML(c.toml)
		if err != nil {
			return
		}
		again, err := encodeCopy(c.copyHeader, d)
		if err != nil {
			t.Fatalf("encodeCopy of what was read: %v", err)
		}
		writeFile(t, dir+"/copy", again)
		if back, err := readCopy(dir + "/copy"); err != nil || !back.whole || back.mark() != c.mark() {
			t.Errorf("readCopy(encodeCopy(%q)) = %+v, %v", b, back, err)
		}
	})
}
