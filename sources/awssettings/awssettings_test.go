package awssettings

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/models/variant"
	"github.com/bulkhead-os/bulkhead/sources/internal/generator"
	"github.com/bulkhead-os/bulkhead/sources/platform/imds"
	emulator "github.com/bulkhead-os/bulkhead/tools/imds"
	"github.com/bulkhead-os/bulkhead/variants"
)

// fakeAPI keeps settings as the API would.
type fakeAPI struct{ origins map[string]client.Origin }

func (f *fakeAPI) Origins(context.Context, client.Query) (map[string]client.Origin, error) {
	return f.origins, nil
}

func (f *fakeAPI) Generate(_ context.Context, g client.GeneratedValues) error {
	for k, v := range g.Values.All() {
		f.origins[k.String()] = client.Origin{Value: []byte(v.JSON()), Layer: client.Generated, Generator: g.Generator, Strength: g.Strength}
	}
	return nil
}

// A cloud is what stands in for EKS and EC2.
type cloud struct {
	mu       sync.Mutex
	throttle int // how many requests are refused for now
	status   int // of all answers, if not 0
	v6       bool
	asked    []string
	unsigned int
}

func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	line := r.Method + " " + r.URL.Path + " " + string(body)
	if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/") ||
		!strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/") || r.Header.Get("X-Amz-Security-Token") != "session" {
		c.unsigned++
	}
	switch {
	case c.status != 0:
		w.WriteHeader(c.status)
		_, _ = io.WriteString(w, "{\"message\":\"no\nway\"}")
		return
	case c.throttle > 0:
		c.throttle--
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, "<Response><Errors><Error><Code>RequestLimitExceeded</Code></Error></Errors></Response>")
		return
	}
	c.asked = append(c.asked, strings.TrimSpace(line))
	switch {
	case strings.HasPrefix(r.URL.Path, "/clusters/"):
		network := map[string]string{"ipFamily": "ipv4", "serviceIpv4Cidr": "10.55.0.0/16"}
		if c.v6 {
			network = map[string]string{"ipFamily": "ipv6", "serviceIpv6Cidr": "fd30:1c53:5f8a::/108"}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"cluster": map[string]any{
			"endpoint": "https://ABC.eks.example.org", "certificateAuthority": map[string]string{"data": "Q0E="}, "kubernetesNetworkConfig": network,
		}})
	case strings.Contains(string(body), "DescribeInstanceTypes"):
		_, _ = io.WriteString(w, `<DescribeInstanceTypesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><instanceTypeSet><item><networkInfo>`+
			`<maximumNetworkInterfaces>3</maximumNetworkInterfaces><ipv4AddressesPerInterface>10</ipv4AddressesPerInterface></networkInfo></item></instanceTypeSet></DescribeInstanceTypesResponse>`)
	case strings.Contains(string(body), "DescribeInstances"):
		_, _ = io.WriteString(w, `<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><reservationSet><item><instancesSet><item>`+
			`<privateDnsName>ip-10-0-12-34.eu-west-1.compute.internal</privateDnsName></item></instancesSet></item></reservationSet></DescribeInstancesResponse>`)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

const credentials = `{"Code":"Success","AccessKeyId":"AKIDEXAMPLE","SecretAccessKey":"secret","Token":"session","Expiration":"2099-01-01T00:00:00Z"}`

// start starts an instance, and returns the source of facts about it.
func start(t *testing.T, c *cloud, change func(*emulator.Options)) *instance {
	t.Helper()
	opt := emulator.Options{
		Instance: emulator.Instance{
			ID: "i-0123456789abcdef0", Type: "m5.large", Region: "eu-west-1", Zone: "eu-west-1b", Hostname: "ip-10-0-12-34.eu-west-1.compute.internal",
			MAC: "02:00:00:00:00:01", IPv4: netip.MustParseAddr("10.0.12.34"), IPv6: netip.MustParseAddr("2001:db8::34"),
			VPC:  []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16"), netip.MustParsePrefix("192.168.0.0/16")},
			Keys: []emulator.Key{{Name: "anna", Text: "ssh-ed25519 AAAA anna"}, {Name: "ben", Text: "ssh-ed25519 BBBB ben"}},
		},
		More: map[string]string{"iam/security-credentials/node-role": credentials},
	}
	change(&opt)
	metadata := httptest.NewServer(emulator.New(opt))
	t.Cleanup(metadata.Close)
	apis := httptest.NewServer(c)
	t.Cleanup(apis.Close)
	i := newInstance(t.TempDir(), imds.New(metadata.URL))
	i.endpoint = func(_, region, domain string) string {
		if region != "eu-west-1" || domain != "amazonaws.com" {
			t.Errorf("endpoint in %q of %q, want eu-west-1 of amazonaws.com", region, domain)
		}
		return apis.URL
	}
	return i
}

func run(t *testing.T, variantName string, i *instance, have map[string]string) (found map[string]string, faults []string) {
	t.Helper()
	v, err := variant.Load(variants.Files, variantName)
	if err != nil {
		t.Fatal(err)
	}
	api := &fakeAPI{origins: map[string]client.Origin{}}
	for k, value := range v.Defaults.All() {
		api.origins[k.String()] = client.Origin{Value: []byte(value.JSON()), Layer: client.Default}
	}
	for k, value := range have {
		api.origins[k] = client.Origin{Value: []byte(value), Layer: client.User}
	}
	r := &generator.Runner{API: api, Facts: i, Schema: v.Schema, List: generators()}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	outcomes, err := r.Run(ctx, generator.Network)
	if err != nil {
		t.Fatal(err)
	}
	found = map[string]string{}
	for k, o := range api.origins {
		if o.Layer == client.Generated {
			found[k] = string(o.Value) + " " + o.Strength
		}
	}
	for _, f := range generator.Faults("aws-settings", outcomes) {
		faults = append(faults, f.Detail)
	}
	return found, faults
}

func plain(*emulator.Options) {}

func admin() string {
	text := `{"ssh":{"authorized-keys":["ssh-ed25519 AAAA anna","ssh-ed25519 BBBB ben"]}}`
	return `"` + base64.StdEncoding.EncodeToString([]byte(text)) + `" weak`
}

func TestKubernetes(t *testing.T) {
	all := map[string]string{
		"settings.aws.region":                      `"eu-west-1" strong`,
		"settings.network.hostname":                `"ip-10-0-12-34.eu-west-1.compute.internal" strong`,
		"settings.host-containers.admin.user-data": admin(),
		"settings.kubernetes.provider-id":          `"aws:///eu-west-1b/i-0123456789abcdef0" strong`,
		"settings.kubernetes.api-server":           `"https://ABC.eks.example.org" strong`,
		"settings.kubernetes.cluster-certificate":  `"Q0E=" strong`,
		"settings.kubernetes.cluster-dns-ip":       `"10.55.0.10" strong`,
		"settings.kubernetes.node-ip":              `"10.0.12.34" strong`,
		"settings.kubernetes.max-pods":             `29 weak`,
		"settings.kubernetes.hostname-override":    `"ip-10-0-12-34.eu-west-1.compute.internal" strong`,
	}
	with := func(change func(map[string]string)) map[string]string {
		m := map[string]string{}
		for k, v := range all {
			m[k] = v
		}
		change(m)
		return m
	}
	cluster := map[string]string{"settings.kubernetes.cluster-name": `"lab"`}
	tests := []struct {
		name   string
		cloud  *cloud
		change func(*emulator.Options)
		have   map[string]string
		table  string
		want   map[string]string
		faults []string
	}{
		{name: "everything", cloud: &cloud{}, have: cluster, want: all},
		{name: "after a while", cloud: &cloud{throttle: 2}, have: cluster, want: all},
		{
			name: "cluster of IPv6", cloud: &cloud{v6: true}, have: cluster,
			want: with(func(m map[string]string) {
				m["settings.kubernetes.cluster-dns-ip"] = `"fd30:1c53:5f8a::a" strong`
				m["settings.kubernetes.node-ip"] = `"2001:db8::34" strong`
			}),
		},
		{
			name: "no cluster named", cloud: &cloud{},
			want: with(func(m map[string]string) {
				delete(m, "settings.kubernetes.api-server")
				delete(m, "settings.kubernetes.cluster-certificate")
				m["settings.kubernetes.cluster-dns-ip"] = `"172.20.0.10" weak`
			}),
		},
		{
			name: "no cluster named, another network", cloud: &cloud{},
			change: func(o *emulator.Options) { o.Instance.VPC = []netip.Prefix{netip.MustParsePrefix("192.168.0.0/16")} },
			want: with(func(m map[string]string) {
				delete(m, "settings.kubernetes.api-server")
				delete(m, "settings.kubernetes.cluster-certificate")
				m["settings.kubernetes.cluster-dns-ip"] = `"10.100.0.10" weak`
			}),
		},
		{
			name: "a table in the image, names by id", cloud: &cloud{}, table: "# of ours\nm4.large 20\nm5.large 17\n",
			have: map[string]string{"settings.kubernetes.cluster-name": `"lab"`, "settings.kubernetes.hostname-override-source": `"instance-id"`},
			want: with(func(m map[string]string) {
				m["settings.kubernetes.max-pods"] = `17 weak`
				m["settings.kubernetes.hostname-override"] = `"i-0123456789abcdef0" strong`
			}),
		},
		{
			name: "what is set stays", cloud: &cloud{},
			have: map[string]string{
				"settings.kubernetes.cluster-name": `"lab"`, "settings.kubernetes.cluster-dns-ip": `["10.1.0.10"]`, "settings.kubernetes.max-pods": "5",
				"settings.kubernetes.api-server": `"https://mine.example.org"`, "settings.network.hostname": `"mine"`,
			},
			want: with(func(m map[string]string) {
				for _, k := range []string{"kubernetes.cluster-dns-ip", "kubernetes.max-pods", "kubernetes.api-server", "network.hostname"} {
					delete(m, "settings."+k)
				}
			}),
		},
		{
			name: "AWS refuses", cloud: &cloud{status: 403}, have: cluster,
			want: with(func(m map[string]string) {
				for _, k := range []string{"api-server", "cluster-certificate", "max-pods", "hostname-override"} {
					delete(m, "settings.kubernetes."+k)
				}
				m["settings.kubernetes.cluster-dns-ip"] = `"172.20.0.10" weak`
			}),
			faults: []string{
				`no value was found for kubernetes.api-server: find the address of the cluster: ask EKS for the cluster lab: 403 Forbidden: {"message":"no way"}`,
				`no value was found for kubernetes.cluster-certificate: find the authority of the cluster: ask EKS for the cluster lab: 403 Forbidden: {"message":"no way"}`,
				`no value was found for kubernetes.cluster-dns-ip: find the service network of the cluster: ask EKS for the cluster lab: 403 Forbidden: {"message":"no way"}`,
				`no value was found for kubernetes.max-pods: find how many pods the addresses of the instance type are for: ask EC2 for DescribeInstanceTypes: 403 Forbidden: {"message":"no way"}`,
				`no value was found for kubernetes.hostname-override: find the name of the node in the cluster: ask EC2 for DescribeInstances: 403 Forbidden: {"message":"no way"}`,
			},
		},
		{
			name: "no role", cloud: &cloud{}, change: func(o *emulator.Options) { o.More = nil },
			want: with(func(m map[string]string) {
				for _, k := range []string{"api-server", "cluster-certificate", "max-pods", "hostname-override"} {
					delete(m, "settings.kubernetes."+k)
				}
				m["settings.kubernetes.cluster-dns-ip"] = `"172.20.0.10" weak`
			}),
			faults: []string{
				"no value was found for kubernetes.max-pods: find how many pods the addresses of the instance type are for: ask EC2 for DescribeInstanceTypes: the instance has no role, with which AWS could be asked",
				"no value was found for kubernetes.hostname-override: find the name of the node in the cluster: ask EC2 for DescribeInstances: the instance has no role, with which AWS could be asked",
			},
		},
		{name: "metadata switched off", cloud: &cloud{}, change: func(o *emulator.Options) { o.Off = true }, want: map[string]string{}},
		{
			name: "metadata switched off, and a cluster named", cloud: &cloud{}, change: func(o *emulator.Options) { o.Off = true }, want: map[string]string{},
			have: map[string]string{"settings.aws.region": `"eu-west-1"`, "settings.kubernetes.cluster-name": `"lab"`, "settings.kubernetes.api-server": `"https://mine.example.org"`, "settings.kubernetes.cluster-dns-ip": `"10.1.0.10"`},
			faults: []string{
				"no value was found for kubernetes.cluster-certificate: find the authority of the cluster: ask EKS for the cluster lab: ask the metadata service for meta-data/services/domain: " +
					"the metadata service forbids it: it is switched off for this instance",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.change == nil {
				tt.change = plain
			}
			i := start(t, tt.cloud, tt.change)
			if tt.table != "" {
				file := filepath.Join(i.root, podTable)
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(tt.table), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			found, faults := run(t, "aws-k8s-1.37", i, tt.have)
			if diff := cmp.Diff(tt.want, found); diff != "" {
				t.Errorf("found (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.faults, faults); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
			if tt.cloud.unsigned > 0 {
				t.Errorf("%d requests were not signed for the role and the region", tt.cloud.unsigned)
			}
		})
	}
}

// A node that is no part of a cluster asks AWS nothing.
func TestDev(t *testing.T) {
	c := &cloud{}
	found, faults := run(t, "aws-dev", start(t, c, plain), nil)
	want := map[string]string{
		"settings.aws.region": `"eu-west-1" strong`, "settings.network.hostname": `"ip-10-0-12-34.eu-west-1.compute.internal" strong`,
		"settings.host-containers.admin.user-data": admin(),
	}
	if diff := cmp.Diff(want, found); diff != "" || len(faults) > 0 || len(c.asked) > 0 {
		t.Errorf("found (-want +got):\n%s\nfaults %q, asked %q", diff, faults, c.asked)
	}
}

// The cluster is asked for once, whatever is found by it.
func TestAsksOnce(t *testing.T) {
	c := &cloud{}
	run(t, "aws-k8s-1.37", start(t, c, plain), map[string]string{"settings.kubernetes.cluster-name": `"lab"`})
	want := []string{
		"GET /clusters/lab", "POST / Action=DescribeInstanceTypes&InstanceType.1=m5.large&Version=2016-11-15",
		"POST / Action=DescribeInstances&InstanceId.1=i-0123456789abcdef0&Version=2016-11-15",
	}
	if diff := cmp.Diff(want, c.asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

func TestPublicEndpoint(t *testing.T) {
	if got := publicEndpoint("eks", "cn-north-1", "amazonaws.com.cn"); got != "https://eks.cn-north-1.amazonaws.com.cn" {
		t.Errorf("publicEndpoint: %s, want that of the partition", got)
	}
}
