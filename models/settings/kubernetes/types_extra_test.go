package kubernetes_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/settings/kubernetes"
)

func TestParseKubeletExtra(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{name: "empty", in: ""},
		{name: "comments alone", in: "# nothing\n"},
		{name: "YAML", in: "nodeStatusMaxImages: 100\nmemorySwap:\n  swapBehavior: LimitedSwap\nevictionMinimumReclaim:\n  memory.available: 10Mi\n"},
		{name: "indented", in: "  maxOpenFiles: 5\n  featureGates: {A: true}\n"},
		{name: "JSON", in: `{"crashLoopBackOff": {"maxContainerRestartPeriod": "1m0s"}, "logging": {"vmodule": [{"filePattern": "x", "verbosity": 3}]}}`},
		{name: "a quantity that is a number", in: "reservedMemory: [{numaNode: 0, limits: {memory: 1024}}]"},
		{name: "of one version alone", in: "defaultPodSysctls: {net.core.somaxconn: '10'}"},
		{name: "unknown", in: "noSuch: 1", want: "kubelet configuration: line 1: noSuch is no field of a kubelet"},
		{name: "other letters", in: "maxpods: 1", want: "kubelet configuration: line 1: maxpods is no field of a kubelet, want maxPods"},
		{name: "unknown below", in: "memorySwap: {a: 1}", want: "kubelet configuration: line 1: memorySwap.a is no field of a kubelet"},
		{
			name: "several", in: "maxPods: many\nauthentication: {}\nclusterDNS: 10.0.0.1\nseccompDefault: 'true'\n",
			want: `kubelet configuration: line 1: maxPods is "many", want an integer; line 2: authentication cannot be set here: it decides who may use the ` +
				`node's kubelet; line 3: clusterDNS is "10.0.0.1", want a list; line 4: seccompDefault is "true", want true or false`,
		},
		{name: "header", in: "kind: KubeletConfiguration", want: "kubelet configuration: line 1: kind cannot be set here: it is that of this setting"},
		{name: "twice", in: "maxPods: 1\nmaxPods: 2", want: "kubelet configuration: line 2: maxPods is there twice"},
		{name: "anchor", in: "evictionHard: &a {x: y}", want: "kubelet configuration: line 1: evictionHard is an anchor or alias: write its value"},
		{name: "no value", in: "evictionHard:", want: "kubelet configuration: line 1: evictionHard has no value"},
		{name: "duration", in: "syncFrequency: 5", want: `kubelet configuration: line 1: syncFrequency is "5", want a duration such as 1m30s`},
		{name: "text that is a number", in: "qosReserved: {memory: 50}", want: `kubelet configuration: line 1: qosReserved.memory is "50", want text, in quotes where it looks like something else`},
		{name: "an element", in: "shutdownGracePeriodByPodPriority: [{priority: x}]", want: `kubelet configuration: line 1: shutdownGracePeriodByPodPriority[0].priority is "x", want an integer`},
		{name: "a list", in: "[a]", want: "kubelet configuration: line 1: the text is a list, want a table"},
		{name: "text", in: "a", want: `kubelet configuration: line 1: the text is "a", want a table`},
		{name: "two documents", in: "maxPods: 1\n---\nmaxPods: 2\n", want: "kubelet configuration has more than one YAML document, want one"},
		{name: "no YAML", in: "a: [", want: "kubelet configuration is not YAML: line 1: did not find expected node content"},
		{name: "long", in: strings.Repeat("#", 40000), want: "kubelet configuration has 40000 bytes, want at most 32768"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := kubernetes.ParseKubeletExtra(tt.in)
			text := ""
			if err != nil {
				text = err.Error()
			}
			if diff := cmp.Diff(tt.want, text); diff != "" {
				t.Errorf("ParseKubeletExtra(%q): error (-want +got):\n%s", tt.in, diff)
			}
			if err == nil && got.String() != tt.in {
				t.Errorf("ParseKubeletExtra(%q) prints as %q", tt.in, got)
			}
		})
	}
}

// Whatever is accepted comes back unchanged, and nothing makes the reader fail.
func FuzzParseKubeletExtra(f *testing.F) {
	for _, s := range []string{"maxPods: 1", "{}", "a: &a [*a]", "? [x]\n: y", "!!binary x: 1", "<<: {maxPods: 1}", "\t", "maxPods: !!str 1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, err := kubernetes.ParseKubeletExtra(s); err == nil && got.String() != s {
			t.Errorf("ParseKubeletExtra(%q) prints as %q", s, got)
		}
	})
}

func TestParsePodCIDR(t *testing.T) {
	tests := []struct{ in, want string }{
		{"10.244.1.0/24", ""},
		{"fd00:10:244:1::/64", ""},
		{"10.0.0.0/30", ""},
		{"10.244.1.1/24", `pod network "10.244.1.1/24" has bits behind its length, want 10.244.1.0/24`},
		{"10.0.0.0/31", `pod network "10.0.0.0/31" has no room for pods`},
		{"127.0.0.0/8", `pod network "127.0.0.0/8" has addresses that no pod may have`},
		{"10.0.0.0", `pod network "10.0.0.0" is not an address, a slash and a length`},
		{"", `pod network "" is not an address, a slash and a length`},
	}
	for _, tt := range tests {
		got, err := kubernetes.ParsePodCIDR(tt.in)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if text != tt.want || err == nil && got.String() != tt.in {
			t.Errorf("ParsePodCIDR(%q) = %q, %v, want the same or the error %q", tt.in, got, err, tt.want)
		}
	}
}
