package apiserver

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/bulkhead-os/bulkhead/api/audit"
	"github.com/bulkhead-os/bulkhead/api/event"
	"github.com/bulkhead-os/bulkhead/api/server"
	"github.com/bulkhead-os/bulkhead/api/store"
)

// Run keeps the settings and answers requests until ctx ends. It then finishes
// what is under way and returns nil.
func Run(ctx context.Context, opt Options, log *slog.Logger) error {
	n, err := identify(opt)
	if err != nil {
		return err
	}
	state := filepath.Join(opt.Root, "var/lib/bulkhead")
	notices := &server.Notices{
		Events: event.NewHub(event.Options{}),
		Audit:  audit.Open(audit.Options{Dir: filepath.Join(state, "audit"), Log: log}),
	}
	defer closing(log, "audit log", notices.Audit.Close)
	evaluate := server.Evaluate(n.variant.Schema, n.variant.Defaults)
	st, err := openStore(store.Options{
		Dir: filepath.Join(state, "settings"), Log: log, Version: n.os.VersionID, Evaluate: evaluate,
		Notify: notices.Notify, Retain: opt.Retain,
	}, n.image, opt.Root, log)
	if err != nil {
		return err
	}
	defer closing(log, "settings", st.Close)
	sockets, err := listen(opt)
	if err != nil {
		return err
	}
	options := server.Options{
		Store: st, Schema: n.variant.Schema, Defaults: n.variant.Defaults, Evaluate: evaluate, OS: n.os,
		Access: n.access, Notices: notices, Log: log, Host: newHost(opt.Root), Applier: applierFor(opt), Owed: filepath.Join(opt.Root, "run/bulkhead/apiserver/apply-owed"), Catalogue: catalogue(n.image, n.variant.Packages, log),
	}
	equip(&options, opt)
	srv := server.New(options)
	log.Info("ready", "socket", opt.Socket, "variant", n.variant.Name, "version", n.os.VersionID, "generation", st.Snapshot().Current.ID)
	return serve(ctx, srv, st, sockets, log)
}

// serve runs the server, and the store's own work as long as it takes.
func serve(ctx context.Context, srv *server.Server, st *store.Store, at sockets, log *slog.Logger) error {
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	var work sync.WaitGroup
	var workErr error
	work.Go(func() { workErr = st.Run(background) })

	notify(log, daemon.SdNotifyReady)
	unhook := context.AfterFunc(ctx, func() { notify(log, daemon.SdNotifyStopping) })
	defer unhook()
	err := srv.Serve(ctx, at.api, at.readers...)

	stop()
	work.Wait()
	return errors.Join(err, workErr)
}

// notify tells the service manager, if there is one.
func notify(log *slog.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.Warn("service manager was not told", "state", state, "err", err)
	}
}

func closing(log *slog.Logger, what string, f func() error) {
	if err := f(); err != nil {
		log.Error("not closed cleanly", "what", what, "err", err)
	}
}
