// Command tuf-conformance-client speaks the interface of the tests that the makers of
// The Update Framework have for clients, with the code by which nodes verify updates. It
// is in no image.
//
//	tuf-conformance-client --metadata-dir DIR init ROOT
//	tuf-conformance-client --metadata-dir DIR --metadata-url URL refresh
//	tuf-conformance-client --metadata-dir DIR --metadata-url URL --target-name NAME... --target-base-url URL --target-dir DIR download
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/bulkhead-os/bulkhead/sources/internal/download"
	"github.com/bulkhead-os/bulkhead/sources/internal/repoclient"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "tuf-conformance-client:", err)
		os.Exit(1)
	}
}

// A test is what the command line says.
type test struct {
	metadataDir, metadataURL string
	targetDir, targetURL     string
	targets                  []string
}

func run(args []string) error {
	var t test
	f := flag.NewFlagSet("tuf-conformance-client", flag.ContinueOnError)
	f.StringVar(&t.metadataDir, "metadata-dir", "", "where metadata is kept")
	f.StringVar(&t.metadataURL, "metadata-url", "", "where metadata comes from")
	f.StringVar(&t.targetDir, "target-dir", "", "where targets are put")
	f.StringVar(&t.targetURL, "target-base-url", "", "where targets come from")
	f.Func("target-name", "a target; may be given more than once", func(name string) error { t.targets = append(t.targets, name); return nil })
	if err := f.Parse(args); err != nil {
		return err
	}
	ctx := context.Background()
	switch words := f.Args(); {
	case len(words) == 2 && words[0] == "init":
		return t.init(words[1])
	case len(words) == 1 && words[0] == "refresh":
		_, err := t.refresh(ctx)
		return err
	case len(words) == 1 && words[0] == "download":
		return t.download(ctx)
	}
	return fmt.Errorf("words %q, want init ROOT, refresh or download", f.Args())
}

// init makes the root in a file the one that is trusted.
func (t test) init(root string) error {
	data, err := os.ReadFile(root)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(t.metadataDir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(t.metadataDir, "root.json"), data, 0o644)
}

func (t test) refresh(ctx context.Context) (*repoclient.Client, error) {
	dir, err := os.OpenRoot(t.metadataDir)
	if err != nil {
		return nil, err
	}
	c, err := repoclient.Open(dir, nil)
	if err != nil {
		return nil, err
	}
	now, err := clock(ctx)
	if err != nil {
		return nil, err
	}
	return c, c.Refresh(ctx, server{t.metadataURL}, func(int64) time.Time { return now })
}

// clock asks another program for the time: the tests turn the clock of those that
// are linked dynamically.
func clock(ctx context.Context) (time.Time, error) {
	out, err := exec.CommandContext(ctx, "date", "+%s").Output()
	if err != nil {
		return time.Time{}, err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	return time.Unix(n, 0), err
}

// A server is where metadata comes from.
type server struct{ base string }

func client() *download.Client {
	return download.New(download.Options{Tries: 1, Patience: 5 * time.Second})
}

func (s server) Metadata(ctx context.Context, name string, limit int64) ([]byte, error) {
	return client().File(ctx, []string{join(s.base, name)}, limit)
}

func join(base, name string) string { return strings.TrimRight(base, "/") + "/" + name }

func (t test) download(ctx context.Context) error {
	c, err := t.refresh(ctx)
	if err != nil {
		return err
	}
	for _, name := range t.targets {
		if err := t.fetch(ctx, c, name); err != nil {
			return err
		}
	}
	return nil
}

// fetch puts a target into a file, unless it is there.
func (t test) fetch(ctx context.Context, c *repoclient.Client, name string) error {
	target, err := c.Target(ctx, name)
	if err != nil {
		return err
	}
	file := filepath.Join(t.targetDir, url.QueryEscape(name))
	have, err := os.ReadFile(file)
	if err == nil && target.Check(bytes.NewReader(have)) == nil {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	data, err := client().File(ctx, []string{join(t.targetURL, target.Path)}, target.Length)
	if err != nil {
		return err
	}
	if err := target.Check(bytes.NewReader(data)); err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o644)
}
