package exec

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	strict "github.com/go-json-experiment/json"
)

// A message is what a text frame holds: one of these.
type message struct {
	initialize *Initialize
	complete   bool
	winch      *Size
	capacity   *capacity
}

// A capacity says how much input may be sent.
type capacity struct {
	MaxOutstanding uint64 `json:"max_messages_outstanding"`
	Written        uint64 `json:"messages_written"`
}

// A word of a command is a string, or the bytes of one in the form that
// Bottlerocket's programs write.
type word string

// UnmarshalJSONFrom reads either form.
func (w *word) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() == '"' {
		var s string
		err := strict.UnmarshalDecode(d, &s)
		*w = word(s)
		return err
	}
	var o struct {
		Unix []uint8Number `json:"Unix"`
	}
	if err := strict.UnmarshalDecode(d, &o, strict.RejectUnknownMembers(true)); err != nil {
		return err
	}
	if o.Unix == nil {
		return errors.New(`want a string or {"Unix":[BYTE,…]}`)
	}
	b := make([]byte, len(o.Unix))
	for i, n := range o.Unix {
		b[i] = byte(n)
	}
	*w = word(b)
	return nil
}

// A uint8Number keeps a list of bytes from being read as base64.
type uint8Number uint8

// encode returns the word as bytes, which every server understands.
func (w word) encode() map[string][]int {
	out := make([]int, len(w))
	for i := range len(w) {
		out[i] = int(w[i])
	}
	return map[string][]int{"Unix": out}
}

type wireInitialize struct {
	Command []word    `json:"command"`
	Target  string    `json:"target"`
	TTY     *Terminal `json:"tty"`
}

// parse reads a text frame.
func parse(data []byte) (message, error) {
	if jsontext.Value(data).Kind() == '"' {
		var name string
		if err := strict.Unmarshal(data, &name); err != nil {
			return message{}, err
		}
		if name != "ContentComplete" {
			return message{}, fmt.Errorf("message %.40q is not known", name)
		}
		return message{complete: true}, nil
	}
	var in struct {
		Initialize *wireInitialize
		Winch      *Size
		Capacity   *capacity
	}
	if err := strict.Unmarshal(data, &in, strict.RejectUnknownMembers(true)); err != nil {
		return message{}, err
	}
	m := message{winch: in.Winch, capacity: in.Capacity}
	if i := in.Initialize; i != nil {
		m.initialize = &Initialize{Target: i.Target, TTY: i.TTY, Command: []string{}}
		for _, w := range i.Command {
			m.initialize.Command = append(m.initialize.Command, string(w))
		}
	}
	if n := count(m.initialize != nil, m.winch != nil, m.capacity != nil); n != 1 {
		return message{}, fmt.Errorf("%d messages in a frame, want one", n)
	}
	return m, nil
}

func count(of ...bool) int {
	return len(slices.DeleteFunc(of, func(b bool) bool { return !b }))
}

// text returns m as a text frame has it.
func (m message) text() []byte {
	var v any
	switch {
	case m.initialize != nil:
		command := []any{}
		for _, w := range m.initialize.Command {
			command = append(command, word(w).encode())
		}
		v = map[string]any{"Initialize": map[string]any{"command": command, "target": m.initialize.Target, "tty": m.initialize.TTY}}
	case m.complete:
		v = "ContentComplete"
	case m.winch != nil:
		v = map[string]any{"Winch": m.winch}
	default:
		v = map[string]any{"Capacity": m.capacity}
	}
	data, err := json.Marshal(v)
	if err != nil { // strings and numbers
		panic("exec: " + err.Error())
	}
	return data
}

// check refuses what cannot run.
func (i *Initialize) check() error {
	length := 0
	for _, w := range i.Command {
		length += len(w)
		if strings.ContainsRune(w, 0) {
			return errors.New("a word of the command has a zero byte")
		}
	}
	switch {
	case len(i.Command) > 0 && i.Command[0] == "":
		return errors.New("the command is empty")
	case len(i.Command) > maxCommand || length > maxCommandLength:
		return fmt.Errorf("the command has %d words of %d bytes, want at most %d of %d", len(i.Command), length, maxCommand, maxCommandLength)
	case len(i.Target) > 255 || !utf8.ValidString(i.Target):
		return errors.New("the name of the container is not acceptable")
	}
	return nil
}

// shorten cuts a reason so that it fits into a close frame.
func shorten(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= maxReason {
		return s
	}
	cut := maxReason - len("…")
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
