package platform_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/variant"
	"github.com/bulkhead-os/bulkhead/sources/platform"
	"github.com/bulkhead-os/bulkhead/variants"
)

func TestDetect(t *testing.T) {
	tests := []struct {
		name   string
		fields map[string]string
		want   platform.Machine
	}{
		{name: "nothing"},
		{
			name: "Nitro", fields: map[string]string{"sys_vendor": "Amazon EC2\n", "product_name": "m5.large\n", "product_uuid": "EC2A-1\n"},
			want: platform.Machine{Kind: platform.EC2, Vendor: "Amazon EC2", Product: "m5.large", UUID: "ec2a-1"},
		},
		{
			name: "before Nitro", fields: map[string]string{"sys_vendor": "Xen", "product_name": "HVM domU", "bios_version": "4.11.amazon"},
			want: platform.Machine{Kind: platform.EC2, Vendor: "Xen", Product: "HVM domU"},
		},
		{
			name: "Xen of others", fields: map[string]string{"sys_vendor": "Xen", "bios_version": "4.11"},
			want: platform.Machine{Kind: platform.Other, Vendor: "Xen"},
		},
		{
			name: "VMware", fields: map[string]string{"sys_vendor": "VMware, Inc.", "product_name": "VMware20,1", "product_serial": "VMware-42 1d"},
			want: platform.Machine{Kind: platform.VMware, Vendor: "VMware, Inc.", Product: "VMware20,1", Serial: "VMware-42 1d"},
		},
		{name: "QEMU", fields: map[string]string{"sys_vendor": "QEMU"}, want: platform.Machine{Kind: platform.QEMU, Vendor: "QEMU"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sys := fstest.MapFS{}
			for name, text := range tt.fields {
				sys["class/dmi/id/"+name] = &fstest.MapFile{Data: []byte(text)}
			}
			if diff := cmp.Diff(tt.want, platform.Detect(sys)); diff != "" {
				t.Errorf("Detect(%v) (-want +got):\n%s", tt.fields, diff)
			}
		})
	}
}

// The name of a variant begins with the platform that it is for, by which a
// machine that says nothing is told.
func TestVariants(t *testing.T) {
	entries, err := variants.Files.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".toml")
		if !ok {
			continue
		}
		v, err := variant.Load(variants.Files, name)
		if err != nil {
			t.Fatal(err)
		}
		for platformName, kind := range map[string]platform.Kind{"aws": platform.EC2, "vmware": platform.VMware} {
			if got, want := (platform.Machine{}).On(kind, name), v.Platform == platformName; got != want {
				t.Errorf("On(%s, %s) of a machine that says nothing: %v, want %v", kind, name, got, want)
			}
		}
		if (platform.Machine{Kind: platform.QEMU}).On(platform.EC2, name) {
			t.Errorf("On(%s, %s) of a machine in QEMU: true, want false", platform.EC2, name)
		}
	}
}

func TestReadAll(t *testing.T) {
	for _, tt := range []struct {
		name string
		size int
		want error
	}{
		{"nothing", 0, nil},
		{"as much as may be", platform.MaxBytes, nil},
		{"one more", platform.MaxBytes + 1, platform.ErrTooLarge},
		{"10 MiB", 10 << 20, platform.ErrTooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := platform.ReadAll(bytes.NewReader(make([]byte, tt.size)))
			if !errors.Is(err, tt.want) || err == nil && len(got) != tt.size {
				t.Errorf("ReadAll of %d bytes: %d bytes, %v, want %v", tt.size, len(got), err, tt.want)
			}
		})
	}
}

func TestName(t *testing.T) {
	for _, tt := range []struct {
		in string
		ok bool
	}{
		{"", true}, {"n-1.example.org", true}, {"i-0123", true}, {"a b", false}, {"a\nb", false}, {"\x1b[2J", false}, {"ü", false}, {strings.Repeat("a", 254), false},
	} {
		if got, err := platform.Name(tt.in); (err == nil) != tt.ok || err == nil && got != tt.in {
			t.Errorf("Name(%.20q) = %q, %v, want ok %v", tt.in, got, err, tt.ok)
		}
	}
}

// Pauses grow, heed what the other side asks for, and end with the time there is.
func TestRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var pauses []time.Duration
		last := time.Now()
		err := platform.Retry(ctx, func(context.Context) error {
			pauses = append(pauses, time.Since(last))
			last = time.Now()
			return &platform.Later{Err: errors.New("not yet")}
		})
		if err == nil || !strings.HasPrefix(err.Error(), "gave up after ") || !strings.HasSuffix(err.Error(), " tries: not yet") {
			t.Errorf("Retry: %v, want that it gave up", err)
		}
		if len(pauses) < 12 || len(pauses) > 40 || pauses[1] > 100*time.Millisecond {
			t.Errorf("Retry paused %v, want short pauses first and long ones then", pauses)
		}
		for _, p := range pauses {
			if p > 5*time.Second {
				t.Errorf("Retry paused %s, want 5s at most", p)
			}
		}
		began, n := time.Now(), 0
		err = platform.Retry(t.Context(), func(context.Context) error {
			if n++; n == 1 {
				return &platform.Later{Err: errors.New("x"), After: 7 * time.Second}
			}
			return nil
		})
		if took := time.Since(began); err != nil || took != 7*time.Second {
			t.Errorf("Retry of what asks for 7s: %v after %s", err, took)
		}
	})
}

func TestWait(t *testing.T) {
	for _, tt := range []struct {
		status int
		header string
		want   time.Duration // negative for no second try
	}{
		{200, "", -1},
		{400, "", -1},
		{401, "", -1},
		{404, "", -1},
		{429, "", 0},
		{429, "3", 3 * time.Second},
		{500, "", 0},
		{501, "", -1},
		{503, "nonsense", 0},
		{503, "-5", 0},
		{503, "999999999", time.Hour},
	} {
		resp := &http.Response{StatusCode: tt.status, Header: http.Header{"Retry-After": {tt.header}}}
		got := time.Duration(-1)
		if later, ok := errors.AsType[*platform.Later](platform.Wait(resp, errors.New("x"))); ok {
			got = later.After
		}
		if got != tt.want {
			t.Errorf("Wait(%d, Retry-After %q): %s, want %s", tt.status, tt.header, got, tt.want)
		}
	}
}
