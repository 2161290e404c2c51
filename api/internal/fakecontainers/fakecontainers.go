// Package fakecontainers stands in for the container service of a node in tests.
//
// The programs of its containers are words: cat gives back its input, line a
// line of it, hang does nothing, and a number is an exit status. What is called none is not there, and an
// image that is called broken cannot be fetched.
package fakecontainers

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/bulkhead-os/bulkhead/api/containers"
)

// A Service answers requests.
type Service struct {
	Socket string
	Gone   chan string // names of containers whose callers have left

	listener net.Listener
	work     sync.WaitGroup

	mu    sync.Mutex // guards asked
	asked []containers.Request
}

// Start starts a service that listens at socket.
func Start(socket string) (*Service, error) {
	l, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	s := &Service{Socket: socket, Gone: make(chan string, 64), listener: l}
	s.work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.work.Go(func() { s.answer(c) })
		}
	})
	return s, nil
}

// Stop ends the service when all callers are gone.
func (s *Service) Stop() {
	_ = s.listener.Close()
	s.work.Wait()
}

// Asked returns the requests that came.
func (s *Service) Asked() []containers.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

func (s *Service) answer(c net.Conn) {
	defer c.Close()
	in := bufio.NewReader(c)
	line, err := in.ReadBytes('\n')
	if err != nil {
		return
	}
	var r containers.Request
	say := func(a containers.Answer) { _ = json.NewEncoder(c).Encode(a) }
	if err := json.Unmarshal(line, &r); err != nil {
		say(containers.Answer{Code: containers.Invalid, Detail: err.Error()})
		return
	}
	s.mu.Lock()
	s.asked = append(s.asked, r)
	s.mu.Unlock()
	switch {
	case r.Name == "none" || r.Image == "none":
		say(containers.Answer{Code: containers.Unknown, Detail: "there is none", Hint: "make one"})
	case r.Operation == containers.List:
		code := 3
		say(containers.Answer{Done: true, Containers: []containers.Container{
			{Name: "admin", Kind: containers.Host, Unit: "host-container@admin.service", State: containers.Running, Digest: "sha256:1"},
			{Name: "debug-1", Kind: containers.Debug, State: containers.Running, ExitStatus: &code},
		}})
	case r.Operation == containers.Pull:
		say(containers.Answer{Progress: &containers.Progress{Done: 1, Total: 2}})
		if r.Image == "broken" {
			say(containers.Answer{Code: containers.Failure, Detail: "it is broken"})
			return
		}
		say(containers.Answer{Image: &containers.Image{Name: r.Image, Digest: "sha256:2"}, Done: true})
	case r.Operation == containers.Load:
		n, _ := io.CopyN(io.Discard, in, r.Size)
		say(containers.Answer{Image: &containers.Image{Name: "loaded", Digest: strings.Repeat("x", int(n))}, Done: true})
	case r.Operation == containers.Exec || r.Operation == containers.Launch:
		say(containers.Answer{Done: true})
		s.run(r, containers.NewSink(c, in))
	default:
		say(containers.Answer{Done: true})
	}
}

func (s *Service) run(r containers.Request, sink *containers.Sink) {
	status := 0
	for done := false; !done; {
		switch word := string(r.Command[0]); word {
		case "cat", "line", "hang":
			in, err := sink.Next(make([]byte, 64<<10))
			switch {
			case err != nil:
				s.Gone <- r.Name
				return
			case in.Resize != nil:
				_, _ = sink.Write([]byte{byte(in.Resize.Rows), byte(in.Resize.Cols)})
			case in.End:
				done = word == "cat"
			default:
				_, _ = sink.Write(in.Data)
				done = word == "line" && bytes.ContainsRune(in.Data, '\n')
			}
		default:
			status, done = int(word[0]-'0'), true
		}
	}
	_ = sink.Exit(containers.Exit{Status: status})
}
