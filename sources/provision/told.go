package provision

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/sources/platform"
)

// Files for others, for the time of a boot.
const (
	// machineFile says what is known of the machine, see Machine.
	machineFile = "machine.json"
	// networkFile is there when the stage of the network has something to do. Its
	// unit looks for it.
	networkFile = "network-sources"
)

// A Machine is what the platform says about the machine, for the programs that
// find settings by it.
type Machine struct {
	Kind     platform.Kind `json:"kind,omitempty"`
	Vendor   string        `json:"vendor,omitempty"`
	Product  string        `json:"product,omitempty"`
	Serial   string        `json:"serial,omitempty"`
	UUID     string        `json:"uuid,omitempty"`
	Hostname string        `json:"hostname,omitempty"`
	Instance string        `json:"instance,omitempty"`
}

// describe writes down what the sources call the machine. Of several names the
// last counts.
func (r *run) describe(found []reading) {
	m := Machine{Kind: r.machine.Kind, Vendor: r.machine.Vendor, Product: r.machine.Product, Serial: r.machine.Serial, UUID: r.machine.UUID}
	file := filepath.Join(r.runtime, machineFile)
	if r.stage == networkStage { // another name for the same machine
		if data, err := os.ReadFile(file); err == nil {
			_ = json.Unmarshal(data, &m)
		}
	}
	for _, f := range found {
		if f.data.Hostname != "" {
			m.Hostname = f.data.Hostname
		}
		if f.data.InstanceID != "" {
			m.Instance = f.data.InstanceID
		}
	}
	data, err := json.MarshalIndent(m, "", "  ")
	if err == nil {
		err = replace(file, data, 0o755, 0o600) // the serial number is not for everybody
	}
	if err != nil {
		r.log.Warn("what the machine is called is not told", "err", err)
	}
}

// announce has the stage of the network run, or not.
func (r *run) announce() error {
	file := filepath.Join(r.runtime, networkFile)
	var err error
	if r.later {
		err = replace(file, nil, 0o755, 0o644)
	} else if err = os.Remove(file); errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err != nil {
		r.fault(codeUnreadable, report.Error, fmt.Sprintf("user data that needs the network is not looked for: %v", err), "reboot")
		return err
	}
	return nil
}
