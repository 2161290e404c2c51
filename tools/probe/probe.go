// Package probe looks at a running system from inside: its processes, their
// memory and the ports it listens on.
//
// Machines under test get the program tools/cmd/probe on a disk of its own, which
// leaves the system that is looked at as it is.
package probe

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path"
	"strconv"
	"strings"
)

// Facts are what was found.
type Facts struct {
	MemTotal     int64      `json:"mem_total"` // all memory in bytes
	MemAvailable int64      `json:"mem_available"`
	Busy         float64    `json:"busy"` // share of the processors, just before the facts were taken
	Processes    []Process  `json:"processes"`
	Listeners    []Listener `json:"listeners"`
}

// A Process is a process of user space.
type Process struct {
	PID  int    `json:"pid"`
	Name string `json:"name"`
	PSS  int64  `json:"pss"` // its memory, with its part of what it shares with others
}

// A Listener is a socket that takes what comes from whoever sends it.
type Listener struct {
	Protocol string         `json:"protocol"` // tcp, udp or raw
	Addr     netip.AddrPort `json:"address"`
}

// String returns l as people write it.
func (l Listener) String() string { return l.Protocol + " " + l.Addr.String() }

// PSS returns the memory of all processes.
func (f Facts) PSS() int64 {
	var sum int64
	for _, p := range f.Processes {
		sum += p.PSS
	}
	return sum
}

// Listens returns the sockets that take what comes from anybody.
func (f Facts) Listens() []Listener {
	var out []Listener
	for _, l := range f.Listeners {
		if l.public() {
			out = append(out, l)
		}
	}
	return out
}

// Ports at which a DHCP client takes answers.
const (
	dhcpPort   = 68
	dhcpv6Port = 546
)

// public reports whether l takes what comes from anybody. A client of DHCP that
// listens at the address it was given takes what its server sends; a raw socket
// gets copies of what the kernel takes anyway, such as messages of routers.
func (l Listener) public() bool {
	addr := l.Addr.Addr()
	switch l.Protocol {
	case "raw":
		return false
	case "udp":
		if port := l.Addr.Port(); (port == dhcpPort || port == dhcpv6Port) && !addr.IsUnspecified() {
			return false
		}
	}
	return !addr.IsLoopback()
}

// Read takes the facts from proc, a /proc. The process self is left out.
func Read(proc fs.FS, self int) (Facts, error) {
	var f Facts
	memory, err := fs.ReadFile(proc, "meminfo")
	if err != nil {
		return f, err
	}
	if f.MemTotal, err = kilobytes(string(memory), "MemTotal:"); err != nil {
		return f, fmt.Errorf("meminfo: %w", err)
	}
	if f.MemAvailable, err = kilobytes(string(memory), "MemAvailable:"); err != nil {
		return f, fmt.Errorf("meminfo: %w", err)
	}
	if f.Processes, err = processes(proc, self); err != nil {
		return f, err
	}
	f.Listeners, err = listeners(proc)
	return f, err
}

// kilobytes returns the value of a line such as "Pss:  12 kB", in bytes.
func kilobytes(text, name string) (int64, error) {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("no line %s", name)
}

func processes(proc fs.FS, self int) ([]Process, error) {
	entries, err := fs.ReadDir(proc, ".")
	if err != nil {
		return nil, err
	}
	var out []Process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == self {
			continue
		}
		memory, err := fs.ReadFile(proc, path.Join(e.Name(), "smaps_rollup"))
		if err != nil || len(memory) == 0 {
			continue // it ended meanwhile, or is the kernel's and has none
		}
		pss, err := kilobytes(string(memory), "Pss:")
		if err != nil {
			return nil, fmt.Errorf("process %d: %w", pid, err)
		}
		name, err := fs.ReadFile(proc, path.Join(e.Name(), "comm"))
		if err != nil {
			continue
		}
		out = append(out, Process{PID: pid, Name: strings.TrimSpace(string(name)), PSS: pss})
	}
	return out, nil
}

// tables are the lists of sockets, with the state of those that listen.
var tables = []struct{ file, protocol, state string }{
	{"tcp", "tcp", "0A"}, {"tcp6", "tcp", "0A"}, {"udp", "udp", "07"}, {"udp6", "udp", "07"}, {"raw", "raw", "07"}, {"raw6", "raw", "07"},
}

func listeners(proc fs.FS) ([]Listener, error) {
	var out []Listener
	for _, t := range tables {
		text, err := fs.ReadFile(proc, path.Join("self/net", t.file))
		if errors.Is(err, fs.ErrNotExist) {
			continue // a kernel without IPv6
		}
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(text)) {
			fields := strings.Fields(line)
			if len(fields) < 4 || fields[3] != t.state {
				continue
			}
			addr, err := parseAddr(fields[1])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", t.file, err)
			}
			out = append(out, Listener{Protocol: t.protocol, Addr: addr})
		}
	}
	return out, nil
}

// parseAddr reads an address such as 0100007F:0035: words of four bytes, each
// with its bytes the other way round, and the port.
func parseAddr(s string) (netip.AddrPort, error) {
	host, port, ok := strings.Cut(s, ":")
	number, err := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil || len(host) != 8 && len(host) != 32 {
		return netip.AddrPort{}, fmt.Errorf("address %q, want hexadecimal digits as 0100007F:0035", s)
	}
	var b []byte
	for at := 0; at < len(host); at += 8 {
		w, err := strconv.ParseUint(host[at:at+8], 16, 32)
		if err != nil {
			return netip.AddrPort{}, fmt.Errorf("address %q: %w", s, err)
		}
		b = append(b, byte(w), byte(w>>8), byte(w>>16), byte(w>>24))
	}
	addr, _ := netip.AddrFromSlice(b) // it has 4 or 16 bytes
	return netip.AddrPortFrom(addr, uint16(number)), nil
}
