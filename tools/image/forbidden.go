package image

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// interpreters are programs that let somebody run what is not in the image.
var interpreters = []string{
	"sh", "bash", "dash", "ash", "zsh", "ksh", "busybox", "perl", "python3", "awk", "mawk", "gawk", "lua", "node", "ruby", "gdb",
	"apt", "apt-get", "dpkg", "rpm", "su", "sudo", "pkexec", "run0", "systemd-run", "login", "agetty", "sulogin",
}

// generatorDir ends the directories of programs that make units at boot, from
// words of the command line, credentials or files.
const generatorDir = "-generators"

// checkNames refuses files that do not belong into any image, by their names.
func checkNames(c contents) error {
	var errs []error
	for _, name := range c.paths() {
		switch {
		case slices.Contains(interpreters, path.Base(name)) && strings.Contains(name, "bin/"):
			errs = append(errs, fmt.Errorf("%s does not belong into an image", name))
		case strings.HasSuffix(path.Dir(name), generatorDir):
			errs = append(errs, fmt.Errorf("%s would make units at boot that are not in the image", name))
		}
	}
	return errors.Join(errs...)
}

// credentialKeys are those by which a service gets credentials from outside.
var credentialKeys = []string{"ImportCredential", "LoadCredential", "LoadCredentialEncrypted"}

// userData is the only credential that an image takes, and who takes it.
var userData = map[string]string{"provision.service": "bulkhead.user-data"}

// checkCredentials refuses services that take credentials: the machine that a
// node is a guest of could have them run or write what it likes. User data go
// through the checks of the settings.
func (c contents) checkCredentials() error {
	var errs []error
	for _, name := range c.paths() {
		if path.Dir(name) != unitDir || path.Ext(name) != ".service" || !c[name].mode.IsRegular() {
			continue
		}
		text, err := c.withDropIns(name)
		if err != nil {
			return err
		}
		for _, key := range credentialKeys {
			for _, value := range assignments(text, "Service", key) {
				if value != userData[path.Base(name)] {
					errs = append(errs, fmt.Errorf("%s takes credential %s, which no unit of an image may", name, value))
				}
			}
		}
	}
	return errors.Join(errs...)
}

// withDropIns returns the text of the unit, with that of the files that change
// it behind.
func (c contents) withDropIns(unit string) ([]byte, error) {
	text, err := c.read(unit)
	if err != nil {
		return nil, err
	}
	for _, name := range c.paths() {
		if path.Dir(name) != unit+".d" {
			continue
		}
		more, err := c.read(name)
		if err != nil {
			return nil, err
		}
		text = slices.Concat(text, []byte("\n"), more)
	}
	return text, nil
}

// checkFiles refuses files of the root at dir, as it goes into the image, that
// give more rights than their caller's, that another program would have to run,
// or that are no files at all.
func checkFiles(dir string) error {
	var errs []error
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fault, err := faultOf(p, info)
		if err != nil {
			return err
		}
		if fault != "" {
			errs = append(errs, fmt.Errorf("%s %s", strings.TrimPrefix(p, dir), fault))
		}
		return nil
	})
	return errors.Join(append(errs, err)...)
}

// faultOf returns what is wrong with a file for an image, or "".
func faultOf(name string, info fs.FileInfo) (string, error) {
	mode := info.Mode()
	switch {
	case mode.Type() == fs.ModeSymlink:
		return "", nil
	case mode.IsDir():
		if mode.Perm()&0o002 != 0 && mode&fs.ModeSticky == 0 {
			return "can be written by everybody", nil
		}
		return "", nil
	case !mode.IsRegular():
		return "is neither file, directory nor link", nil
	case mode&(fs.ModeSetuid|fs.ModeSetgid) != 0:
		return "gives its rights to those who run it", nil
	case mode.Perm()&0o022 != 0:
		return "can be written by others than its owner", nil
	}
	if _, err := unix.Lgetxattr(name, "security.capability", nil); err == nil {
		return "gives capabilities to those who run it", nil
	} else if !errors.Is(err, unix.ENODATA) && !errors.Is(err, unix.ENOTSUP) {
		return "", fmt.Errorf("capabilities of %s: %w", name, err)
	}
	script, err := isScript(name)
	if script {
		return "is a script, and there is nothing to run it", err
	}
	return "", err
}

func isScript(name string) (bool, error) {
	f, err := os.Open(name)
	if err != nil {
		return false, err
	}
	defer f.Close()
	start := make([]byte, 2)
	if _, err := io.ReadFull(f, start); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return false, nil
		}
		return false, err
	}
	return bytes.Equal(start, []byte("#!")), nil
}
