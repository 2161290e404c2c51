package ntp_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/internal/valuetest"
	"github.com/bulkhead-os/bulkhead/models/settings/ntp"
)

func TestParseTimeServer(t *testing.T) {
	valuetest.Texts(t, ntp.ParseTimeServer, []valuetest.Text{
		{Name: "address", In: "169.254.169.123"},
		{Name: "name", In: "2.Pool.ntp.example."},
		{Name: "IPv6 address", In: "[2001:db8::1]"},
		{Name: "URL", In: "http://time.example.org"},
		{Name: "name and port", In: "time.example.org:123"},
		{Name: "empty", In: "", Want: `time server: URL is empty`},
		{Name: "prose", In: "how are you", Want: `time server: URL "how are you" cannot be parsed, as it is or with http:// in front`},
		{Name: "line feed", In: "time\nserver", Want: `time server: URL "time\nserver": byte 5 is the control character U+000A`},
	})
}

func TestTimeServerHost(t *testing.T) {
	tests := []struct {
		in, want string
		ok       bool
	}{
		{"169.254.169.123", "169.254.169.123", true},
		{"2.Pool.ntp.example.", "2.Pool.ntp.example.", true},
		{"[2001:db8::1]", "2001:db8::1", true},
		{"http://time.example.org", "", false},
		{"time.example.org:123", "", false},
		{"time.example.org/a b", "", false},
	}
	for _, tt := range tests {
		if got, ok := valuetest.Parse[ntp.TimeServer](t, tt.in).Host(); got != tt.want || ok != tt.ok {
			t.Errorf("Host of %q = %q, %t, want %q, %t", tt.in, got, ok, tt.want, tt.ok)
		}
	}
}

func TestCheck(t *testing.T) {
	server := func(s string) ntp.TimeServer { return *valuetest.Parse[ntp.TimeServer](t, s) }
	tests := []struct {
		name string
		in   ntp.Settings
		want []string
	}{
		{name: "nothing"},
		{name: "hosts", in: ntp.Settings{TimeServers: []ntp.TimeServer{server("169.254.169.123"), server("pool.ntp.example")}}},
		{
			name: "URL", in: ntp.Settings{TimeServers: []ntp.TimeServer{server("pool.ntp.example"), server("http://time.example.org")}},
			want: []string{`warning: settings.ntp.time-servers[1]: "http://time.example.org" is not the name or address of a host, so the clock is not synchronised with it (want a host name or an IP address, without scheme, port and path)`},
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, valuetest.Faults(tt.in.Check, "ntp")); diff != "" {
				t.Errorf("faults of ntp (-want +got):\n%s", diff)
			}
		})
	}
}

// What is given to chrony is one word that cannot end the line.
func FuzzTimeServer(f *testing.F) {
	for _, s := range []string{"169.254.169.123", "[::1]", "x:a b", "time.example.org/ b", "a\nb", "[::1%eth0]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ntp.ParseTimeServer(s)
		if err != nil {
			return
		}
		valuetest.PrintsAs(t, v, s)
		if host, ok := v.Host(); ok && (host == "" || strings.ContainsAny(host, " \t\r\n#!;%\"'")) {
			t.Errorf("Host of %q = %q", s, host)
		}
	})
}
