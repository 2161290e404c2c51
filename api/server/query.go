package server

import (
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/bulkhead-os/bulkhead/api/problem"
)

// A query is the decoded query string of a request. Of a parameter that is
// given several times the last one counts, and nobody asks for unknown ones.
type query []param

type param struct{ name, value string }

func parseQuery(raw string) (query, error) {
	if raw == "" {
		return nil, nil
	}
	q := make(query, 0, 1+strings.Count(raw, "&"))
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err := unescape(name)
		if err == nil {
			value, err = unescape(value)
		}
		if err != nil {
			return nil, problem.New(problem.InvalidParameter, "query %q: %v", shorten(pair), err).WithHint("write a percent sign as %%25")
		}
		q = append(q, param{name, value})
	}
	return q, nil
}

func unescape(s string) (string, error) {
	if !strings.ContainsAny(s, "%+") {
		return s, nil
	}
	return url.QueryUnescape(s)
}

// get returns the value of the parameter called name, and whether it is given.
func (q query) get(name string) (string, bool) {
	for i := len(q) - 1; i >= 0; i-- {
		if q[i].name == name {
			return q[i].value, true
		}
	}
	return "", false
}

func badParameter(name, format string, args ...any) *problem.Problem {
	p := problem.New(problem.InvalidParameter, format, args...)
	p.Detail = "parameter " + name + ": " + p.Detail
	return p
}

// text returns the value of a parameter that must not be empty when given.
func (q query) text(name string) (string, bool, error) {
	v, given := q.get(name)
	if given && v == "" {
		return "", true, badParameter(name, "is empty")
	}
	return v, given, nil
}

// choice returns the value of a parameter that is one of allowed; the first is
// the default.
func (q query) choice(name string, allowed ...string) (string, error) {
	v, given := q.get(name)
	if !given {
		return allowed[0], nil
	}
	for _, a := range allowed {
		if v == a {
			return v, nil
		}
	}
	return "", badParameter(name, "%q is not known", shorten(v)).WithHint("want one of %s", strings.Join(allowed, ", "))
}

// flag returns a parameter that is 0 or 1.
func (q query) flag(name string) (bool, error) {
	v, err := q.choice(name, "0", "1")
	return v == "1", err
}

// userLayerOnly refuses the parameters that choose or describe another layer:
// ignored, they would have a value end up in the user layer that is not meant
// for it.
func (q query) userLayerOnly(hint string, names ...string) error {
	for _, name := range names {
		if _, given := q.get(name); given {
			return badParameter(name, "has no place in a change of the user layer").WithHint("%s", hint)
		}
	}
	return nil
}

// number returns a parameter that is a number up to most, or standard.
func (q query) number(name string, standard, most uint64) (uint64, error) {
	v, given := q.get(name)
	if !given {
		return standard, nil
	}
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil || n > most {
		return 0, badParameter(name, "%q is not acceptable", shorten(v)).WithHint("want a number from 0 to %d", most)
	}
	return n, nil
}

const defaultTx = "default"

// transaction returns the name of the transaction.
func (q query) transaction() (string, error) {
	v, given := q.get("tx")
	if !given {
		return defaultTx, nil
	}
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
	if v == "" || len(v) > 64 || strings.Trim(v, letters) != "" {
		return "", problem.New(problem.InvalidTransaction, "transaction name %q is not acceptable", shorten(v)).
			WithHint("want 1 to 64 letters, digits, _ and -")
	}
	return v, nil
}

const maxMessage = 1024

// message returns the message for a generation.
func (q query) message() (string, error) {
	v, _ := q.get("message")
	switch {
	case len(v) > maxMessage:
		return "", badParameter("message", "has %d bytes", len(v)).WithHint("want at most %d", maxMessage)
	case !utf8.ValidString(v) || strings.ContainsFunc(v, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }):
		return "", badParameter("message", "holds a control character, or is not UTF-8")
	}
	return v, nil
}

const (
	shortestTry = time.Second
	longestTry  = 24 * time.Hour
)

// noTry asks for a commit that is not tried, whatever it changes.
const noTry = "none"

// try returns for how long a commit is tried, and whether the caller has said
// so; 0 means for good.
func (q query) try() (_ time.Duration, said bool, err error) {
	v, given := q.get("try")
	if !given || v == noTry {
		return 0, given, nil
	}
	d, err := time.ParseDuration(v)
	if err != nil || d < shortestTry || d > longestTry {
		return 0, false, badParameter("try", "%q is not acceptable", shorten(v)).WithHint("want a time such as 90s or 5m, from 1s to 24h, or none")
	}
	return d, true, nil
}

const longestWait = 10 * time.Minute

// wait returns for how long the caller waits for an apply, and whether it does.
func (q query) wait() (time.Duration, bool, error) {
	v, given := q.get("wait")
	if !given {
		return 0, false, nil
	}
	d, err := time.ParseDuration(v)
	if err != nil || d <= 0 || d > longestWait {
		return 0, true, badParameter("wait", "%q is not acceptable", shorten(v)).WithHint("want a time such as 30s, up to 10m")
	}
	return d, true, nil
}

// shorten keeps what a caller sent readable in an answer.
func shorten(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
