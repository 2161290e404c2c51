package cli

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The bounds of what is read from elsewhere.
const (
	maxLocal       = 8 << 20 // what the API takes in one request
	maxRemote      = 2 << 20
	connectTimeout = 10 * time.Second
	fetchTimeout   = 30 * time.Second
	fetchesAtOnce  = 4
)

// A source is a document with the name that errors give it.
type source struct {
	name string
	data []byte
}

// A reference says where a document is.
type reference struct {
	scheme string // "-" for standard input, "file", "base64", "http" or "https"
	name   string // for errors
	where  string // path, data or URL
}

// parseReference reads an argument of apply: a path, a URI, or - for standard
// input. What begins like a URI is one; such a path is written ./a:b.
func parseReference(arg string) (reference, error) {
	if arg == "-" {
		return reference{"-", "stdin", ""}, nil
	}
	if arg == "" {
		return reference{}, usage("a FILE has an empty name")
	}
	scheme, rest, ok := strings.Cut(arg, ":")
	if !ok || !isScheme(scheme) {
		return reference{"file", printable(arg), arg}, nil
	}
	switch scheme = strings.ToLower(scheme); scheme {
	case "base64":
		return reference{scheme, "base64:" + printable(shorten(rest, 16)), rest}, nil
	case "file":
		path, err := filePath(arg)
		return reference{scheme, printable(path), path}, err
	case "http", "https":
		u, err := url.Parse(arg)
		if err != nil || u.Host == "" {
			return reference{}, usage("%q is not a URL", arg)
		}
		return reference{scheme, u.Redacted(), arg}, nil
	}
	return reference{}, unknownScheme(scheme, arg)
}

// printable quotes a name that holds what a terminal would not print.
func printable(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(name)
	}
	return name
}

// isScheme reports whether s can be the scheme of a URI.
func isScheme(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || !('0' <= c && c <= '9') && c != '+' && c != '-' && c != '.') {
			return false
		}
	}
	return s != ""
}

func unknownScheme(scheme, arg string) error {
	hint := "what works: a path, - for standard input, and URIs that begin with file:, base64:, http: or https:"
	switch scheme {
	case "s3", "secretsmanager", "ssm", "arn":
		hint += "; fetch the document with the cloud's own client and hand it in with -"
	default:
		hint += "; a file of that name is written ./" + shorten(arg, 80)
	}
	return &UsageError{Err: fmt.Errorf("%q: nothing here reads %s: URIs", shorten(arg, 80), scheme), Hint: hint}
}

// filePath returns the path that a file: URI names.
func filePath(uri string) (string, error) {
	u, err := url.Parse(uri)
	if err != nil {
		return "", usage("%q is not a URI", uri)
	}
	path := u.Path
	if u.Opaque != "" { // file:relative
		if path, err = url.PathUnescape(u.Opaque); err != nil {
			return "", usage("%q is not a URI", uri)
		}
	}
	if u.Host != "" && u.Host != "localhost" || path == "" || strings.Contains(path, "\x00") || u.RawQuery != "" || u.Fragment != "" {
		return "", &UsageError{Err: fmt.Errorf("%q does not name a file of this machine", uri), Hint: "want file:///PATH"}
	}
	return path, nil
}

// readSources reads the documents that args name, in their order. All that
// cannot be read are reported.
func readSources(ctx context.Context, stdin io.Reader, args []string) ([]source, error) {
	refs := make([]reference, len(args))
	for i, a := range args {
		ref, err := parseReference(a)
		if err != nil {
			return nil, err
		}
		refs[i] = ref
	}
	r := sourceReader{stdin: stdin, http: fetcher()}
	sources, errs := make([]source, len(refs)), make([]error, len(refs))
	var wg sync.WaitGroup
	slots := make(chan struct{}, fetchesAtOnce)
	for i, ref := range refs {
		if !strings.HasPrefix(ref.scheme, "http") {
			sources[i], errs[i] = r.read(ctx, ref)
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			sources[i], errs[i] = r.read(ctx, ref)
			<-slots
		})
	}
	wg.Wait()
	return sources, errors.Join(errs...)
}

type sourceReader struct {
	stdin io.Reader
	http  *http.Client
}

func (r sourceReader) read(ctx context.Context, ref reference) (source, error) {
	var data []byte
	var err error
	switch ref.scheme {
	case "-":
		data, err = readBounded(r.stdin, maxLocal)
	case "base64":
		data, err = base64.StdEncoding.Strict().DecodeString(ref.where)
		if err == nil && strings.ContainsAny(ref.where, "\r\n") { // which Go would skip
			err = fmt.Errorf("illegal line break in base64 data")
		}
	case "file":
		data, err = readFile(ref.where)
	default:
		data, err = fetch(ctx, r.http, ref.where)
	}
	if err != nil {
		return source{}, fmt.Errorf("read %s: %w", ref.name, err)
	}
	return source{ref.name, data}, nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, pathless(err)
	}
	defer f.Close()
	data, err := readBounded(f, maxLocal)
	return data, pathless(err)
}

// pathless returns what is wrong with a file without its path, which our
// errors name already.
func pathless(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err
	}
	return err
}

func readBounded(r io.Reader, most int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("the document is longer than %d MiB", most>>20)
	}
	return data, err
}

// fetcher returns the client for documents on the network. It uses the proxy
// that the environment names, and is not led from https to http.
func fetcher() *http.Client {
	return &http.Client{
		Timeout: fetchTimeout,
		Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         (&net.Dialer{Timeout: connectTimeout}).DialContext,
			TLSHandshakeTimeout: connectTimeout,
			ForceAttemptHTTP2:   true,
			DisableKeepAlives:   true, // one document from each
		},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) >= 10 {
				return fmt.Errorf("redirected 10 times")
			}
			if via[len(via)-1].URL.Scheme == "https" && req.URL.Scheme != "https" {
				return fmt.Errorf("redirected from https to %s", req.URL.Scheme)
			}
			return nil
		},
	}
}

func fetch(ctx context.Context, c *http.Client, from string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, err
	}
	res, err := c.Do(req)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err // the rest repeats the URL
		}
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server answers %s", res.Status)
	}
	return readBounded(res.Body, maxRemote)
}
