package provision

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/bulkhead-os/bulkhead/sources/internal/disklayout"
	"github.com/bulkhead-os/bulkhead/sources/platform"
	"github.com/bulkhead-os/bulkhead/sources/platform/guestinfo"
	"github.com/bulkhead-os/bulkhead/sources/platform/imds"
	"github.com/bulkhead-os/bulkhead/sources/platform/localfile"
	"github.com/bulkhead-os/bulkhead/sources/platform/medium"
	"github.com/bulkhead-os/bulkhead/sources/platform/webfile"
)

// A place is what sources are chosen by.
type place struct {
	sys     fs.FS
	machine platform.Machine
	variant string
	cmdline string
}

// newPlace looks at the machine that the files of the node at root are on.
func newPlace(root string) place {
	sys := os.DirFS(filepath.Join(root, "sys"))
	p := place{sys: sys, machine: platform.Detect(sys)}
	if text, err := os.ReadFile(filepath.Join(root, "proc/cmdline")); err == nil {
		p.cmdline = string(text)
	}
	text, err := os.ReadFile(filepath.Join(root, "usr/lib/os-release"))
	if err != nil {
		return p
	}
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "VARIANT_ID="); ok {
			p.variant = strings.Trim(v, `"'`)
		}
	}
	return p
}

// local returns the sources that need no network, the one that counts most last.
func (p place) local(opt options) []Source {
	media := medium.Source{Sys: p.sys, Dev: filepath.Join(opt.root, "dev")}
	out := []Source{
		medium.ESP{Source: media, Root: opt.root},
		localfile.Source{Dir: filepath.Join(opt.root, disklayout.PrivateDir)},
		media,
	}
	if p.machine.On(platform.VMware, p.variant) {
		if host, err := guestinfo.Open(); err == nil {
			out = append(out, guestinfo.Source{Host: host})
		} else if p.machine.Kind == platform.VMware {
			out = append(out, broken{guestinfo.Source{}.Name(), err})
		}
	}
	return append(out, credential{opt.credentials})
}

// network returns the sources that need a network, the one that counts most
// last.
func (p place) network() []Source {
	var out []Source
	if p.machine.On(platform.EC2, p.variant) {
		out = append(out, imds.Source{Client: imds.New()})
	}
	if webfile.Named(p.cmdline) {
		out = append(out, webfile.Source{Cmdline: p.cmdline, Values: p.values()})
	}
	return out
}

// values are what an address may ask for about the machine.
func (p place) values() map[string]string {
	host, err := os.Hostname()
	if err != nil {
		host = ""
	}
	return map[string]string{"uuid": p.machine.UUID, "serial": p.machine.Serial, "mac": firstMAC(), "hostname": host}
}

// firstMAC returns the address of the first network card that is up, or of the
// first one at all.
func firstMAC() string {
	all, err := net.Interfaces()
	if err != nil {
		return ""
	}
	first := ""
	for _, i := range all {
		if i.Flags&net.FlagLoopback != 0 || len(i.HardwareAddr) != 6 {
			continue
		}
		if i.Flags&net.FlagRunning != 0 {
			return i.HardwareAddr.String()
		}
		if first == "" {
			first = i.HardwareAddr.String()
		}
	}
	return first
}
