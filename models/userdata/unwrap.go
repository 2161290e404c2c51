package userdata

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/bulkhead-os/bulkhead/models/report"
)

var gzipMagic = []byte{0x1f, 0x8b}

// errTooLong says that text unwraps to more than is left of MaxText.
var errTooLong = errors.New("it unwraps to more than 8 MiB")

// unwrap takes gzip and base64 off data, at most depth times.
func (d *decoder) unwrap(p *piece, data []byte, depth int) (text []byte, layers []string, ok bool) {
	text = data
	for {
		layer := layerOf(text)
		if layer == "" {
			return text, layers, true
		}
		if len(layers) == depth {
			p.fault(report.TooLarge, fmt.Sprintf("user data is wrapped more than %d times", maxLayers), "want one layer of gzip, base64 or multi-part")
			return nil, layers, false
		}
		if len(text) > MaxPacked {
			p.fault(report.TooLarge, fmt.Sprintf("user data has %d bytes in %s", len(text), layer), fmt.Sprintf("want at most %d", MaxPacked))
			return nil, layers, false
		}
		layers = append(layers, layer)
		if layer == "base64" {
			text, _ = fromBase64(text) // layerOf has tried
			continue
		}
		var err error
		if text, err = gunzip(text, d.left); err != nil {
			code := report.Syntax
			if errors.Is(err, errTooLong) {
				code = report.TooLarge
			}
			p.fault(code, "user data in gzip cannot be unpacked: "+err.Error(), "pack it again; a text cut off on its way ends too early")
			return nil, layers, false
		}
		d.left -= len(text)
	}
}

// layerOf names what text is wrapped in, if it is.
func layerOf(text []byte) string {
	if bytes.HasPrefix(text, gzipMagic) {
		return "gzip"
	}
	inner, ok := fromBase64(text)
	if ok && (bytes.HasPrefix(inner, gzipMagic) || utf8.Valid(inner) && bytes.IndexByte(inner, 0) < 0) {
		return "base64"
	}
	return ""
}

// fromBase64 decodes text if nothing in it is anything else. No other language
// of user data can do without a character that base64 lacks.
func fromBase64(text []byte) ([]byte, bool) {
	packed := make([]byte, 0, min(len(text), MaxPacked))
	for _, c := range text {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '+', c == '/', c == '=':
			packed = append(packed, c)
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
		default:
			return nil, false
		}
	}
	if len(packed) == 0 {
		return nil, false
	}
	if len(packed)%4 == 0 {
		out, err := base64.StdEncoding.Strict().DecodeString(string(packed))
		return out, err == nil
	}
	out, err := base64.RawStdEncoding.Strict().DecodeString(string(packed))
	return out, err == nil
}

// gunzip unpacks data to at most limit bytes.
func gunzip(data []byte, limit int) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if len(text) > limit {
		return nil, errTooLong
	}
	return text, err
}
