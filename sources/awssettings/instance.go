package awssettings

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/sources/internal/generator"
	"github.com/bulkhead-os/bulkhead/sources/platform"
	"github.com/bulkhead-os/bulkhead/sources/platform/imds"
)

// podTable has how many pods there are addresses for, by type of instance. An
// image may bring it; what it does not have is asked for.
const podTable = "usr/share/eks/eni-max-pods"

// An instance is the source of facts about a node on EC2. What it has found once
// it knows.
type instance struct {
	root     string
	metadata *imds.Client
	endpoint func(service, region, domain string) string // of an API; replaced in tests

	cluster   *cluster       // once it was asked for
	elsewhere bool           // than on EC2, as the firmware says
	silent    map[bool]error // why AWS, or else the instance, is not asked any more
}

func newInstance(root string, metadata *imds.Client) *instance {
	m := platform.Detect(os.DirFS(filepath.Join(root, "sys")))
	return &instance{root: root, metadata: metadata, endpoint: publicEndpoint, elsewhere: !m.On(platform.EC2, "aws"), silent: map[bool]error{}}
}

// Fact finds a fact. The boot waits for the program: nobody is asked where nobody
// answers, and who did not answer once is not waited for again.
func (i *instance) Fact(ctx context.Context, name generator.Fact, s generator.Settings) (string, error) {
	aws := slices.Contains([]generator.Fact{maxPods, nodeName, clusterURL, clusterCA, serviceCIDR}, name)
	switch {
	case i.elsewhere:
		return "", generator.ErrUnknown
	case i.silent[aws] != nil:
		return "", i.silent[aws]
	}
	text, err := i.find(ctx, name, s)
	if errors.Is(err, imds.ErrAbsent) || err == nil && text == "" || errors.Is(err, platform.ErrOff) && !aboutCluster(name) {
		return "", generator.ErrUnknown
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		i.silent[aws] = err
	}
	return text, err
}

// aboutCluster reports whether a fact is one of those that somebody who names a
// cluster counts on. Where the metadata service is switched off there are no
// credentials to ask for them, which is a fault; what the service itself would
// have said is just not known.
func aboutCluster(name generator.Fact) bool {
	return name == clusterURL || name == clusterCA || name == serviceCIDR
}

func (i *instance) find(ctx context.Context, name generator.Fact, s generator.Settings) (string, error) {
	switch name {
	case region:
		return i.metadata.Text(ctx, "placement/region")
	case zone:
		return i.metadata.Text(ctx, "placement/availability-zone")
	case instanceID:
		return i.metadata.Text(ctx, "instance-id")
	case localName:
		return i.metadata.Text(ctx, "local-hostname")
	case addressV4:
		return i.metadata.Text(ctx, "local-ipv4")
	case addressV6:
		return i.interfaceText(ctx, "ipv6s")
	case network:
		return i.interfaceText(ctx, "vpc-ipv4-cidr-blocks")
	case publicKeys:
		return i.keys(ctx)
	case maxPods:
		return i.pods(ctx, s)
	case nodeName:
		return i.name(ctx, s)
	case clusterURL, clusterCA, serviceCIDR:
		return i.ofCluster(ctx, name, s)
	}
	return "", generator.ErrUnknown
}

// interfaceText returns the first of what the primary interface has.
func (i *instance) interfaceText(ctx context.Context, what string) (string, error) {
	mac, err := i.metadata.Text(ctx, "mac")
	if err != nil {
		return "", err
	}
	list, err := i.metadata.List(ctx, "network/interfaces/macs/"+mac+"/"+what)
	if err != nil || len(list) == 0 {
		return "", err
	}
	return list[0], nil
}

// keys returns the public keys, one in a line.
func (i *instance) keys(ctx context.Context) (string, error) {
	names, err := i.metadata.Text(ctx, "public-keys")
	if err != nil {
		return "", err
	}
	var out []string
	for line := range strings.Lines(names) {
		number, _, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok {
			continue
		}
		key, err := i.metadata.Text(ctx, "public-keys/"+number+"/openssh-key")
		if err != nil {
			return "", err
		}
		out = append(out, key)
	}
	return strings.Join(out, "\n"), nil
}

// pods returns how many pods there are addresses for.
func (i *instance) pods(ctx context.Context, s generator.Settings) (string, error) {
	kind, err := i.metadata.Text(ctx, "instance-type")
	if err != nil {
		return "", err
	}
	data, err := os.ReadFile(filepath.Join(i.root, podTable))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == kind {
			return f[1], nil
		}
	}
	return i.api(s).pods(ctx, kind)
}

// name returns the name that the setting asks for.
func (i *instance) name(ctx context.Context, s generator.Settings) (string, error) {
	id, err := i.metadata.Text(ctx, "instance-id")
	if err != nil {
		return "", err
	}
	switch source := s.Text(nameSetting); source {
	case "instance-id":
		return id, nil
	case "private-dns-name":
		return i.api(s).privateName(ctx, id)
	default:
		return "", fmt.Errorf("source %q of the name is not known", source)
	}
}

// ofCluster returns what EKS knows of the cluster.
func (i *instance) ofCluster(ctx context.Context, name generator.Fact, s generator.Settings) (string, error) {
	if s.Text(clusterSetting) == "" || s.Text(regionSetting) == "" {
		return "", generator.ErrUnknown
	}
	if i.cluster == nil {
		c, err := i.api(s).describe(ctx, s.Text(clusterSetting))
		if err != nil {
			return "", err
		}
		i.cluster = &c
	}
	switch name {
	case clusterURL:
		return i.cluster.Endpoint, nil
	case clusterCA:
		return i.cluster.Authority.Data, nil
	}
	if v6 := i.cluster.Network.V6; i.cluster.Network.Family == "ipv6" && v6 != "" {
		return v6, nil
	}
	return i.cluster.Network.V4, nil
}

func (i *instance) api(s generator.Settings) *api {
	return &api{metadata: i.metadata, endpoint: i.endpoint, region: s.Text(regionSetting), http: clientFor(s)}
}
