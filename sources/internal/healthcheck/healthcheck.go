// Package healthcheck says whether what a node is for works: the workload of its
// variant, and what its settings name.
//
// What it needs to know beyond the state of units comes from File, which is
// rendered from settings. It asks nobody on the network unless a check names him.
package healthcheck

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bulkhead-os/bulkhead/sources/internal/program"
)

// File is what is rendered, below the root of a node.
const File = "etc/health-checks.json"

// The deadlines that hold where settings name none.
const (
	DefaultBootDeadline   = 10 * time.Minute
	DefaultHealthDeadline = 5 * time.Minute
)

// defaultTimeout is how long a try of a check may take unless it says so.
const defaultTimeout = 5 * time.Second

// maxSize bounds what is read of the file.
const maxSize = 1 << 20

// A Config says what has to work, and by when.
type Config struct {
	Boot   Span             `json:"boot-deadline,omitzero"`
	Health Span             `json:"health-deadline,omitzero"`
	Checks map[string]Check `json:"checks,omitempty"`
}

// A Check asks for one thing.
type Check struct {
	Unit      string   `json:"unit,omitempty"`
	HTTP      string   `json:"http,omitempty"`
	TCP       string   `json:"tcp,omitempty"`
	Container string   `json:"container,omitempty"` // in which Command is to end well
	Command   []string `json:"command,omitempty"`
	Timeout   Span     `json:"timeout,omitzero"`
}

// A Span is a time.Duration that is written as settings write it.
type Span time.Duration

// UnmarshalText reads a span.
func (s *Span) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	d, err := time.ParseDuration(string(b))
	*s = Span(d)
	return err
}

// MarshalText returns what UnmarshalText reads.
func (s Span) MarshalText() ([]byte, error) { return []byte(time.Duration(s).String()), nil }

// BootDeadline returns how long a boot may take.
func (c Config) BootDeadline() time.Duration {
	return cmp.Or(time.Duration(c.Boot), DefaultBootDeadline)
}

// HealthDeadline returns how long it may take from then on until all is well.
func (c Config) HealthDeadline() time.Duration {
	return cmp.Or(time.Duration(c.Health), DefaultHealthDeadline)
}

// Read returns what the file in root says. Without the file there is nothing
// beside what always has to work.
func Read(root *os.Root) (Config, error) {
	f, err := root.Open(File)
	if errors.Is(err, fs.ErrNotExist) {
		return Config{}, nil
	}
	if err != nil {
		return Config{}, err
	}
	defer f.Close()
	var c Config
	if err := json.NewDecoder(io.LimitReader(f, maxSize)).Decode(&c); err != nil {
		return Config{}, fmt.Errorf("%s: %w", File, err)
	}
	return c, nil
}

// Run returns what does not work, in the order of the names.
func (c Config) Run(ctx context.Context, units Units) []string {
	faults := workloadFaults(ctx, units, workloadAnswers())
	var mu sync.Mutex
	var all sync.WaitGroup
	for name, check := range c.Checks {
		all.Go(func() {
			if err := check.run(ctx, units); err != nil {
				mu.Lock()
				defer mu.Unlock()
				faults = append(faults, fmt.Sprintf("health check %s: %v", name, err))
			}
		})
	}
	all.Wait()
	slices.Sort(faults)
	return faults
}

func (c Check) run(ctx context.Context, units Units) error {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(time.Duration(c.Timeout), defaultTimeout))
	defer cancel()
	switch {
	case c.Unit != "":
		return c.unit(ctx, units)
	case c.HTTP != "":
		return get(ctx, c.HTTP)
	case c.TCP != "":
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", c.TCP)
		if err != nil {
			return err
		}
		return conn.Close()
	case c.Container != "" && len(c.Command) > 0:
		return inside(ctx, c.Container, c.Command)
	}
	return errors.New("it asks for nothing")
}

func (c Check) unit(ctx context.Context, units Units) error {
	u, err := units.Unit(ctx, c.Unit)
	switch {
	case err != nil:
		return err
	case !u.Loaded:
		return fmt.Errorf("there is no unit %s", c.Unit)
	case u.Active != active:
		return fmt.Errorf("unit %s is %s, want active", c.Unit, u.Active)
	}
	return nil
}

// containers is the program that runs commands in containers.
const containers = "containers"

// insideLimit bounds what is also bounded by the timeout of a check.
const insideLimit = time.Hour

// inside runs words in the container called name.
func inside(ctx context.Context, name string, words []string) error {
	_, err := program.Run(ctx, insideLimit, append([]string{containers, "check", name, "--"}, words...)...)
	if err != nil {
		return fmt.Errorf("in container %s: %w", name, err)
	}
	return nil
}

// get asks url for an answer that is good: whoever answers with an error lives,
// and does not work.
func get(ctx context.Context, url string) error {
	// A client for one request: what it would keep open is of no use later.
	client := &http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true, Proxy: nil,
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // it is asked how it is, and told nothing
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode >= 400 {
		return fmt.Errorf("GET %s: %s, want a status from 200 to 399", url, strings.ToValidUTF8(resp.Status, "?"))
	}
	return nil
}
