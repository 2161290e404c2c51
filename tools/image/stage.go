package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// factoryEtc holds what /etc is filled from at each boot.
const factoryEtc = "/usr/share/factory/etc"

// stage makes the root file system at dir, as a directory.
func (t tools) stage(ctx context.Context, c contents, dir, version string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := c.write(dir); err != nil {
		return err
	}
	if err := t.unpackModules(ctx, dir); err != nil {
		return err
	}
	if err := t.listModules(ctx, dir, version); err != nil {
		return err
	}
	// libkmod reads the binary forms of these.
	for _, list := range []string{"dep", "alias", "symbols", "builtin.alias", "order"} {
		if err := remove(filepath.Join(dir, modulesDir, version, "modules."+list)); err != nil {
			return err
		}
	}
	if err := t.run(ctx, "/usr/bin/systemd-sysusers", "--root="+dir); err != nil {
		return err
	}
	if err := remove(filepath.Join(dir, "etc", ".pwd.lock")); err != nil {
		return err
	}
	factory := filepath.Join(dir, factoryEtc)
	if err := os.MkdirAll(filepath.Dir(factory), 0o755); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(dir, "etc"), factory); err != nil {
		return err
	}
	return os.Mkdir(filepath.Join(dir, "etc"), 0o755)
}

func remove(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// digest identifies files, packed in the given way.
func digest(files []File, args []string) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q\n", args)
	for _, f := range files {
		fmt.Fprintf(h, "%+q\n", []string{f.Path, f.Mode, f.SHA256, f.Link})
	}
	return hex.EncodeToString(h.Sum(nil)) + "\n"
}

// A File is a file of the root file system, as the manifest lists it.
type File struct {
	Path   string `json:"path"`
	Mode   string `json:"mode"`
	Size   int64  `json:"size,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
	Link   string `json:"link,omitempty"`
	// Package is the Debian package that the file is from.
	Package string `json:"package,omitempty"`
}

// list returns the files of the staged root. Of directories it tells the mode.
func list(dir string) ([]File, error) {
	var out []File
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		f := File{Path: strings.TrimPrefix(p, dir), Mode: fmt.Sprintf("%04o", info.Mode().Perm())}
		switch {
		case d.IsDir():
			f.Path += "/"
		case d.Type() == fs.ModeSymlink:
			f.Link, err = os.Readlink(p)
		default:
			f.Size = info.Size()
			f.SHA256, err = hashFile(p)
		}
		out = append(out, f)
		return err
	})
	return out, err
}

func hashFile(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
