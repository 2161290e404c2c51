package controlplane

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/bulkhead-os/bulkhead/api/kubepki"
	"github.com/bulkhead-os/bulkhead/tools/run"
)

// A program is one that was started.
type program struct {
	name string
	log  string // file

	stop  context.CancelFunc
	ended chan struct{}
	err   error // how it ended; set before ended is closed
}

// end ends the program and waits for it.
func (p *program) end() {
	p.stop()
	<-p.ended
}

// startProgram starts a program of the release, which writes into a log of its
// own. It ends when it is told to, and when this process dies.
func (c *ControlPlane) startProgram(name string, words ...string) (*program, error) {
	p := &program{name: name, log: c.path("logs", name+".log"), ended: make(chan struct{})}
	log, err := os.OpenFile(p.log, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	// Not the context of who starts it: programs end one after the other.
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	proc, err := run.Command{
		Args: append([]string{filepath.Join(c.opt.Release.Dir(), name)}, words...), Dir: c.opt.Dir,
		Stdout: log, Stderr: log, Apart: true, Bound: true,
	}.Start(ctx)
	if err != nil {
		stop()
		return nil, errors.Join(err, log.Close())
	}
	c.programs = append(c.programs, p)
	go func() {
		p.err = proc.Wait()
		_ = log.Close() // it tells only what others could not tell either
		if p.err == nil {
			p.err = errors.New("exit status 0")
		}
		close(p.ended)
	}()
	return p, nil
}

// startPrograms starts one program after the other, each when what it talks to
// answers.
func (c *ControlPlane) startPrograms(ctx, limited context.Context) error {
	etcd, err := c.startProgram("etcd", c.etcd()...)
	if err != nil {
		return err
	}
	if err := c.await(limited, etcd, c.etcdAnswers); err != nil {
		return err
	}
	api, err := c.startProgram("kube-apiserver", c.apiserver()...)
	if err != nil {
		return err
	}
	if err := c.await(limited, api, c.apiAnswers); err != nil {
		return err
	}
	manager, err := c.startProgram("kube-controller-manager", c.controllerManager()...)
	if err != nil {
		return err
	}
	if _, err := c.startProgram("kube-scheduler", c.scheduler()...); err != nil {
		return err
	}
	// Pods that are made before would be refused.
	return c.await(limited, manager, func(ctx context.Context) error {
		var account struct{}
		return c.Client.Get(ctx, "/api/v1/namespaces/default/serviceaccounts/default", &account)
	})
}

const poll = 100 * time.Millisecond

// await asks until the answer is good, or the program has ended.
func (c *ControlPlane) await(ctx context.Context, p *program, ask func(context.Context) error) error {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.ended:
			return fmt.Errorf("%s: %w; its log is %s", p.name, p.err, p.log)
		case <-ctx.Done():
			return fmt.Errorf("%s: %w: %w; its log is %s", p.name, context.Cause(ctx), err, p.log)
		}
	}
}

func (c *ControlPlane) apiAnswers(ctx context.Context) error {
	_, err := c.Client.Do(ctx, requestReady)
	return err
}

// etcdAnswers asks etcd whether it is well, as its client.
func (c *ControlPlane) etcdAnswers(ctx context.Context) error {
	pair, err := tls.LoadX509KeyPair(c.pki.Path("apiserver-etcd-client.crt"), c.pki.Path("apiserver-etcd-client.key"))
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(c.pki.Bundle(kubepki.Etcd))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.etcdURL(c.ports.etcd)+"/health", nil)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("etcd answers %s", resp.Status)
	}
	return nil
}

func (c *ControlPlane) etcdURL(port int) string { return fmt.Sprintf("https://127.0.0.1:%d", port) }
