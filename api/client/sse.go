package client

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// maxMessage bounds one message of an event stream.
const maxMessage = 4 << 20

var errLongMessage = fmt.Errorf("a message of the event stream is longer than %d bytes", maxMessage)

// A message is one server-sent event.
type message struct {
	id    string // of the last message that had one
	event string // "message" when the sender names none
	data  string
}

// A messageReader reads a text/event-stream.
type messageReader struct {
	r      *bufio.Reader
	first  bool          // nothing was read yet, so a byte order mark may come
	cr     bool          // the last line ended with CR, so that an LF belongs to it
	id     string        // of the message that is being read
	lastID string        // of the last message that is complete
	retry  time.Duration // that the sender asks for; 0 when it does not
	alive  func()        // called for every line, comments included
}

func newMessageReader(r io.Reader, alive func()) *messageReader {
	return &messageReader{r: bufio.NewReader(r), first: true, alive: alive}
}

// next returns the next message that has data. A message cut off by the end of
// the stream is not one.
func (m *messageReader) next() (message, error) {
	var msg message
	var data strings.Builder
	hasData := false
	for {
		line, err := m.line()
		if err != nil {
			return message{}, err
		}
		m.alive()
		if line == "" {
			m.lastID = m.id
			if !hasData {
				msg = message{}
				continue
			}
			msg.id, msg.data = m.lastID, data.String()
			if msg.event == "" {
				msg.event = "message"
			}
			return msg, nil
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		if name == "data" {
			if hasData {
				data.WriteByte('\n')
			}
			hasData = true
			data.WriteString(value)
			if data.Len() > maxMessage {
				return message{}, errLongMessage
			}
			continue
		}
		m.field(&msg, name, value)
	}
}

// field takes the fields that may come but once; unknown ones are ignored, as
// are comments, whose name is empty.
func (m *messageReader) field(msg *message, name, value string) {
	switch name {
	case "event":
		msg.event = value
	case "id":
		if !strings.Contains(value, "\x00") {
			m.id = value
		}
	case "retry":
		if ms, err := strconv.ParseUint(value, 10, 31); err == nil {
			m.retry = time.Duration(ms) * time.Millisecond
		}
	}
}

// line returns the next line without its end, which is LF, CR or both.
func (m *messageReader) line() (string, error) {
	var b []byte
	for {
		c, err := m.r.ReadByte()
		if err != nil {
			return "", endOf(err)
		}
		if c == '\n' && m.cr {
			m.cr = false
			continue
		}
		m.cr = c == '\r'
		if c == '\n' || c == '\r' {
			return m.text(b), nil
		}
		if b = append(b, c); len(b) > maxMessage {
			return "", errLongMessage
		}
	}
}

func (m *messageReader) text(b []byte) string {
	if m.first {
		m.first = false
		b = bytes.TrimPrefix(b, []byte("\xEF\xBB\xBF"))
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}

func endOf(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return io.EOF
	}
	return err
}
