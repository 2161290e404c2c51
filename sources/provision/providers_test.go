package provision

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bulkhead-os/bulkhead/sources/platform/guestinfo"
	"github.com/bulkhead-os/bulkhead/sources/platform/imds"
	"github.com/bulkhead-os/bulkhead/sources/platform/localfile"
	"github.com/bulkhead-os/bulkhead/sources/platform/webfile"
)

// texts are user data as nobody should give it.
var texts = []struct {
	name, in string
	want     string // settings of the node
	fault    string // a part of what it reports
}{
	{name: "well", in: greeting, want: `{"motd":"from user data"}`},
	{name: "empty", in: "", want: "{}"},
	{name: "truncated gzip", in: packed(greeting)[:30], want: "{}", fault: "cannot be unpacked: unexpected EOF"},
	{name: "a bomb", in: packed(strings.Repeat("\n", 20<<20)), want: "{}", fault: "unwraps to more than 8 MiB"},
	{name: "UTF-16", in: "\xff\xfe[\x00s\x00", want: "{}", fault: "UTF-8"},
	{name: "not UTF-8", in: "[settings]\nmotd = \"\xe9\"\n", want: "{}", fault: "user-data:2:"},
	{name: "unknown keys", in: "[settings]\nmotd = \"hi\"\nmtod = 1\n", want: `{"motd":"hi"}`, fault: "user-data:3:1: settings.mtod"},
	{name: "half valid", in: "[settings]\nmotd = \"hi\"\n[settings.ntp]\ntime-servers = 5\n", want: `{"motd":"hi"}`, fault: "user-data:4:16: settings.ntp.time-servers"},
	{name: "base64 of gzip", in: base64.StdEncoding.EncodeToString([]byte(packed(greeting))), want: `{"motd":"from user data"}`},
	{name: "10 MiB", in: strings.Repeat("#", 10<<20), want: "{}", fault: "there are more than 8388608 bytes"},
}

func packed(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return b.String()
}

// hostVariable is a host that has one variable.
type hostVariable string

func (v hostVariable) Call(_ context.Context, command string) ([]byte, error) {
	if command != "info-get guestinfo.userdata" || v == "" {
		return nil, guestinfo.ErrNotSet
	}
	return []byte(v), nil
}

// providers return a source that gives text.
var providers = map[string]func(t *testing.T, text string) Source{
	"file": func(t *testing.T, text string) Source {
		return localfile.Source{Dir: filepath.Dir(keep(t, "user-data.toml", text))}
	},
	"credential": func(t *testing.T, text string) Source { return credential{filepath.Dir(keep(t, Credential, text))} },
	"guestinfo":  func(_ *testing.T, text string) Source { return guestinfo.Source{Host: hostVariable(text)} },
	"metadata service": func(t *testing.T, text string) Source {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == http.MethodPut:
				_, _ = w.Write([]byte("token"))
			case r.URL.Path == "/latest/user-data" && text != "":
				_, _ = w.Write([]byte(text))
			default:
				w.WriteHeader(http.StatusNotFound)
			}
		}))
		t.Cleanup(s.Close)
		return imds.Source{Client: imds.New(s.URL)}
	},
	"address": func(t *testing.T, text string) Source {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }))
		t.Cleanup(s.Close)
		return webfile.Source{Cmdline: webfile.URLWord + "=" + s.URL + " " + webfile.DigestWord + "=" + digest([]byte(text))}
	},
}

func keep(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// All providers hand over what they are given as it is, or say why not.
func TestProviders(t *testing.T) {
	for name, provider := range providers {
		for _, tt := range texts {
			t.Run(name+", "+tt.name, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				d, err := provider(t, tt.in).Read(ctx)
				if tt.name == "10 MiB" {
					if err == nil || !strings.Contains(err.Error(), tt.fault) {
						t.Errorf("Read: %v, want %q in it", err, tt.fault)
					}
					return
				}
				if err != nil || string(d.UserData) != tt.in {
					t.Errorf("Read = %.40q, %v, want %.40q", d.UserData, err, tt.in)
				}
			})
		}
	}
}

// Whatever it is given, a node comes up, has what is valid, and says what is not.
func TestTexts(t *testing.T) {
	for _, tt := range texts {
		t.Run(tt.name, func(t *testing.T) {
			n := start(t)
			n.boot(providers["metadata service"](t, tt.in))
			if got := n.user(); got != tt.want {
				t.Errorf("settings: %s, want %s", got, tt.want)
			}
			faults := strings.Join(n.faults(), "\n")
			if !strings.Contains(faults, tt.fault) || tt.fault == "" && faults != "" {
				t.Errorf("faults: %q, want %q in it", faults, tt.fault)
			}
		})
	}
}
