package usage_test

import (
	"errors"
	"testing"

	"github.com/bulkhead-os/bulkhead/sources/internal/usage"
)

func TestMistake(t *testing.T) {
	cause := errors.New("no file is named")
	err := usage.Mistake(cause)
	coded, ok := errors.AsType[interface {
		error
		ExitCode() int
	}](err)
	if !ok || coded.ExitCode() != 2 || err.Error() != cause.Error() || !errors.Is(err, cause) {
		t.Errorf("Mistake(%v) = %v with an exit code: %t, want the same error with code 2", cause, err, ok)
	}
	if !usage.Is(err) || usage.Is(cause) {
		t.Errorf("Is: %t for the mistake, %t for its cause, want true and false", usage.Is(err), usage.Is(cause))
	}
}
