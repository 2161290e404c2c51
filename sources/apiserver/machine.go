package apiserver

import (
	"os"
	"path/filepath"

	"github.com/bulkhead-os/bulkhead/api/containers"
	"github.com/bulkhead-os/bulkhead/api/journal"
	"github.com/bulkhead-os/bulkhead/api/power"
	"github.com/bulkhead-os/bulkhead/api/server"
	"github.com/bulkhead-os/bulkhead/api/updater"
)

// powerSocket is where the power service of a node listens.
const powerSocket = "/run/bulkhead/power.sock"

// equip adds to o what reaches beyond the settings. A sandbox has the network,
// and neither shows nor ends the machine that it runs on.
func equip(o *server.Options, opt Options) {
	o.Network = server.Network{
		Dir:    filepath.Join(opt.Root, "var/lib/bulkhead/remote"),
		Report: filepath.Join(opt.Root, "run/bulkhead/apiserver/remote.json"),
		Code:   filepath.Join(opt.Root, "run/bulkhead/apiserver/maintenance"),
	}
	if u := updaterFor(opt.Root); u != nil {
		o.Updater = u
	}
	if opt.Root != "/" {
		return
	}
	o.Containers = containers.New(containers.Socket)
	o.Power = power.New(powerSocket)
	o.Journal = journal.Journal{}
	o.Machine = server.ReadMachine(os.DirFS("/"))
}

// updaterFor returns the client of the node's updater. A sandbox has one where
// something listens at its socket.
func updaterFor(root string) *updater.Client {
	at := updater.Usual()
	if root == "/" {
		return updater.New(at)
	}
	for _, path := range []*string{&at.Socket, &at.Dir, &at.Lock} {
		*path = filepath.Join(root, *path)
	}
	if _, err := os.Stat(at.Socket); err != nil {
		return nil
	}
	return updater.New(at)
}
