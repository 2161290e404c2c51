package kubernetes_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/internal/valuetest"
	"github.com/bulkhead-os/bulkhead/models/settings/kubernetes"
)

func TestParseAPIServer(t *testing.T) {
	tests := []struct{ name, in, want, err string }{
		{name: "URL", in: "https://api.example.org:6443", want: "https://api.example.org:6443/"},
		{name: "name", in: "api.example.org", want: "http://api.example.org/"},
		{name: "name and port", in: "api.example.org:6443", want: "api.example.org:6443"},
		{name: "IPv6 address", in: "https://[2001:db8::1]:6443", want: "https://[2001:db8::1]:6443/"},
		{name: "empty", err: `API server: URL is empty`},
		{name: "no host", in: "mailto:someone", err: `API server "mailto:someone" has no host, want a URL such as https://api.example.org:6443`},
		{name: "a scheme's slash alone", in: "file:/a", err: `API server "file:/a" has no host, want a URL such as https://api.example.org:6443`},
		{name: "escape that is none", in: "https://a/%zz", err: `API server "https://a/%zz" has no host, want a URL such as https://api.example.org:6443`},
		{name: "line feed", in: "https://a\n", err: `API server: URL "https://a\n": byte 10 is the control character U+000A`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := kubernetes.ParseAPIServer(tt.in)
			if diff := cmp.Diff([]string{tt.want, tt.err}, []string{got.String(), valuetest.ErrorText(err)}); diff != "" {
				t.Errorf("ParseAPIServer(%q): value and error (-want +got):\n%s", tt.in, diff)
			}
		})
	}
	for _, s := range (kubernetes.APIServer{}).Rule().Examples {
		valuetest.PrintsAs(t, *valuetest.Parse[kubernetes.APIServer](t, s), s)
	}
}
