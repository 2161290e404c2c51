package userdata_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/models/userdata"
)

// The costs of usual user data, and of the worst that is taken.
func BenchmarkParse(b *testing.B) {
	many := func(line string, n int) string {
		var s strings.Builder
		for i := range n {
			fmt.Fprintf(&s, line, i)
		}
		return s.String()
	}
	unknown := "[settings]\n" + many("a%d=1\n", 50_000)
	inputs := []struct{ name, text string }{
		{"usual", "[settings]\nmotd = \"hi\"\n[settings.ntp]\ntime-servers = [\"a.example.org\"]\n[settings.kernel.sysctl]\n" + many("\"a.b%d\" = \"1\"\n", 20)},
		{"Butane", butaneOf(authority(b))},
		{"settings", "[settings.kernel.sysctl]\n" + many("\"a.b%d\" = \"1\"\n", 10_000)},
		{"unknown", unknown},
		{"unknown in parts", mail("\n"+unknown, "\n"+unknown, "Content-Transfer-Encoding: base64\n\n"+base(unknown))},
		{"YAML", "#cloud-config\nssh_authorized_keys:\n" + many("- %d\n", 20_000)},
		{"YAML keys", "#cloud-config\n" + many("a%d: 1\n", 80_000)},
	}
	v := load(b, "qemu-dev")
	for _, in := range inputs {
		b.Run(in.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(in.text)))
			for b.Loop() {
				userdata.Parse([]byte(in.text), v)
			}
		})
	}
}
