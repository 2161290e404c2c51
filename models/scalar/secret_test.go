package scalar_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// A secret gives itself away by no way of printing.
func TestSecretNeverPrints(t *testing.T) {
	s := scalar.NewSecret("hunter2")
	holder := struct{ S scalar.Secret[string] }{s}
	asJSON, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "secret", s, "holder", holder)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "secret", s, "holder", holder)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T"} {
		if got := fmt.Sprintf(verb, s) + fmt.Sprintf(verb, &s) + fmt.Sprintf(verb, holder); strings.Contains(got, "hunter2") || strings.Contains(got, "68756e74") {
			t.Errorf("Sprintf(%q) of a secret = %q", verb, got)
		}
	}
	if strings.Contains(string(asJSON), "hunter2") || strings.Contains(log.String(), "hunter2") {
		t.Errorf("a secret prints:\n%s\n%s", asJSON, &log)
	}
	if got := s.Reveal(); got != "hunter2" {
		t.Errorf("Reveal = %q, want the value", got)
	}
}

func TestSecretInner(t *testing.T) {
	var s scalar.Secret[scalar.SingleLine]
	if err := s.Inner().(*scalar.SingleLine).UnmarshalText([]byte("pw")); err != nil {
		t.Fatal(err)
	}
	if got := s.Reveal().String(); got != "pw" {
		t.Errorf("Reveal after decoding into Inner = %q, want pw", got)
	}
}
