package repo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// A Source opens the files of a public repository, by their names from its top
// on. What is not there wraps fs.ErrNotExist.
type Source func(ctx context.Context, name string) (io.ReadCloser, error)

// From returns the repository in a directory, or at an http or https address.
func From(place string) Source {
	if strings.HasPrefix(place, "http://") || strings.HasPrefix(place, "https://") {
		return func(ctx context.Context, name string) (io.ReadCloser, error) { return get(ctx, place, name) }
	}
	return func(_ context.Context, name string) (io.ReadCloser, error) {
		return os.Open(filepath.Join(place, Public, name))
	}
}

func get(ctx context.Context, base, name string) (io.ReadCloser, error) {
	address, err := url.JoinPath(base, name)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode == http.StatusOK:
		return resp.Body, nil
	}
	err = fmt.Errorf("get %s: %s", address, resp.Status)
	if resp.StatusCode == http.StatusNotFound {
		err = fmt.Errorf("%w: %w", err, fs.ErrNotExist)
	}
	return nil, errors.Join(err, resp.Body.Close())
}

// maxMetadata bounds a file of metadata. Nodes read less of some.
const maxMetadata = 5_000_000

func (s Source) metadata(ctx context.Context, name string) ([]byte, error) {
	in, err := s(ctx, path.Join(Metadata, name))
	if err != nil {
		return nil, err
	}
	defer in.Close()
	data, err := io.ReadAll(io.LimitReader(in, maxMetadata+1))
	if err == nil && len(data) > maxMetadata {
		err = fmt.Errorf("%s has more than %d bytes", name, maxMetadata)
	}
	return data, err
}
