package server

import (
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/bulkhead-os/bulkhead/api/problem"
	"github.com/bulkhead-os/bulkhead/models/schema"
)

const (
	maxBody = 8 << 20

	// Bodies beyond smallBody are read and decoded a few at a time, so that
	// many large ones at once cannot use up the memory.
	smallBody   = 64 << 10
	largeBodies = 4
)

// readBody reads the body and decodes it. Decode must not keep the bytes.
func (s *Server) readBody(c *call, decode func(data []byte) error) error {
	data, large, err := s.read(c)
	if large {
		defer func() { <-s.bodies }()
	}
	if err != nil {
		return err
	}
	return decode(data)
}

// read returns the body, and whether a slot for large bodies is taken.
func (s *Server) read(c *call) (data []byte, large bool, err error) {
	if c.r.ContentLength > maxBody {
		return nil, false, &http.MaxBytesError{Limit: maxBody}
	}
	body := http.MaxBytesReader(c.w, c.r.Body, maxBody)
	data = make([]byte, 0, min(max(c.r.ContentLength, 0), smallBody)+1)
	for {
		if len(data) > smallBody && !large {
			select {
			case s.bodies <- struct{}{}:
				large = true
			case <-c.r.Context().Done():
				return nil, false, c.r.Context().Err()
			}
		}
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
		n, err := body.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if err == io.EOF {
			return data, large, nil
		}
		if err != nil {
			return nil, large, incomplete(err)
		}
	}
}

// incomplete says what is wrong when a body breaks off.
func incomplete(err error) error {
	if _, ok := err.(*http.MaxBytesError); ok {
		return err
	}
	return problem.New(problem.BadRequest, "the body breaks off: %v", err)
}

// mediaType returns the content type of the request without parameters, in
// lower case.
func (c *call) mediaType() string {
	t := c.r.Header.Get("Content-Type")
	if media, _, err := mime.ParseMediaType(t); err == nil {
		return media
	}
	return strings.ToLower(t)
}

const patchTypes = "application/json, application/merge-patch+json (null unsets) or application/toml"

// readSettings reads settings in one of the forms that PATCH /settings takes.
// The input has no errors, but may have warnings.
func (s *Server) readSettings(c *call) (schema.Input, error) {
	var in schema.Input
	var decode func(data []byte) schema.Input
	switch t := c.mediaType(); t {
	case "application/json":
		decode = func(data []byte) schema.Input { return s.opt.Schema.ReadJSON(data, schema.Options{}) }
	case "application/merge-patch+json":
		decode = func(data []byte) schema.Input {
			return s.opt.Schema.ReadJSON(data, schema.Options{Null: schema.NullUnsets})
		}
	case "application/toml":
		decode = func(data []byte) schema.Input { return s.opt.Schema.ReadTOML(data, schema.Options{}) }
	default:
		return in, unsupported(t, patchTypes)
	}
	err := s.readBody(c, func(data []byte) error {
		in = decode(data)
		return nil
	})
	if err != nil {
		return in, err
	}
	c.mention(in.Patch.Set.Keys())
	c.mention(in.Patch.Unset)
	return in, in.Report.Err()
}

func unsupported(got, want string) error {
	if got == "" {
		return problem.New(problem.UnsupportedType, "the request has no content type").WithHint("want %s", want)
	}
	return problem.New(problem.UnsupportedType, "content type %q is not one that this route reads", shorten(got)).WithHint("want %s", want)
}
