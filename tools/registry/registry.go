// Package registry runs an image registry on this computer, for development and
// tests.
//
// It is the registry of the CNCF, built from a module of its own, so that what it
// needs stays out of the rest of our tools.
package registry

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/bulkhead-os/bulkhead/tools/pinned"
	"github.com/bulkhead-os/bulkhead/tools/run"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// Module pins what the registry is built from.
const Module = "tools/registry/upstream"

var program = pinned.Program{Module: Module, File: Module + "/main.go", Output: "build/tools/registry"}

// startup is how long the registry may take until it listens.
const startup = time.Minute

// Prepare builds the registry if it is not there yet.
func Prepare(ctx context.Context, root workspace.Root, out io.Writer) error {
	if _, ok := program.Find(root); ok {
		return nil
	}
	fmt.Fprintln(out, "building the image registry")
	_, err := program.Build(ctx, root)
	return err
}

// Missing returns what Prepare would build, or "".
func Missing(root workspace.Root) string {
	if bin, ok := program.Find(root); !ok {
		return bin
	}
	return ""
}

// Options say what a registry is like. The zero value keeps images in memory and
// listens where nobody else does.
type Options struct {
	Dir      string    // where images are kept
	Listen   string    // address
	HTPasswd string    // file of users; everybody may do everything without
	Log      io.Writer // nil to discard
}

// A Registry is one that runs.
type Registry struct {
	Addr string // host and port

	stop  context.CancelFunc
	ended chan struct{}
	err   error // how it ended; set before ended is closed
}

// Start returns a registry once it answers. It ends with ctx, and when this
// program dies.
func Start(ctx context.Context, root workspace.Root, opt Options) (*Registry, error) {
	bin, ok := program.Find(root)
	if !ok {
		return nil, fmt.Errorf("there is no %s: build it first", bin)
	}
	listen := cmp.Or(opt.Listen, "127.0.0.1:0")
	if err := onlyHere(listen); err != nil {
		return nil, err
	}
	if opt.Dir != "" {
		dir, err := filepath.Abs(opt.Dir)
		if err != nil {
			return nil, err
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
		opt.Dir = dir
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()
	ctx, stop := context.WithCancel(ctx)
	proc, err := run.Command{
		Args:   []string{bin, "-listen", listen, "-dir", opt.Dir, "-htpasswd", opt.HTPasswd},
		Stdout: write, Stderr: opt.Log, Bound: true, Apart: true,
	}.Start(ctx)
	write.Close()
	if err != nil {
		stop()
		return nil, err
	}
	r := &Registry{stop: stop, ended: make(chan struct{})}
	go func() {
		r.err = proc.Wait()
		close(r.ended)
	}()
	if r.Addr, err = firstLine(read); err != nil {
		defer stop()
		if !errors.Is(err, io.EOF) { // it did not end by itself
			stop()
		}
		<-r.ended
		return nil, fmt.Errorf("start a registry: %w: %w", err, r.err)
	}
	return r, nil
}

// onlyHere refuses addresses that others than this computer reach: anybody may
// change what is in the registry.
func onlyHere(listen string) error {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("address %s is reached from elsewhere, want one of this computer's own such as 127.0.0.1:5000", listen)
	}
	return nil
}

// firstLine returns the line that the registry writes when it listens.
func firstLine(r *os.File) (string, error) {
	if err := r.SetReadDeadline(time.Now().Add(startup)); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(r).ReadString('\n')
	return strings.TrimSpace(line), err
}

// Ended is closed when the registry has ended.
func (r *Registry) Ended() <-chan struct{} { return r.ended }

// Stop ends the registry and waits for it. It returns an error when it had ended
// by itself.
func (r *Registry) Stop() error {
	select {
	case <-r.ended:
		return fmt.Errorf("the registry ended: %w", r.err)
	default:
	}
	r.stop()
	<-r.ended
	return nil
}
