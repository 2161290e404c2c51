package disknames

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"
)

// answer returns what a controller says.
func answer(model, name string) []byte {
	b := make([]byte, identitySize)
	copy(b[modelStart:modelEnd], model+strings.Repeat(" ", 40))
	copy(b[nameStart:nameEnd], name)
	return b
}

func TestName(t *testing.T) {
	tests := []struct {
		name      string
		in        []byte
		want, err string
	}{
		{name: "as EC2 says it", in: answer(volume, "sdf"+strings.Repeat(" ", 29)), want: "sdf"},
		{name: "with the directory, and zeros", in: answer(volume, "/dev/xvdba"), want: "xvdba"},
		{name: "none", in: answer(volume, "none"), want: ""},
		{name: "empty", in: answer(volume, ""), want: ""},
		{name: "other disk", in: answer("QEMU NVMe Ctrl", "sdf"), want: ""},
		{name: "no name for a link", in: answer(volume, "../vda"), err: `the disk says that it is called "../vda", want a name such as sdf`},
		{name: "cut off", in: make([]byte, 100), err: "the disk says too little of itself"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Name(tt.in)
			text := ""
			if err != nil {
				text = err.Error()
			}
			if got != tt.want || text != tt.err {
				t.Errorf("Name = %q, %q, want %q, %q", got, text, tt.want, tt.err)
			}
		})
	}
}

// The kernel knows the command by its size.
func TestSizeOfCommand(t *testing.T) {
	if got, want := unsafe.Sizeof(adminCommand{}), uintptr(adminIoctl>>16&0x3fff); got != want {
		t.Errorf("a command has %d bytes, want %d", got, want)
	}
}

func TestCommandOfNoDisk(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := Command()
	cmd.SetArgs([]string{file})
	if err := cmd.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("disk-names of a file: %v, want an error that names it", err)
	}
}

func FuzzName(f *testing.F) {
	f.Add(answer(volume, "sdf"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if name, err := Name(data); err == nil && name != "" && (strings.ContainsAny(name, "/\n= ") || len(name) > 32) {
			t.Errorf("Name = %q, which is no name of a link", name)
		}
	})
}
