package server

import (
	"io"
	"mime"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/api/problem"
	"github.com/bulkhead-os/bulkhead/models/schema"
)

const (
	maxBody = 8 << 20

	// Requests with bodies beyond smallBody are carried out few at a time, so
	// that many of them at once cannot use up the memory.
	smallBody   = 64 << 10
	largeBodies = 2

	// After a body beyond hugeBody its memory is given back at once: the daemon
	// is resident, and may not see its like again.
	hugeBody = 1 << 20
)

// read returns the body. When it is large the call has a slot from then on,
// which finish gives back.
func (s *Server) read(c *call) ([]byte, error) {
	if c.r.ContentLength > maxBody {
		return nil, &http.MaxBytesError{Limit: maxBody}
	}
	body := http.MaxBytesReader(c.w, c.r.Body, maxBody)
	data := make([]byte, 0, min(max(c.r.ContentLength, 0), smallBody)+1)
	for {
		if len(data) > smallBody && c.body == 0 {
			select {
			case s.bodies <- struct{}{}:
			case <-c.r.Context().Done():
				return nil, c.r.Context().Err()
			}
			c.body = len(data)
			data = slices.Grow(data, max(int(c.r.ContentLength)-len(data), 0)+1) // the length may be unknown
		}
		if len(data) == cap(data) {
			data = slices.Grow(data, 1)
		}
		n, err := body.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if c.body > 0 {
			c.body = len(data)
		}
		if err == io.EOF {
			return data, nil
		}
		if err != nil {
			return nil, incomplete(err)
		}
	}
}

// finish gives back what a large body has taken.
func (s *Server) finish(c *call) {
	if c.body == 0 {
		return
	}
	<-s.bodies
	if c.body > hugeBody && len(s.bodies) == 0 {
		debug.FreeOSMemory()
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

// readSettings reads settings in one of the forms that PATCH /settings takes;
// the content type decides about null. The input has no errors, but may have
// warnings.
func (s *Server) readSettings(c *call, opt schema.Options) (schema.Input, error) {
	var in schema.Input
	decode := s.opt.Schema.ReadJSON
	switch t := c.mediaType(); t {
	case "application/json":
	case "application/merge-patch+json":
		opt.Null = schema.NullUnsets
	case "application/toml":
		decode = s.opt.Schema.ReadTOML
	default:
		return in, unsupported(t, patchTypes)
	}
	data, err := s.read(c)
	if err != nil {
		return in, err
	}
	in = decode(data, opt)
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
