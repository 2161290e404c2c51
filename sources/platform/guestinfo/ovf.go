package guestinfo

import (
	"bytes"
	"compress/gzip"
	"encoding/xml"
	"errors"
	"fmt"
	"io"

	"github.com/bulkhead-os/bulkhead/sources/platform"
)

// property is the one whose value is user data, in base64.
const property = "user-data"

// OVF returns the user data in the environment of an OVF, which may be packed
// with gzip. One without the property has none.
func OVF(text []byte) ([]byte, error) {
	var r io.Reader = bytes.NewReader(text)
	if bytes.HasPrefix(text, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, err
		}
		r = z
	}
	text, err := platform.ReadAll(r)
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, nil
	}
	// The names of attributes are taken without what stands before their colon.
	var env struct {
		XMLName    xml.Name `xml:"Environment"`
		Properties []struct {
			Key   string `xml:"key,attr"`
			Value string `xml:"value,attr"`
		} `xml:"PropertySection>Property"`
	}
	if err := xml.Unmarshal(text, &env); err != nil {
		if fault, ok := errors.AsType[*xml.SyntaxError](err); ok {
			return nil, fmt.Errorf("line %d: the environment of the OVF is not XML: %s", fault.Line, fault.Msg)
		}
		return nil, fmt.Errorf("the environment of the OVF: %w", err)
	}
	for _, p := range env.Properties {
		if p.Key != property {
			continue
		}
		data, err := fromBase64([]byte(p.Value))
		if err != nil {
			return nil, fmt.Errorf("property %s: %w", property, err)
		}
		return data, nil
	}
	return nil, nil
}
