package render

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// encoded is text that an encoder wrote. Nothing else of text can be printed.
type encoded string

// An unencoded is a value that an action prints without an encoder.
type unencoded struct{ what string }

func (e *unencoded) Error() string {
	return "prints " + e.what + " without an encoder: end the action with toml, yaml, json, systemd, line or the like"
}

// passEncoded accepts what may be printed.
func passEncoded(v any) (encoded, error) {
	switch v := v.(type) {
	case encoded:
		return v, nil
	case nil:
		return "", fmt.Errorf("prints a value that is not set: use with, have or default")
	}
	switch rv := reflect.ValueOf(v); {
	case rv.Kind() == reflect.Bool, rv.CanInt(), rv.CanUint():
		return encoded(fmt.Sprint(v)), nil
	}
	return "", &unencoded{describe(v)}
}

// keep accepts what may be assigned to a variable.
func keep(v any) (any, error) {
	if rv := reflect.ValueOf(v); rv.Kind() == reflect.String && rv.Len() > maxOutput {
		return nil, &limit{fmt.Sprintf("keeps a text of more than %d bytes", maxOutput)}
	}
	return v, nil
}

// describe names the type of v for errors.
func describe(v any) string {
	switch v.(type) {
	case nil:
		return "nothing"
	case encoded:
		return "text that is encoded already"
	}
	switch reflect.TypeOf(v).Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "a bool"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Map:
		return "a table"
	case reflect.Float32, reflect.Float64:
		return "a float"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "an integer"
	}
	return fmt.Sprintf("a %T", v)
}

const maxDepth = 64 // of values

// normal returns v made of string, bool, int64, uint64, float64, []any and
// map[string]any only, with strings that are UTF-8 without NUL.
func normal(v any) (any, error) { return normalAt(v, 0) }

func normalAt(v any, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("value is nested deeper than %d levels", maxDepth)
	}
	if v == nil {
		return nil, fmt.Errorf("there is no value: use with, have or default")
	}
	if _, ok := v.(encoded); ok {
		return nil, fmt.Errorf("the text is encoded already")
	}
	rv := reflect.ValueOf(v)
	switch {
	case rv.Kind() == reflect.String:
		return clean(rv.String())
	case rv.Kind() == reflect.Bool:
		return rv.Bool(), nil
	case rv.CanInt():
		return rv.Int(), nil
	case rv.CanUint():
		return rv.Uint(), nil
	case rv.CanFloat():
		f := rv.Float()
		if math.IsInf(f, 0) || math.IsNaN(f) {
			return nil, fmt.Errorf("%v is not a number", f)
		}
		return f, nil
	case rv.Kind() == reflect.Slice:
		return normalList(rv, depth)
	case rv.Kind() == reflect.Map && rv.Type().Key().Kind() == reflect.String:
		return normalTable(rv, depth)
	}
	return nil, fmt.Errorf("cannot encode %s", describe(v))
}

func normalList(rv reflect.Value, depth int) (any, error) {
	out := make([]any, rv.Len())
	for i := range out {
		v, err := normalAt(rv.Index(i).Interface(), depth+1)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

func normalTable(rv reflect.Value, depth int) (any, error) {
	out := make(map[string]any, rv.Len())
	for it := rv.MapRange(); it.Next(); {
		name, err := clean(it.Key().String())
		if err != nil {
			return nil, err
		}
		if out[name], err = normalAt(it.Value().Interface(), depth+1); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func clean(s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", unfit(s, "text %s is not UTF-8")
	}
	if strings.IndexByte(s, 0) >= 0 {
		return "", unfit(s, "text %s has a NUL")
	}
	return s, nil
}

// short quotes the beginning of s.
func short(s string) string {
	const most = 40
	if len(s) > most {
		return fmt.Sprintf("%q…", s[:most])
	}
	return fmt.Sprintf("%q", s)
}

// single returns the text of a single value.
func single(v any) (string, error) {
	n, err := normal(v)
	if err != nil {
		return "", err
	}
	switch n := n.(type) {
	case string:
		return n, nil
	case bool, int64, uint64:
		return fmt.Sprint(n), nil
	}
	return "", fmt.Errorf("want text, a bool or an integer, got %s", describe(v))
}

// names returns the names of m, sorted.
func names(m map[string]any) []string {
	out := make([]string, 0, len(m))
	for name := range m {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}
