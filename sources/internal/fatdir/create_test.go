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

const createDir = "EFI/Linux"

func filler(n int) []byte { return bytes.Repeat([]byte("0123456789abcdef"), n/16+1)[:n] }

func opened(t *testing.T, d *fattest.Disk) (*fatdir.FS, *fatdir.Dir) {
	t.Helper()
	fs, err := fatdir.Open(d)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := fs.Dir(createDir)
	if err != nil {
		t.Fatal(err)
	}
	return fs, dir
}

func names(t *testing.T, b []byte) []string {
	t.Helper()
	files, err := fattest.Contents(b, createDir, false)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(files))
}

func TestCreateAndRemove(t *testing.T) {
	for _, size := range []int{1, 511, 512, 513, 20_000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			d := &fattest.Disk{Safe: fattest.Make(128<<10, createDir, 3, map[string][]byte{"bulkhead-1.0.0.efi": filler(3000)})}
			fs, dir := opened(t, d)
			before, err := fs.Free()
			if err != nil {
				t.Fatal(err)
			}
			const name = "bulkhead-1.1.0-rc.1.efi.staged"
			if err := dir.Create(name, int64(size), bytes.NewReader(filler(size))); err != nil {
				t.Fatalf("Create(%d bytes): %v", size, err)
			}
			files, err := fattest.Contents(d.Safe, createDir, false)
			if err != nil || files[name] != string(filler(size)) || len(files) != 2 {
				t.Errorf("after Create: %d files, %v, want both with what is in them", len(files), err)
			}
			if err := dir.Create(name, 1, strings.NewReader("x")); !errors.Is(err, fatdir.ErrExist) {
				t.Errorf("Create of the same name = %v, want ErrExist", err)
			}
			if err := dir.Remove(name); err != nil {
				t.Fatalf("Remove: %v", err)
			}
			if after, err := fs.Free(); err != nil || after != before {
				t.Errorf("after Remove %d bytes are free, %v, want %d", after, err, before)
			}
			if diff := cmp.Diff([]string{"bulkhead-1.0.0.efi"}, names(t, d.Safe)); diff != "" {
				t.Errorf("after Remove (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCreateWithoutRoom(t *testing.T) {
	d := &fattest.Disk{Safe: fattest.Make(64<<10, createDir, 0, nil)}
	fs, dir := opened(t, d)
	free, err := fs.Free()
	if err != nil {
		t.Fatal(err)
	}
	before := bytes.Clone(d.Safe)
	if err := dir.Create("a.efi", free+1, bytes.NewReader(filler(int(free)+1))); !errors.Is(err, fatdir.ErrFull) {
		t.Errorf("Create of more than is free = %v, want ErrFull", err)
	}
	if !bytes.Equal(before, d.Safe) {
		t.Error("Create without room changed the file system")
	}
	if err := dir.Create("a.efi", free, bytes.NewReader(filler(int(free)))); err != nil {
		t.Errorf("Create of all that is free: %v", err)
	}
}

// Wherever the power is cut, the other files are whole; the one that is made is whole or
// not there, and so is the one that is removed; and clusters that were lost are found
// again.
func TestCreateAndRemoveCutOff(t *testing.T) {
	const size = 2500
	change := map[string]func(*fatdir.Dir) error{
		"create": func(d *fatdir.Dir) error { return d.Create("new.efi", size, bytes.NewReader(filler(size))) },
		"remove": func(d *fatdir.Dir) error { return d.Remove("old.efi") },
	}
	files := map[string][]byte{"old.efi": filler(1700), "kept.efi": filler(900)}
	for name, do := range change {
		t.Run(name, func(t *testing.T) {
			for cut := 1; ; cut++ {
				d := &fattest.Disk{Safe: fattest.Make(64<<10, createDir, 2, files), Cut: cut}
				fs, dir := opened(t, d)
				all, err := fs.Free()
				if err != nil {
					t.Fatal(err)
				}
				err = do(dir)
				if err == nil {
					break
				}
				if !errors.Is(err, fattest.ErrCut) {
					t.Fatalf("cut %d: %v", cut, err)
				}
				for _, state := range d.AfterCut() {
					checkCut(t, cut, state, all)
				}
			}
		})
	}
}

func checkCut(t *testing.T, cut int, state []byte, all int64) {
	t.Helper()
	got, err := fattest.Contents(state, createDir, false)
	if err != nil {
		t.Fatalf("cut %d: %v", cut, err)
	}
	want := map[string]int{"old.efi": 1700, "kept.efi": 900, "new.efi": 2500}
	used := int64(0)
	for name, data := range got {
		if data != string(filler(want[name])) {
			t.Errorf("cut %d: %s has %d bytes, want its %d or no such file", cut, name, len(data), want[name])
		}
		used += (int64(len(data)) + 511) / 512 * 512
	}
	if _, ok := got["kept.efi"]; !ok {
		t.Errorf("cut %d: kept.efi is gone", cut)
	}
	fs, err := fatdir.Open(&fattest.Disk{Safe: state})
	if err != nil {
		t.Fatal(err)
	}
	if err := fs.Reclaim(); err != nil {
		t.Fatalf("cut %d: Reclaim: %v", cut, err)
	}
	before := int64((1700+511)/512*512 + (900+511)/512*512)
	if free, err := fs.Free(); err != nil || free != all+before-used {
		t.Errorf("cut %d: after Reclaim %d bytes are free, %v, want %d", cut, free, err, all+before-used)
	}
	again, err := fattest.Contents(state, createDir, false)
	if diff := cmp.Diff(got, again); err != nil || diff != "" {
		t.Errorf("cut %d: Reclaim changed files (-before +after), %v:\n%s", cut, err, diff)
	}
}
