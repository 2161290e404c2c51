package imds

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

const (
	userDataPath = "user-data"
	documentPath = "dynamic/instance-identity/document"
)

// An Instance is what the service tells about. Members that are empty are not
// told.
type Instance struct {
	ID, Type, ImageID, AccountID string
	Region, Zone                 string
	Architecture                 string
	Hostname                     string // the private name
	MAC                          string // of its one interface
	IPv4, IPv6                   netip.Addr
	VPC                          []netip.Prefix // of IPv4, the primary one first
	Keys                         []Key
	LifecycleState               string // that its scaling group wants: "InService"
	Started                      time.Time
}

// A Key is a public key that the instance was started with.
type Key struct{ Name, Text string }

// tree returns all that is told, by path below the version.
func (o Options) tree() map[string]string {
	t := map[string]string{}
	for p, v := range o.Instance.metadata() {
		t["meta-data/"+p] = v
	}
	for p, v := range o.More {
		t["meta-data/"+p] = v
	}
	if o.Instance.ID != "" {
		t[documentPath] = o.Instance.document()
	}
	t[userDataPath] = string(o.UserData)
	maps.DeleteFunc(t, func(_, v string) bool { return v == "" })
	return t
}

func (i Instance) metadata() map[string]string {
	m := map[string]string{
		"instance-id": i.ID, "instance-type": i.Type, "ami-id": i.ImageID, "mac": i.MAC,
		"hostname": i.Hostname, "local-hostname": i.Hostname,
		"placement/region": i.Region, "placement/availability-zone": i.Zone,
		"services/domain": "amazonaws.com", "services/partition": "aws",
		"autoscaling/target-lifecycle-state": i.LifecycleState,
	}
	if i.IPv4.IsValid() {
		m["local-ipv4"] = i.IPv4.String()
	}
	if i.IPv6.IsValid() {
		m["ipv6"] = i.IPv6.String()
	}
	var keys []string
	for n, k := range i.Keys {
		keys = append(keys, fmt.Sprintf("%d=%s", n, k.Name))
		m[fmt.Sprintf("public-keys/%d/openssh-key", n)] = k.Text
	}
	m["public-keys"] = strings.Join(keys, "\n") // the list of them is not one of names below
	if i.MAC != "" {
		i.network(m, "network/interfaces/macs/"+i.MAC+"/")
	}
	return m
}

func (i Instance) network(m map[string]string, at string) {
	m[at+"device-number"] = "0"
	m[at+"mac"] = i.MAC
	m[at+"local-ipv4s"] = m["local-ipv4"]
	m[at+"ipv6s"] = m["ipv6"]
	var blocks []string
	for _, p := range i.VPC {
		blocks = append(blocks, p.String())
	}
	if len(blocks) > 0 {
		m[at+"vpc-ipv4-cidr-block"] = blocks[0]
		m[at+"vpc-ipv4-cidr-blocks"] = strings.Join(blocks, "\n")
	}
}

// document returns the identity document, with the members that the real one
// has.
func (i Instance) document() string {
	var address *string
	if i.IPv4.IsValid() {
		s := i.IPv4.String()
		address = &s
	}
	text, err := json.MarshalIndent(struct {
		AccountID     string    `json:"accountId"`
		Architecture  string    `json:"architecture"`
		Zone          string    `json:"availabilityZone"`
		Billing       []string  `json:"billingProducts"`
		Devpay        []string  `json:"devpayProductCodes"`
		Marketplace   []string  `json:"marketplaceProductCodes"`
		ImageID       string    `json:"imageId"`
		InstanceID    string    `json:"instanceId"`
		InstanceType  string    `json:"instanceType"`
		KernelID      *string   `json:"kernelId"`
		Pending       time.Time `json:"pendingTime"`
		PrivateIP     *string   `json:"privateIp"`
		RAMDiskID     *string   `json:"ramdiskId"`
		Region        string    `json:"region"`
		FormatVersion string    `json:"version"`
	}{
		AccountID: i.AccountID, Architecture: i.Architecture, Zone: i.Zone, ImageID: i.ImageID, InstanceID: i.ID, InstanceType: i.Type,
		Pending: i.Started.UTC().Truncate(time.Second), PrivateIP: address, Region: i.Region, FormatVersion: "2017-09-30",
	}, "", "  ")
	if err != nil {
		panic(err) // the types are ours
	}
	return string(text)
}

// list returns the names in the directory at dir, those of directories with a
// stroke behind them, as the service has them.
func list(tree map[string]string, dir string) (string, bool) {
	names := map[string]bool{}
	for p := range tree {
		if dir != "" {
			var below bool
			if p, below = strings.CutPrefix(p, dir+"/"); !below {
				continue
			}
		}
		name, _, more := strings.Cut(p, "/")
		if more && dir != "" { // at the top there is no stroke
			name += "/"
		}
		names[name] = true
	}
	maps.DeleteFunc(names, func(name string, _ bool) bool { return names[name+"/"] })
	if len(names) == 0 {
		return "", false
	}
	return strings.Join(slices.Sorted(maps.Keys(names)), "\n"), true
}
