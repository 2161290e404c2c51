package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/api/server"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/sources/internal/healthfile"
)

// patience is how long the API may take to answer.
const patience = 10 * time.Second

// codeSilent is the code of the fault that the API does not answer.
const codeSilent report.Code = "api-unreachable"

// read finds out how the node is. Whatever cannot be found out is left out: a
// node in trouble is when people look at the console.
func (o options) read(ctx context.Context) status {
	var s status
	facts, err := server.ReadOS(os.DirFS(o.root))
	if err != nil {
		facts.VersionID, facts.VariantID = "?", "?"
	}
	s.Version, s.Variant = facts.VersionID, facts.VariantID
	if s.Host, err = os.Hostname(); err != nil {
		s.Host = "?"
	}
	s.Links = o.links()
	s.Remote, err = readRemote(o.path("run/bulkhead/apiserver/remote.json"))
	if err != nil {
		s.Faults = append(s.Faults, report.Fault{Severity: report.Warning, Code: codeSilent, Detail: err.Error()})
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	api := client.New(o.socket)
	h, err := api.Health(ctx)
	if err == nil {
		s.State, s.Faults = h.Status, append(s.Faults, h.Faults...)
		if s.Remote != nil && h.Generation == 0 {
			s.Code = code(ctx, api)
		}
		return s
	}
	s.State = stateSilent
	s.Faults = append(s.Faults, report.Fault{
		Severity: report.Error, Code: codeSilent, Detail: err.Error(),
		Hint: "it is started again by itself; if this stays, reboot the node",
	})
	faults, err := healthfile.ReadAll(o.path(healthfile.Dir))
	if err != nil {
		faults = []report.Fault{{Severity: report.Warning, Code: healthfile.Broken, Detail: err.Error()}}
	}
	s.Faults = append(s.Faults, faults...)
	return s
}

// code returns what somebody who is at the node may open it with. Without it the
// rest is shown.
func code(ctx context.Context, api *client.Client) string {
	m, err := api.Maintenance(ctx)
	if err != nil {
		return ""
	}
	return m.Code
}

func (o options) path(name string) string { return filepath.Join(o.root, name) }

// readRemote returns how the API is reached from elsewhere, or nil.
func readRemote(name string) (*remote, error) {
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var r remote
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		return nil, fmt.Errorf("how the API is reached from elsewhere: %w", err)
	}
	if len(r.Listen) == 0 {
		return nil, nil
	}
	return &r, nil
}

// links returns the interfaces by which the node is reached, with addresses
// that others can use.
func (o options) links() []link {
	all, err := net.Interfaces()
	if err != nil {
		return nil
	}
	var out []link
	for _, i := range all {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagLoopback != 0 || !o.ofNode(i.Name) {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			continue
		}
		if texts := usable(addrs); len(texts) > 0 {
			out = append(out, link{i.Name, texts})
		}
	}
	return out
}

// ofNode reports whether the interface is a device, or made of devices.
// Others belong to containers.
func (o options) ofNode(name string) bool {
	dir := o.path(filepath.Join("sys/class/net", name))
	if _, err := os.Stat(filepath.Join(dir, "device")); err == nil {
		return true
	}
	event, err := os.ReadFile(filepath.Join(dir, "uevent"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(event)) {
		switch strings.TrimSpace(line) {
		case "DEVTYPE=bond", "DEVTYPE=vlan":
			return true
		}
	}
	return false
}

func usable(addrs []net.Addr) []string {
	var out []string
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		if err == nil && p.Addr().IsGlobalUnicast() {
			out = append(out, p.String())
		}
	}
	return out
}
