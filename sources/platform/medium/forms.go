package medium

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/bulkhead-os/bulkhead/sources/platform"
	"github.com/bulkhead-os/bulkhead/sources/platform/guestinfo"
)

// A form is a way to lay out a medium, known by its label.
type form struct {
	label string
	read  func(fs.FS) (platform.Data, error)
}

// forms are those that are known. Where media of several are there, the first
// counts.
var forms = []form{
	{label: "BULKHEAD", read: readNoCloud},
	{label: "cidata", read: readNoCloud},
	{label: "config-2", read: readConfigDrive},
	{label: "OVF ENV", read: readOVF},
}

// Labels returns the labels that make a medium one of ours.
func Labels() []string {
	var out []string
	for _, f := range forms {
		out = append(out, f.label)
	}
	return out
}

// readNoCloud reads what cloud-init calls NoCloud.
func readNoCloud(root fs.FS) (platform.Data, error) {
	d, err := Files(root, ".")
	if err != nil {
		return d, err
	}
	network, _, err := read(root, "network-config")
	if err != nil {
		return platform.Data{}, err
	}
	if len(network) > 0 {
		d.Network = network
	}
	meta, _, err := read(root, "meta-data")
	if err != nil {
		return platform.Data{}, err
	}
	return describe(d, meta)
}

// metadata is what is taken of the description of an instance. There is more in
// most of them.
type metadata struct {
	InstanceID    string `yaml:"instance-id"`
	LocalHostname string `yaml:"local-hostname"`
	Hostname      string `yaml:"hostname"`
}

// maxDescription bounds the description of an instance. Its tree takes a
// hundred times that.
const maxDescription = 64 << 10

// describe adds what meta, in YAML or JSON, says about the instance.
func describe(d platform.Data, meta []byte) (platform.Data, error) {
	if len(meta) > maxDescription {
		return d, fmt.Errorf("meta-data: it has %d bytes, want at most %d", len(meta), maxDescription)
	}
	var m metadata
	if err := yaml.Unmarshal(meta, &m); err != nil {
		first, _, _ := strings.Cut(err.Error(), "\n")
		return d, fmt.Errorf("meta-data: %s", first)
	}
	if m.LocalHostname != "" {
		m.Hostname = m.LocalHostname
	}
	return name(d, "meta-data", m.Hostname, m.InstanceID)
}

// name adds the names of host and instance.
func name(d platform.Data, file, host, instance string) (platform.Data, error) {
	var err, fault error
	if d.Hostname, err = platform.Name(host); err != nil {
		fault = fmt.Errorf("%s: hostname: %w", file, err)
	}
	if d.InstanceID, err = platform.Name(instance); err != nil {
		fault = errors.Join(fault, fmt.Errorf("%s: instance: %w", file, err))
	}
	return d, fault
}

// readConfigDrive reads the config drive of OpenStack.
func readConfigDrive(root fs.FS) (platform.Data, error) {
	const dir = "openstack/latest/"
	text, from, err := read(root, dir+"user_data")
	if err != nil {
		return platform.Data{}, err
	}
	d := platform.Data{UserData: text, From: from}
	if d.Network, from, err = read(root, dir+"network_data.json"); err != nil {
		return platform.Data{}, err
	}
	d.From = cmp.Or(d.From, from)
	meta, _, err := read(root, dir+"meta_data.json")
	if err != nil || len(meta) == 0 {
		return d, err
	}
	var m struct {
		UUID     string `json:"uuid"`
		Hostname string `json:"hostname"`
	}
	if len(meta) > maxDescription {
		return d, fmt.Errorf("meta_data.json: it has %d bytes, want at most %d", len(meta), maxDescription)
	}
	if err := json.Unmarshal(meta, &m); err != nil {
		return d, fmt.Errorf("meta_data.json: %w", err)
	}
	return name(d, "meta_data.json", m.Hostname, m.UUID)
}

// readOVF reads the environment of an OVF, which vSphere puts on a disc. A file
// with user data is taken in its place; more than one of all is a mistake.
func readOVF(root fs.FS) (platform.Data, error) {
	var found []string
	for _, n := range []string{"user-data", "ovf-env.xml", "OVF-ENV.XML", "ovf_env.xml", "OVF_ENV.XML"} {
		if _, err := fs.Stat(root, n); err == nil {
			found = append(found, n)
		}
	}
	if len(found) > 1 && !sameFile(root, found) {
		return platform.Data{}, fmt.Errorf("it has %s, want one of them", strings.Join(found, " and "))
	}
	if len(found) == 0 {
		return platform.Data{}, nil
	}
	text, from, err := read(root, found[0])
	if err != nil || from == "user-data" {
		return platform.Data{UserData: text, From: from}, err
	}
	text, err = guestinfo.OVF(text)
	return platform.Data{UserData: text, From: from}, err
}

// sameFile reports whether a file system that does not tell capitals from small
// letters has one file under all names.
func sameFile(root fs.FS, names []string) bool {
	entries, err := fs.ReadDir(root, ".")
	if err != nil {
		return false
	}
	n := 0
	for _, e := range entries {
		for _, name := range names {
			if strings.EqualFold(e.Name(), name) {
				n++
				break
			}
		}
	}
	return n == 1
}
