package render

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"github.com/bulkhead-os/bulkhead/api/plan"
	"github.com/bulkhead-os/bulkhead/models/key"
)

// A Template is a parsed template. It may be shared between goroutines.
type Template struct {
	name  string
	tmpl  *template.Template
	shape shape
}

// A Read is a setting that a template names.
type Read struct {
	Key      key.Key
	Required bool // the template fails when it is not set
}

// Parse parses the text of the template called name. The error is a
// *plan.Fault.
func Parse(name, text string) (*Template, error) { return parseText(name, text, true) }

// parseText parses a template. Where strict, actions that can be seen to print text
// without an encoder are refused.
func parseText(name, text string, strict bool) (*Template, error) {
	tmpl, err := template.New(name).Option("missingkey=error").Funcs(named(text)).Parse(text)
	if err != nil {
		return nil, parseFault(name, err)
	}
	s, fault := analyse(tmpl, strict)
	if fault != nil {
		fault.Template = name
		return nil, fault
	}
	return &Template{name: name, tmpl: tmpl, shape: s}, nil
}

// Keys returns the settings that the template names, sorted, each once.
func (t *Template) Keys() []key.Key {
	var out []key.Key
	for _, r := range t.shape.reads {
		out = append(out, r.Key)
	}
	slices.SortFunc(out, key.Key.Compare)
	return slices.Compact(out)
}

// Reads returns the settings that the template names, in its order.
func (t *Template) Reads() []Read { return slices.Clone(t.shape.reads) }

// Data is what a template is rendered from.
type Data struct {
	Input
	ForEach bool // Key and Value are there
	Key     string
	Value   any
	inList  bool // Key is a place in a list
}

func (d *Data) fields() map[string]any {
	out := map[string]any{"os": d.OS.data(), "node": d.Node.data()}
	if d.ForEach {
		out["key"], out["value"] = d.Key, d.Value
	}
	return out
}

// Render renders the template. The error is a *plan.Fault.
func (t *Template) Render(ctx context.Context, d Data) ([]byte, error) {
	b, err := t.render(ctx, d, passEncoded)
	if e, ok := errors.AsType[*plan.Fault](err); ok {
		err = e
	}
	return b, err
}

// render renders with last, which sees every value that is printed.
func (t *Template) render(ctx context.Context, d Data, last func(any) (encoded, error)) ([]byte, error) {
	most := cmp.Or(d.Patience, patience)
	ctx, cancel := context.WithTimeoutCause(ctx, most, &limit{fmt.Sprintf("runs for longer than %s", most)})
	defer cancel()
	tmpl, err := t.tmpl.Clone()
	if err != nil {
		return nil, &plan.Fault{Template: t.name, Detail: err.Error()}
	}
	tmpl.Funcs(stateful(ctx, d, last))
	out := &output{ctx: ctx}
	if err := tmpl.Execute(out, d.fields()); err != nil {
		return nil, &failure{t.fault(err), err}
	}
	return out.buf.Bytes(), nil
}

// An output refuses to grow without bound.
type output struct {
	ctx context.Context
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	if o.buf.Len()+len(b) > maxOutput {
		return 0, &limit{fmt.Sprintf("prints more than %d bytes", maxOutput)}
	}
	if err := check(o.ctx); err != nil {
		return 0, err
	}
	return o.buf.Write(b)
}

// A limit is a bound that a template went over.
type limit struct{ detail string }

func (e *limit) Error() string { return e.detail }

func check(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	if l, ok := errors.AsType[*limit](context.Cause(ctx)); ok {
		return l
	}
	return &limit{"was told to stop"}
}

// A failure is a Fault with its cause.
type failure struct {
	*plan.Fault
	cause error
}

func (e *failure) Unwrap() []error { return []error{e.Fault, e.cause} }

// fault makes a Fault of an error of package template.
func (t *Template) fault(err error) *plan.Fault {
	f := &plan.Fault{Template: t.name}
	var detail string
	f.Line, f.Column, detail = place(err.Error())
	f.Detail = detail
	if e, ok := errors.AsType[*notSet](err); ok {
		f.Setting, f.Detail = e.path, e.Error()
	} else if e, ok := errors.AsType[*limit](err); ok {
		f.Detail = e.Error()
	} else if e, ok := errors.AsType[*unencoded](err); ok {
		f.Detail = e.Error()
	}
	return f
}

var (
	placed  = regexp.MustCompile(`(?s)^template: .*?:(\d+):(\d+): executing ".*?" at <(.*?)>: (.*)$`)
	parsed  = regexp.MustCompile(`(?s)^template: .*?:(\d+): (.*)$`)
	calling = regexp.MustCompile(`(?s)^error calling ([a-zA-Z0-9_]+): (.*)$`)
)

// place takes apart what package template says of an error while executing.
// Its columns count from 0.
func place(text string) (line, column int, detail string) {
	m := placed.FindStringSubmatch(text)
	if m == nil {
		return 0, 0, text
	}
	line, _ = strconv.Atoi(m[1])
	column, _ = strconv.Atoi(m[2])
	if c := calling.FindStringSubmatch(m[4]); c != nil {
		return line, column + 1, strings.TrimPrefix(c[2], c[1]+": ")
	}
	return line, column + 1, m[3] + ": " + m[4]
}

func parseFault(name string, err error) *plan.Fault {
	f := &plan.Fault{Template: name, Detail: err.Error()}
	if m := parsed.FindStringSubmatch(f.Detail); m != nil {
		f.Line, _ = strconv.Atoi(m[1])
		f.Detail = m[2]
	}
	return f
}
