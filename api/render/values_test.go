package render_test

import (
	"strings"
	"testing"
)

func TestHelpers(t *testing.T) {
	tests := []struct{ name, action, want string }{
		{"one CPU", `kube_reserve_cpu 1 | line`, "60m"},
		{"two CPUs", `kube_reserve_cpu 2 | line`, "70m"},
		{"three CPUs", `kube_reserve_cpu 3 | line`, "75m"},
		{"five CPUs", `kube_reserve_cpu 5 | line`, "82m"},
		{"48 CPUs", `kube_reserve_cpu 48 | line`, "190m"},
		{"no CPU", `kube_reserve_cpu 0 | line`, "error: 0 is less than 1"},
		{"CPUs in words", `kube_reserve_cpu "a" | line`, "error: want an integer, got text"},
		{"share of a processor", `cpu_percent "0.29" | line`, "29%"},
		{"processors", `cpu_percent "16" | word`, "1600%"},
		{"no processors", `cpu_percent "NaN" | line`, `error: "NaN" is no number of processors`},
		{"memory", `kube_reserve_memory 0 | line`, "255Mi"},
		{"architecture", `goarch "aarch64" | line`, "arm64"},
		{"unknown architecture", `goarch "vax" | line`, `error: architecture "vax" is not known, want x86_64 or aarch64`},
		{"host and port", `url_host "example.org:80" | line`, `example.org`},
		{"URL without host", `url_host "mailto:example" | line`, `error: URL "mailto:example" has no host`},
		{"CIDR of IPv6", `cidr_ip "2001:db8::1/64" | line`, "2001:db8::1"},
		{"no address", `cidr_ip "x" | line`, `error: "x" is no IP address`},
		{"not IPv4", `is_ipv4 "x"`, "false"},
		{"duration", `duration "90m" | line`, "1h30m0s"},
		{"no duration", `seconds "1 hour"`, `error: "1 hour" is no duration: want a form such as 1h30m`},
		{"base64 with lines", "b64dec \"YQ==\\n\" | line", "error: base64 text has the end of a line in it"},
		{"not base64", `b64dec "!" | line`, "error: text is not base64"},
		{"YAML", `from_yaml "a: [1, x]\nb: {c: true}" | json`, `{"a":[1,"x"],"b":{"c":true}}`},
		{"nothing in YAML", `from_yaml "# nothing" | json`, `{}`},
		{"no table in YAML", `from_yaml "- a" | json`, "error: text is no table in YAML: yaml: unmarshal errors:\n  line 1: cannot unmarshal !!seq into map[string]interface {}"},
		{"coalesce", `coalesce (optional "motd") 0 5`, "0"},
		{"negate nothing", `negate true (optional "motd")`, "true"},
		{"negate text", `negate true "x"`, "error: want a bool, got text"},
		{"any enabled of a list", `any_enabled (list (dict "enabled" true))`, "true"},
		{"enabled in words", `is_enabled (dict "enabled" "true")`, "false"},
		{"join_map of nothing", `join_map "=" "," (optional "kubernetes.node-labels") | line`, ""},
		{"join_map with a separator in a value", `join_map "=" "," (dict "a" "1,b=2") | line`, `error: entry "a=1,b=2" has "," in it`},
		{"join_map with a sign in a name", `join_map "=" "," (dict "a=b" "1") | line`, `error: name "a=b" has "=" in it`},
		{"join_map of lists", `join_map "=" "," (dict "a" (list 1)) | line`, "error: a: want text, a bool or an integer, got a list"},
		{"taint that is none", `node_taints (dict "a" (list "b")) | line`, `error: "a=b" is no taint`},
		{"image with a port", `image_ref "example.org:5000/a" | line`, "example.org:5000/a:latest"},
		{"image with a tag", `image_ref "a:1" | line`, "docker.io/library/a:1"},
		{"image with a blank", `image_ref "a b" | line`, `error: "a b" is no name of an image`},
		{"image without region", `image_region "a/{{REGION}}" "" | line`, `error: "a/{{REGION}}" names a region, and the node has none`},
		{"registry in FIPS mode", `ecr_prefix "123456789012" "us-east-1" | line`, "123456789012.dkr.ecr.us-east-1.amazonaws.com"},
		{"registry elsewhere", `ecr_prefix "123456789012" "mars" | line`, `error: "mars" is no region of AWS`},
		{"hosts that are none", `hosts_entries (list "a")`, "error: entry 0 is not a pair of an address and names"},
		{"hosts with an address that is none", `hosts_entries (list (list "a" (list "b")))`, `error: "a" is no IP address`},
		{"hosts with a name of two words", `hosts_entries (list (list "::2" (list "b c")))`, `error: name of ::2: text "b c" has U+0020, which a word cannot hold`},
		{"no hosts", `hosts_entries (optional "network.hosts")`, ""},
		{"capabilities of nothing", `oci_capabilities (optional "oci-defaults.capabilities") | json`, "[]"},
		{"limit that is none", `oci_rlimits (dict "x" 1) | json`, `error: "x" is no resource limit with a hard and a soft limit`},
		{"digest of what is encoded", `json "a" | sha256sum | word`, "ac8d8342bbb2362d13f0a559a3621bb407011368895164b628a54f7fc33fc43c"},
		{"failure", `fail "no way"`, "error: no way"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := run(t.Context(), "{{ "+tt.action+" }}", input(t, ""))
			if err != nil {
				_, detail, _ := strings.Cut(err.Error(), ": ")
				got = "error: " + detail
			}
			if got != tt.want {
				t.Errorf("{{ %s }} = %q, want %q", tt.action, got, tt.want)
			}
		})
	}
}

func TestHelpersSeeTheNode(t *testing.T) {
	in := input(t, "")
	in.Node.FIPS, in.Node.EFA = true, true
	got, err := run(t.Context(), `{{ ecr_prefix "123456789012" "us-east-1" | line }} {{ oci_rlimits (setting "oci-defaults.resource-limits") | json }}`, in)
	want := `123456789012.dkr.ecr-fips.us-east-1.amazonaws.com [{"hard":18446744073709551615,"soft":18446744073709551615,"type":"RLIMIT_MEMLOCK"}]`
	if err != nil || got != want {
		t.Errorf("Render on a node with FIPS and EFA = %s, error %v, want %s", got, err, want)
	}
}
