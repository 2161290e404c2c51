package server

import (
	"bytes"
	"net/http"
	"strings"
	"time"

	"github.com/bulkhead-os/bulkhead/api/event"
)

const eventWrite = 30 * time.Second // for one write to a stream

// getEvents answers GET /events: server-sent events until the caller goes, is
// too slow, or the daemon ends.
func (s *Server) getEvents(c *call) error {
	var kinds []string
	names, given, err := c.query.text("kinds")
	if err != nil {
		return err
	}
	if given {
		kinds = strings.Split(names, ",")
	}
	after := c.r.Header.Get("Last-Event-ID")
	if c.r.Method == http.MethodHead {
		c.w.Header().Set("Content-Type", "text/event-stream")
		c.status = http.StatusOK
		return nil
	}
	stream, err := s.opt.Notices.Events.Subscribe(after, kinds...)
	if err != nil {
		return err
	}
	defer stream.Close()
	h := c.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	c.status = http.StatusOK
	c.w.WriteHeader(http.StatusOK)
	start := ": events follow\n\n"
	if after == "" { // a stream that breaks off before its first event can resume, too
		start += "id: " + stream.Start() + "\n\n"
	}
	if !c.push([]byte(start)) {
		return nil
	}
	s.stream(c, stream)
	return nil
}

func (s *Server) stream(c *call, stream *event.Stream) {
	beat := time.NewTicker(s.opt.Heartbeat)
	defer beat.Stop()
	for {
		events, err := stream.Take()
		if err != nil {
			return
		}
		if len(events) > 0 && !c.push(render(events)) {
			return
		}
		select {
		case <-stream.More():
		case <-beat.C:
			if !c.push([]byte(":\n\n")) {
				return
			}
		case <-c.peer.closing():
			return
		case <-c.r.Context().Done():
			return
		}
	}
}

// push writes b to a stream at once, and reports whether that worked.
func (c *call) push(b []byte) bool {
	if c.deadline(time.Now().Add(eventWrite)) != nil {
		return false
	}
	if _, err := c.w.Write(b); err != nil {
		return false
	}
	return http.NewResponseController(c.w).Flush() == nil
}

func render(events []event.Event) []byte {
	var b bytes.Buffer
	for _, e := range events {
		b.WriteString("id: " + e.ID + "\nevent: " + e.Kind + "\ndata: ")
		b.Write(e.Data) // JSON on one line
		b.WriteString("\n\n")
	}
	return b.Bytes()
}
