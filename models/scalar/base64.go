package scalar

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// A Base64 is data in base64 with the standard alphabet and padding, on one
// line. It may be empty.
type Base64 struct{ s string }

// ParseBase64 returns the Base64 written as s. An error gives the place and
// not the value, because private keys and credentials have this type.
func ParseBase64(s string) (Base64, error) {
	// The decoder skips line breaks, even in strict mode.
	if i := strings.IndexAny(s, "\r\n"); i >= 0 {
		return Base64{}, fmt.Errorf("base64 text: byte %d is a line break", i+1)
	}
	if _, err := base64.StdEncoding.Strict().DecodeString(s); err != nil {
		return Base64{}, fmt.Errorf("base64 text of %d bytes: %s", len(s), base64Fault(s, err))
	}
	return Base64{s}, nil
}

// base64Fault says what is wrong with s without saying what s is.
func base64Fault(s string, err error) string {
	if i := strings.IndexFunc(s, notBase64); i >= 0 {
		return fmt.Sprintf("byte %d is not of the standard alphabet", i+1)
	}
	if len(s)%4 != 0 {
		return "the length is not a multiple of 4, padding is missing or the text is cut off"
	}
	at := len(s)
	if e, ok := errors.AsType[base64.CorruptInputError](err); ok {
		at = int(e) + 1
	}
	return fmt.Sprintf("the ending at byte %d is not canonical, it has misplaced padding or superfluous bits", at)
}

func notBase64(r rune) bool {
	return !('A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '+' || r == '/' || r == '=')
}

// Decoded returns the data.
func (b Base64) Decoded() []byte {
	d, err := base64.StdEncoding.Strict().DecodeString(b.s)
	if err != nil {
		panic("scalar: Base64 holds no base64: " + err.Error()) // ParseBase64 has decoded it before
	}
	return d
}

// String returns the text as it was written, not the data.
func (b Base64) String() string { return b.s }

// MarshalText returns the text as it was written.
func (b Base64) MarshalText() ([]byte, error) { return []byte(b.s), nil }

// UnmarshalText reads what ParseBase64 accepts.
func (b *Base64) UnmarshalText(t []byte) (err error) {
	*b, err = ParseBase64(string(t))
	return err
}

// Rule describes the type.
func (Base64) Rule() Rule {
	return Rule{
		Name:     "base64 text",
		Want:     "base64 with the standard alphabet and padding, without line breaks and spaces",
		Pattern:  "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
		Examples: []string{"aGVsbG8="},
	}
}
