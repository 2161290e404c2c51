package image

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestCheckNames(t *testing.T) {
	for name, want := range map[string]string{
		"/usr/bin/sh":                          "/usr/bin/sh does not belong into an image",
		"/usr/bin/systemd-run":                 "/usr/bin/systemd-run does not belong into an image",
		"/usr/share/bulkhead/packages/x/sh":    "",
		"/usr/bin/bulkhead":                    "",
		"/usr/lib/systemd/system-generators/x": "would make units at boot",
	} {
		c := contents{}
		c.file(name, nil, 0o755)
		err := checkNames(c)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("checkNames(%s) = %v, want %q", name, err, want)
		}
	}
}

func TestCheckCredentials(t *testing.T) {
	const takes = "[Service]\nImportCredential=tmpfiles.*\nExecStart=/usr/bin/x\n"
	tests := []struct {
		name  string
		files map[string]string
		want  string
	}{
		{name: "none", files: map[string]string{"a.service": "[Service]\nExecStart=/usr/bin/x\n"}},
		{name: "taken", files: map[string]string{"a.service": takes}, want: "a.service takes credential tmpfiles.*"},
		{name: "taken back", files: map[string]string{"a.service": takes, "a.service.d/10-x.conf": "[Service]\nImportCredential=\n"}},
		{name: "taken back and taken", files: map[string]string{"a.service": takes, "a.service.d/10-x.conf": "[Service]\nImportCredential=\n", "a.service.d/20-x.conf": "[Service]\nLoadCredential=x:/y\n"}, want: "takes credential x:/y"},
		{name: "user data", files: map[string]string{"provision.service": "[Service]\nImportCredential=bulkhead.user-data\n"}},
		{name: "user data elsewhere", files: map[string]string{"a.service": "[Service]\nImportCredential=bulkhead.user-data\n"}, want: "a.service takes credential bulkhead.user-data"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := contents{}
			for name, text := range tt.files {
				c.file(unitDir+"/"+name, []byte(text), 0o644)
			}
			err := c.checkCredentials()
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("checkCredentials of %v = %v, want %q", tt.files, err, tt.want)
			}
		})
	}
}

func TestCheckFiles(t *testing.T) {
	file := func(mode fs.FileMode, text string) func(string) error {
		return func(name string) error {
			return errors.Join(os.WriteFile(name, []byte(text), 0o600), os.Chmod(name, mode))
		}
	}
	tests := []struct {
		name string
		make func(string) error
		want string
	}{
		{name: "program", make: file(0o755, "\x7fELF")},
		{name: "empty", make: file(0o644, "")},
		{name: "one byte", make: file(0o644, "#")},
		{name: "setuid", make: file(0o755|fs.ModeSetuid, "\x7fELF"), want: "/x gives its rights to those who run it"},
		{name: "setgid", make: file(0o755|fs.ModeSetgid, "\x7fELF"), want: "/x gives its rights to those who run it"},
		{name: "script", make: file(0o755, "#!/bin/sh\n"), want: "/x is a script, and there is nothing to run it"},
		{name: "script that nobody may run", make: file(0o644, "#!/bin/sh\n"), want: "/x is a script"},
		{name: "written by all", make: file(0o666, "a"), want: "/x can be written by others"},
		{name: "directory for all", make: func(name string) error { return errors.Join(os.Mkdir(name, 0o755), os.Chmod(name, 0o777)) }, want: "/x can be written by everybody"},
		{name: "directory for temporary files", make: func(name string) error {
			return errors.Join(os.Mkdir(name, 0o755), os.Chmod(name, 0o777|fs.ModeSticky))
		}},
		{name: "pipe", make: func(name string) error { return unix.Mkfifo(name, 0o644) }, want: "/x is neither file, directory nor link"},
		{name: "link", make: func(name string) error { return os.Symlink("nowhere", name) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := tt.make(filepath.Join(dir, "x")); err != nil {
				t.Fatal(err)
			}
			err := checkFiles(dir)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("checkFiles with %s = %v, want %q", tt.name, err, tt.want)
			}
		})
	}
}

func TestCheckFilesCapabilities(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "x")
	if err := os.WriteFile(name, []byte("\x7fELF"), 0o755); err != nil {
		t.Fatal(err)
	}
	// Version 2, permitted: CAP_NET_RAW.
	value := []byte{0, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	if err := unix.Setxattr(name, "security.capability", value, 0); errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOTSUP) {
		t.Skip("needs a file with capabilities, which root makes where file systems have them")
	} else if err != nil {
		t.Fatal(err)
	}
	if err := checkFiles(dir); err == nil || !strings.Contains(err.Error(), "/x gives capabilities to those who run it") {
		t.Errorf("checkFiles with capabilities = %v, want them refused", err)
	}
}
