package kubernetes_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/internal/valuetest"
	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/settings/kubernetes"
)

func TestParseDuration(t *testing.T) {
	valuetest.Texts(t, kubernetes.ParseDuration, []valuetest.Text{
		{Name: "all units", In: "1h2m3s10ms"},
		{Name: "fractions", In: "1.5h3.5m"},
		{Name: "empty", In: "", Want: `duration "" is empty`},
		{Name: "no unit", In: "30", Want: `duration "30": "30" has no unit`},
		{Name: "wrong order", In: "1m2h", Want: `duration "1m2h": unit "h" stands after "m"`},
		{Name: "finer than milliseconds", In: "9ns", Want: `duration "9ns": unknown unit "ns"`},
		{Name: "negative", In: "-1s", Want: `duration "-1s": "-" stands where a number belongs`},
	})
	if got, want := valuetest.Parse[kubernetes.Duration](t, "1.5h30s").Value(), 90*time.Minute+30*time.Second; got != want {
		t.Errorf("Duration(1.5h30s).Value() = %v, want %v", got, want)
	}
}

func TestParseCPUSet(t *testing.T) {
	valuetest.Texts(t, kubernetes.ParseCPUSet, []valuetest.Text{
		{Name: "one", In: "0"},
		{Name: "numbers and ranges", In: "0-3,7,9-9"},
		{Name: "leading zero", In: "07-8"},
		{Name: "long numbers", In: "99999999999999999999-100000000000000000000"},
		{Name: "empty", In: "", Want: `CPU set "" is empty`},
		{Name: "trailing comma", In: "0,", Want: `CPU set "0,": nothing stands before, between or after a comma`},
		{Name: "leading comma", In: ",0", Want: `CPU set ",0": nothing stands before, between or after a comma`},
		{Name: "open range", In: "1-", Want: `CPU set "1-": "1-" is neither a number nor a range`},
		{Name: "two hyphens", In: "1-2-3", Want: `CPU set "1-2-3": "1-2-3" is neither a number nor a range`},
		{Name: "space", In: "0, 1", Want: `CPU set "0, 1": " 1" is neither a number nor a range`},
		{Name: "backwards", In: "0,5-3", Want: `CPU set "0,5-3": range "5-3" runs backwards`},
		{Name: "backwards, leading zeros", In: "10-009", Want: `CPU set "10-009": range "10-009" runs backwards`},
	})
}

func TestParseBootstrapToken(t *testing.T) {
	const good = "abcdef.0123456789abcdef"
	tests := []valuetest.Text{
		{Name: "token", In: good},
		{Name: "empty", In: "", Want: "bootstrap token has 0 bytes instead of 23"},
		{Name: "upper case", In: strings.ToUpper(good), Want: "bootstrap token: byte 1 is neither a lower-case letter nor a digit"},
		{Name: "no dot", In: "abcdef00123456789abcdef", Want: "bootstrap token: byte 7 is not a dot"},
		{Name: "dot too late", In: "abcdefg.123456789abcdef", Want: "bootstrap token: byte 7 is not a dot"},
		{Name: "too short", In: good[:22], Want: "bootstrap token has 22 bytes instead of 23"},
		{Name: "too long", In: good + "0", Want: "bootstrap token has 24 bytes instead of 23"},
		{Name: "newline at the end", In: good + "\n", Want: "bootstrap token has 24 bytes instead of 23"},
	}
	valuetest.Texts(t, kubernetes.ParseBootstrapToken, tests)
}

func TestParseRuntimeEndpoint(t *testing.T) {
	valuetest.Texts(t, kubernetes.ParseRuntimeEndpoint, []valuetest.Text{
		{Name: "path", In: "/run/containerd/containerd.sock"},
		{Name: "URL", In: "unix:///run/containerd/containerd.sock"},
		{Name: "longest", In: "/" + strings.Repeat("a", 106)},
		{Name: "empty", In: "", Want: `container runtime endpoint "" names no socket`},
		{Name: "scheme alone", In: "unix://", Want: `container runtime endpoint "unix://" names no socket`},
		{Name: "relative", In: "run/x.sock", Want: `container runtime endpoint "run/x.sock" is not an absolute path`},
		{Name: "relative URL", In: "unix://run/x.sock", Want: `container runtime endpoint "unix://run/x.sock" is not an absolute path`},
		{Name: "other scheme", In: "tcp://1.2.3.4:80", Want: `container runtime endpoint "tcp://1.2.3.4:80" has a scheme other than unix`},
		{Name: "directory", In: "/run/", Want: `container runtime endpoint "/run/" names a directory`},
		{Name: "space", In: "/run/x --y", Want: `container runtime endpoint "/run/x --y" holds " "`},
		{Name: "too long", In: "/" + strings.Repeat("a", 107), Want: `container runtime endpoint "/` + strings.Repeat("a", 79) + `…" has a path of 108 bytes, more than 107`},
	})
	for _, in := range []string{"/run/x.sock", "unix:///run/x.sock"} {
		e := valuetest.Parse[kubernetes.RuntimeEndpoint](t, in)
		if e.Path() != "/run/x.sock" || e.URL() != "unix:///run/x.sock" {
			t.Errorf("endpoint %q: Path() = %q, URL() = %q, want /run/x.sock, unix:///run/x.sock", in, e.Path(), e.URL())
		}
	}
}

func TestEnums(t *testing.T) {
	tests := []struct {
		rule    scalar.Rule
		want    string // the words
		aliases map[string]string
	}{
		{rule: kubernetes.AuthenticationMode("").Rule(), want: "aws tls"},
		{rule: kubernetes.CloudProvider("").Rule(), want: `aws external ""`, aliases: map[string]string{"": `""`}},
		{
			rule: kubernetes.EvictionSignal("").Rule(),
			want: "memory.available nodefs.available nodefs.inodesFree imagefs.available imagefs.inodesFree pid.available",
		},
		{rule: kubernetes.ReservedResource("").Rule(), want: "cpu memory ephemeral-storage pid"},
		{rule: kubernetes.MemoryResource("").Rule(), want: "memory hugepages-2Mi hugepages-1Gi"},
		{rule: kubernetes.CPUManagerPolicy("").Rule(), want: "static Static none None"},
		{
			rule: kubernetes.CPUManagerPolicyOption("").Rule(),
			want: "full-pcpus-only distribute-cpus-across-numa prefer-align-cpus-by-uncorecache strict-cpu-reservation",
		},
		{rule: kubernetes.TopologyManagerScope("").Rule(), want: "container pod"},
		{rule: kubernetes.TopologyManagerPolicy("").Rule(), want: "none restricted best-effort single-numa-node"},
		{rule: kubernetes.MemoryManagerPolicy("").Rule(), want: "Static None", aliases: map[string]string{"static": "Static", "none": "None"}},
		{
			rule: kubernetes.MemorySwapBehavior("").Rule(), want: "NoSwap LimitedSwap",
			aliases: map[string]string{"no-swap": "NoSwap", "limited-swap": "LimitedSwap"},
		},
		{
			rule: kubernetes.MemoryReservationPolicy("").Rule(), want: "None TieredReservation",
			aliases: map[string]string{"none": "None", "tiered-reservation": "TieredReservation"},
		},
		{rule: kubernetes.HostnameOverrideSource("").Rule(), want: "private-dns-name instance-id"},
	}
	for _, tt := range tests {
		t.Run(tt.rule.Name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, strings.Join(tt.rule.Enum, " ")); diff != "" {
				t.Errorf("words of %s (-want +got):\n%s", tt.rule.Name, diff)
			}
			if diff := cmp.Diff(tt.aliases, tt.rule.Aliases); diff != "" {
				t.Errorf("aliases of %s (-want +got):\n%s", tt.rule.Name, diff)
			}
			for _, to := range tt.rule.Aliases {
				if !slices.Contains(tt.rule.Enum, to) {
					t.Errorf("an alias of %s stands for %q, which is none of its words", tt.rule.Name, to)
				}
			}
		})
	}
}
