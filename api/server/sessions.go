package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/bulkhead-os/bulkhead/api/containers"
	"github.com/bulkhead-os/bulkhead/api/exec"
	"github.com/bulkhead-os/bulkhead/api/problem"
)

// How many programs may run in containers by the API.
const (
	maxSessions    = 32
	maxOfOneCaller = 8
)

// sessions are the programs that run in containers for callers.
type sessions struct {
	under sync.WaitGroup // one for each session
	pulls chan struct{}  // slots for images that are fetched

	mu sync.Mutex // guards what follows
	of map[string]int
	n  int
}

func newSessions() *sessions {
	return &sessions{pulls: make(chan struct{}, maxPulls), of: map[string]int{}}
}

// begin takes a place for a session of the caller called name.
func (s *sessions) begin(name string) (end func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	const hint = "try again when one has ended"
	switch {
	case s.n >= maxSessions:
		return nil, problem.New(problem.TooManySessions, "%d programs run in containers by the API already", maxSessions).WithHint(hint)
	case s.of[name] >= maxOfOneCaller:
		return nil, problem.New(problem.TooManySessions, "%s runs %d programs in containers already", name, maxOfOneCaller).WithHint(hint)
	}
	s.n++
	s.of[name]++
	s.under.Add(1)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.n--
		if s.of[name]--; s.of[name] == 0 {
			delete(s.of, name)
		}
		s.under.Done()
	}, nil
}

// exec answers GET /exec.
func (s *Server) exec(c *call) error {
	return s.session(c, func(i exec.Initialize) containers.Request {
		return containers.Request{Operation: containers.Exec, Name: i.Target}
	})
}

// debug answers GET /debug.
func (s *Server) debug(c *call) error {
	image, given, err := c.query.text("image")
	if err != nil {
		return err
	}
	if !given {
		return badParameter("image", "it is missing").WithHint("name an image, as registry.example.org/team/tool:v1")
	}
	superpowered, err := c.query.flag("superpowered")
	if err != nil {
		return err
	}
	c.entry.Message = "image " + shorten(image)
	if superpowered {
		c.entry.Message += ", superpowered"
	}
	return s.session(c, func(exec.Initialize) containers.Request {
		return containers.Request{Operation: containers.Launch, Image: image, Superpowered: superpowered, Proxy: s.proxy()}
	})
}

// session makes the connection a session, in which what request returns is asked
// for.
func (s *Server) session(c *call, request func(exec.Initialize) containers.Request) error {
	service, err := s.containers()
	if err != nil {
		return err
	}
	if c.r.Method != http.MethodGet || !upgrades(c.r.Header) {
		return problem.New(problem.UpgradeRequired, "%s speaks the WebSocket protocol", c.route.Path).WithHint("apiclient %s does", strings.TrimPrefix(c.route.Path, "/"))
	}
	end, err := s.sessions.begin(c.peer.name)
	if err != nil {
		return err
	}
	defer end()
	ctx, cancel := s.untilClosing(c)
	defer cancel()
	c.status = http.StatusSwitchingProtocols
	ws, err := exec.Accept(c.w, c.r)
	if err != nil { // the answer says why
		c.status = http.StatusBadRequest
		c.entry.Outcome = err.Error()
		return nil
	}
	start := func(ctx context.Context, i exec.Initialize) (exec.Process, error) {
		c.entry.Container, c.entry.Command = i.Target, wordsText(i.Command)
		r := request(i)
		r.Actor, r.Terminal = c.peer.name, terminalOf(i.TTY)
		for _, w := range i.Command {
			r.Command = append(r.Command, []byte(w))
		}
		stream, err := service.Run(ctx, r)
		if err != nil {
			return nil, err
		}
		return &program{stream}, nil
	}
	result := ws.Serve(ctx, start, func(exec.Initialize) {
		c.entry.Outcome = "began"
		s.record(c)
	})
	c.entry.Outcome = outcome(result)
	return nil
}

// upgrades reports whether a request asks for a WebSocket.
func upgrades(h http.Header) bool {
	return strings.EqualFold(h.Get("Upgrade"), "websocket")
}

func outcome(r exec.Result) string {
	switch {
	case r.Exited:
		return fmt.Sprintf("exit status %d", r.Status)
	case r.Initialize == nil && r.Err != nil:
		return "nothing ran: " + r.Err.Error()
	case r.Err != nil:
		return r.Err.Error()
	}
	return "ended"
}

// maxCommandText is how much of a command is kept in the record.
const maxCommandText = 1024

// wordsText returns a command as it is kept.
func wordsText(words []string) string {
	text := strings.ToValidUTF8(strings.Join(words, " "), "\uFFFD")
	if len(text) > maxCommandText {
		text = strings.ToValidUTF8(text[:maxCommandText], "") + "…"
	}
	return text
}

func terminalOf(t *exec.Terminal) *containers.Terminal {
	switch {
	case t == nil:
		return nil
	case t.Size == nil:
		return &containers.Terminal{}
	}
	return &containers.Terminal{Rows: t.Size.Rows, Cols: t.Size.Cols}
}

// A program is a stream that a session runs.
type program struct{ *containers.Stream }

// Resize gives the terminal of the program another size.
func (p *program) Resize(s exec.Size) error {
	return p.Stream.Resize(containers.Terminal{Rows: s.Rows, Cols: s.Cols})
}

// loadImage answers POST /debug/image.
func (s *Server) loadImage(c *call) error {
	service, err := s.containers()
	if err != nil {
		return err
	}
	size, err := c.archiveSize()
	if err != nil {
		return err
	}
	end, err := s.sessions.begin(c.peer.name)
	if err != nil {
		return err
	}
	defer end()
	image, err := service.Load(c.r.Context(), containers.Request{Operation: containers.Load, Size: size, Actor: c.peer.name}, &patientBody{c, s.patience.piece})
	if cut, ok := errors.AsType[*cutError](err); ok {
		return problem.New(problem.BadRequest, "the archive broke off: %v", cut)
	}
	if err != nil {
		return s.containerProblem(c, err)
	}
	return c.sendJSON(image)
}

func (c *call) archiveSize() (int64, error) {
	if t := c.mediaType(); t != "" && t != archiveTypes[0] && t != archiveTypes[1] {
		return 0, unsupported(t, archiveTypes[0]+" or "+archiveTypes[1])
	}
	switch n := c.r.ContentLength; {
	case n < 0:
		return 0, problem.New(problem.LengthRequired, "the request does not say how long the archive is").WithHint("send Content-Length")
	case n == 0:
		return 0, problem.New(problem.BadRequest, "the archive is empty")
	case n > containers.MaxArchive:
		return 0, &http.MaxBytesError{Limit: containers.MaxArchive}
	default:
		return n, nil
	}
}
