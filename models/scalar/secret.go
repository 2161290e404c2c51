package scalar

import (
	"fmt"
	"log/slog"
)

// Redacted is what a secret prints as. As the value of a secret it is refused,
// so that a document read with secrets hidden cannot be written back over them.
const Redacted = "<redacted>"

// A Secret holds a T that never prints: not through fmt, slog, text or JSON
// encoding. Only Reveal gives the value.
type Secret[T any] struct{ v T }

// NewSecret returns v as a secret.
func NewSecret[T any](v T) Secret[T] { return Secret[T]{v} }

// Reveal returns the value itself. Call it where the value is used.
func (s Secret[T]) Reveal() T { return s.v }

// Inner returns a pointer to the value, for decoders.
func (s *Secret[T]) Inner() any { return &s.v }

// IsSecret marks the type for the schema.
func (s Secret[T]) IsSecret() {}

// String returns Redacted.
func (s Secret[T]) String() string { return Redacted }

// GoString returns Redacted.
func (s Secret[T]) GoString() string { return Redacted }

// Format prints Redacted for every verb.
func (s Secret[T]) Format(f fmt.State, _ rune) { fmt.Fprint(f, Redacted) }

// LogValue returns Redacted.
func (s Secret[T]) LogValue() slog.Value { return slog.StringValue(Redacted) }

// MarshalText returns Redacted.
func (s Secret[T]) MarshalText() ([]byte, error) { return []byte(Redacted), nil }
