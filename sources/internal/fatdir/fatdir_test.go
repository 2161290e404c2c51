package fatdir_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/sources/internal/fatdir"
	"github.com/bulkhead-os/bulkhead/sources/internal/fatdir/fattest"
)

const dir = "EFI/Linux"

func files() map[string][]byte {
	return map[string][]byte{
		"bulkhead-1.0.0.efi":     bytes.Repeat([]byte("one "), 1000),
		"bulkhead-1.1.0+2-1.efi": bytes.Repeat([]byte("two "), 700),
		"empty.txt":              {},
	}
}

func open(t *testing.T, d fatdir.Device) *fatdir.Dir {
	t.Helper()
	fs, err := fatdir.Open(d)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	out, err := fs.Dir(dir)
	if err != nil {
		t.Fatalf("Dir(%s): %v", dir, err)
	}
	return out
}

// contents returns the files as Contents has them.
func contents(of map[string][]byte) map[string]string {
	out := map[string]string{}
	for name, data := range of {
		out[name] = string(data)
	}
	return out
}

func TestRead(t *testing.T) {
	got, err := fattest.Contents(fattest.Make(64<<10, dir, 3, files()), dir, false)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(contents(files()), got); diff != "" {
		t.Errorf("files of a file system (-want +got):\n%s", diff)
	}
}

// Wherever the power is cut while a file is renamed, its directory has the old
// name or the new one, or both, and the other files as they were; and both can be
// made one again.
func TestRenameSurvivesCuts(t *testing.T) {
	states := 0
	for pad := range 20 {
		for _, to := range []string{"bulkhead-1.1.0.efi", "bulkhead-1.1.0+1-2.efi", "bulkhead-1.1.0+2-1.efi.staged", "a-name-that-takes-many-more-slots-than-the-old-one-had.efi"} {
			t.Run(fmt.Sprintf("%s behind %d", to, pad), func(t *testing.T) {
				for cut := 1; ; cut++ {
					d := &fattest.Disk{Safe: fattest.Make(64<<10, dir, pad, files()), Cut: cut}
					err := open(t, d).Rename("bulkhead-1.1.0+2-1.efi", to)
					for _, b := range d.AfterCut() {
						states++
						checkRename(t, b, to)
					}
					if err == nil {
						break
					}
					if !errors.Is(err, fattest.ErrCut) {
						t.Fatalf("Rename to %s: %v", to, err)
					}
				}
			})
		}
	}
	t.Logf("%d states after a cut", states)
}

func checkRename(t *testing.T, b []byte, to string) {
	t.Helper()
	const from = "bulkhead-1.1.0+2-1.efi"
	got, err := fattest.Contents(b, dir, true)
	if err != nil {
		t.Fatalf("after a cut: %v", err)
	}
	was := contents(files())
	now := maps.Clone(was)
	now[to] = was[from]
	both := maps.Clone(now)
	delete(now, from)
	switch {
	case maps.Equal(got, was) || maps.Equal(got, now):
		return
	case !maps.Equal(got, both):
		t.Fatalf("after a cut there are %q, want the old name, the new one or both", slices.Sorted(maps.Keys(got)))
	}
	d := &fattest.Disk{Safe: b}
	if err := open(t, d).Unname(from); err != nil {
		t.Fatalf("Unname(%s): %v", from, err)
	}
	if got, err = fattest.Contents(b, dir, false); err != nil || !maps.Equal(got, now) {
		t.Fatalf("Unname(%s): there are %q, %v", from, slices.Sorted(maps.Keys(got)), err)
	}
}

// What changes the counter of a file is one write.
func TestRenameIsOneWrite(t *testing.T) {
	names := []string{"bulkhead-1.1.0+1-2.efi", "bulkhead-1.1.0.efi", "bulkhead-1.1.0+3.efi", "bulkhead-1.1.0+0-3.efi", "bulkhead-1.1.0.efi.staged"}
	d := &fattest.Disk{Safe: fattest.Make(64<<10, dir, 0, map[string][]byte{"bulkhead-1.1.0+2-1.efi": []byte("x")})}
	l := open(t, d)
	from := "bulkhead-1.1.0+2-1.efi"
	for _, to := range names {
		before := d.Steps()
		if err := l.Rename(from, to); err != nil {
			t.Fatal(err)
		}
		if n := d.Steps() - before; n != 2 {
			t.Errorf("Rename from %s to %s: %d writes and syncs, want one of each", from, to, n)
		}
		from = to
	}
}

// What is made or renamed has dates: the driver of a firmware refuses to rename a
// file whose month is zero.
func TestDates(t *testing.T) {
	d := &fattest.Disk{Safe: fattest.Make(64<<10, dir, 0, files())}
	l := open(t, d)
	if err := errors.Join(l.Create("new.efi", 3, strings.NewReader("new")), l.Rename("bulkhead-1.0.0.efi", "bulkhead-1.0.0+0.efi")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"new.efi", "bulkhead-1.0.0+0.efi"} {
		f, ok := open(t, d).Find(name)
		if !ok {
			t.Fatalf("there is no %s", name)
		}
		at := bytes.Index(d.Safe, shortSlot(f.Short))
		for _, place := range []int{16, 18, 24} {
			if month := d.Safe[at+place]>>5 | d.Safe[at+place+1]&1<<3; month < 1 || month > 12 {
				t.Errorf("the date of %s at %d has the month %d, want one", name, place, month)
			}
		}
	}
}

// shortSlot returns how the slot of a short name begins.
func shortSlot(name string) []byte {
	base, ext, _ := strings.Cut(name, ".")
	return fmt.Appendf(nil, "%-8s%-3s", base, ext)
}

func TestRefuses(t *testing.T) {
	full := map[string][]byte{}
	for i := range 20 {
		full[fmt.Sprintf("a-name-of-two-slots-%02d", i)] = []byte{byte(i)}
	}
	tests := []struct {
		name  string
		files map[string][]byte
		do    func(*fatdir.Dir) error
		want  string
	}{
		{"no such file", files(), func(d *fatdir.Dir) error { return d.Rename("x.efi", "y.efi") }, "rename x.efi to y.efi: there is none"},
		{"name taken", files(), func(d *fatdir.Dir) error { return d.Rename("empty.txt", "BULKHEAD-1.0.0.EFI") }, "rename empty.txt to BULKHEAD-1.0.0.EFI: there is another file of that name"},
		{"no name", files(), func(d *fatdir.Dir) error { return d.Rename("empty.txt", "a/b") }, "rename empty.txt to a/b: that is no name"},
		{"only name", files(), func(d *fatdir.Dir) error { return d.Unname("empty.txt") }, "remove the name empty.txt: the file has no other"},
		{"no room", full, func(d *fatdir.Dir) error { return d.Rename("a-name-of-two-slots-07", strings.Repeat("long", 40)) }, "the directory has no room for another name"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			image := fattest.Make(64<<10, dir, 0, tt.files)
			d := &fattest.Disk{Safe: bytes.Clone(image)}
			err := tt.do(open(t, d))
			if err == nil || !strings.HasSuffix(err.Error(), tt.want) {
				t.Errorf("error %v, want %s", err, tt.want)
			}
			if !bytes.Equal(image, d.Safe) {
				t.Error("what was refused has changed the file system")
			}
		})
	}
}

// Whatever is on a disk, reading ends, and what is read as a name can be used as
// one.
func FuzzOpen(f *testing.F) {
	f.Add(fattest.Make(8<<10+32*512, dir, 2, map[string][]byte{"bulkhead-1.0.0.efi": []byte("one")}))
	f.Fuzz(func(t *testing.T, b []byte) {
		fs, err := fatdir.Open(&fattest.Disk{Safe: b})
		if err != nil {
			return
		}
		d, err := fs.Dir(dir)
		if err != nil {
			return
		}
		for _, file := range d.Files() {
			if _, err := fs.Open(file); err != nil {
				continue
			}
			if _, ok := d.Find(file.Name); !ok {
				t.Errorf("Find(%q) does not find what Files has", file.Name)
			}
		}
	})
}
