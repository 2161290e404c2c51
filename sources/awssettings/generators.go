package awssettings

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/bulkhead-os/bulkhead/sources/internal/generator"
)

// Facts about an instance and its cluster.
const (
	region      generator.Fact = "the region"
	zone        generator.Fact = "the availability zone"
	instanceID  generator.Fact = "the instance id"
	localName   generator.Fact = "the private name of the instance"
	addressV4   generator.Fact = "the IPv4 address of the instance"
	addressV6   generator.Fact = "the primary IPv6 address of the instance"
	publicKeys  generator.Fact = "the public keys of the instance"
	network     generator.Fact = "the first network of the VPC"
	maxPods     generator.Fact = "how many pods the addresses of the instance type are for"
	nodeName    generator.Fact = "the name of the node in the cluster"
	serviceCIDR generator.Fact = "the service network of the cluster"
	clusterURL  generator.Fact = "the address of the cluster"
	clusterCA   generator.Fact = "the authority of the cluster"
)

// Settings that facts about the cluster are found by.
const (
	regionSetting  = "aws.region"
	clusterSetting = "kubernetes.cluster-name"
	nameSetting    = "kubernetes.hostname-override-source"
	dnsSetting     = "kubernetes.cluster-dns-ip"
)

// generators returns the generators in their order: later ones go by what
// earlier ones find.
func generators() []generator.Generator {
	const strong, weak = generator.Strong, generator.Weak
	one := func(name, summary, output string, s generator.Strength, fact generator.Fact, settings ...string) generator.Generator {
		return generator.Generator{
			Name: name, Summary: summary, Stage: generator.Network, Strength: s,
			Outputs: []string{output}, Facts: []generator.Fact{fact}, Settings: settings,
			Find: func(in generator.Input) (map[string]any, error) { return map[string]any{output: in.Fact(fact)}, nil },
		}
	}
	return []generator.Generator{
		one("aws-region", "the region of the instance", regionSetting, strong, region),
		one("aws-hostname", "the private name of the instance", "network.hostname", strong, localName),
		{
			Name: "aws-admin-keys", Summary: "the public keys of the instance, for the admin container", Stage: generator.Network, Strength: weak,
			Outputs: []string{"host-containers.admin.user-data"}, Facts: []generator.Fact{publicKeys}, Find: adminKeys,
		},
		{
			Name: "aws-provider-id", Summary: "the instance as Kubernetes names it", Stage: generator.Network, Strength: strong,
			Outputs: []string{"kubernetes.provider-id"}, Facts: []generator.Fact{zone, instanceID}, Find: providerID,
		},
		one("aws-api-server", "the address of the cluster on EKS", "kubernetes.api-server", strong, clusterURL, regionSetting, clusterSetting),
		one("aws-cluster-certificate", "the authority of the cluster on EKS", "kubernetes.cluster-certificate", strong, clusterCA, regionSetting, clusterSetting),
		{
			// A guess must not outlast a fault of the network, hence weak.
			Name: "aws-usual-dns", Summary: "where EKS usually has the DNS of a cluster", Stage: generator.Network, Strength: weak,
			Outputs: []string{dnsSetting}, Facts: []generator.Fact{network}, Find: usualDNS,
		},
		{
			Name: "aws-cluster-dns", Summary: "the address of the cluster's DNS", Stage: generator.Network, Strength: strong,
			Outputs: []string{dnsSetting}, Settings: []string{regionSetting, clusterSetting}, Facts: []generator.Fact{serviceCIDR}, Find: clusterDNS,
		},
		{
			Name: "aws-node-ip", Summary: "the address of the instance", Stage: generator.Network, Strength: strong,
			Outputs: []string{"kubernetes.node-ip"}, OptionalSettings: []string{dnsSetting},
			OptionalFacts: []generator.Fact{addressV4, addressV6}, Find: nodeIP,
		},
		{
			Name: "aws-max-pods", Summary: "how many pods the instance type has addresses for", Stage: generator.Network, Strength: weak,
			Outputs: []string{"kubernetes.max-pods"}, Settings: []string{regionSetting}, Facts: []generator.Fact{maxPods}, Find: podCount,
		},
		one("aws-node-name", "the name that the cloud controller knows the node by", "kubernetes.hostname-override", strong, nodeName, regionSetting, nameSetting),
	}
}

// adminKeys is in the form that the admin container reads.
func adminKeys(in generator.Input) (map[string]any, error) {
	var doc struct {
		SSH struct {
			Keys []string `json:"authorized-keys"`
		} `json:"ssh"`
	}
	doc.SSH.Keys = strings.Split(in.Fact(publicKeys), "\n")
	text, err := json.Marshal(doc)
	return map[string]any{"host-containers.admin.user-data": base64.StdEncoding.EncodeToString(text)}, err
}

func providerID(in generator.Input) (map[string]any, error) {
	return map[string]any{"kubernetes.provider-id": "aws:///" + in.Fact(zone) + "/" + in.Fact(instanceID)}, nil
}

// usualDNS is in the network that EKS chooses for the VPC.
func usualDNS(in generator.Input) (map[string]any, error) {
	if strings.HasPrefix(in.Fact(network), "10.") {
		return map[string]any{dnsSetting: "172.20.0.10"}, nil
	}
	return map[string]any{dnsSetting: "10.100.0.10"}, nil
}

// clusterDNS is the tenth address of the service network.
func clusterDNS(in generator.Input) (map[string]any, error) {
	p, err := netip.ParsePrefix(in.Fact(serviceCIDR))
	if err != nil {
		return nil, err
	}
	return map[string]any{dnsSetting: tenth(p.Masked().Addr()).String()}, nil
}

func tenth(a netip.Addr) netip.Addr {
	b := a.AsSlice()
	b[len(b)-1] += 10
	out, _ := netip.AddrFromSlice(b) // as long as before
	return out
}

// nodeIP is of the family of the cluster's DNS.
func nodeIP(in generator.Input) (map[string]any, error) {
	fact := addressV4
	if dns, err := netip.ParseAddr(in.Setting(dnsSetting)); err == nil && dns.Is6() {
		fact = addressV6
	}
	if ip := in.Fact(fact); ip != "" {
		return map[string]any{"kubernetes.node-ip": ip}, nil
	}
	return nil, fmt.Errorf("%s is %w", fact, generator.ErrUnknown)
}

func podCount(in generator.Input) (map[string]any, error) {
	n, err := strconv.ParseUint(in.Fact(maxPods), 10, 32)
	if err != nil {
		return nil, err
	}
	return map[string]any{"kubernetes.max-pods": n}, nil
}
