package hostcontainerd

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/core/remotes/docker"
	remoteerrors "github.com/containerd/containerd/v2/core/remotes/errors"
)

func TestRetryAfterHeader(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"": 0, "0": 0, "17": 17 * time.Second, "-3": 0, "1.5": 0, "soon": 0, "99999999999999999999": 0,
		"Sat, 21 Nov 2026 12:00:30 GMT": 30 * time.Second, "Sat, 21 Nov 2026 11:59:00 GMT": -time.Minute,
	} {
		if got := retryAfter(header, now); got != want {
			t.Errorf("retryAfter(%q) = %s, want %s", header, got, want)
		}
	}
}

// Each fault has its words, and says whether trying again soon is of use.
func TestExplained(t *testing.T) {
	status := func(code int) error {
		return fmt.Errorf("pull: %w", remoteerrors.ErrUnexpectedStatus{StatusCode: code, Status: http.StatusText(code)})
	}
	for _, tt := range []struct {
		name  string
		err   error
		words string // in front; none where err is as it was
		final bool
	}{
		{"credentials", status(http.StatusUnauthorized), "the registry wants credentials", true},
		{"invalid credentials", fmt.Errorf("pull: %w", docker.ErrInvalidAuthorization), "the registry wants credentials", true},
		{"refused", status(http.StatusForbidden), "the registry refuses", true},
		{"nothing there", status(http.StatusNotFound), "the registry has no such image", true},
		{"busy", status(http.StatusTooManyRequests), "the registry has too many requests", false},
		{"down", status(http.StatusBadGateway), "the registry does not work", false},
		{"no answer", fmt.Errorf("pull: %w", errSlow), "the registry is too slow", false},
		{"full", errors.New("apply layer: write /x: no space left on device"), "there is no room left", true},
		{"digest", errors.New("commit: unexpected commit digest sha256:1, expected sha256:2"), "what the registry gives is not", false},
		{"layer", errors.New("failed to extract layer sha256:1: archive/tar: invalid tar header"), "a layer of the image cannot be unpacked", true},
		{"something else", errors.New("something else"), "", false},
	} {
		got := explained(tt.err)
		if !strings.HasPrefix(got.Error(), tt.words) || !errors.Is(got, tt.err) || final(got) != tt.final {
			t.Errorf("%s: explained(%v) = %q, final %t, want %q in front, final %t", tt.name, tt.err, got, final(got), tt.words, tt.final)
		}
	}
	if err := explained(nil); err != nil {
		t.Errorf("explained(nil) = %v", err)
	}
}
