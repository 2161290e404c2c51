package initrd

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/sources/internal/fatdir/fattest"
	"github.com/bulkhead-os/bulkhead/sources/internal/slots"
	"github.com/bulkhead-os/bulkhead/sources/internal/verity"
)

func onESP(t *testing.T, files map[string][]byte) (programs, *fattest.Disk) {
	t.Helper()
	d := &fattest.Disk{Safe: fattest.Make(128<<10, programDir, 0, files)}
	p, err := readPrograms(d)
	if err != nil {
		t.Fatal(err)
	}
	return p, d
}

func TestLastResort(t *testing.T) {
	tests := []struct {
		name  string
		files string
		want  time.Duration
	}{
		{"good", "bulkhead-1.0.0.efi", 0},
		{"good beside bad", "bulkhead-1.0.0.efi bulkhead-1.1.0+0-3.efi", 0},
		{"on trial beside bad", "bulkhead-1.0.0+1-2.efi bulkhead-1.1.0+0-3.efi", 0},
		{"last try of a trial, other set aside", "bulkhead-1.0.0+0-3.efi bulkhead-1.1.0+0.efi", 0},
		{"back to what was set aside", "bulkhead-1.0.0+0-3.efi bulkhead-1.1.0+0-1.efi", 0},
		{"one of somebody else", "bulkhead-1.0.0+0-3.efi bulkhead-1.1.0+0-4.efi rescue.efi", 0},
		{"nothing that we know", "rescue.txt", 0},
		{"both bad", "bulkhead-1.0.0+0-3.efi bulkhead-1.1.0+0-4.efi", 10 * time.Second},
		{"once more", "bulkhead-1.0.0+0-3.efi bulkhead-1.1.0+0-5.efi", 20 * time.Second},
		{"beside a staged one", "bulkhead-1.0.0+0-3.efi bulkhead-1.1.0+0-6.efi bulkhead-1.2.0.efi.staged", 40 * time.Second},
		{"for ever", "bulkhead-1.0.0+0-3.efi bulkhead-1.1.0+0-65535.efi", 5 * time.Minute},
		{"the only one", "bulkhead-1.0.0+0-2.efi", 10 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files := map[string][]byte{}
			for f := range strings.FieldsSeq(tt.files) {
				files[f] = []byte(f)
			}
			p, _ := onESP(t, files)
			got, left := lastResort(p.dir)
			if got != tt.want || (got > 0) != (len(left) > 0) {
				t.Errorf("lastResort with %s = %s, %q, want %s", tt.files, got, left, tt.want)
			}
		})
	}
}

// What is read of names here is what package slots reads.
func TestCounter(t *testing.T) {
	for _, file := range []string{"bulkhead-1.0.0.efi", "bulkhead-1.0.0+3.efi", "bulkhead-1.0.0+0-3.efi", "bulkhead-1.0.0+build.efi", "bulkhead-1.0.0+2-1.efi"} {
		n, ok := slots.ParseName(file)
		left, done, counted := counter(file)
		if !ok || left != n.Left || done != n.Done || counted != n.Counted {
			t.Errorf("counter(%s) = %d, %d, %t, want %+v", file, left, done, counted, n)
		}
	}
}

// A good version whose root cannot be opened is not started for ever.
func TestTakeBack(t *testing.T) {
	hash, err := verity.ParseRootHash(strings.Repeat("ab", 32))
	if err != nil {
		t.Fatal(err)
	}
	program := func(root string) []byte {
		return append(bytes.Repeat([]byte{0}, 1<<10), "quiet roothash="+root+" more"...)
	}
	tests := []struct{ name, file, want, text string }{
		{"good", "bulkhead-1.1.0.efi", "bulkhead-1.1.0+0-1.efi", "bulkhead-1.1.0.efi is now bulkhead-1.1.0+0-1.efi: it is started only when there is nothing else"},
		{"on trial", "bulkhead-1.1.0+2-1.efi", "bulkhead-1.1.0+2-1.efi", ""},
		{"staged", "bulkhead-1.1.0.efi.staged", "bulkhead-1.1.0.efi.staged", ""},
		{"of somebody else", "rescue.efi", "rescue.efi", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			other := program(strings.Repeat("cd", 32))
			p, d := onESP(t, map[string][]byte{"bulkhead-1.0.0.efi": other, tt.file: program(hash.String())})
			if got := p.takeBack(hash); got != tt.text {
				t.Errorf("takeBack says %q, want %q", got, tt.text)
			}
			got, err := fattest.Contents(d.Safe, programDir, false)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]string{"bulkhead-1.0.0.efi": string(other), tt.want: string(program(hash.String()))}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("boot programs (-want +got):\n%s", diff)
			}
		})
	}
}

// A text that lies on the border of two pieces is found.
func TestContains(t *testing.T) {
	for _, at := range []int{0, 1<<20 - 3, 1<<20 - 1, 1 << 20, 2<<20 - 2} {
		b := make([]byte, 2<<20+10)
		copy(b[at:], "roothash")
		if found, err := contains(bytes.NewReader(b), "roothash"); err != nil || !found {
			t.Errorf("contains a text at %d = %t, %v, want true", at, found, err)
		}
	}
	if found, err := contains(strings.NewReader("roothas"), "roothash"); err != nil || found {
		t.Errorf("contains of half a text = %t, %v, want false", found, err)
	}
}
