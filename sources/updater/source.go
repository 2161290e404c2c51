package updater

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"

	"golang.org/x/net/http/httpproxy"

	"github.com/bulkhead-os/bulkhead/sources/internal/download"
	"github.com/bulkhead-os/bulkhead/sources/internal/repoclient"
	"github.com/bulkhead-os/bulkhead/sources/internal/slotwriter"
)

// A source is where the files of a repository come from. Nothing is trusted because
// of that.
type source interface {
	repoclient.Source
	// Blob returns the file of a target.
	Blob(t repoclient.Target) (slotwriter.Blob, error)
	// Places returns where targets are taken from, the first one first.
	Places() []string
	// Received returns how many bytes have come.
	Received() int64
	Close() error
}

// A server is a source on the network.
type server struct {
	client   *download.Client
	metadata string
	targets  []string
}

// newServer returns the source that the settings name.
func (c config) newServer(options download.Options) (*server, error) {
	if c.MetadataURL == "" || c.TargetsURL == "" {
		return nil, errors.New("no update repository is set: settings.updates.metadata-base-url and settings.updates.targets-base-url")
	}
	proxies := httpproxy.Config{HTTPProxy: c.Proxy.HTTPS, HTTPSProxy: c.Proxy.HTTPS, NoProxy: strings.Join(c.Proxy.Direct, ",")}
	options.Proxy, options.Rate = proxies.ProxyFunc(), c.RateLimit
	s := &server{client: download.New(options), metadata: c.MetadataURL}
	s.targets = append(append(s.targets, c.Mirrors...), c.TargetsURL)
	return s, nil
}

// Metadata fetches a file of metadata. Object stores answer that one may not see
// what is not there: for the next root that means that there is none, and whoever
// could say so wrongly could as well say that it is not there.
func (s *server) Metadata(ctx context.Context, name string, limit int64) ([]byte, error) {
	data, err := s.client.File(ctx, []string{join(s.metadata, name)}, limit)
	if status, ok := errors.AsType[*download.StatusError](err); ok && status.Status == http.StatusForbidden && strings.HasSuffix(name, ".root.json") {
		return nil, fs.ErrNotExist
	}
	return data, err
}

func (s *server) Blob(t repoclient.Target) (slotwriter.Blob, error) {
	parts := strings.Split(t.Path, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	var places []string
	for _, base := range s.targets {
		places = append(places, join(base, strings.Join(parts, "/")))
	}
	return s.client.Open(places, t.Length), nil
}

func join(base, name string) string { return strings.TrimRight(base, "/") + "/" + name }

func (s *server) Places() []string { return s.targets }

func (s *server) Received() int64 { return s.client.Received() }

func (s *server) Close() error {
	s.client.Close()
	return nil
}

// A bundle is a source in one file.
type bundle struct {
	file     *os.File
	parts    map[string]part
	received int64
}

type part struct{ offset, size int64 }

// maxParts bounds what a bundle makes its readers hold in memory.
const maxParts = 4096

// openBundle finds the parts of a bundle.
func openBundle(name string) (_ *bundle, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	b := &bundle{file: f, parts: map[string]part{}}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("the file is no bundle of shipyard publish bundle, or was cut off: %w", err), f.Close())
		}
	}()
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		at, err := f.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, err
		}
		if len(b.parts) == maxParts {
			return nil, fmt.Errorf("it has more than %d parts", maxParts)
		}
		b.parts[h.Name] = part{at, h.Size}
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	b.received = info.Size()
	return b, nil
}

func (b *bundle) part(name string) (*io.SectionReader, error) {
	p, ok := b.parts[name]
	if !ok {
		return nil, fmt.Errorf("bundle: %s: %w", name, fs.ErrNotExist)
	}
	return io.NewSectionReader(b.file, p.offset, p.size), nil
}

// Directories in a bundle.
const (
	bundleMetadata = "metadata/"
	bundleTargets  = "targets/"
)

func (b *bundle) Metadata(_ context.Context, name string, limit int64) ([]byte, error) {
	r, err := b.part(bundleMetadata + name)
	if err != nil {
		return nil, err
	}
	if r.Size() > limit {
		return nil, fmt.Errorf("bundle: %s: %w", name, download.ErrTooLong)
	}
	return io.ReadAll(r)
}

func (b *bundle) Blob(t repoclient.Target) (slotwriter.Blob, error) {
	r, err := b.part(bundleTargets + t.Path)
	if err != nil {
		return nil, err
	}
	if r.Size() != t.Length {
		return nil, fmt.Errorf("bundle: %s has %d bytes, and %d were signed", t.Path, r.Size(), t.Length)
	}
	return section{r}, nil
}

func (b *bundle) Places() []string { return []string{"bundle " + b.file.Name()} }

func (b *bundle) Received() int64 { return b.received }

func (b *bundle) Close() error { return b.file.Close() }

// A section is a target in a bundle.
type section struct{ r *io.SectionReader }

func (s section) Size() int64 { return s.r.Size() }

func (s section) Copy(ctx context.Context, w io.Writer, off, n int64, _ download.Strictness, _ int) error {
	r := io.NewSectionReader(s.r, off, n)
	buf := make([]byte, 256<<10)
	for n > 0 {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		got, err := r.Read(buf[:min(n, int64(len(buf)))])
		if got > 0 {
			if _, err := w.Write(buf[:got]); err != nil {
				return err
			}
			n -= int64(got)
			continue
		}
		if err != nil {
			return fmt.Errorf("bundle: %w", err)
		}
	}
	return nil
}

// has reports whether the bundle has a target, under whichever hash.
func (b *bundle) has(target string) bool {
	for name := range b.parts {
		if _, rest, ok := strings.Cut(strings.TrimPrefix(name, bundleTargets), "."); ok && rest == target {
			return true
		}
	}
	return false
}
