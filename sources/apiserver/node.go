package apiserver

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/bulkhead-os/bulkhead/api/server"
	"github.com/bulkhead-os/bulkhead/models/variant"
	"github.com/bulkhead-os/bulkhead/sources/internal/usage"
	"github.com/bulkhead-os/bulkhead/variants"
)

// adminGID is the group of the API in the image, for systems without a group
// of the name.
const adminGID = 274

// The groups that give a role.
const (
	adminGroup  = "api"
	readerGroup = "api-read"
)

// A node is what the daemon takes itself to run on.
type node struct {
	variant *variant.Variant
	os      server.OS
	access  server.Access
	image   string // directory, or empty
}

// identify finds out what node opt describes.
func identify(opt Options) (node, error) {
	facts, files, err := image(opt)
	if err != nil {
		return node{}, err
	}
	name := opt.Variant
	if name == "" {
		name = facts.VariantID
	}
	names, err := variant.Names(files)
	if err != nil {
		return node{}, err
	}
	if name == "" {
		return node{}, usage.Mistake(errors.New("no variant is given, and there is no image that names one: give --variant"))
	}
	if !slices.Contains(names, name) {
		return node{}, usage.Mistake(fmt.Errorf("there is no variant %q, want one of %s", name, strings.Join(names, ", ")))
	}
	v, err := variant.Load(files, name)
	if err != nil {
		return node{}, err
	}
	return node{v, complete(facts, v), access(opt), imageDir(opt)}, nil
}

// imageDir returns the directory that holds the image, or "" when there is none.
func imageDir(opt Options) string {
	if opt.Image == "" && opt.Root == "/" {
		return "/"
	}
	return opt.Image
}

// image returns the facts about the image, if there is one, and its variants.
func image(opt Options) (server.OS, fs.FS, error) {
	dir := imageDir(opt)
	if dir == "" {
		return server.OS{}, variants.Files, nil
	}
	facts, err := server.ReadOS(os.DirFS(dir))
	if err != nil && opt.Image != "" {
		return facts, nil, fmt.Errorf("image %s: %w", dir, err)
	}
	own := filepath.Join(dir, "usr/share/bulkhead/variants")
	if _, err := os.Stat(own); err == nil {
		return facts, os.DirFS(own), nil
	}
	return facts, variants.Files, nil
}

// complete fills in what an image would have said.
func complete(facts server.OS, v *variant.Variant) server.OS {
	facts.VariantID, facts.Arch = v.Name, server.Arch(v.Arch)
	if facts.VersionID == "" {
		facts.VersionID = "0.0.0"
	}
	if facts.PrettyName == "" {
		facts.PrettyName = fmt.Sprintf("Bulkhead %s (%s)", facts.VersionID, v.Name)
	}
	if facts.BuildID == "" {
		facts.BuildID = "development"
	}
	return facts
}

func access(opt Options) server.Access {
	a := server.Access{OwnUser: opt.Root != "/"}
	admin, ok := groupID(adminGroup)
	if !ok {
		admin = adminGID
	}
	a.AdminGroups = []uint32{admin}
	if opt.SocketGID > 0 && uint32(opt.SocketGID) != admin {
		a.AdminGroups = append(a.AdminGroups, uint32(opt.SocketGID))
	}
	if reader, ok := groupID(readerGroup); ok {
		a.ReaderGroups = []uint32{reader}
	}
	if opt.ReadSocketGID > 0 {
		a.ReaderGroups = append(a.ReaderGroups, uint32(opt.ReadSocketGID))
	}
	return a
}

// groupID looks a group up in /etc/group, the only source there is in the
// image. The C library's look-up would load modules into a resident daemon.
func groupID(name string) (uint32, bool) {
	f, err := os.Open("/etc/group")
	if err != nil {
		return 0, false
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Split(lines.Text(), ":")
		if len(fields) < 3 || fields[0] != name {
			continue
		}
		if id, err := strconv.ParseUint(fields[2], 10, 32); err == nil {
			return uint32(id), true
		}
	}
	return 0, false
}
