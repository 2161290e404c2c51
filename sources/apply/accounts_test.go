package apply

import (
	"os"
	"path/filepath"
	"testing"
)

const passwd = "root:x:0:0::/root:/bin/false\nalso:x:0:0::/:\necs:x:300:301::/:\nbroken\nworse:x:y:0::/:\n"

func TestNames(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "etc/passwd"), passwd)
	root, err := os.OpenRoot(dir)
	must(t, err)
	defer root.Close()
	n := readNames(root, "etc/passwd")
	tests := []struct {
		name string
		id   int
		err  string
	}{
		{"root", 0, ""},
		{"also", 0, ""},
		{"ecs", 300, ""},
		{"1234", 1234, ""},
		{"-1", 0, `there is no user "-1"`},
		{"worse", 0, `there is no user "worse"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			id, err := n.id("user", tt.name)
			if id != tt.id || text(err) != tt.err {
				t.Errorf("id(%q) = %d, %v, want %d, %q", tt.name, id, err, tt.id, tt.err)
			}
		})
	}
	for id, want := range map[int]string{0: "root", 300: "ecs", 77: "77"} {
		if got := n.name(id); got != want {
			t.Errorf("name(%d) = %q, want %q", id, got, want)
		}
	}
	if id, err := readNames(root, "etc/group").id("group", "root"); id != 0 || err != nil {
		t.Errorf("id of root without a file: %d, %v, want 0", id, err)
	}
}
