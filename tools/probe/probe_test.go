package probe_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/tools/probe"
)

// header is that of the lists of sockets, which has words of its own.
const header = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"

func files(change map[string]string) fstest.MapFS {
	out := fstest.MapFS{}
	for name, text := range map[string]string{
		"meminfo":        "MemTotal:        2030192 kB\nMemFree:         1000 kB\nMemAvailable:    1875036 kB\n",
		"1/smaps_rollup": "00400000-7ffe [rollup]\nRss:   9000 kB\nPss:   7000 kB\nPss_Dirty: 1 kB\n",
		"1/comm":         "systemd\n", "2/smaps_rollup": "", "2/comm": "kthreadd\n",
		"77/smaps_rollup": "Pss:   1 kB\n", "77/comm": "probe\n",
		"93/smaps_rollup": "Pss:   500 kB\n", "93/comm": "systemd-networkd\n", "94/comm": "ended\n",
		"self/net/tcp": header + "   0: 3500007F:0035 00000000:0000 0A 0:0\n   1: 0A7FA8C0:20FB 017FA8C0:C001 01 0:0\n",
		"self/net/tcp6": header + "   0: 00000000000000000000000000000000:20FB 00000000000000000000000000000000:0000 0A 0:0\n" +
			"   1: B80D01200000000067452301EFCDAB89:0016 00000000000000000000000000000000:0000 0A 0:0\n",
		"self/net/udp":  header + "  12: 0A7FA8C0:0044 00000000:0000 07 0:0\n  13: 00000000:0044 00000000:0000 07 0:0\n",
		"self/net/raw6": header + "  58: 00000000000000000000000000000000:003A 00000000000000000000000000000000:0000 07 0:0\n",
	} {
		out[name] = &fstest.MapFile{Data: []byte(text)}
	}
	for name, text := range change {
		out[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}

func TestRead(t *testing.T) {
	got, err := probe.Read(files(nil), 77)
	if err != nil {
		t.Fatal(err)
	}
	if got.MemTotal != 2030192<<10 || got.MemAvailable != 1875036<<10 {
		t.Errorf("Read: memory %d, %d, want what meminfo has", got.MemTotal, got.MemAvailable)
	}
	want := []probe.Process{{PID: 1, Name: "systemd", PSS: 7000 << 10}, {PID: 93, Name: "systemd-networkd", PSS: 500 << 10}}
	if diff := cmp.Diff(want, got.Processes); diff != "" {
		t.Errorf("Read: processes (-want +got):\n%s", diff)
	}
	if got.PSS() != 7500<<10 {
		t.Errorf("PSS: %d, want the sum %d", got.PSS(), 7500<<10)
	}
	if diff := cmp.Diff([]string{"tcp 127.0.0.53:53", "tcp [::]:8443", "tcp [2001:db8::123:4567:89ab:cdef]:22", "udp 192.168.127.10:68", "udp 0.0.0.0:68", "raw [::]:58"}, text(got.Listeners)); diff != "" {
		t.Errorf("Read: listeners (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"tcp [::]:8443", "tcp [2001:db8::123:4567:89ab:cdef]:22", "udp 0.0.0.0:68"}, text(got.Listens())); diff != "" {
		t.Errorf("Listens (-want +got):\n%s", diff)
	}
}

func text(listeners []probe.Listener) []string {
	var out []string
	for _, l := range listeners {
		out = append(out, l.String())
	}
	return out
}

func TestReadRefuses(t *testing.T) {
	tests := []struct{ name, file, text, want string }{
		{"no total", "meminfo", "MemAvailable: 1 kB\n", "meminfo: no line MemTotal:"},
		{"no available", "meminfo", "MemTotal: 1 kB\n", "meminfo: no line MemAvailable:"},
		{"no number", "meminfo", "MemTotal: one kB\n", `parsing "one"`},
		{"a process without PSS", "93/smaps_rollup", "Rss: 1 kB\n", "process 93: no line Pss:"},
		{"a short address", "self/net/tcp", "   0: 007F:0035 00000000:0000 0A 0:0\n", `tcp: address "007F:0035", want`},
		{"an address of other characters", "self/net/udp", "   0: 0100007G:0035 00000000:0000 07 0:0\n", `udp: address "0100007G:0035"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := probe.Read(files(map[string]string{tt.file: tt.text}), 77)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Read with %s %q: %v, want %q in it", tt.file, tt.text, err, tt.want)
			}
		})
	}
}
