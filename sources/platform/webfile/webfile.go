// Package webfile finds user data at the address that the kernel command line
// names, as is done with computers that start over the network.
//
// The command line has the words bulkhead.user-data-url and, with the digest that
// the text must have, bulkhead.user-data-sha256. Without a digest only https
// will do: whoever can change the text could take the node over.
package webfile

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/bulkhead-os/bulkhead/sources/platform"
)

// Words of the kernel command line.
const (
	URLWord    = "bulkhead.user-data-url"
	DigestWord = "bulkhead.user-data-sha256"
)

// How long things may take.
const (
	connectTime = 5 * time.Second
	answerTime  = 30 * time.Second
	wholeTime   = 2 * time.Minute
)

// A Source is what the command line names.
type Source struct {
	// Cmdline is the kernel command line.
	Cmdline string
	// Values stand in the address for "${NAME}".
	Values map[string]string
	// Now is the time by which certificates are looked at; time.Now if nil.
	Now func() time.Time
	// Roots are trusted instead of those of the image; for tests.
	Roots *tls.Config
}

// Name says what the place is, for people.
func (Source) Name() string { return "the address on the kernel command line" }

// Where says what is asked for, as far as it can be made out.
func (s Source) Where() string {
	text, _ := word(s.Cmdline, URLWord)
	if where, err := s.address(text, true); err == nil {
		return where.Redacted()
	}
	return "which is no address"
}

// Named reports whether the command line names an address.
func Named(cmdline string) bool {
	_, ok := word(cmdline, URLWord)
	return ok
}

// word returns the value of the last word of the name, without quotes round it.
func word(cmdline, name string) (value string, found bool) {
	for _, w := range split(cmdline) {
		if v, ok := strings.CutPrefix(w, name+"="); ok {
			value, found = v, true
		}
	}
	return value, found
}

// split returns the words of a command line as the kernel tells them apart:
// white space counts outside double quotes, which are not part of the word.
func split(line string) []string {
	var out []string
	var w strings.Builder
	quoted := false
	for _, r := range line + " " {
		switch {
		case r == '"':
			quoted = !quoted
		case !quoted && (r == ' ' || r == '\t' || r == '\n'):
			if w.Len() > 0 {
				out = append(out, w.String())
			}
			w.Reset()
		default:
			w.WriteRune(r)
		}
	}
	if w.Len() > 0 {
		out = append(out, strings.TrimSuffix(w.String(), " "))
	}
	return out
}

// Read returns what is at the address. It tries until ctx ends, so that has to
// end.
func (s Source) Read(ctx context.Context) (platform.Data, error) {
	text, ok := word(s.Cmdline, URLWord)
	if !ok {
		return platform.Data{}, nil
	}
	digest, err := s.digest()
	if err != nil {
		return platform.Data{}, err
	}
	where, err := s.address(text, digest != nil)
	if err != nil {
		return platform.Data{}, fmt.Errorf("%s: %w", URLWord, err)
	}
	client := s.client(digest != nil)
	defer client.CloseIdleConnections()
	var data []byte
	err = platform.Retry(ctx, func(ctx context.Context) error {
		data, err = get(ctx, client, where.String())
		return err
	})
	if err != nil {
		return platform.Data{}, err
	}
	if sum := sha256.Sum256(data); digest != nil && [32]byte(digest) != sum {
		return platform.Data{}, fmt.Errorf("what is at %s has the SHA-256 %x, want %x", where.Redacted(), sum, digest)
	}
	return platform.Data{UserData: data, From: where.Redacted()}, nil
}

// digest returns the digest that the command line asks for, or nil.
func (s Source) digest() ([]byte, error) {
	text, ok := word(s.Cmdline, DigestWord)
	if !ok {
		return nil, nil
	}
	sum, err := hex.DecodeString(text)
	if err != nil || len(sum) != sha256.Size {
		return nil, fmt.Errorf("%s: %.80q is no digest, want 64 hexadecimal digits", DigestWord, text)
	}
	return sum, nil
}

// address returns the address with the values of the node in it.
func (s Source) address(text string, vouched bool) (*url.URL, error) {
	text, err := s.fill(text)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, err
	}
	switch {
	case u.Host == "":
		return nil, fmt.Errorf("%.200q names no host", u.Redacted())
	case u.Scheme == "https", u.Scheme == "http" && vouched:
		return u, nil
	case u.Scheme == "http":
		return nil, fmt.Errorf("http needs the digest of the text, as %s", DigestWord)
	}
	return nil, fmt.Errorf("%s is not spoken here, want https, or http with a digest", u.Scheme)
}

// escape is for what is right in a path and not in a query.
var escape = strings.NewReplacer("&", "%26", "+", "%2B", "=", "%3D")

// fill puts values in the place of their names.
func (s Source) fill(text string) (string, error) {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		name, after, closed := strings.Cut(rest, "}")
		value, known := s.Values[name]
		switch {
		case !closed:
			return "", fmt.Errorf("%.40q has no end", "${"+rest)
		case !known:
			return "", fmt.Errorf("${%.40s} is not known, want uuid, serial, mac or hostname", name)
		case value == "":
			return "", fmt.Errorf("this machine has no %s", name)
		}
		out.WriteString(escape.Replace(url.PathEscape(value)))
		text = after
	}
}

func get(ctx context.Context, client *http.Client, where string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "bulkhead")
	resp, err := client.Do(req)
	if err != nil {
		_, cert := errors.AsType[*tls.CertificateVerificationError](err)
		_, astray := errors.AsType[*redirectError](err)
		if cert || astray {
			return nil, err // and it stays so
		}
		return nil, &platform.Later{Err: err}
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		err := fmt.Errorf("%s answers %s", req.URL.Redacted(), resp.Status)
		if later := platform.Wait(resp, err); later != nil {
			return nil, later
		}
		return nil, err
	}
	body, err := platform.ReadAll(resp.Body)
	if err != nil && !errors.Is(err, platform.ErrTooLarge) {
		return nil, &platform.Later{Err: err} // it broke off
	}
	return body, err
}

// A redirectError is an address that leads where nobody should go.
type redirectError struct{ fault string }

func (e *redirectError) Error() string { return e.fault }

// client returns a client for one read. It goes where the first address leads,
// but not from https to http.
func (s Source) client(vouched bool) *http.Client {
	return &http.Client{
		Timeout: wholeTime,
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: connectTime}).DialContext,
			TLSHandshakeTimeout: answerTime, ResponseHeaderTimeout: answerTime, TLSClientConfig: s.tls(vouched), DisableCompression: true,
		},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			switch {
			case len(via) > 5:
				return &redirectError{"it leads on and on"}
			case via[0].URL.Scheme == "https" && req.URL.Scheme != "https":
				return &redirectError{"it leads from https to " + req.URL.Scheme}
			}
			return nil
		},
	}
}
