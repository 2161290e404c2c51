package hostcontainerd

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/containerd/containerd/v2/core/remotes/docker/config"
	"golang.org/x/net/http/httpproxy"
)

// dockerHub is the name of the registry's host that image names have another
// name for.
const dockerHub = "registry-1.docker.io"

// resolver returns what finds and fetches image: through the mirrors of its
// registry, then the registry, with the credentials for each.
func (c *Client) resolver(ctx context.Context, image string, proxy Proxy, manners *courtesy) (remotes.Resolver, error) {
	known, err := readCredentials(filepath.Join(c.opt.Registry, "credentials.toml"))
	if err != nil {
		return nil, err
	}
	find := func(host string) (string, string, error) {
		for _, cred := range known {
			if canonical(cred.Host) == canonical(host) {
				return cred.pair()
			}
		}
		if ecrHost.MatchString(host) {
			user, secret, err := c.ecrCredential(ctx, host, image)
			if errors.Is(err, fs.ErrNotExist) {
				return "", "", nil // this image has no such helper
			}
			return user, secret, err
		}
		return "", "", nil
	}
	through := proxy.function()
	hosts := config.ConfigureHosts(ctx, config.HostOptions{
		HostDir:     config.HostDirFromRoot(filepath.Join(c.opt.Registry, "certs.d")),
		Credentials: find,
		UpdateClient: func(client *http.Client) error {
			if t, ok := client.Transport.(*http.Transport); ok {
				t.Proxy = through
				client.Transport = manners.transport(t)
			}
			return nil
		},
	})
	return docker.NewResolver(docker.ResolverOptions{Hosts: hosts, Headers: http.Header{"User-Agent": {"bulkhead"}}}), nil
}

func canonical(host string) string {
	if host == "docker.io" {
		return dockerHub
	}
	return strings.ToLower(host)
}

// function returns p as clients of HTTP take it.
func (p Proxy) function() func(*http.Request) (*url.URL, error) {
	cfg := httpproxy.Config{HTTPSProxy: p.HTTPS, NoProxy: strings.Join(p.Direct, ",")}
	choose := cfg.ProxyFunc()
	return func(r *http.Request) (*url.URL, error) { return choose(r.URL) }
}

// environment returns p as programs in a container take it.
func (p Proxy) environment() []string {
	if p.HTTPS == "" {
		return nil
	}
	var env []string
	for _, name := range []string{"HTTPS_PROXY", "https_proxy"} {
		env = append(env, name+"="+p.HTTPS)
	}
	for _, name := range []string{"NO_PROXY", "no_proxy"} {
		env = append(env, name+"="+strings.Join(p.Direct, ","))
	}
	return env
}

// exists reports whether there is a file called name.
func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
