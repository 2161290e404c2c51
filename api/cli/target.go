package cli

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/api/contexts"
)

// The environment variables that say which node is meant.
const (
	contextVariable  = "BULKHEAD_CONTEXT"
	endpointVariable = "BULKHEAD_ENDPOINT"
)

// A target is what the options say about the node to talk to.
type target struct {
	socket  string
	context string
	way     contexts.Context // what is given of it; has no name
}

func (t *target) flags(f *pflag.FlagSet) {
	f.StringVarP(&t.socket, "socket", "s", "", "talk to the API at `PATH` (default $BULKHEAD_SOCKET, then "+client.DefaultSocket+"); --socket-path is the same")
	f.StringVar(&t.context, "context", "", "talk to the node that the context `NAME` stands for (default $BULKHEAD_CONTEXT)")
	f.StringVar(&t.way.Endpoint, "endpoint", "", "talk to the node at `HOST:PORT` (default $BULKHEAD_ENDPOINT); the port may be left out for "+client.DefaultPort)
	f.StringVar(&t.way.Fingerprint, "fingerprint", "", "know the node by the `SHA256` of its certificate, as its console shows it")
	f.StringVar(&t.way.CA, "ca", "", "know the node by a certificate from an authority in `FILE`")
	f.StringVar(&t.way.Certificate, "cert", "", "show the node the certificate in `FILE`")
	f.StringVar(&t.way.Key, "key", "", "its key, if it is not in the same file but in `FILE`")
}

// client returns the client for the target. What is wrong with the target is
// said by its first request: commands that make none need not care.
func (t *target) client() *client.Client {
	way, err := t.remote()
	if err != nil {
		return client.Broken(err)
	}
	if way == nil {
		return client.New(t.socket)
	}
	remote, err := way.Remote()
	if err != nil {
		return client.Broken(err)
	}
	return &client.Client{Remote: remote}
}

// remote returns how to reach the target over the network, or nil when it is
// behind a socket.
func (t *target) remote() (*contexts.Context, error) {
	if t.socket != "" {
		if t.context != "" || t.way != (contexts.Context{}) {
			return nil, usage("--socket excludes --context, --endpoint, --fingerprint, --ca, --cert and --key")
		}
		return nil, nil
	}
	name, endpoint := t.context, t.way.Endpoint
	if name == "" && endpoint == "" {
		endpoint = os.Getenv(endpointVariable)
	}
	if name == "" {
		name = os.Getenv(contextVariable)
	}
	given := name != "" || t.way != (contexts.Context{}) || endpoint != ""
	if !given && os.Getenv(client.SocketVariable) != "" {
		return nil, nil
	}
	base, err := baseContext(name, given)
	if err != nil || base == nil && !given {
		return nil, err
	}
	return t.complete(base, endpoint)
}

// baseContext returns the context called name, or the one in use, or nil. With
// none in use and no directory to look in, there is none.
func baseContext(name string, given bool) (*contexts.Context, error) {
	dir, err := contexts.DefaultDir()
	if err != nil {
		if name == "" {
			err = nil
		}
		return nil, err
	}
	file, err := contexts.Load(dir)
	if err != nil {
		return nil, &hinted{err, "mend the file, or talk to a socket with --socket PATH"}
	}
	if name = cmp.Or(name, file.Current); name == "" {
		return nil, nil
	}
	c, err := file.Find(name)
	if err != nil {
		return nil, &hinted{err, "add it with: apiclient context add"}
	}
	return &c, nil
}

// complete returns base, or an empty context, with what the options say instead.
func (t *target) complete(base *contexts.Context, endpoint string) (*contexts.Context, error) {
	var c contexts.Context
	if base != nil {
		c = *base
	}
	c.Endpoint = cmp.Or(endpoint, c.Endpoint)
	if t.way.Fingerprint != "" || t.way.CA != "" {
		c.Fingerprint, c.CA = t.way.Fingerprint, t.way.CA
	}
	if t.way.Certificate != "" {
		c.Certificate, c.Key = t.way.Certificate, ""
	}
	c.Key = cmp.Or(t.way.Key, c.Key)
	if err := c.CheckWay(); err != nil {
		return nil, &UsageError{
			Err:  fmt.Errorf("reach a node over the network: %w", err),
			Hint: "name a context with --context NAME, or give --endpoint, --cert and one of --fingerprint and --ca",
		}
	}
	return &c, nil
}

func (p *program) completeContexts(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	dir, err := contexts.DefaultDir()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	file, err := contexts.Load(dir)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, c := range file.Contexts {
		names = append(names, described(c.Name, c.Endpoint))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// absolute returns path as it is from everywhere.
func absolute(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", path, err)
	}
	return abs, nil
}
