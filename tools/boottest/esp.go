package boottest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/tools/debtree"
)

// Programs returns the names of the boot programs on the ESP, which say what
// becomes of each.
func (d *Disk) Programs() []string {
	d.t.Helper()
	var all []string
	for line := range strings.Lines(d.mtools("mdir", "-b", "::EFI/Linux")) {
		line = strings.TrimSpace(line)
		if strings.HasSuffix(line, "/") {
			continue // a directory of addons
		}
		all = append(all, line[strings.LastIndexByte(line, '/')+1:])
	}
	slices.Sort(all)
	return all
}

// RenameProgram gives a boot program another name.
func (d *Disk) RenameProgram(from, to string) {
	d.t.Helper()
	d.mtools("mren", "::EFI/Linux/"+from, to)
}

// mtools has one of the programs for FAT do something with the ESP.
func (d *Disk) mtools(name string, args ...string) string {
	d.t.Helper()
	image := fmt.Sprintf("%s@@%d", d.file, d.find(ESP).Start)
	cmd, err := debtree.Program(d.lab.tools(), "/usr/bin/"+name, append([]string{"-i", image}, args...)...)
	d.must(err)
	out, err := cmd.Output(d.t.Context())
	d.must(err)
	return string(out)
}
