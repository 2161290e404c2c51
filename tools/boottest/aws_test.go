package boottest_test

import (
	"encoding/base64"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/tools/boottest"
	"github.com/bulkhead-os/bulkhead/tools/imds"
	"github.com/bulkhead-os/bulkhead/tools/vm"
)

// On Amazon EC2, what the instance knows becomes settings that nobody has set.
func TestAWS(t *testing.T) {
	t.Parallel()
	s := imds.New(imds.Options{Instance: imds.Instance{
		ID: "i-0123456789abcdef0", Type: "m5.large", Region: "eu-central-1", Zone: "eu-central-1a", Hostname: "ip-192-168-127-10.eu-central-1.compute.internal",
		IPv4: netip.MustParseAddr(boottest.Address()), Keys: []imds.Key{{Name: "anna", Text: "ssh-ed25519 AAAA anna"}},
	}})
	n := boottest.OpenFirst(t).NewDisk(t).Boot(boottest.Options{
		UserData: userData,
		Give: func(m *vm.Machine, text string) error {
			m.Maker = "Amazon EC2"
			s.Change(func(o *imds.Options) { o.UserData = []byte(text) })
			return nil
		},
		Services: map[string]func(net.Listener) error{imds.IPv4: s.Serve},
	})
	n.AwaitReady()
	n.AwaitHealth("ok")
	want := map[string]string{
		"settings.aws.region":                      `"eu-central-1" of aws-region, strong`,
		"settings.network.hostname":                `"ip-192-168-127-10.eu-central-1.compute.internal" of platform-hostname, strong`,
		"settings.host-containers.admin.user-data": `"<redacted>" of aws-admin-keys, weak`,
	}
	var got map[string]string
	for end := time.Now().Add(boottest.Patience); time.Now().Before(end); time.Sleep(time.Second) {
		if got = generated(t, n, want); len(got) == len(want) {
			break
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings that the instance knows (-want +got):\n%s\nthe service was asked %q", diff, s.Asked())
	}
	awaitSaid(t, n, "host         ip-192-168-127-10")
	// Where programs of root look for it, on a root that nobody can write to.
	c := set(t, n, "aws.config="+base64.StdEncoding.EncodeToString([]byte("[default]\nregion = eu-central-1\n")))
	if c.Apply == nil || c.Apply.Status != "ok" {
		t.Errorf("a configuration of AWS: %+v, want it applied", c.Apply)
	}
	if asked := s.Asked(); !slices.Contains(asked, "PUT /latest/api/token") {
		t.Errorf("the service was asked %q, want a token among that", asked)
	}
}

// generated returns those of the settings that were generated, and by whom.
func generated(t *testing.T, n *boottest.Node, of map[string]string) map[string]string {
	t.Helper()
	var keys []key.Key
	for name := range of {
		k, err := key.Parse(name)
		must(t, err)
		keys = append(keys, k)
	}
	all, err := n.API.Origins(t.Context(), client.Query{Keys: keys})
	must(t, err)
	out := map[string]string{}
	for name, o := range all {
		if o.Layer == client.Generated && of[name] != "" {
			out[name] = string(o.Value) + " of " + o.Generator + ", " + o.Strength
		}
	}
	return out
}
