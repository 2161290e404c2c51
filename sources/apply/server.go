package apply

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/bulkhead-os/bulkhead/api/applier"
	"github.com/bulkhead-os/bulkhead/api/problem"
	"github.com/bulkhead-os/bulkhead/sources/internal/unixsocket"
)

const (
	// maxBody is more than the settings of any node come to.
	maxBody = 32 << 20
	// patience is how long a caller may take to send or to read something.
	patience = 10 * time.Second
)

// A server answers requests.
type server struct {
	worker *worker
	queue  *queue
	peers  []uint32 // users that may call
	log    *slog.Logger
}

func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /warm", s.handle(s.warm))
	mux.HandleFunc("POST /plan", s.handle(s.plan))
	mux.HandleFunc("POST /apply", s.handle(s.apply))
	mux.HandleFunc("/", s.handle(func(_ http.ResponseWriter, r *http.Request) error {
		return problem.New(problem.NoRoute, "there is no %s %s, only POST /warm, POST /plan and POST /apply", r.Method, r.URL.Path)
	}))
	return mux
}

// handle is the one place where an error becomes an answer.
func (s *server) handle(h func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := s.admit(r)
		if err == nil {
			err = h(w, r)
		}
		if err == nil {
			return
		}
		s.log.Warn("request failed", "method", r.Method, "path", r.URL.Path, "err", err)
		p, ok := errors.AsType[*problem.Problem](err)
		if !ok {
			// The caller is apiserver, which has no other way to the cause.
			p = problem.New(problem.Internal, "%v", err)
		}
		problem.Write(w, p)
	}
}

// warm has read what later requests need of the image when it answers.
func (s *server) warm(w http.ResponseWriter, r *http.Request) error {
	var os applier.OS
	if err := readRequest(w, r, &os); err != nil {
		return err
	}
	return s.worker.warm(r.Context(), os)
}

func (s *server) plan(w http.ResponseWriter, r *http.Request) error {
	var req applier.Request
	if err := readRequest(w, r, &req); err != nil {
		return err
	}
	p, err := s.worker.makePlan(r.Context(), req)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(p)
}

// apply streams what becomes of the request. When the caller goes away, the
// request is carried out all the same.
func (s *server) apply(w http.ResponseWriter, r *http.Request) error {
	var req applier.Request
	if err := readRequest(w, r, &req); err != nil {
		return err
	}
	if err := s.worker.check(req); err != nil {
		return err
	}
	t := s.queue.submit(req)
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	out, lines := http.NewResponseController(w), json.NewEncoder(w)
	for {
		items := t.take()
		for _, item := range items {
			if err := send(out, lines, item); err != nil {
				s.log.Warn("caller has gone", "err", err)
				return nil
			}
		}
		if slices.ContainsFunc(items, func(i applier.Item) bool { return i.Result != nil }) {
			return nil
		}
	}
}

func send(out *http.ResponseController, lines *json.Encoder, item applier.Item) error {
	if err := out.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if err := lines.Encode(item); err != nil {
		return err
	}
	return out.Flush()
}

// readRequest reads the body of r into req.
func readRequest(w http.ResponseWriter, r *http.Request, req any) error {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return problem.New(problem.UnsupportedType, "content type %q, want application/json", r.Header.Get("Content-Type"))
	}
	if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	err := d.Decode(req)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("there is something behind the request")
		}
	}
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return problem.New(problem.TooLarge, "the request has more than %d bytes", tooLarge.Limit)
	}
	if err != nil {
		return problem.New(problem.BadRequest, "read the request: %v", err)
	}
	return nil
}

type peerKey struct{}

// withPeer notes in the context of a connection who is at its other end.
func (s *server) withPeer(ctx context.Context, c net.Conn) context.Context {
	uc, ok := c.(*net.UnixConn)
	if !ok {
		return ctx
	}
	uid, err := unixsocket.PeerUID(uc)
	if err != nil {
		s.log.Warn("caller is not known", "err", err)
		return ctx
	}
	return context.WithValue(ctx, peerKey{}, uid)
}

// admit refuses callers that may not use the socket, whatever its mode is.
func (s *server) admit(r *http.Request) error {
	uid, known := r.Context().Value(peerKey{}).(uint32)
	if !known {
		return problem.New(problem.Forbidden, "the caller is not known")
	}
	if !slices.Contains(s.peers, uid) {
		return problem.New(problem.Forbidden, "user %d may not make plans here", uid)
	}
	return nil
}
