package imageverifierplugins

import (
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// A Base64JSON is a JSON document in base64. It is stored as it was written.
type Base64JSON struct{ b scalar.Base64 }

// ParseBase64JSON returns the document written as s.
func ParseBase64JSON(s string) (Base64JSON, error) {
	b, err := scalar.ParseBase64(s)
	if err != nil {
		return Base64JSON{}, err
	}
	decoded := b.Decoded()
	switch {
	case s == "":
		return Base64JSON{}, fmt.Errorf("base64 of JSON is empty")
	case !jsontext.Value(decoded).IsValid(jsontext.AllowDuplicateNames(true)):
		return Base64JSON{}, fmt.Errorf("base64 of %d bytes that are not one JSON document", len(decoded))
	}
	return Base64JSON{b}, nil
}

// Decoded returns the JSON text.
func (j Base64JSON) Decoded() []byte { return j.b.Decoded() }

// Rule describes the accepted documents.
func (Base64JSON) Rule() scalar.Rule {
	r := scalar.Base64{}.Rule()
	r.Name = "base64 of JSON"
	r.Want = "one JSON document in base64 (standard alphabet, padded, on one line)"
	r.Examples = []string{"e30="}
	return r
}

// String returns the base64 text as it was written.
func (j Base64JSON) String() string { return j.b.String() }

// MarshalText returns the base64 text as it was written.
func (j Base64JSON) MarshalText() ([]byte, error) { return j.b.MarshalText() }

// UnmarshalText reads a document.
func (j *Base64JSON) UnmarshalText(b []byte) (err error) {
	*j, err = ParseBase64JSON(string(b))
	return err
}
