package cpio_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/tools/cpio"
)

// header returns a header in which all fields but these are zero.
func header(inode, mode, size, nameSize string) string {
	const zero = "00000000"
	return "070701" + inode + mode + zero + zero + "00000001" + zero + size + strings.Repeat(zero, 4) + nameSize + zero
}

func TestWriter(t *testing.T) {
	var b bytes.Buffer
	w := cpio.NewWriter(&b)
	for name, err := range map[string]error{
		"Dir":   w.Dir("dev", 0o755),
		"File":  w.File("init", []byte("hello"), 0o700),
		"Link":  w.Link("lib", "usr/lib"),
		"Close": w.Close(),
	} {
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	want := header("00000001", "000041ED", "00000000", "00000004") + "dev\x00\x00\x00" +
		header("00000002", "000081C0", "00000005", "00000005") + "init\x00\x00" + "hello\x00\x00\x00" +
		header("00000003", "0000A1FF", "00000007", "00000004") + "lib\x00\x00\x00" + "usr/lib\x00" +
		header("00000004", "00000000", "00000000", "0000000B") + "TRAILER!!!\x00\x00\x00\x00"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("archive of a directory, a file and a link (-want +got):\n%s", diff)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space") }

func TestWriterStopsAtAFault(t *testing.T) {
	w := cpio.NewWriter(full{})
	const want = "write a to archive: no space"
	for _, err := range []error{w.File("a", nil, 0o644), w.File("b", nil, 0o644), w.Close()} {
		if err == nil || err.Error() != want {
			t.Errorf("writing to a full disk: error %v, want %s", err, want)
		}
	}
}
