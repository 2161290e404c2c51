package server

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/bulkhead-os/bulkhead/api/problem"
	"github.com/bulkhead-os/bulkhead/api/updater"
)

// maxBundle bounds what is taken from the network: twice what slots of any size
// that is sold today hold.
const maxBundle = 16 << 30

var bundleActions = []string{string(updater.Apply), string(updater.Prepare), string(updater.Refresh)}

// takeBundle answers POST /updates/bundle.
func (s *Server) takeBundle(c *call) error {
	u, err := s.updater()
	if err != nil {
		return err
	}
	action, err := c.query.choice("action", bundleActions...)
	if err != nil {
		return err
	}
	r, err := c.updateRequest(updater.Action(action))
	if err != nil {
		return err
	}
	if r.BundleSize, err = c.bundleSize(); err != nil {
		return err
	}
	if !u.upload.TryLock() {
		return problem.New(problem.UpdateBusy, "another bundle is being received")
	}
	defer u.upload.Unlock()
	if busy, err := u.Busy(); err == nil && busy { // the updater says so too, once it has been sent something
		return problem.New(problem.UpdateBusy, "the updater is at work").WithHint("GET /updates/status?progress=1 says how far it is")
	}
	return s.begin(c, u, r, &patientBody{c, s.patience.piece})
}

func (c *call) bundleSize() (int64, error) {
	switch t := c.mediaType(); t {
	case bundleTypes[0], bundleTypes[1], "":
	default:
		return 0, unsupported(t, bundleTypes[0]+" or "+bundleTypes[1])
	}
	switch n := c.r.ContentLength; {
	case n < 0:
		return 0, problem.New(problem.LengthRequired, "the request does not say how long the bundle is").WithHint("send Content-Length")
	case n == 0:
		return 0, problem.New(problem.BadRequest, "the bundle is empty")
	case n > maxBundle:
		return 0, &http.MaxBytesError{Limit: maxBundle}
	default:
		return n, nil
	}
}

// A patientBody is a body that may take as long as it comes at all.
type patientBody struct {
	c     *call
	piece time.Duration // for the next bytes
}

// A cutError says that a body broke off.
type cutError struct{ error }

func (e *cutError) Unwrap() error { return e.error }

// Read reads the next bytes.
func (b *patientBody) Read(p []byte) (int, error) {
	rc := http.NewResponseController(b.c.w)
	if err := rc.SetReadDeadline(time.Now().Add(b.piece)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, &cutError{err}
	}
	// The answer comes after all of it, and after the updater has looked at it.
	if err := b.c.deadline(time.Now().Add(3 * b.piece)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, &cutError{err}
	}
	n, err := b.c.r.Body.Read(p)
	if err != nil && (err != io.EOF || n == 0) {
		return n, &cutError{err}
	}
	return n, nil
}
