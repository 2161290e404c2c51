package apply

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"

	"github.com/bulkhead-os/bulkhead/api/applier"
	"github.com/bulkhead-os/bulkhead/sources/internal/unixsocket"
)

// apiUser is the user that the settings daemon runs as.
const apiUser = "api"

// serve answers requests until ctx ends, or until nobody has asked for anything
// for a while where the service manager keeps the socket. It finishes what is
// under way.
func serve(ctx context.Context, opt options, log *slog.Logger) error {
	root, err := os.OpenRoot(opt.root)
	if err != nil {
		return fmt.Errorf("root: %w", err)
	}
	defer root.Close()
	manager, closeManager, err := opt.manager()
	if err != nil {
		return err
	}
	defer closeManager()
	peers, owner := callers(root, opt.root == "/")
	l, idle, err := listen(opt, owner)
	if err != nil {
		return err
	}
	w := &worker{
		root: root, image: opt.imageDir(), manager: manager, log: log, step: opt.step, images: map[string]*image{},
	}
	return answer(ctx, w, peers, l, idle)
}

// callers returns the users that may call, and the one that a socket is for, or
// -1.
func callers(root *os.Root, isNode bool) (peers []uint32, owner int) {
	peers, owner = []uint32{0}, -1
	if !isNode {
		return append(peers, uint32(os.Geteuid())), owner
	}
	if id, ok := readNames(root, "etc/passwd").ids[apiUser]; ok {
		peers = append(peers, uint32(id))
		if os.Geteuid() == 0 {
			owner = id
		}
	}
	return peers, owner
}

// listen returns the socket to serve and what ends the service.
func listen(opt options, owner int) (net.Listener, *idler, error) {
	given, err := unixsocket.Given()
	if err != nil {
		return nil, nil, err
	}
	if given != nil {
		return given, newIdler(opt.idle, opt.once), nil
	}
	l, err := unixsocket.Listen(opt.socket, unixsocket.Access{User: owner, Group: -1, Mode: 0o600})
	if err != nil {
		return nil, nil, err
	}
	return l, newIdler(0, opt.once), nil
}

// answer serves l. When it ends by itself, connections that were made meanwhile
// are still answered, and later ones make systemd start the program again.
func answer(ctx context.Context, w *worker, peers []uint32, l net.Listener, idle *idler) error {
	q := &queue{apply: func(req applier.Request, tell func(applier.Item)) applier.Result {
		return w.apply(ctx, req, tell)
	}}
	s := &server{worker: w, queue: q, peers: slices.Compact(peers), log: w.log}
	h := &http.Server{
		Handler: s.handler(), ConnContext: s.withPeer, ConnState: idle.note,
		ReadHeaderTimeout: patience, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(w.log.Handler(), slog.LevelWarn),
	}
	h.SetKeepAlivesEnabled(false) // a kept connection would keep the program
	ended := make(chan error, 1)
	go func() { ended <- h.Serve(l) }()
	w.log.Info("ready")
	err := closeAtEnd(ctx, l, idle.idle, ended)
	// All connections that were accepted are known by now. They are answered,
	// which takes as long as their work; Shutdown would drop those whose request
	// is just being read.
	idle.conns.Wait()
	q.wait()
	return errors.Join(err, h.Close())
}

// closeAtEnd waits for the end of the service, closes l, and returns when what
// serves l has ended.
func closeAtEnd(ctx context.Context, l net.Listener, idle <-chan struct{}, ended <-chan error) error {
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	case <-idle:
	}
	err := l.Close()
	if served := <-ended; !errors.Is(served, net.ErrClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// imageDir returns the directory that holds the image.
func (o options) imageDir() string {
	if o.image == "" {
		return o.root
	}
	return o.image
}

// logger returns the program's log. The journal adds the time by itself.
func logger(w io.Writer) *slog.Logger {
	opt := &slog.HandlerOptions{}
	if os.Getenv("JOURNAL_STREAM") != "" {
		opt.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}
	}
	return slog.New(slog.NewTextHandler(w, opt))
}

// manager returns the manager of units that the command line asks for, and what
// closes it.
func (o options) manager() (Manager, func(), error) {
	if o.units == recordUnits {
		r, err := OpenRecorder(o.root)
		return r, func() {}, err
	}
	s := newSystemd(filepath.Join(o.root, "run/systemd/private"), o.limit)
	return s, s.close, nil
}
