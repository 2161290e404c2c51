// Command upstream is the registry of the CNCF: it serves images.
//
// Its storage is a directory, or memory; it has none of the drivers for clouds
// that the command of upstream brings.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"

	_ "github.com/distribution/distribution/v3/registry/auth/htpasswd"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/inmemory"
	"github.com/sirupsen/logrus"
)

func main() {
	dir := flag.String("dir", "", "keep images in `DIR` instead of memory")
	listen := flag.String("listen", "127.0.0.1:0", "listen at `ADDRESS`")
	users := flag.String("htpasswd", "", "ask for a user and password of `FILE`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, *dir, *listen, *users); err != nil {
		fmt.Fprintln(os.Stderr, "registry:", err)
		os.Exit(1)
	}
}

// serve prints the address that it listens at once it answers.
func serve(ctx context.Context, dir, listen, users string) error {
	logrus.SetLevel(logrus.WarnLevel)
	cfg := &configuration.Configuration{Storage: configuration.Storage{"inmemory": nil}}
	if dir != "" {
		cfg.Storage = configuration.Storage{
			"filesystem": {"rootdirectory": dir}, "delete": {"enabled": true},
		}
	}
	if users != "" {
		cfg.Auth = configuration.Auth{"htpasswd": {"realm": "images", "path": users}}
	}
	cfg.Log.Level = "warn"
	cfg.HTTP.Secret = "images for tests" // only this process makes and reads what it signs
	cfg.Catalog.MaxEntries = 1000
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handlers.NewApp(ctx, cfg), ReadHeaderTimeout: 30 * time.Second}
	go func() {
		<-ctx.Done()
		server.Close()
	}()
	fmt.Println(l.Addr())
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
