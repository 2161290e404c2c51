package apiserver

import (
	"os"
	"path/filepath"

	"github.com/bulkhead-os/bulkhead/api/journal"
	"github.com/bulkhead-os/bulkhead/api/power"
	"github.com/bulkhead-os/bulkhead/api/server"
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
	if opt.Root != "/" {
		return
	}
	o.Power = power.New(powerSocket)
	o.Journal = journal.Journal{}
	o.Machine = server.ReadMachine(os.DirFS("/"))
}
