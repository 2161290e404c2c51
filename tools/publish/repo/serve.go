package repo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"time"
)

// Serve offers the public part of the repository in dir over HTTP, for trying
// it out, until the context ends. It tells out which settings make a node use
// it, and every request.
func Serve(ctx context.Context, dir, listen string, out io.Writer) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	base := "http://" + l.Addr().String()
	fmt.Fprintf(out, "settings.updates.metadata-base-url=%s/%s/\nsettings.updates.targets-base-url=%s/%s/\n", base, Metadata, base, Targets)
	s := http.Server{
		Handler:           requests(out, Handler(dir)),
		ReadHeaderTimeout: 10 * time.Second,
	}
	stop := context.AfterFunc(ctx, func() { _ = s.Close() }) // whoever asks is told by a broken connection
	defer stop()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Handler offers the public part of the repository in dir.
func Handler(dir string) http.Handler {
	return http.FileServer(http.Dir(filepath.Join(dir, Public)))
}

func requests(out io.Writer, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(out, "%s %s %s %s\n", r.RemoteAddr, r.Method, r.URL.Path, r.Header.Get("Range"))
		next.ServeHTTP(w, r)
	})
}
