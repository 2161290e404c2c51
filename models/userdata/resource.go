package userdata

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// A resource is a text that Ignition has fetched. Here it must stand in the
// document itself.
type resource struct {
	text        []byte
	at          syntax.Pos
	given       bool
	compression string
	hash        string
	hashAt      syntax.Pos
}

// resource reads the resource at f; ok is false, and a fault reported unless
// nothing is given, when there is no text.
func (i ignition) resource(f syntax.Field, path string) (text []byte, at syntax.Pos, ok bool) {
	var r resource
	faults := len(i.rep.Faults)
	i.members(f.Value, path, map[string]handler{
		"source": func(f syntax.Field, path string) { i.source(&r, f, path) },
		"inline": func(f syntax.Field, path string) { i.inlined(&r, f, path) },
		"local": func(f syntax.Field, path string) {
			if !i.inline {
				i.unknown(f, path)
				return
			}
			i.refuse(f.Pos, path, "butane reads such files; give its result, or the text itself as inline")
		},
		"compression": func(f syntax.Field, path string) { i.compression(&r, f, path) },
		"httpHeaders": i.refused("ignition.config"),
		"verification": func(f syntax.Field, path string) {
			i.members(f.Value, path, map[string]handler{"hash": func(f syntax.Field, path string) {
				r.hash, _ = i.text(f.Value, path)
				r.hashAt = f.Value.Pos
			}}, i.unknown)
		},
	}, i.unknown)
	if !r.given || len(i.rep.Faults) > faults {
		return nil, r.at, false
	}
	if err := r.unpack(i.left); err != nil {
		i.fault(report.InvalidValue, r.at, path, "the text cannot be unpacked: "+err.Error(), "")
		return nil, r.at, false
	}
	if err := r.verify(); err != nil {
		i.fault(report.InvalidValue, r.hashAt, path+".verification.hash", err.Error(), "want sha256- or sha512- with the digest of the text in hexadecimal")
		return nil, r.at, false
	}
	return r.text, r.at, true
}

func (i ignition) source(r *resource, f syntax.Field, path string) {
	s, ok := i.text(f.Value, path)
	if !ok || !i.single(r, f, path) {
		return
	}
	scheme, _, _ := strings.Cut(s, ":")
	if s != "" && scheme != "data" {
		i.fault(report.Unsupported, f.Value.Pos, path, fmt.Sprintf("nothing is fetched from %q", shorten(scheme)+":"), "give the text itself, as a URL that begins with data:")
		return
	}
	text, err := dataURL(s)
	if err != nil {
		i.fault(report.InvalidValue, f.Value.Pos, path, err.Error(), "want data:,TEXT or data:;base64,TEXT")
		return
	}
	r.text = text
}

func (i ignition) inlined(r *resource, f syntax.Field, path string) {
	if !i.inline {
		i.unknown(f, path)
		return
	}
	if s, ok := i.text(f.Value, path); ok && i.single(r, f, path) {
		r.text = []byte(s)
	}
}

// single reports whether f is the first to give the text.
func (i ignition) single(r *resource, f syntax.Field, path string) bool {
	if r.given {
		i.fault(report.Conflict, f.Pos, path, "the text is given in two ways", "want one of inline, local and source")
		return false
	}
	r.given, r.at = true, f.Value.Pos
	return true
}

func (i ignition) compression(r *resource, f syntax.Field, path string) {
	s, ok := i.text(f.Value, path)
	if ok && s != "" && s != "gzip" {
		i.fault(report.InvalidValue, f.Value.Pos, path, fmt.Sprintf("compression %q is not known", shorten(s)), "want gzip, or nothing")
		return
	}
	r.compression = s
}

// dataURL returns the text in a URL of scheme data. The empty URL is an empty
// text.
func dataURL(s string) ([]byte, error) {
	if s == "" {
		return nil, nil
	}
	kind, data, ok := strings.Cut(strings.TrimPrefix(s, "data:"), ",")
	if !ok {
		return nil, errors.New("the data: URL has no comma before its text")
	}
	text, err := url.PathUnescape(data)
	if err != nil {
		return nil, fmt.Errorf("the data: URL has a bad escape: %w", err)
	}
	if !strings.HasSuffix(kind, ";base64") {
		return []byte(text), nil
	}
	out, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("the data: URL: %w", err)
	}
	return out, nil
}

// unpack undoes the compression, to at most *left bytes.
func (r *resource) unpack(left *int) (err error) {
	if r.compression == "gzip" {
		r.text, err = gunzip(r.text, *left)
		*left -= len(r.text)
	}
	return err
}

// verify compares the text with its digest, if there is one.
func (r *resource) verify() error {
	if r.hash == "" {
		return nil
	}
	kind, want, _ := strings.Cut(r.hash, "-")
	var got []byte
	switch kind {
	case "sha256":
		sum := sha256.Sum256(r.text)
		got = sum[:]
	case "sha512":
		sum := sha512.Sum512(r.text)
		got = sum[:]
	default:
		return fmt.Errorf("digest %q is of no known kind", shorten(r.hash))
	}
	sum, err := hex.DecodeString(want)
	if err != nil || !bytes.Equal(sum, got) {
		return fmt.Errorf("the text has the digest %s-%x", kind, got)
	}
	return nil
}
