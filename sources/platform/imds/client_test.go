package imds

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/sources/platform"
)

// A service answers requests in memory, in which time can be made up.
type service func(r *http.Request) (*http.Response, error)

func (s service) RoundTrip(r *http.Request) (*http.Response, error) { return s(r) }

func answer(status int, body string) (*http.Response, error) {
	return &http.Response{StatusCode: status, Status: fmt.Sprint(status), Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
}

// usual answers as a service without faults, whose token is its endpoint.
func usual(r *http.Request) (*http.Response, error) {
	switch {
	case r.Method == http.MethodPut && r.URL.Path == "/latest/api/token" && r.Header.Get(ttlHeader) == "21600":
		return answer(200, "token-of-"+r.URL.Host)
	case r.Method != http.MethodGet:
		return answer(400, "")
	case r.Header.Get(tokenHeader) != "token-of-"+r.URL.Host:
		return answer(401, "")
	case r.URL.Path == "/latest/user-data":
		return answer(200, "text")
	}
	return answer(404, "")
}

// first answers the first n requests by itself.
func first(n int, s service) service {
	return func(r *http.Request) (*http.Response, error) {
		if n--; n >= 0 {
			return s(r)
		}
		return usual(r)
	}
}

func status(code int) service {
	return func(*http.Request) (*http.Response, error) { return answer(code, "<html>") }
}

func gets(s service) service {
	return func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodPut {
			return usual(r)
		}
		return s(r)
	}
}

type cut struct{}

func (cut) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// silent answers when the client has lost patience.
func silent(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestUserData(t *testing.T) {
	began := time.Time{}
	tests := []struct {
		name string
		s    service
		want string // the text, or how the error ends
		err  bool
		most time.Duration // that it may take
	}{
		{name: "well", s: usual, want: "text"},
		{name: "absent", s: gets(status(404)), want: ""},
		{name: "empty", s: gets(func(*http.Request) (*http.Response, error) { return answer(200, "") }), want: ""},
		{name: "switched off", s: status(403), err: true, want: "forbids it: it is switched off for this instance"},
		{name: "bad request", s: status(400), err: true, want: "answers 400 Bad Request"},
		{name: "token ended", s: gets(first(1, status(401))), want: "text", most: time.Second},
		{name: "every token refused", s: gets(status(401)), err: true, want: "answers 401 Unauthorized", most: time.Second},
		{name: "throttled", s: first(5, status(429)), want: "text", most: 10 * time.Second},
		{name: "throttled for good", s: status(429), err: true, want: "answers 429 Too Many Requests", most: 2 * time.Minute},
		{name: "broken", s: first(3, status(503)), want: "text", most: 5 * time.Second},
		{name: "redirect", s: gets(status(302)), err: true, want: "answers 302 Found"},
		{name: "no network", s: func(*http.Request) (*http.Response, error) { return nil, syscall.ENETUNREACH }, err: true, want: "network is unreachable", most: 2 * time.Minute},
		{name: "slow", s: first(2, silent), want: "text", most: 15 * time.Second},
		{name: "beyond the hop limit", s: silent, err: true, want: "context deadline exceeded", most: 2 * time.Minute},
		{
			name: "broken off", want: "text", most: time.Second,
			s: first(2, gets(func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: 200, Body: io.NopCloser(cut{})}, nil
			})),
		},
		{
			name: "10 MiB", err: true, want: platform.ErrTooLarge.Error(),
			s: gets(func(*http.Request) (*http.Response, error) { return answer(200, strings.Repeat("x", 10<<20)) }),
		},
		{
			name: "a token that is none", err: true, want: "gives a token that is none",
			s: func(*http.Request) (*http.Response, error) { return answer(200, "<html>\r\nX: y") },
		},
		{
			name: "the network comes and goes", want: "text", most: time.Minute,
			s: func(r *http.Request) (*http.Response, error) {
				if s := int(time.Since(began).Seconds()); s < 30 && s%7 != 6 || s < 20 {
					return nil, syscall.ENETUNREACH
				}
				return usual(r)
			},
		},
		{
			name: "IPv6 only", want: "text", most: time.Second,
			s: func(r *http.Request) (*http.Response, error) {
				if !strings.Contains(r.URL.Host, "fd00:ec2::254") {
					return nil, syscall.ENETUNREACH
				}
				return usual(r)
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began = time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
				defer cancel()
				c := New()
				c.http.Transport = tt.s
				d, err := Source{c}.Read(ctx)
				if (err != nil) != tt.err || err == nil && string(d.UserData) != tt.want || err != nil && !strings.Contains(strings.TrimSpace(err.Error()), tt.want) {
					t.Errorf("Read = %q, %v, want %q, error %v", d.UserData, err, tt.want, tt.err)
				}
				if off := tt.name == "switched off"; errors.Is(err, platform.ErrOff) != off {
					t.Errorf("Read: %v, want that it is switched off: %t", err, off)
				}
				if took := time.Since(began); took > tt.most {
					t.Errorf("Read took %s, want %s at most", took, tt.most)
				}
			})
		})
	}
}

// One token serves many requests, and is renewed before it ends.
func TestTokenRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []string
		c := New()
		c.http.Transport = service(func(r *http.Request) (*http.Response, error) {
			asked = append(asked, r.Method)
			return usual(r)
		})
		for _, later := range []time.Duration{0, 5 * time.Hour, 59*time.Minute + 30*time.Second} {
			time.Sleep(later)
			if _, err := c.Get(t.Context(), "user-data"); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff([]string{"PUT", "GET", "GET", "PUT", "GET"}, asked); diff != "" {
			t.Errorf("requests (-want +got):\n%s", diff)
		}
	})
}

func TestDocument(t *testing.T) {
	tests := []struct {
		name, text string
		want       Document
		err        string
	}{
		{name: "whole", text: `{"region":"eu-central-1","instanceId":"i-1","availabilityZone":"eu-central-1a","kernelId":null}`, want: Document{Region: "eu-central-1", InstanceID: "i-1", Zone: "eu-central-1a"}},
		{name: "no region", text: `{"instanceId":"i-1"}`, err: "identity document: it names no region or no instance"},
		{name: "not JSON", text: `<html>`, err: "identity document: invalid character '<' looking for beginning of value"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := New()
			c.http.Transport = gets(func(*http.Request) (*http.Response, error) { return answer(200, tt.text) })
			got, err := c.Document(t.Context())
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Document of %s (-want +got):\n%s", tt.text, diff)
			}
			if text := fmt.Sprint(err); err != nil && text != tt.err || err == nil && tt.err != "" {
				t.Errorf("Document of %s: %v, want %q", tt.text, err, tt.err)
			}
		})
	}
}

// A name is for files and screens: what cannot be one is not taken.
func TestNames(t *testing.T) {
	c := New()
	c.http.Transport = gets(func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, "local-hostname") {
			return answer(200, "a\x1b[2J")
		}
		return answer(200, "i-1\n")
	})
	d, err := Source{c}.Read(t.Context())
	if err == nil || d.Hostname != "" || d.InstanceID != "i-1" {
		t.Errorf("Read = %+v, %v, want the instance, and an error about the host name", d, err)
	}
	if errors.Is(err, ErrAbsent) {
		t.Errorf("Read: %v, want that it is there", err)
	}
}
