package guestinfo

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/sources/platform"
)

// variables is a host that has some.
type variables map[string]string

func (v variables) Call(_ context.Context, command string) ([]byte, error) {
	name, ok := strings.CutPrefix(command, "info-get ")
	value, set := v[name]
	if !ok || !set {
		return nil, ErrNotSet
	}
	return []byte(value), nil
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func gz(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(s))
	_ = w.Close()
	return b.String()
}

const (
	text     = "[settings]\nmotd = \"hi\"\n"
	data     = "guestinfo.userdata"
	encoding = "guestinfo.userdata.encoding"
)

func environment(value string) string {
	return `<?xml version="1.0" encoding="UTF-8"?>
<Environment xmlns="http://schemas.dmtf.org/ovf/environment/1" xmlns:oe="http://schemas.dmtf.org/ovf/environment/1" oe:id="">
  <PlatformSection><Kind>VMware ESXi</Kind></PlatformSection>
  <PropertySection><Property oe:key="other" oe:value="x"/><Property oe:key="user-data" oe:value="` + value + `"/></PropertySection>
</Environment>`
}

func TestRead(t *testing.T) {
	tests := []struct {
		name string
		in   variables
		want platform.Data
		err  string
	}{
		{name: "nothing"},
		{name: "as it is", in: variables{data: text}, want: platform.Data{UserData: []byte(text), From: data}},
		{name: "raw", in: variables{data: text, encoding: "Raw"}, want: platform.Data{UserData: []byte(text), From: data}},
		{name: "base64", in: variables{data: b64(text), encoding: "B64"}, want: platform.Data{UserData: []byte(text), From: data}},
		{name: "base64 in lines", in: variables{data: b64(text)[:8] + "\n" + b64(text)[8:] + "\n", encoding: "base64"}, want: platform.Data{UserData: []byte(text), From: data}},
		{name: "packed", in: variables{data: b64(gz(text)), encoding: "gzip+base64"}, want: platform.Data{UserData: []byte(gz(text)), From: data}},
		{name: "white space", in: variables{data: " \n", encoding: "base64"}},
		{name: "wrong encoding", in: variables{data: text, encoding: "base32"}, err: `guestinfo.userdata.encoding: "base32", want base64, gzip+base64 or raw`},
		{name: "wrong encoding without data", in: variables{encoding: "x"}, err: `guestinfo.userdata.encoding: "x", want base64, gzip+base64 or raw`},
		{name: "not base64", in: variables{data: text, encoding: "base64"}, err: "guestinfo.userdata: it is not base64: illegal base64 data at input byte 0"},
		{name: "not packed", in: variables{data: b64(text), encoding: "gz+b64"}, err: "guestinfo.userdata: it is not packed with gzip, although its encoding says so"},
		{name: "10 MiB", in: variables{data: strings.Repeat("x", 10<<20)}, err: "guestinfo.userdata: there are more than 8388608 bytes"},
		{name: "1 MiB in base64", in: variables{data: strings.Repeat("x", 1<<20), encoding: "base64"}, err: "guestinfo.userdata: it has 1048576 bytes in base64, want at most 524288"},
		{
			name: "environment of the OVF", in: variables{"guestinfo.ovfEnv": environment(b64(text))},
			want: platform.Data{UserData: []byte(text), From: "guestinfo.ovfEnv"},
		},
		{
			name: "userdata before the environment", in: variables{data: "mine", "guestinfo.ovfEnv": environment(b64(text))},
			want: platform.Data{UserData: []byte("mine"), From: data},
		},
		{name: "broken environment", in: variables{"guestinfo.ovfEnv": "<Environment>\n<x"}, err: "guestinfo.ovfEnv: line 2: the environment of the OVF is not XML: unexpected EOF"},
		{name: "another document", in: variables{"guestinfo.ovfEnv": "<html></html>"}, err: "guestinfo.ovfEnv: the environment of the OVF: expected element type <Environment> but have <html>"},
		{name: "property that is not base64", in: variables{"guestinfo.ovfEnv": environment("?")}, err: "guestinfo.ovfEnv: property user-data: it is not base64: illegal base64 data at input byte 0"},
		{
			name: "metadata", in: variables{data: text, "guestinfo.metadata": b64("instance-id: i-1\nlocal-hostname: n1\nnetwork:\n  version: 2\n"), "guestinfo.metadata.encoding": "base64"},
			want: platform.Data{UserData: []byte(text), From: data, InstanceID: "i-1", Hostname: "n1", Network: []byte("version: 2\n")},
		},
		{
			name: "packed metadata in JSON", in: variables{"guestinfo.metadata": b64(gz(`{"instance-id": "i-1"}`)), "guestinfo.metadata.encoding": "gz+b64"},
			want: platform.Data{InstanceID: "i-1"},
		},
		{name: "broken metadata", in: variables{data: text, "guestinfo.metadata": ":\n- x"}, want: platform.Data{UserData: []byte(text), From: data}, err: "guestinfo.metadata: yaml: did not find expected key"},
		{
			name: "a name with control characters", in: variables{"guestinfo.metadata": `hostname: "a\eb"`}, err: "guestinfo.metadata: a name with something other than letters, digits and signs",
		},
		{
			name: "metadata that unpacks to too much", in: variables{"guestinfo.metadata": b64(gz(strings.Repeat(" ", 1<<20))), "guestinfo.metadata.encoding": "gz+b64"},
			err: "guestinfo.metadata: it unpacks to more than 65536 bytes",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Source{tt.in}.Read(t.Context())
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Read(%.200q) (-want +got):\n%s", tt.in, diff)
			}
			if (err == nil) != (tt.err == "") || err != nil && err.Error() != tt.err {
				t.Errorf("Read(%.200q): %v, want %q", tt.in, err, tt.err)
			}
		})
	}
}

// A hypervisor keeps the protocol of the back door as VMware's does, with one
// channel.
type standIn struct {
	t         *testing.T
	vars      variables
	old       bool // knows no secrets of channels
	closed    bool // opens none
	moves     int  // how often the machine is moved while a command is under way
	longer    uint32
	open      bool
	in, out   []byte
	expected  uint32
	delivered int
}

const secretHigh, secretLow, channelNumber = 0x1234, 0x5678, 7

func (h *standIn) port(r *registers) {
	if r.ax != magic || r.dx&0xffff != number {
		h.t.Errorf("the guest gives ax %#x, dx %#x, want the magic number and the port", r.ax, r.dx)
	}
	switch r.cx & 0xffff {
	case getVersion:
		r.ax, r.bx = 6, magic
		return
	case message:
	default:
		h.t.Errorf("the guest gives cx %#x, want a message", r.cx)
	}
	what := r.cx &^ 0xffff
	if what != open && (!h.open || r.dx>>16 != channelNumber || !h.old && (r.si != secretHigh || r.di != secretLow)) {
		r.cx = 0
		return
	}
	status := uint32(success)
	switch what {
	case open:
		if h.closed || h.old && r.bx&cookie != 0 || r.bx&^uint32(cookie) != rpci {
			status = 0
			break
		}
		h.open, h.in, h.out = true, nil, nil
		r.dx = channelNumber<<16 | number
		r.si, r.di = secretHigh, secretLow
	case sendLength:
		h.expected, h.in = r.bx, nil
	case send:
		for i := range 4 {
			if uint32(len(h.in)) < h.expected {
				h.in = append(h.in, byte(r.bx>>(8*i)))
			}
		}
		if h.moves > 0 {
			h.moves--
			status = checkpoint
		}
	case receiveLength:
		h.run()
		status |= hasAnswer
		r.bx, r.dx = uint32(len(h.out))+h.longer, sendLength|number
	case receive:
		r.bx = 0
		for i := range min(4, len(h.out)) {
			r.bx |= uint32(h.out[i]) << (8 * i)
		}
		h.out = h.out[min(4, len(h.out)):]
	case received:
		h.delivered++
	case end:
		h.open = false
	}
	r.cx = status << 16
}

func (h *standIn) run() {
	value, err := h.vars.Call(context.Background(), string(h.in))
	if err != nil {
		h.out = []byte("0 No value found")
		return
	}
	h.out = append([]byte("1 "), value...)
}

func TestBackdoor(t *testing.T) {
	tests := []struct {
		name string
		h    standIn
		want string
		err  string
	}{
		{name: "a value", h: standIn{vars: variables{data: text}}, want: text},
		{name: "an empty value", h: standIn{vars: variables{data: ""}}},
		{name: "not set", err: ErrNotSet.Error()},
		{name: "long", h: standIn{vars: variables{data: strings.Repeat("abcde", 20001)}}, want: strings.Repeat("abcde", 20001)},
		{name: "an old host", h: standIn{old: true, vars: variables{data: text}}, want: text},
		{name: "moved meanwhile", h: standIn{moves: 2, vars: variables{data: text}}, want: text},
		{name: "moved all the time", h: standIn{moves: 1 << 30, vars: variables{data: text}}, err: errMoved.Error()},
		{name: "no channel", h: standIn{closed: true}, err: "the hypervisor opens no channel"},
		{name: "a length beyond all bounds", h: standIn{longer: 1 << 30, vars: variables{data: text}}, err: platform.ErrTooLarge.Error()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := tt.h
			h.t = t
			b := Backdoor{h.port}
			if !b.present() {
				t.Error("present() = false, want true")
			}
			got, err := b.Call(t.Context(), "info-get "+data)
			if string(got) != tt.want || (err == nil) != (tt.err == "") || err != nil && err.Error() != tt.err {
				t.Errorf("Call = %.40q, %v, want %.40q, %q", got, err, tt.want, tt.err)
			}
			if h.open {
				t.Error("the channel is open still")
			}
		})
	}
}

// Where there is no such hypervisor, this is told, and nothing ends.
func TestElsewhere(t *testing.T) {
	if _, err := Open(); err == nil {
		return // it runs in VMware
	}
	_, err := probe()
	if err == nil || !strings.Contains(err.Error(), "hypervisor") {
		t.Errorf("probe() = %v, want that there is no such port", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h := &standIn{t: t, vars: variables{data: text}}
	if _, err := (Backdoor{h.port}).Call(ctx, "info-get "+data); !errors.Is(err, context.Canceled) {
		t.Errorf("Call after its time: %v, want that it was cancelled", err)
	}
}

func FuzzOVF(f *testing.F) {
	f.Add([]byte(environment(b64(text))))
	f.Add([]byte(gz(environment("x"))))
	f.Add([]byte("<Environment/>"))
	f.Fuzz(func(t *testing.T, in []byte) {
		out, err := OVF(in)
		if err == nil && len(out) > len(in)*1100 {
			t.Errorf("OVF makes %d bytes of %d", len(out), len(in))
		}
	})
}
